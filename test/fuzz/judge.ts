// The verdict over one fuzz case: what was sent, what came out on the other side, and how two
// parsers that share nothing with the gateway's read both. Returns what is wrong, or nothing.
//
// What must hold, whatever was sent:
//  - what leaves is read alike by both parsers, to the last byte;
//  - what leaves is what both read in what came in: same messages, same order, same bodies;
//  - no field leaves that did not come in, but those of the gateway's own, and none that was meant
//    for one hop;
//  - each forwarded request has its own answer, and one that broke off does not look complete.
// Refusing is always allowed, but for a message that is valid as it stands.

import { type Opinion, llhttpAnswers, llhttpRequests, type Read } from "./llhttp.ts";
import { type Message, type Reading, readAnswers, readRequests, valuesOf } from "./twin.ts";

export interface RequestCase {
  readonly sent: string;
  /** How many messages were sent, when all were valid as they stand. */
  readonly cleanCount: number | undefined;
  /** What each connection to the instance carried. */
  readonly streams: readonly string[];
  /** Complete requests in the order in which they reached the instance. */
  readonly forwarded: readonly Message[];
  /** All that the client got, until the gateway closed. */
  readonly received: string;
}

/** The field by which an instance numbers its answers. */
export const SERIAL = "x-serial";
const OWN_REASON = "x-nines-reason";

export function judgeRequests(run: RequestCase): string | undefined {
  const asked = readRequests(run.sent);
  const complete = asked.messages.filter((message) => message.complete);
  return (
    judgeStreams(run.streams) ??
    judgeForwarded(run.forwarded, complete, llhttpRequests(run.sent)) ??
    judgeAnswers(run, complete) ??
    judgeClean(run, complete)
  );
}

function judgeStreams(streams: readonly string[]): string | undefined {
  for (const stream of streams) {
    const twin = readRequests(stream);
    if (twin.rest === "refused") return `what was forwarded is no HTTP at byte ${twin.restFrom}`;
    const other = llhttpRequests(plain(stream, twin));
    if (other.error !== "") return `llhttp refuses what was forwarded: ${other.error}`;
    const difference = firstDifference(
      twin.messages.filter((message) => message.complete).map(bodyOnly),
      other.messages.filter((message) => message.complete).map(bodyOnly),
    );
    if (difference !== undefined)
      return `two parsers read what was forwarded differently: ${difference}`;
  }
  return undefined;
}

/**
 * The text as llhttp is asked about it. It knows a fixed list of methods and of characters in a
 * target, and refuses a tab after a Content-Length, which RFC 9110 section 5.5 allows: nothing of
 * framing.
 */
function plain(text: string, reading: Reading): string {
  let result = "";
  let from = 0;
  for (const { status, lineFrom, lineTo, headTo } of reading.messages) {
    const line = status === 0 ? "POST / HTTP/1.1\r\n" : text.slice(lineFrom, lineTo);
    const fields = text.slice(lineTo, headTo).replace(/[ \t]+\r\n/g, "\r\n");
    result += text.slice(from, lineFrom) + line + fields;
    from = headTo;
  }
  return result + text.slice(from);
}

const bodyOnly = ({ body }: { readonly body: string }): string => body;

function judgeForwarded(
  forwarded: readonly Message[],
  asked: readonly Message[],
  llhttp: Opinion,
): string | undefined {
  for (const [index, message] of forwarded.entries()) {
    const original = asked[index];
    if (original === undefined) return `forwarded a request that nobody sent: ${say(message)}`;
    const difference = requestDifference(message, original);
    if (difference !== undefined) return `request ${index} was changed: ${difference}`;
    const other: Read | undefined = llhttp.messages[index];
    if (other?.complete === true && other.body !== message.body) {
      return `llhttp reads another body in request ${index}: ${JSON.stringify(other.body)}`;
    }
  }
  return undefined;
}

function requestDifference(message: Message, original: Message): string | undefined {
  if (message.method !== original.method) return `${original.method} became ${message.method}`;
  const path = pathOf(original);
  if (message.target !== path) return `${path} became ${message.target}`;
  if (message.body !== original.body) {
    return `${JSON.stringify(original.body)} became ${JSON.stringify(message.body)}`;
  }
  // HTTP/1.0 may come without a Host and leaves with one.
  const own = valuesOf(original, "host").length === 0 ? [...REQUEST_OWN, "host"] : REQUEST_OWN;
  return strangeField(message, original, own) ?? hopField(message, original);
}

const HOP = ["keep-alive", "proxy-connection", "te", "trailer", "http2-settings"];
/** Naming one of these would change the message for the next hop; they stay. */
const UNNAMEABLE = ["content-length", "transfer-encoding", "host"];

/** A field that was for the gateway alone and left it nevertheless, if there is one. */
function hopField(message: Message, original: Message): string | undefined {
  const named = valuesOf(original, "connection").flatMap((value) => value.toLowerCase().split(","));
  const hop = [...HOP, ...named.map((name) => name.trim())];
  const kept = message.fields.find(
    ([name]) => hop.includes(name) && !UNNAMEABLE.includes(name) && !REQUEST_OWN.includes(name),
  );
  const isUpgrade = kept?.[0] === "upgrade";
  return kept === undefined || isUpgrade ? undefined : `${JSON.stringify(kept)} was not for others`;
}

function pathOf({ method, target }: Message): string {
  if (!/^https?:/i.test(target)) return target;
  const path = target.replace(/^https?:\/\/[^/]*/i, "");
  if (path !== "") return path;
  return method === "OPTIONS" ? "*" : "/";
}

const REQUEST_OWN = [
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "traceparent",
  "x-request-id",
  "connection",
];
const ANSWER_OWN = ["connection", "transfer-encoding"];

/** A field that came from nowhere, if there is one. */
function strangeField(message: Message, original: Message, own: readonly string[]) {
  const sent = new Set(original.fields.map(([name, value]) => `${name}: ${value}`));
  const strange = message.fields.find(
    ([name, value]) => !own.includes(name) && !sent.has(`${name}: ${value}`),
  );
  return strange === undefined ? undefined : `the field ${JSON.stringify(strange)} is new`;
}

function judgeAnswers(run: RequestCase, complete: readonly Message[]): string | undefined {
  const methods = complete.map((message) => message.method);
  let answers = readAnswers(run.received, methods, true);
  if (answers.rest !== "nothing") {
    // Whether a refused head was that of a HEAD is anybody's guess: an answer that closes may do
    // both.
    const refused = run.forwarded.length;
    methods[refused] = methods[refused] === "HEAD" ? "GET" : "HEAD";
    answers = readAnswers(run.received, methods, true);
  }
  const wrong = judgeReceived(run.received, methods, answers);
  if (wrong !== undefined) return wrong;
  const finals = answers.messages.filter((message) => message.status >= 200);
  for (const [index, final] of finals.entries()) {
    const isOwn = valuesOf(final, OWN_REASON).length > 0;
    const isLast = index === finals.length - 1;
    if (isOwn && isLast) break;
    if (isOwn) return `answer ${index} is the gateway's own and not the last`;
    const serial = valuesOf(final, SERIAL)[0];
    if (serial !== String(index)) return `answer ${index} is the one to request ${serial}`;
  }
  const relayed = finals.filter((message) => valuesOf(message, OWN_REASON).length === 0).length;
  if (relayed < run.forwarded.length)
    return `${run.forwarded.length} forwarded, ${relayed} answered`;
  return undefined;
}

function judgeReceived(
  received: string,
  methods: readonly string[],
  answers: Reading,
): string | undefined {
  if (answers.rest !== "nothing") {
    return `the client cannot read what it got from byte ${answers.restFrom} on`;
  }
  const other = llhttpAnswers(plain(received, answers), methods, true);
  if (other.error !== "") return `llhttp refuses what the client got: ${other.error}`;
  const difference = firstDifference(answers.messages.map(bodyOnly), other.messages.map(bodyOnly));
  return difference === undefined
    ? undefined
    : `two parsers read the answers differently: ${difference}`;
}

function judgeClean(run: RequestCase, asked: readonly Message[]): string | undefined {
  if (run.cleanCount === undefined) return undefined;
  if (asked.length !== run.cleanCount) return "the fuzz made a message that is not valid";
  if (run.forwarded.length === run.cleanCount) return undefined;
  return `${run.forwarded.length} of ${run.cleanCount} valid requests were forwarded`;
}

export interface AnswerCase {
  readonly method: string;
  readonly clientMinorVersion: number;
  /** All that the instance sent to each request of the client's. */
  readonly sent: string;
  /** The instance closed its connection after it. */
  readonly closed: boolean;
  readonly isClean: boolean;
  readonly received: string;
  /** The client's connection was reset: what it got is known to be cut off. */
  readonly wasReset: boolean;
}

export function judgeAnswer(run: AnswerCase): string | undefined {
  const methods = [run.method];
  const sent = readAnswers(run.sent, methods, run.closed);
  const original = finalOf(sent.messages);
  const answers = readAnswers(run.received, methods, !run.wasReset);
  const final = finalOf(answers.messages);
  const other = llhttpAnswers(plain(run.received, answers), methods, false);
  if (answers.rest === "refused") return `the client cannot read byte ${answers.restFrom}`;
  if (other.error !== "") return `llhttp refuses what the client got: ${other.error}`;
  if (final === undefined || !final.complete) {
    const isWhole = original?.complete === true && original.status >= 200;
    return isWhole && run.isClean ? "a whole answer did not come through" : undefined;
  }
  if (answers.restFrom < run.received.length) return "bytes follow the answer";
  const theirs = other.messages.at(-1);
  if (theirs?.body !== final.body)
    return `llhttp reads another body: ${JSON.stringify(theirs?.body)}`;
  if (valuesOf(final, OWN_REASON).length > 0) return judgeOwn(run, final, original);
  return judgeRelayed(run, final, original);
}

function judgeOwn(run: AnswerCase, final: Message, original: Message | undefined) {
  const code = valuesOf(final, OWN_REASON)[0];
  if (run.isClean && original?.complete === true) return `a valid answer was refused: ${code}`;
  return undefined;
}

function judgeRelayed(
  run: AnswerCase,
  final: Message,
  original: Message | undefined,
): string | undefined {
  if (original === undefined) return "an answer came from nowhere";
  if (original.status === 101) return "changed protocols without being asked";
  if (!original.complete) return "an answer that broke off looks complete";
  if (final.status !== original.status) return `${original.status} became ${final.status}`;
  if (final.body !== original.body) {
    return `${JSON.stringify(original.body)} became ${JSON.stringify(final.body)}`;
  }
  if (run.clientMinorVersion === 0 && final.framing === "chunked") return "chunks for HTTP/1.0";
  return strangeField(final, original, ANSWER_OWN) ?? hopField(final, original);
}

/** The first answer that is not interim; 101 is final. */
function finalOf(messages: readonly Message[]): Message | undefined {
  return messages.find((message) => message.status >= 200 || message.status === 101);
}

function firstDifference(some: readonly string[], others: readonly string[]): string | undefined {
  for (let index = 0; index < Math.max(some.length, others.length); index++) {
    if (some[index] === others[index]) continue;
    return `${index}: ${JSON.stringify(some[index])} and ${JSON.stringify(others[index])}`;
  }
  return undefined;
}

function say({ method, target }: Message): string {
  return JSON.stringify(`${method} ${target}`);
}

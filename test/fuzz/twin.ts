// HTTP/1.1 framing, slow and obvious: RFC 9112 over a whole text with regular expressions, for the
// fuzz judge to compare with. It shares nothing with the gateway's parser.
//
// Where the RFC lets a recipient choose between mending and refusing (bare LF, folded fields,
// several equal Content-Lengths, Transfer-Encoding beside Content-Length), it refuses: what a
// gateway lets pass there, the next parser may read otherwise. Bytes are the characters of a latin1
// string.

export type Framing = "none" | "length" | "chunked" | "close";

export interface Message {
  /** Of a request; "" for an answer. */
  readonly method: string;
  readonly target: string;
  /** Of an answer; 0 for a request. */
  readonly status: number;
  readonly minorVersion: number;
  /** Where its first line lies in the text. */
  readonly lineFrom: number;
  readonly lineTo: number;
  /** Where its head ends. */
  readonly headTo: number;
  /** Names in lower case, in order. */
  readonly fields: readonly (readonly [string, string])[];
  readonly framing: Framing;
  readonly body: string;
  /** False when the text ends, or goes wrong, within this message's body. */
  readonly complete: boolean;
}

export interface Reading {
  /** The last one may be incomplete. */
  readonly messages: readonly Message[];
  /** What follows the complete messages: nothing, less than a message, or what is none. */
  readonly rest: "nothing" | "incomplete" | "refused";
  /** Where the rest begins. */
  readonly restFrom: number;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const VALUE = "[\\t\\x20-\\x7e\\x80-\\xff]*";
const REQUEST_LINE = new RegExp(
  `(?:\\r\\n)?(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.([01])\\r\\n`,
  "y",
);
const STATUS_LINE = new RegExp(`HTTP/1\\.([01]) ([1-5][0-9]{2})(?: ${VALUE})?\\r\\n`, "y");
const FIELD = new RegExp(`(${TOKEN}):[ \\t]*(${VALUE})\\r\\n`, "y");
const BEGINNING = new RegExp(`^(?:${TOKEN}|\\r(?:\\n|$))`);
const EMPTY_LINE = /\r\n/y;
const CHUNK_SIZE = new RegExp(`([0-9A-Fa-f]{1,13})(?:[ \\t]*;${VALUE})?\\r\\n`, "y");

/** All requests in the text. */
export function readRequests(text: string): Reading {
  return readAll(text, false, () => "");
}

/** The answers in the text to requests of these methods; `closed`: no more will come. */
export function readAnswers(text: string, methods: readonly string[], closed: boolean): Reading {
  return readAll(text, closed, (index) => methods[index] ?? "GET", true);
}

function readAll(
  text: string,
  closed: boolean,
  methodOf: (index: number) => string,
  answers = false,
): Reading {
  const messages: Message[] = [];
  let from = 0;
  let finals = 0;
  while (from < text.length) {
    const head = readHead(text, from, answers);
    if (head === undefined) {
      const rest = isWholeHead(text, from) ? "refused" : "incomplete";
      return { messages, rest, restFrom: from };
    }
    const framing = answers ? framingOfAnswer(head, methodOf(finals)) : framingOfRequest(head);
    if (framing === undefined) return { messages, rest: "refused", restFrom: from };
    const body = readBody(text, head.headTo, framing, head, closed);
    messages.push({ ...head, framing, body: body.data, complete: body.end !== undefined });
    if (body.end === undefined) {
      return { messages, rest: body.refused ? "refused" : "incomplete", restFrom: from };
    }
    if (head.status === 0 || head.status >= 200) finals++;
    from = body.end;
  }
  return { messages, rest: "nothing", restFrom: from };
}

type Head = Omit<Message, "framing" | "body" | "complete">;

function match(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}

function readHead(text: string, from: number, answer: boolean): Head | undefined {
  const line = match(answer ? STATUS_LINE : REQUEST_LINE, text, from);
  if (line === null) return undefined;
  const fields: [string, string][] = [];
  let end = from + line[0].length;
  for (let field = match(FIELD, text, end); field !== null; field = match(FIELD, text, end)) {
    fields.push([(field[1] ?? "").toLowerCase(), (field[2] ?? "").replace(/[ \t]+$/, "")]);
    end += field[0].length;
  }
  if (match(EMPTY_LINE, text, end) === null) return undefined;
  end += 2;
  return {
    method: answer ? "" : (line[1] ?? ""),
    target: answer ? "" : (line[2] ?? ""),
    status: answer ? Number(line[2]) : 0,
    minorVersion: Number(answer ? line[1] : line[3]),
    lineFrom: from,
    lineTo: from + line[0].length,
    headTo: end,
    fields,
  };
}

/** Whether somebody could take what is there for a whole head: an empty line, however ended. */
function isWholeHead(text: string, from: number): boolean {
  const rest = text.slice(from);
  return /\n\r?\n/.test(rest) || !BEGINNING.test(rest);
}

export function valuesOf(head: Pick<Message, "fields">, name: string): readonly string[] {
  return head.fields.filter(([each]) => each === name).map(([, value]) => value);
}

/** "chunked", a length, none, or undefined when the two fields are not to be trusted. */
function lengthOf(head: Head): "chunked" | number | "absent" | undefined {
  const codings = valuesOf(head, "transfer-encoding");
  const lengths = valuesOf(head, "content-length");
  if (codings.length + lengths.length > 1) return undefined;
  if (codings.length === 1) {
    return codings[0]?.toLowerCase() === "chunked" && head.minorVersion === 1
      ? "chunked"
      : undefined;
  }
  if (lengths.length === 0) return "absent";
  return /^[0-9]{1,15}$/.test(lengths[0] ?? "") ? Number(lengths[0]) : undefined;
}

// uri-host [ ":" port ]: a name or an IPv4 address, or an IPv6 address in brackets.
const HOST = /^(?:[-0-9A-Za-z._~!$&'()*+,;=%]+|\[[-0-9A-Za-z._~!$&'()*+,;=%:]+\])(?::[0-9]{0,5})?$/;

function isHosted(head: Head): boolean {
  const hosts = valuesOf(head, "host");
  if (hosts.length > 1 || (hosts.length === 0 && head.minorVersion === 1)) return false;
  const host = hosts[0] ?? "";
  if (host !== "" && !HOST.test(host)) return false;
  const authority = /^https?:\/\/([^/]*)/i.exec(head.target)?.[1];
  if (authority === undefined) return true;
  return HOST.test(authority) && (hosts.length === 0 || sameName(authority, host));
}

function sameName(some: string, other: string): boolean {
  return some.toLowerCase() === other.toLowerCase();
}

function framingOfRequest(head: Head): Framing | undefined {
  if (!isHosted(head) || !isTarget(head) || head.method === "CONNECT") return undefined;
  const length = lengthOf(head);
  if (length === undefined) return undefined;
  if (length === "chunked") return "chunked";
  return length === "absent" || length === 0 ? "none" : "length";
}

function isTarget({ method, target }: Head): boolean {
  if (target.includes("#")) return false;
  if (target.startsWith("/") || isAsterisk(method, target)) return true;
  return /^https?:\/\/[^/?]+(?:\/|$)/i.test(target);
}

function isAsterisk(method: string, target: string): boolean {
  return target === "*" && method === "OPTIONS";
}

/** RFC 9112 section 6.3. */
function framingOfAnswer(head: Head, method: string): Framing | undefined {
  const length = lengthOf(head);
  if (length === undefined) return undefined;
  if (method === "HEAD" || head.status < 200 || head.status === 204 || head.status === 304) {
    return "none";
  }
  if (length === "chunked") return "chunked";
  if (length === "absent") return "close";
  return length === 0 ? "none" : "length";
}

interface Body {
  readonly data: string;
  /** Where the message ends; undefined when it does not. */
  readonly end: number | undefined;
  readonly refused: boolean;
}

function readBody(text: string, from: number, framing: Framing, head: Head, closed: boolean): Body {
  if (framing === "none") return { data: "", end: from, refused: false };
  if (framing === "chunked") return readChunks(text, from);
  if (framing === "close") {
    return { data: text.slice(from), end: closed ? text.length : undefined, refused: false };
  }
  const end = from + Number(valuesOf(head, "content-length")[0]);
  const complete = end <= text.length;
  return { data: text.slice(from, end), end: complete ? end : undefined, refused: false };
}

function readChunks(text: string, from: number): Body {
  let data = "";
  for (let at = from; ; ) {
    const line = match(CHUNK_SIZE, text, at);
    if (line === null) return { data, end: undefined, refused: hasLineEnd(text, at) };
    const size = Number.parseInt(line[1] ?? "", 16);
    at += line[0].length;
    if (size === 0) return readTrailers(text, at, data);
    data += text.slice(at, at + size);
    at += size;
    const end = text.slice(at, at + 2);
    if (end !== "\r\n") return { data, end: undefined, refused: end.length === 2 };
    at += 2;
  }
}

function readTrailers(text: string, from: number, data: string): Body {
  let at = from;
  for (let field = match(FIELD, text, at); field !== null; field = match(FIELD, text, at)) {
    at += field[0].length;
  }
  if (match(EMPTY_LINE, text, at) !== null) return { data, end: at + 2, refused: false };
  return { data, end: undefined, refused: hasLineEnd(text, at) };
}

function hasLineEnd(text: string, from: number): boolean {
  return text.includes("\n", from);
}

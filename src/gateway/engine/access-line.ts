// One line of the access log for one request, as JSON or in Apache's "combined" form. Pure.
//
// What may be written is listed here, field by field, and nothing else is ever taken from a
// request: no Authorization, no cookie, no body. A query stays out unless it is asked for, also
// that of a Referer, since tokens travel in queries. Texts of clients are escaped, so that no
// request can write a line of its own, and cut at TEXT_BYTES_MAX.
//
// A client's bytes are copied when they come and escaped into the line when it is written; no
// string is made of them. Rejected: JSON.stringify, which costs three times what the rest of a line
// does, most of it for strings that nobody but the file needs.

import { allReasons, type EndingCode } from "../../core/base/reasons.ts";
import type { AccessLogPolicy } from "../../core/route/table.ts";
import { at } from "../http1/syntax.ts";
import type { Writer } from "../http1/writer.ts";

/** Of a text that a client sent. */
const TEXT_BYTES_MAX = 2_048;
/** Of what a line has besides texts and names; and the most that one byte of a text becomes. */
const FRAME_BYTES_MAX = 512;
const ESCAPE_BYTES_MAX = "\\u0000".length;
const HEAD_BYTES = 256;

/** The texts of a head that may be told, in the order in which they are taken. */
const part = { method: 0, target: 1, host: 2, referer: 3, userAgent: 4 } as const;
type Part = (typeof part)[keyof typeof part];
const PARTS = 5;

/** What is taken of a request's head: a copy, since its bytes are gone when the request ends. */
export class LoggedHead {
  minorVersion = 1;
  #bytes = Buffer.allocUnsafeSlow(HEAD_BYTES);
  readonly #ends = new Int32Array(PARTS);
  #count = 0;

  get bytes(): Buffer {
    return this.#bytes;
  }

  clear(): void {
    this.#count = 0;
  }

  /** The next of method, target (path, query), host, referer, user agent; empty where none is. */
  add(bytes: Uint8Array, from: number, to: number): void {
    const start = this.#count === 0 ? 0 : (this.#ends[this.#count - 1] as number);
    const end = start + Math.min(to - from, TEXT_BYTES_MAX);
    if (end > this.#bytes.length) this.#grow(start);
    for (let index = start; index < end; index++) {
      this.#bytes[index] = at(bytes, from + index - start);
    }
    this.#ends[this.#count++] = end;
  }

  from(which: Part): number {
    return which === 0 ? 0 : (this.#ends[which - 1] as number);
  }

  to(which: Part): number {
    return this.#ends[which] as number;
  }

  /** Once for all: the longest texts have room then. */
  #grow(used: number): void {
    const larger = Buffer.allocUnsafeSlow(PARTS * TEXT_BYTES_MAX);
    this.#bytes.copy(larger, 0, 0, used);
    this.#bytes = larger;
  }
}

export interface AccessEntry {
  /** Undefined for a tcp connection, and for a head that was refused. */
  readonly head: LoggedHead | undefined;
  /** Its address. */
  readonly client: string;
  readonly protocol: "http" | "tcp";
  /** When it ended. */
  readonly wallMs: number;
  readonly durationMs: number;
  /** Until the last try began: in the queue, and with earlier tries. */
  readonly waitedMs: number;
  /** 0: the client was sent none. */
  readonly status: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly route: string;
  readonly service: string;
  readonly instance: string;
  readonly tries: number;
  readonly why: EndingCode | undefined;
}

type FieldName =
  | "at"
  | "client"
  | "protocol"
  | "method"
  | "host"
  | "path"
  | "status"
  | "durationMs"
  | "waitedMs"
  | "receivedBytes"
  | "sentBytes"
  | "route"
  | "service"
  | "instance"
  | "tries"
  | "reason"
  | "state"
  | "referer"
  | "userAgent";

/** The fields of a JSON line in their order; null where there is nothing to say. */
export const accessFields: Readonly<Record<FieldName, string>> = {
  at: "When the request ended, in UTC.",
  client: "The address of whoever connected.",
  protocol: "`HTTP/1.1`, `HTTP/1.0`, or `tcp` for a connection of a tcp listener.",
  method: "Null for a head that was refused, as are the next two.",
  host: "What the request asks for as its host, as sent.",
  path: "As sent; with its query only where the file says `query: true`.",
  status: "Of the answer, also when it broke off later; null when none was begun.",
  durationMs: "Whole request head to the end.",
  waitedMs: "Of this, until the last try began: in the queue, and with earlier tries.",
  receivedBytes: "From the client, heads included.",
  sentBytes: "To the client, heads included; 0 for an answer of the gateway's own.",
  route: "As in the metrics; null when none was known, as are the next two.",
  service: "The route's service.",
  instance: "Which one was tried last.",
  tries: "How many were begun, hedges not counted.",
  reason: "Why it did not end with an instance's whole answer; null when it did.",
  state: "The same as HAProxy's termination state; `--` when nothing was wrong.",
  referer: "Without its query, as the path.",
  userAgent: "As sent.",
};

/** Appends the line, its newline included. */
export function writeAccessLine(
  out: Writer,
  entry: AccessEntry,
  { format, query }: Pick<AccessLogPolicy, "format" | "query">,
): void {
  out.reserve(FRAME_BYTES_MAX);
  if (format === "json") writeJson(out, entry, query);
  else writeCombined(out, entry, query);
}

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");

// What stands between the values of a JSON line.
const AT = bytesOf('{"at":"');
const CLIENT = bytesOf('Z","client":');
const PROTOCOL = bytesOf(',"protocol":"');
const METHOD = bytesOf('","method":');
const HOST = bytesOf(',"host":');
const PATH = bytesOf(',"path":');
const STATUS = bytesOf(',"status":');
const DURATION = bytesOf(',"durationMs":');
const WAITED = bytesOf(',"waitedMs":');
const RECEIVED = bytesOf(',"receivedBytes":');
const SENT = bytesOf(',"sentBytes":');
const ROUTE = bytesOf(',"route":');
const SERVICE = bytesOf(',"service":');
const INSTANCE = bytesOf(',"instance":');
const TRIES = bytesOf(',"tries":');
const REASON = bytesOf(',"reason":');
const STATE = bytesOf(',"state":"');
const REFERER = bytesOf('","referer":');
const USER_AGENT = bytesOf(',"userAgent":');
const END = bytesOf("}\n");
const NULL = bytesOf("null");
const QUOTE = bytesOf('"');
const POINT = bytesOf(".");

function writeJson(out: Writer, entry: AccessEntry, query: boolean): void {
  const { head, why } = entry;
  out.all(AT);
  writeIso(out, entry.wallMs);
  out.all(CLIENT);
  writeAddress(out, entry.client);
  out.all(PROTOCOL);
  out.text(entry.protocol === "tcp" ? "tcp" : head?.minorVersion === 0 ? "HTTP/1.0" : "HTTP/1.1");
  out.all(METHOD);
  writeText(out, head, part.method, true);
  out.all(HOST);
  writeText(out, head, part.host, true);
  out.all(PATH);
  writeText(out, head, part.target, query);
  writeNumbers(out, entry);
  out.all(ROUTE);
  writeName(out, entry.route);
  out.all(SERVICE);
  writeName(out, entry.service);
  out.all(INSTANCE);
  writeName(out, entry.instance);
  out.all(TRIES);
  out.decimal(entry.tries);
  out.all(REASON);
  writeName(out, why ?? "");
  out.all(STATE);
  out.text(why === undefined ? "--" : allReasons[why].state);
  out.all(REFERER);
  writeText(out, head, part.referer, query);
  out.all(USER_AGENT);
  writeText(out, head, part.userAgent, true);
  out.all(END);
}

function writeNumbers(out: Writer, entry: AccessEntry): void {
  out.all(STATUS);
  if (entry.status === 0) out.all(NULL);
  else out.decimal(entry.status);
  out.all(DURATION);
  writeMs(out, entry.durationMs);
  out.all(WAITED);
  writeMs(out, entry.waitedMs);
  out.all(RECEIVED);
  out.decimal(entry.receivedBytes);
  out.all(SENT);
  out.decimal(entry.sentBytes);
}

/** To the microsecond. */
function writeMs(out: Writer, ms: number): void {
  const microseconds = Math.round(ms * 1000);
  out.decimal(Math.floor(microseconds / 1000));
  out.all(POINT);
  out.decimal(microseconds % 1000, 3);
}

/** nginx' status for a client that has gone. */
const CLIENT_GONE = 499;
const BEFORE_TIME = bytesOf(" - - [");
const BEFORE_LINE = bytesOf('] "');
const AFTER_LINE = bytesOf('" ');
const BEFORE_REFERER = bytesOf(' "');
const BETWEEN = bytesOf('" "');
const END_OF_COMBINED = bytesOf('"\n');
const SPACE = bytesOf(" ");
const DASH = bytesOf("-");

function writeCombined(out: Writer, entry: AccessEntry, query: boolean): void {
  const { head, client, why } = entry;
  const isClients = why !== undefined && allReasons[why].state.startsWith("C");
  out.text(client === "" ? "-" : client);
  out.all(BEFORE_TIME);
  writeClf(out, entry.wallMs);
  out.all(BEFORE_LINE);
  if (head === undefined) out.all(DASH);
  else {
    writeEscaped(out, head, part.method, true, inCombined);
    out.all(SPACE);
    writeEscaped(out, head, part.target, query, inCombined);
    out.text(head.minorVersion === 0 ? " HTTP/1.0" : " HTTP/1.1");
  }
  out.all(AFTER_LINE);
  out.decimal(entry.status === 0 && isClients ? CLIENT_GONE : entry.status, 3);
  out.all(SPACE);
  out.decimal(entry.sentBytes);
  out.all(BEFORE_REFERER);
  if (!writeEscaped(out, head, part.referer, query, inCombined)) out.all(DASH);
  out.all(BETWEEN);
  if (!writeEscaped(out, head, part.userAgent, true, inCombined)) out.all(DASH);
  out.all(END_OF_COMBINED);
}

// Texts.

/** By byte: what is written for it; undefined for one that stands for itself. */
type Escapes = readonly (Buffer | undefined)[];

function escapesOf(escape: (byte: number, char: string) => string | undefined): Escapes {
  return Array.from({ length: 256 }, (_, byte) => {
    const escaped = escape(byte, String.fromCharCode(byte));
    return escaped === undefined ? undefined : Buffer.from(escaped);
  });
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
const isPlain = (byte: number, char: string): boolean =>
  byte >= 0x20 && byte < 0x7f && char !== '"' && char !== "\\";

/** C1's control characters, too: a new line to some, an order to a terminal. */
const inJson = escapesOf((byte, char) => {
  if (isPlain(byte, char)) return undefined;
  return byte >= 0x7f && byte < 0xa0 ? `\\u00${hex(byte)}` : JSON.stringify(char).slice(1, -1);
});

/** As Apache does: what could end the quotes or the line is written as \xHH. */
const inCombined = escapesOf((byte, char) => (isPlain(byte, char) ? undefined : `\\x${hex(byte)}`));

function writeText(out: Writer, head: LoggedHead | undefined, which: Part, query: boolean): void {
  if (head === undefined || head.from(which) === head.to(which)) {
    out.all(NULL);
    return;
  }
  out.all(QUOTE);
  writeEscaped(out, head, which, query, inJson);
  out.all(QUOTE);
}

/** Appends a client's text, up to its query unless `query`. False when it has none. */
function writeEscaped(
  out: Writer,
  head: LoggedHead | undefined,
  which: Part,
  query: boolean,
  escapes: Escapes,
): boolean {
  if (head === undefined) return false;
  const { bytes } = head;
  const from = head.from(which);
  const to = head.to(which);
  out.reserve((to - from) * ESCAPE_BYTES_MAX + FRAME_BYTES_MAX);
  let runFrom = from;
  let index = from;
  for (; index < to; index++) {
    const byte = at(bytes, index);
    if (byte === QUERY && !query) break;
    const escaped = escapes[byte];
    if (escaped === undefined) continue;
    out.copy(bytes, runFrom, index);
    out.all(escaped);
    runFrom = index + 1;
  }
  out.copy(bytes, runFrom, index);
  return index > from;
}

const QUERY = 0x3f;

/** An address as JSON: the kernel's text, which needs no escape; null when it is empty. */
function writeAddress(out: Writer, address: string): void {
  if (address === "") {
    out.all(NULL);
    return;
  }
  out.all(QUOTE);
  out.text(address);
  out.all(QUOTE);
}

/** Names of ours as JSON: few, and in every line. Not clients' addresses, which have no end. */
const quotedNames = new Map<string, Buffer>();
const QUOTED_NAMES_MAX = 1024;

/** A name of ours as JSON; null when it is empty. */
function writeName(out: Writer, name: string): void {
  let quoted = quotedNames.get(name);
  if (quoted === undefined) {
    if (quotedNames.size >= QUOTED_NAMES_MAX) quotedNames.clear();
    quoted = name === "" ? NULL : Buffer.from(quotedOf(name));
    quotedNames.set(name, quoted);
  }
  out.reserve(quoted.length + FRAME_BYTES_MAX);
  out.all(quoted);
}

/** As a client's text: JSON.stringify leaves DEL and C1's control characters as they are. */
function quotedOf(name: string): string {
  return JSON.stringify(name).replace(/[\x7f-\x9f]/g, (char) => `\\u00${hex(char.charCodeAt(0))}`);
}

// Most lines are of the same second as the one before.
let secondMs = -1;
let secondIso = NULL;
let secondClf = NULL;

function tellSecond(wallMs: number): void {
  const startMs = Math.floor(wallMs / 1000) * 1000;
  if (startMs === secondMs) return;
  secondMs = startMs;
  const date = new Date(startMs);
  secondIso = bytesOf(date.toISOString().slice(0, -4));
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+)/.exec(date.toUTCString()) ?? [];
  secondClf = bytesOf(`${day}/${month}/${year}:${time} +0000`);
}

function writeIso(out: Writer, wallMs: number): void {
  tellSecond(wallMs);
  out.all(secondIso);
  out.decimal(Math.floor(wallMs - secondMs), 3);
}

function writeClf(out: Writer, wallMs: number): void {
  tellSecond(wallMs);
  out.all(secondClf);
}

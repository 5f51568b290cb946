// The request's head as the instance gets it: the client's own bytes, in runs between the fields
// that end at a gateway, then ours.
//
//   dropped: Connection and what it names, Keep-Alive, Proxy-Connection, TE, Trailer, Upgrade (kept
//            for an upgrade), X-Forwarded-Proto and -Host, `_` doubles of fields that matter,
//            tracestate without a valid traceparent
//   added:   X-Forwarded-For (one more line: those before it are the client's word), -Proto, -Host,
//            traceparent and X-Request-Id unless there is a valid one
//
// The version is always HTTP/1.1, since the gateway's own is. An absolute target becomes a path.

import type { Random } from "../../core/base/prng.ts";
import { type FieldKind, fieldKind } from "./field-kind.ts";
import type { RequestHead } from "./request-head.ts";
import { ASTERISK, at, HEX_VALUE, TOKEN } from "./syntax.ts";
import type { Writer } from "./writer.ts";

/**
 * What the gateway says of the client's connection, as lines; made once for each. In memory of its
 * own, because it lives as long as the connection: a small Buffer would hold all 8 KiB that Node
 * cut it from.
 */
export function provenanceOf(clientAddress: string, protocol: "http" | "https"): Uint8Array {
  const address = clientAddress.startsWith("::ffff:") ? clientAddress.slice(7) : clientAddress;
  const lines = `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${protocol}\r\n`;
  return Uint8Array.from(Buffer.from(lines, "latin1"));
}

const REQUEST_END = Buffer.from(" HTTP/1.1\r\n");
const LINE_END = Buffer.from("\r\n");
const SPACE_SLASH = Buffer.from(" /");
const SPACE_ASTERISK = Buffer.from(" *");
const HOST = Buffer.from("Host: ");
const FORWARDED_HOST = Buffer.from("X-Forwarded-Host: ");
const TRACE_FROM = Buffer.from("traceparent: 00-");
const DASH = Buffer.from("-");
const TRACE_TO = Buffer.from("-01\r\n");
const REQUEST_ID = Buffer.from("X-Request-Id: ");
const CONNECTION_UPGRADE = Buffer.from("Connection: Upgrade\r\n");

/** Most that a head grows by, the client's provenance and host not counted. */
const ADDED_BYTES_MAX = 320;

const dropped: readonly FieldKind[] = [
  fieldKind.connection,
  fieldKind.hop,
  fieldKind.keepAlive,
  fieldKind.upgrade,
  fieldKind.forwarded,
  fieldKind.disguised,
];
const DROPPED = Uint8Array.from({ length: 16 }, (_, kind) =>
  dropped.includes(kind as FieldKind) ? 1 : 0,
);

export interface RequestEdits {
  /** See `provenanceOf`. */
  readonly provenance: Uint8Array;
  /** Pass the upgrade on. */
  readonly upgrade: boolean;
  /** The Host of a request that has none (HTTP/1.0). */
  readonly hostIfNone: Buffer;
  readonly random: Random;
}

/** Appends the head to forward, its empty line included. */
export function writeRequestHead(
  out: Writer,
  bytes: Buffer,
  head: RequestHead,
  edits: RequestEdits,
): void {
  const { fields } = head;
  const hostBytes =
    fields.host < 0 ? 0 : fields.valueTo(fields.host) - fields.valueFrom(fields.host);
  const own = edits.provenance.length + hostBytes + edits.hostIfNone.length;
  out.reserve(head.end - head.methodFrom + own + ADDED_BYTES_MAX);
  const asItIs = head.minorVersion === 1 && head.pathFrom === head.targetFrom;
  if (!asItIs) writeRequestLine(out, bytes, head);
  const keepTrace = fields.traceparent >= 0 && isTraceparent(bytes, head);
  const keepId = fields.requestId >= 0 && isRequestId(bytes, head);
  let runFrom = asItIs ? head.methodFrom : firstLine(head);
  for (let field = 0; field < fields.count; field++) {
    const kind = fields.kinds[field] as FieldKind;
    if (kind === fieldKind.other && !fields.nominates) continue;
    if (!isDropped(bytes, head, field, kind, edits.upgrade, keepTrace, keepId)) continue;
    out.copy(bytes, runFrom, fields.nameFrom(field));
    runFrom = field + 1 < fields.count ? fields.nameFrom(field + 1) : head.end - 2;
  }
  out.copy(bytes, runFrom, head.end - 2);
  writeOwnFields(out, bytes, head, edits, keepTrace, keepId);
}

function firstLine(head: RequestHead): number {
  return head.fields.count > 0 ? head.fields.nameFrom(0) : head.end - 2;
}

function writeRequestLine(out: Writer, bytes: Buffer, head: RequestHead): void {
  out.copy(bytes, head.methodFrom, head.methodTo);
  if (head.pathFrom === head.pathTo) {
    // "OPTIONS http://host" asks about the whole server (RFC 9112 section 3.2.4).
    const isOptions = bytes.toString("latin1", head.methodFrom, head.methodTo) === "OPTIONS";
    out.all(isOptions ? SPACE_ASTERISK : SPACE_SLASH);
  } else {
    if (at(bytes, head.pathFrom) === ASTERISK) out.all(SPACE_ASTERISK);
    else {
      out.copy(SPACE_SLASH, 0, 1);
      out.copy(bytes, head.pathFrom, head.pathTo);
    }
  }
  out.all(REQUEST_END);
}

function isDropped(
  bytes: Buffer,
  head: RequestHead,
  field: number,
  kind: FieldKind,
  upgrade: boolean,
  keepTrace: boolean,
  keepId: boolean,
): boolean {
  if (DROPPED[kind] === 1) return !(kind === fieldKind.upgrade && upgrade);
  if (kind === fieldKind.traceparent) return !keepTrace;
  if (kind === fieldKind.tracestate) return !keepTrace || head.fields.isNominated(bytes, field);
  if (kind === fieldKind.requestId) return !keepId;
  // Framing and routing fields stay, whatever Connection names: dropping one would change the
  // message.
  return kind === fieldKind.other && head.fields.isNominated(bytes, field);
}

function writeOwnFields(
  out: Writer,
  bytes: Buffer,
  head: RequestHead,
  edits: RequestEdits,
  keepTrace: boolean,
  keepId: boolean,
): void {
  const { fields } = head;
  if (fields.host < 0) {
    out.all(HOST);
    if (head.authorityTo > head.authorityFrom) {
      out.copy(bytes, head.authorityFrom, head.authorityTo);
    } else out.all(edits.hostIfNone);
    out.all(LINE_END);
  } else {
    out.all(FORWARDED_HOST);
    out.copy(bytes, fields.valueFrom(fields.host), fields.valueTo(fields.host));
    out.all(LINE_END);
  }
  out.all(edits.provenance);
  if (!keepTrace || !keepId) writeIdentity(out, edits.random, keepTrace, keepId);
  if (edits.upgrade) out.all(CONNECTION_UPGRADE);
  out.all(LINE_END);
}

/** One random 128-bit number is trace id and request id, so that logs of both kinds meet. */
function writeIdentity(out: Writer, random: Random, keepTrace: boolean, keepId: boolean): void {
  const a = random.bits() || 1; // never all zero
  const b = random.bits();
  const c = random.bits();
  const d = random.bits();
  if (!keepTrace) {
    out.all(TRACE_FROM);
    writeWords(out, a, b, c, d);
    out.all(DASH);
    out.hex(d + 1);
    out.hex(a);
    out.all(TRACE_TO);
  }
  if (keepId) return;
  out.all(REQUEST_ID);
  writeWords(out, a, b, c, d);
  out.all(LINE_END);
}

function writeWords(out: Writer, a: number, b: number, c: number, d: number): void {
  out.hex(a);
  out.hex(b);
  out.hex(c);
  out.hex(d);
}

const REQUEST_ID_BYTES_MAX = 128;

function isRequestId(bytes: Buffer, head: RequestHead): boolean {
  const { fields } = head;
  const from = fields.valueFrom(fields.requestId);
  const to = fields.valueTo(fields.requestId);
  if (from === to || to - from > REQUEST_ID_BYTES_MAX) return false;
  for (let index = from; index < to; index++) {
    if (TOKEN[at(bytes, index)] === 0) return false;
  }
  return true;
}

// "00-" 32 hexadecimal digits "-" 16 of them "-" 2 of them, lower case (W3C Trace Context section
// 3.2).
const TRACEPARENT_BYTES = 55;

function isTraceparent(bytes: Buffer, head: RequestHead): boolean {
  const { fields } = head;
  const from = fields.valueFrom(fields.traceparent);
  const length = fields.valueTo(fields.traceparent) - from;
  if (length !== TRACEPARENT_BYTES) return false;
  for (let index = 0; index < length; index++) {
    const byte = at(bytes, from + index);
    const isDash = index === 2 || index === 35 || index === 52;
    if (isDash ? byte !== 0x2d : HEX_VALUE[byte] === -1 || (byte >= 0x41 && byte <= 0x46)) {
      return false;
    }
  }
  const isVersion00 = at(bytes, from) === 0x30 && at(bytes, from + 1) === 0x30;
  return isVersion00 && !isZero(bytes, from + 3, 32) && !isZero(bytes, from + 36, 16);
}

function isZero(bytes: Buffer, from: number, length: number): boolean {
  for (let index = from; index < from + length; index++)
    if (at(bytes, index) !== 0x30) return false;
  return true;
}

// The answer's head as the client gets it: the instance's own bytes in runs between the fields that
// end at a gateway, then ours. Dropped as in forward-request.ts; and the framing fields where the
// answer's status or the client's version forbids them.

import { type FieldKind, fieldKind } from "./field-kind.ts";
import { type Framing, framing } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";
import type { Writer } from "./writer.ts";

const VERSION = Buffer.from("HTTP/1.1 ");
const LINE_END = Buffer.from("\r\n");
const SPACE_LINE_END = Buffer.from(" \r\n");
const CONNECTION_CLOSE = Buffer.from("Connection: close\r\n");
const CONNECTION_KEEP_ALIVE = Buffer.from("Connection: keep-alive\r\n");
const CONNECTION_UPGRADE = Buffer.from("Connection: Upgrade\r\n");
const CHUNKED = Buffer.from("Transfer-Encoding: chunked\r\n");
/** Most that a head grows by. */
const ADDED_BYTES_MAX = 96;

export const connectionWord = { none: 0, close: 1, keepAlive: 2, upgrade: 3 } as const;
export type ConnectionWord = (typeof connectionWord)[keyof typeof connectionWord];

export interface ResponseEdits {
  /** How the body leaves: chunked only to HTTP/1.1. */
  readonly body: Framing;
  readonly toHead: boolean;
  readonly clientMinorVersion: number;
  readonly connection: ConnectionWord;
  /** A line of our own. */
  readonly added?: Buffer | undefined;
}

/** Appends the head to send, its empty line included. `start` is where the head begins. */
export function writeResponseHead(
  out: Writer,
  bytes: Buffer,
  start: number,
  head: ResponseHead,
  edits: ResponseEdits,
): void {
  const { fields } = head;
  out.reserve(head.end - start + ADDED_BYTES_MAX + (edits.added?.length ?? 0));
  let runFrom = start;
  if (head.minorVersion !== 1 || head.statusTo - head.statusFrom === 3) {
    out.all(VERSION);
    out.copy(bytes, head.statusFrom, head.statusTo);
    out.all(head.statusTo - head.statusFrom === 3 ? SPACE_LINE_END : LINE_END);
    runFrom = head.statusTo + 2;
  }
  for (let field = 0; field < fields.count; field++) {
    const kind = fields.kinds[field] as FieldKind;
    if (kind === fieldKind.other && !fields.nominates) continue;
    if (!isDropped(bytes, head, field, kind, edits)) continue;
    out.copy(bytes, runFrom, fields.nameFrom(field));
    runFrom = field + 1 < fields.count ? fields.nameFrom(field + 1) : head.end - 2;
  }
  out.copy(bytes, runFrom, head.end - 2);
  if (edits.added !== undefined) out.all(edits.added);
  if (edits.body === framing.chunked && !fields.chunked) out.all(CHUNKED);
  if (edits.connection === connectionWord.close) out.all(CONNECTION_CLOSE);
  else if (edits.connection === connectionWord.keepAlive) out.all(CONNECTION_KEEP_ALIVE);
  else if (edits.connection === connectionWord.upgrade) out.all(CONNECTION_UPGRADE);
  out.all(LINE_END);
}

function isDropped(
  bytes: Buffer,
  head: ResponseHead,
  field: number,
  kind: FieldKind,
  edits: ResponseEdits,
): boolean {
  const isBodiless = head.status < 200 || head.status === 204;
  switch (kind) {
    case fieldKind.connection:
    case fieldKind.hop:
    case fieldKind.keepAlive:
    case fieldKind.disguised:
      return true;
    case fieldKind.upgrade:
      // 101 names what was chosen, 426 what is wanted.
      return head.status !== 101 && head.status !== 426;
    case fieldKind.contentLength:
      return isBodiless;
    case fieldKind.transferEncoding:
      if (isBodiless || head.status === 304 || edits.clientMinorVersion === 0) return true;
      return edits.body !== framing.chunked && !edits.toHead;
    case fieldKind.other:
      return head.fields.isNominated(bytes, field);
    default:
      return false;
  }
}

// The header fields that a gateway must understand, recognised by length first, then letters.
//
// A name written with '_' for '-' is the same name to CGI-like servers (`Content_Length` becomes
// CONTENT_LENGTH there). Such a double of a field that matters here is named DISGUISED and dropped,
// so that nobody can slip one past; any other name with an underscore passes.

import { at, LOWER, UNDERSCORE } from "./syntax.ts";

export const fieldKind = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  expect: 6,
  /**
   * Hop-by-hop whatever Connection says: Keep-Alive, Proxy-Connection, TE, Trailer, HTTP2-Settings.
   */
  hop: 7,
  keepAlive: 8,
  /** X-Forwarded-Proto and X-Forwarded-Host: what a client says of itself is dropped. */
  forwarded: 9,
  traceparent: 10,
  requestId: 11,
  disguised: 12,
  /** Says nothing without the traceparent that it came with (W3C Trace Context section 3.3). */
  tracestate: 13,
} as const;
export type FieldKind = (typeof fieldKind)[keyof typeof fieldKind];

const known: readonly (readonly [string, FieldKind])[] = [
  ["te", fieldKind.hop],
  ["host", fieldKind.host],
  ["expect", fieldKind.expect],
  ["upgrade", fieldKind.upgrade],
  ["trailer", fieldKind.hop],
  ["connection", fieldKind.connection],
  ["tracestate", fieldKind.tracestate],
  ["keep-alive", fieldKind.keepAlive],
  ["traceparent", fieldKind.traceparent],
  ["x-request-id", fieldKind.requestId],
  ["content-length", fieldKind.contentLength],
  ["http2-settings", fieldKind.hop],
  // The client's own lines pass before ours; only its doubles are somebody's trick.
  ["x-forwarded-for", fieldKind.other],
  ["proxy-connection", fieldKind.hop],
  ["x-forwarded-host", fieldKind.forwarded],
  ["transfer-encoding", fieldKind.transferEncoding],
  ["x-forwarded-proto", fieldKind.forwarded],
];

interface Known {
  readonly letters: Uint8Array;
  readonly kind: FieldKind;
}

const longest = Math.max(...known.map(([name]) => name.length));
/** By length: the names to compare with. */
const byLength: readonly (readonly Known[])[] = Array.from({ length: longest + 1 }, (_, length) =>
  known
    .filter(([name]) => name.length === length)
    .map(([name, kind]) => ({ letters: Uint8Array.from(Buffer.from(name)), kind })),
);

/** By length: the first letters of those names, as bits. Most names are told apart by them. */
const firstLetters = Int32Array.from({ length: longest + 1 }, (_, length) =>
  known
    .filter(([name]) => name.length === length)
    .reduce((bits, [name]) => bits | (1 << name.charCodeAt(0)), 0),
);

/** What the field name in [from, to) means to a gateway. */
export function fieldKindOf(bytes: Uint8Array, from: number, to: number): FieldKind {
  const length = to - from;
  if (length > longest) return fieldKind.other;
  // Shifts heed five bits, in which a letter is the same in upper and lower case.
  if ((((firstLetters[length] as number) >>> at(bytes, from)) & 1) === 0) return fieldKind.other;
  const candidates = byLength[length] as readonly Known[];
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index] as Known;
    const kind = compare(bytes, from, candidate);
    if (kind !== fieldKind.other) return kind;
  }
  return fieldKind.other;
}

const DASH = 0x2d;

function compare(bytes: Uint8Array, from: number, candidate: Known): FieldKind {
  const { letters } = candidate;
  const lower = LOWER;
  let disguised = false;
  for (let index = 0; index < letters.length; index++) {
    const byte = lower[bytes[from + index] as number] as number;
    if (byte === letters[index]) continue;
    if (byte !== UNDERSCORE || letters[index] !== DASH) return fieldKind.other;
    disguised = true;
  }
  return disguised ? fieldKind.disguised : candidate.kind;
}

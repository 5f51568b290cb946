// The header section, scanned once: where each field lies, and what the framing fields say.
//
// Nothing is copied and no string is made: a field is four indices and a kind. The scan stops at an
// incomplete line and goes on from that line's start when more has come, so a head that trickles in
// byte by byte costs no more than its lines do. Requests and answers share it; what a field means
// for one of them is decided after the last line (request-head.ts, response-head.ts).
// Strict as HAProxy is by default: CR LF only, no folding, no space before the colon, no control
// characters, one Content-Length, one Transfer-Encoding. Rejected: mending what can be guessed.

import { type FieldKind, fieldKind, fieldKindOf } from "./field-kind.ts";
import type { ReasonCode } from "../../core/base/reasons.ts";
import {
  at,
  COLON,
  COMMA,
  CR,
  equalsIgnoringCase,
  FIELD_VALUE,
  LF,
  SPACE,
  TAB,
  TOKEN,
  ZERO,
} from "./syntax.ts";

/** A scan's result: it needs more bytes, */
export const INCOMPLETE = 0;
/** or the message is refused, and the head's `fault` says why. Any other result is the head's end. */
export const FAULT = -1;

export interface HeadLimits {
  readonly headBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
}

/** No Content-Length was given. */
export const NO_LENGTH = -1;
/** 2^53 has 16 digits; with 15 every number is exact. */
const LENGTH_DIGITS_MAX = 15;

export class Fields {
  count = 0;
  /** Of field k: name [4k, 4k+1), value [4k+2, 4k+3). */
  readonly spans: Int32Array;
  readonly kinds: Uint8Array;
  fault: ReasonCode = "BAD_FIELD";

  contentLength = NO_LENGTH;
  chunked = false;
  /** Indices of fields, or -1. */
  host = -1;
  connection = -1;
  upgrade = -1;
  expect = -1;
  traceparent = -1;
  requestId = -1;
  keepAliveHint = -1;
  /** What Connection says. */
  close = false;
  keepAlive = false;
  upgradeNamed = false;
  /** Connection names other fields, which are dropped with it. */
  nominates = false;
  /** Their names in lower case, made when first asked for. */
  #nominated: ReadonlySet<string> | undefined = undefined;

  constructor(headerCountMax: number) {
    this.spans = new Int32Array(4 * headerCountMax);
    this.kinds = new Uint8Array(headerCountMax);
  }

  reset(): void {
    this.count = 0;
    this.contentLength = NO_LENGTH;
    this.chunked = false;
    this.host = -1;
    this.connection = -1;
    this.upgrade = -1;
    this.expect = -1;
    this.traceparent = -1;
    this.requestId = -1;
    this.keepAliveHint = -1;
    this.close = false;
    this.keepAlive = false;
    this.upgradeNamed = false;
    this.nominates = false;
    this.#nominated = undefined;
  }

  nameFrom(field: number): number {
    return this.spans[4 * field] as number;
  }

  nameTo(field: number): number {
    return this.spans[4 * field + 1] as number;
  }

  valueFrom(field: number): number {
    return this.spans[4 * field + 2] as number;
  }

  valueTo(field: number): number {
    return this.spans[4 * field + 3] as number;
  }

  value(bytes: Buffer, field: number): string {
    return bytes.toString("latin1", this.valueFrom(field), this.valueTo(field));
  }

  /** The value of the first field of that lower-case name. For routing; not for the hot path. */
  find(bytes: Buffer, lowerCaseName: string): string | undefined {
    const field = this.indexOf(bytes, lowerCaseName);
    return field < 0 ? undefined : this.value(bytes, field);
  }

  /** The first field of that lower-case name, or -1. */
  indexOf(bytes: Buffer, lowerCaseName: string): number {
    for (let field = 0; field < this.count; field++) {
      if (equalsIgnoringCase(bytes, this.nameFrom(field), this.nameTo(field), lowerCaseName)) {
        return field;
      }
    }
    return -1;
  }

  /**
   * Scans one line at `from`. Returns its end; or the end, negated, of the empty line that ends the
   * section; or INCOMPLETE; or NaN for a fault.
   */
  scanLine(bytes: Buffer, from: number, to: number): number {
    const token = TOKEN;
    const values = FIELD_VALUE;
    let index = from;
    while (index < to && token[bytes[index] as number] === 1) index++;
    if (index === to) return INCOMPLETE;
    const nameTo = index;
    if (nameTo === from) return this.#emptyLine(bytes, from, to);
    if (at(bytes, index) !== COLON) return this.#refuse("BAD_FIELD");
    index++;
    while (index < to && isBlank(at(bytes, index))) index++;
    const valueFrom = index;
    while (index < to && values[bytes[index] as number] === 1) index++;
    if (index + 1 >= to) {
      return index < to && at(bytes, index) !== CR ? this.#refuse("BAD_FIELD") : INCOMPLETE;
    }
    if (at(bytes, index) !== CR || at(bytes, index + 1) !== LF) return this.#refuse("BAD_FIELD");
    let valueTo = index;
    while (valueTo > valueFrom && isBlank(at(bytes, valueTo - 1))) valueTo--;
    if (!this.#add(bytes, from, nameTo, valueFrom, valueTo)) return Number.NaN;
    return index + 2;
  }

  #emptyLine(bytes: Buffer, from: number, to: number): number {
    const first = at(bytes, from);
    if (isBlank(first)) return this.#refuse("FOLDED_FIELD");
    if (first !== CR) return this.#refuse("BAD_FIELD");
    if (from + 1 === to) return INCOMPLETE;
    return at(bytes, from + 1) === LF ? -(from + 2) : this.#refuse("BAD_FIELD");
  }

  #refuse(code: ReasonCode): number {
    this.fault = code;
    return Number.NaN;
  }

  #add(
    bytes: Buffer,
    nameFrom: number,
    nameTo: number,
    valueFrom: number,
    valueTo: number,
  ): boolean {
    const field = this.count;
    if (field === this.kinds.length) {
      this.fault = "TOO_MANY_FIELDS";
      return false;
    }
    const kind = fieldKindOf(bytes, nameFrom, nameTo);
    const span = 4 * field;
    this.spans[span] = nameFrom;
    this.spans[span + 1] = nameTo;
    this.spans[span + 2] = valueFrom;
    this.spans[span + 3] = valueTo;
    this.kinds[field] = kind;
    this.count = field + 1;
    return kind === fieldKind.other || this.#understand(bytes, field, kind);
  }

  #understand(bytes: Buffer, field: number, kind: FieldKind): boolean {
    switch (kind) {
      case fieldKind.host:
        if (this.host >= 0) return this.#fault("HOST_REPEATED");
        this.host = field;
        return true;
      case fieldKind.contentLength:
        return this.#understandLength(bytes, field);
      case fieldKind.transferEncoding:
        return this.#understandCoding(bytes, field);
      case fieldKind.connection:
        this.connection = field;
        this.#understandConnection(bytes, field);
        return true;
      case fieldKind.upgrade:
        this.upgrade = field;
        return true;
      case fieldKind.expect:
        this.expect = field;
        return true;
      case fieldKind.traceparent:
        // Two of them are as good as none (W3C Trace Context 3.2): the second makes it invalid.
        this.traceparent = this.traceparent === -1 ? field : -2;
        return true;
      case fieldKind.requestId:
        this.requestId = this.requestId === -1 ? field : -2;
        return true;
      case fieldKind.keepAlive:
        this.keepAliveHint = field;
        return true;
      default:
        return true;
    }
  }

  #fault(code: ReasonCode): boolean {
    this.fault = code;
    return false;
  }

  #understandLength(bytes: Buffer, field: number): boolean {
    if (this.contentLength !== NO_LENGTH) return this.#fault("LENGTH_REPEATED");
    const from = this.valueFrom(field);
    const to = this.valueTo(field);
    if (from === to || to - from > LENGTH_DIGITS_MAX) return this.#fault("BAD_LENGTH");
    let length = 0;
    for (let index = from; index < to; index++) {
      const digit = at(bytes, index) - ZERO;
      if (digit < 0 || digit > 9) return this.#fault("BAD_LENGTH");
      length = length * 10 + digit;
    }
    this.contentLength = length;
    return true;
  }

  #understandCoding(bytes: Buffer, field: number): boolean {
    if (this.chunked) return this.#fault("CODING_REPEATED");
    const isChunked = equalsIgnoringCase(
      bytes,
      this.valueFrom(field),
      this.valueTo(field),
      "chunked",
    );
    if (!isChunked) return this.#fault("CODING_UNKNOWN");
    this.chunked = true;
    return true;
  }

  #understandConnection(bytes: Buffer, field: number): void {
    const end = this.valueTo(field);
    let from = this.valueFrom(field);
    while (from < end) {
      let to = from;
      while (to < end && at(bytes, to) !== COMMA) to++;
      const next = to + 1;
      while (from < to && isBlank(at(bytes, from))) from++;
      while (to > from && isBlank(at(bytes, to - 1))) to--;
      if (equalsIgnoringCase(bytes, from, to, "close")) this.close = true;
      else if (equalsIgnoringCase(bytes, from, to, "keep-alive")) this.keepAlive = true;
      else if (equalsIgnoringCase(bytes, from, to, "upgrade")) this.upgradeNamed = true;
      else if (to > from) this.nominates = true;
      from = next;
    }
  }

  /**
   * Whether any Connection field names the field. Called only where `nominates` is true. The names
   * are read once a head: a head full of them would otherwise be read again for each of its fields.
   */
  isNominated(bytes: Buffer, field: number): boolean {
    this.#nominated ??= this.#readNominated(bytes);
    const name = bytes.toString("latin1", this.nameFrom(field), this.nameTo(field));
    return this.#nominated.has(name.toLowerCase());
  }

  #readNominated(bytes: Buffer): ReadonlySet<string> {
    const names = new Set<string>();
    for (let field = 0; field < this.count; field++) {
      if (this.kinds[field] !== fieldKind.connection) continue;
      for (const option of this.value(bytes, field).split(",")) {
        names.add(option.trim().toLowerCase());
      }
    }
    return names;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

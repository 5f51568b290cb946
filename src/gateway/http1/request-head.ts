// A request's head: its line, its fields, and what they mean together.
//
// `scan` is called again with more bytes until it returns the head's end or a fault; it keeps its
// place at the start of the first incomplete line. Indices are into the buffer that it was called
// with, so the head must stay where it is (or `reset` be called) while it is incomplete.
//
// Refused here, and by `node:http` accepted: a line without a version, two Hosts, a Host with '@'
// or '/', an absolute target whose host differs, '#' in the target, Transfer-Encoding in HTTP/1.0.

import { fieldKind } from "./field-kind.ts";
import { FAULT, Fields, type HeadLimits, INCOMPLETE, NO_LENGTH } from "./fields.ts";
import type { ReasonCode } from "../../core/base/reasons.ts";
import {
  ASTERISK,
  at,
  COLON,
  CR,
  equalsIgnoringCase,
  HOST,
  HOST_NAME,
  LF,
  LOWER,
  positionsOf,
  SLASH,
  SPACE,
  TARGET,
  TOKEN,
  ZERO,
} from "./syntax.ts";

const METHOD_BYTES_MAX = 32;
const VERSION_BYTES = "HTTP/1.1".length;

/** How the body is delimited. */
export const framing = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const;
export type Framing = (typeof framing)[keyof typeof framing];

export class RequestHead {
  readonly fields: Fields;
  readonly #limits: HeadLimits;
  #start = 0;
  #next = 0;
  #lineDone = false;

  fault: ReasonCode = "BAD_METHOD";
  methodFrom = 0;
  methodTo = 0;
  /** As it was sent. */
  targetFrom = 0;
  targetTo = 0;
  /** Path and query, without scheme and host; empty for an absolute target without a path. */
  pathFrom = 0;
  pathTo = 0;
  /** Host and port of an absolute target; empty otherwise. */
  authorityFrom = 0;
  authorityTo = 0;
  /** 0 or 1. */
  minorVersion = 1;
  /** One past the head's last byte. */
  end = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.fields = new Fields(limits.headerCount);
  }

  /** Forgets everything; the next head starts at `start`. */
  reset(start: number): void {
    this.#start = start;
    this.#next = start;
    this.#lineDone = false;
    this.fields.reset();
  }

  /** Whether any byte of a request has been seen, an empty line before it not counted. */
  begun(to: number): boolean {
    return to > this.#start;
  }

  /** INCOMPLETE, FAULT, or the index after the head, which is also `end`. */
  scan(bytes: Buffer, to: number): number {
    if (!this.#lineDone) {
      const result = this.#scanRequestLine(bytes, to);
      if (result === FAULT) return FAULT;
      if (result === INCOMPLETE) return this.#incomplete(to);
      this.#next = result;
      this.#lineDone = true;
    }
    for (;;) {
      const result = this.fields.scanLine(bytes, this.#next, to);
      if (result > 0) {
        this.#next = result;
        if (result - this.#start > this.#limits.headBytes) return this.#refuse("HEAD_TOO_LARGE");
      } else if (result < 0) {
        this.end = -result;
        if (this.end - this.#start > this.#limits.headBytes) return this.#refuse("HEAD_TOO_LARGE");
        return this.#conclude(bytes);
      } else if (result === INCOMPLETE) {
        return this.#incomplete(to);
      } else {
        return this.#refuse(this.fields.fault);
      }
    }
  }

  get keepsAlive(): boolean {
    return this.minorVersion === 1
      ? !this.fields.close
      : this.fields.keepAlive && !this.fields.close;
  }

  get framing(): Framing {
    if (this.fields.chunked) return framing.chunked;
    return this.fields.contentLength > 0 ? framing.length : framing.none;
  }

  /**
   * Asks to change protocols, in a form that can be passed on: not to HTTP/2, and without a body.
   */
  wantsUpgrade(bytes: Buffer): boolean {
    const { fields } = this;
    if (fields.upgrade < 0 || !fields.upgradeNamed || this.minorVersion === 0) return false;
    if (this.framing !== framing.none) return false;
    for (let field = 0; field < fields.count; field++) {
      if (fields.kinds[field] !== fieldKind.upgrade) continue;
      // All of them are passed on, so one that asks for HTTP/2 spoils the others.
      if (/(^|,)\s*h2c?\b/i.test(fields.value(bytes, field))) return false;
    }
    return true;
  }

  #refuse(code: ReasonCode): typeof FAULT {
    this.fault = code;
    return FAULT;
  }

  #incomplete(to: number): number {
    if (to - this.#start < this.#limits.headBytes) return INCOMPLETE;
    const inTarget = !this.#lineDone && to - this.#start > this.#limits.targetBytes;
    return this.#refuse(inTarget ? "TARGET_TOO_LONG" : "HEAD_TOO_LARGE");
  }

  #scanRequestLine(bytes: Buffer, to: number): number {
    const token = TOKEN;
    const target = TARGET;
    let index = this.#start;
    // One empty line before a request is let pass (RFC 9112 section 2.2), two are not.
    if (index < to && at(bytes, index) === CR) {
      if (index + 1 === to) return INCOMPLETE;
      if (at(bytes, index + 1) !== LF) return this.#refuse("BAD_METHOD");
      index += 2;
    }
    this.methodFrom = index;
    while (index < to && token[bytes[index] as number] === 1) index++;
    if (index - this.methodFrom > METHOD_BYTES_MAX) return this.#refuse("BAD_METHOD");
    if (index === to) return INCOMPLETE;
    if (at(bytes, index) !== SPACE || index === this.methodFrom) return this.#refuse("BAD_METHOD");
    this.methodTo = index;
    index++;
    this.targetFrom = index;
    while (index < to && target[bytes[index] as number] === 1) index++;
    if (index - this.targetFrom > this.#limits.targetBytes) return this.#refuse("TARGET_TOO_LONG");
    if (index === to) return INCOMPLETE;
    if (at(bytes, index) !== SPACE || index === this.targetFrom) return this.#refuse("BAD_TARGET");
    this.targetTo = index;
    return this.#scanVersion(bytes, index + 1, to);
  }

  #scanVersion(bytes: Buffer, from: number, to: number): number {
    const end = from + VERSION_BYTES;
    if (to < end + 2) return isPrefixOfVersion(bytes, from, to) ? INCOMPLETE : this.#badVersion();
    if (!isPrefixOfVersion(bytes, from, end)) return this.#badVersion();
    if (at(bytes, end) !== CR || at(bytes, end + 1) !== LF) return this.#refuse("BAD_VERSION");
    const major = at(bytes, end - 3) - ZERO;
    const minor = at(bytes, end - 1) - ZERO;
    if (major !== 1 || minor > 1) return this.#refuse("UNSUPPORTED_VERSION");
    this.minorVersion = minor;
    return end + 2;
  }

  #badVersion(): typeof FAULT {
    return this.#refuse("BAD_VERSION");
  }

  #conclude(bytes: Buffer): number {
    const { fields } = this;
    if (equalsExactly(bytes, this.methodFrom, this.methodTo, "CONNECT")) {
      return this.#refuse("CONNECT_REFUSED");
    }
    if (!this.#splitTarget(bytes)) return this.#refuse("BAD_TARGET");
    if (fields.host < 0 && this.minorVersion === 1) return this.#refuse("HOST_MISSING");
    if (fields.host >= 0) {
      const from = fields.valueFrom(fields.host);
      const to = fields.valueTo(fields.host);
      if (from < to && !isHost(bytes, from, to)) return this.#refuse("BAD_HOST");
      if (this.authorityTo > this.authorityFrom && !this.#sameAuthority(bytes, from, to)) {
        return this.#refuse("HOST_DIFFERS");
      }
    }
    if (fields.chunked && this.minorVersion === 0) return this.#refuse("CODING_IN_HTTP10");
    if (fields.chunked && fields.contentLength !== NO_LENGTH) {
      return this.#refuse("LENGTH_AND_CODING");
    }
    if (fields.expect >= 0 && !this.#expectsContinue(bytes)) return this.#refuse("BAD_EXPECT");
    return this.end;
  }

  #expectsContinue(bytes: Buffer): boolean {
    const { fields } = this;
    const from = fields.valueFrom(fields.expect);
    return equalsIgnoringCase(bytes, from, fields.valueTo(fields.expect), "100-continue");
  }

  /** Origin form, absolute form, or '*' for OPTIONS. */
  #splitTarget(bytes: Buffer): boolean {
    this.authorityFrom = 0;
    this.authorityTo = 0;
    this.pathFrom = this.targetFrom;
    this.pathTo = this.targetTo;
    const first = at(bytes, this.targetFrom);
    if (first === SLASH) return true;
    if (first === ASTERISK) {
      return (
        this.targetTo - this.targetFrom === 1 &&
        equalsExactly(bytes, this.methodFrom, this.methodTo, "OPTIONS")
      );
    }
    return this.#splitAbsolute(bytes);
  }

  #splitAbsolute(bytes: Buffer): boolean {
    let from = this.targetFrom;
    while (from < this.targetTo && at(bytes, from) !== COLON) from++;
    const isHttp =
      equalsIgnoringCase(bytes, this.targetFrom, from, "http") ||
      equalsIgnoringCase(bytes, this.targetFrom, from, "https");
    if (!isHttp || !equalsExactly(bytes, from, Math.min(from + 3, this.targetTo), "://")) {
      return false;
    }
    this.authorityFrom = from + 3;
    let to = this.authorityFrom;
    while (to < this.targetTo && HOST[at(bytes, to)] === 1) to++;
    this.authorityTo = to;
    this.pathFrom = to;
    if (!isHost(bytes, this.authorityFrom, to)) return false;
    return to === this.targetTo || at(bytes, to) === SLASH;
  }

  #sameAuthority(bytes: Buffer, from: number, to: number): boolean {
    const length = this.authorityTo - this.authorityFrom;
    if (to - from !== length) return false;
    for (let index = 0; index < length; index++) {
      const sent = LOWER[at(bytes, from + index)];
      if (sent !== LOWER[at(bytes, this.authorityFrom + index)]) return false;
    }
    return true;
  }
}

const VERSION = positionsOf("HTTP/d.d");

/** "HTTP/d.d", or as much of it as is there. */
function isPrefixOfVersion(bytes: Buffer, from: number, to: number): boolean {
  const length = Math.min(to - from, VERSION_BYTES);
  const allowed = VERSION;
  for (let index = 0; index < length; index++) {
    const kinds = allowed[index] as Uint8Array;
    if (kinds[bytes[from + index] as number] !== 1) return false;
  }
  return true;
}

function equalsExactly(bytes: Buffer, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (at(bytes, from + index) !== text.charCodeAt(index)) return false;
  }
  return true;
}

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const PORT_MAX = 65_535;

/** uri-host [ ":" port ], the host not empty. */
export function isHost(bytes: Uint8Array, from: number, to: number): boolean {
  let hostTo = from;
  if (from < to && at(bytes, from) === OPEN_BRACKET) {
    while (hostTo < to && at(bytes, hostTo) !== CLOSE_BRACKET) {
      const byte = at(bytes, hostTo);
      if (hostTo > from && (HOST[byte] === 0 || byte === OPEN_BRACKET)) return false;
      hostTo++;
    }
    if (hostTo === to) return false;
    hostTo++;
  } else {
    const name = HOST_NAME;
    while (hostTo < to && name[bytes[hostTo] as number] === 1) hostTo++;
  }
  if (hostTo === from) return false;
  if (hostTo === to) return true;
  return at(bytes, hostTo) === COLON && isPort(bytes, hostTo + 1, to);
}

function isPort(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from > 5) return false;
  let port = 0;
  for (let index = from; index < to; index++) {
    const digit = at(bytes, index) - ZERO;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= PORT_MAX;
}

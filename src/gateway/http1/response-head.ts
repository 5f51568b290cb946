// An answer's head, read from an instance as strictly as a request is read from a client: what a
// client would frame differently from us must not pass. A fault has one name here, BAD_ANSWER,
// since the client can do nothing about it; the event log gets the particular one.

import { FAULT, Fields, type HeadLimits, INCOMPLETE, NO_LENGTH } from "./fields.ts";
import type { ReasonCode } from "../../core/base/reasons.ts";
import { type Framing, framing } from "./request-head.ts";
import { at, CR, FIELD_VALUE, LF, positionsOf, SPACE, ZERO } from "./syntax.ts";

/** "HTTP/1.1 200", after which a space and a reason may follow. */
const STATUS_LINE_BYTES = 12;

export class ResponseHead {
  readonly fields: Fields;
  readonly #limits: HeadLimits;
  #start = 0;
  #next = 0;
  #lineDone = false;

  fault: ReasonCode = "BAD_ANSWER";
  minorVersion = 1;
  status = 0;
  /** The status code and what follows it: "200 OK". */
  statusFrom = 0;
  statusTo = 0;
  end = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.fields = new Fields(limits.headerCount);
  }

  reset(start: number): void {
    this.#start = start;
    this.#next = start;
    this.#lineDone = false;
    this.fields.reset();
  }

  /** INCOMPLETE, FAULT, or the index after the head, which is also `end`. */
  scan(bytes: Buffer, to: number): number {
    if (!this.#lineDone) {
      const result = this.#scanStatusLine(bytes, to);
      if (result === FAULT) return FAULT;
      if (result === INCOMPLETE) return this.#incomplete(to);
      this.#next = result;
      this.#lineDone = true;
    }
    for (;;) {
      const result = this.fields.scanLine(bytes, this.#next, to);
      if (result > 0) {
        this.#next = result;
      } else if (result < 0) {
        this.end = -result;
        if (this.end - this.#start > this.#limits.headBytes) return this.#refuse("HEAD_TOO_LARGE");
        return this.#conclude();
      } else if (result === INCOMPLETE) {
        return this.#incomplete(to);
      } else {
        return this.#refuse(this.fields.fault);
      }
    }
  }

  /** 100 to 199: another head follows. */
  get interim(): boolean {
    return this.status < 200;
  }

  /** How the body of an answer to such a request is delimited (RFC 9112 section 6.3). */
  framing(toHead: boolean): Framing {
    if (toHead || this.status < 200 || this.status === 204 || this.status === 304) {
      return framing.none;
    }
    if (this.fields.chunked) return framing.chunked;
    if (this.fields.contentLength === 0) return framing.none;
    return this.fields.contentLength > 0 ? framing.length : framing.untilClose;
  }

  get keepsAlive(): boolean {
    if (this.fields.close) return false;
    return this.minorVersion === 1 || this.fields.keepAlive;
  }

  /** Seconds that the instance keeps an idle connection, by `Keep-Alive: timeout=N`; or undefined. */
  keepAliveSeconds(bytes: Buffer): number | undefined {
    if (this.fields.keepAliveHint < 0) return undefined;
    const hint = /(?:^|[,\s])timeout=(\d{1,5})(?:$|[,\s])/i;
    const found = hint.exec(this.fields.value(bytes, this.fields.keepAliveHint));
    return found === null ? undefined : Number(found[1]);
  }

  #refuse(code: ReasonCode): typeof FAULT {
    this.fault = code;
    return FAULT;
  }

  #incomplete(to: number): number {
    if (to - this.#start < this.#limits.headBytes) return INCOMPLETE;
    return this.#refuse("HEAD_TOO_LARGE");
  }

  #scanStatusLine(bytes: Buffer, to: number): number {
    const from = this.#start;
    const end = from + STATUS_LINE_BYTES;
    const values = FIELD_VALUE;
    const allowed = STATUS_LINE;
    for (let index = from; index < to && index < end; index++) {
      const kinds = allowed[index - from] as Uint8Array;
      if (kinds[bytes[index] as number] !== 1) return this.#refuse("BAD_ANSWER");
    }
    if (to <= end) return INCOMPLETE;
    let index = end;
    if (at(bytes, index) === SPACE) {
      while (index < to && values[bytes[index] as number] === 1) index++;
      if (index === to) return INCOMPLETE;
    }
    if (at(bytes, index) !== CR) return this.#refuse("BAD_ANSWER");
    if (index + 1 === to) return INCOMPLETE;
    if (at(bytes, index + 1) !== LF) return this.#refuse("BAD_ANSWER");
    this.minorVersion = at(bytes, from + 7) - ZERO;
    this.status =
      (at(bytes, from + 9) - ZERO) * 100 +
      (at(bytes, from + 10) - ZERO) * 10 +
      (at(bytes, from + 11) - ZERO);
    this.statusFrom = from + 9;
    this.statusTo = index;
    if (this.minorVersion > 1 || this.status < 100 || this.status > 599) {
      return this.#refuse("BAD_ANSWER");
    }
    return index + 2;
  }

  #conclude(): number {
    const { fields } = this;
    if (fields.chunked && (this.minorVersion === 0 || fields.contentLength !== NO_LENGTH)) {
      return this.#refuse("LENGTH_AND_CODING");
    }
    return this.end;
  }
}

const STATUS_LINE = positionsOf("HTTP/1.d ddd");

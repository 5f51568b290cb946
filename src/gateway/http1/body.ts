// A message's body, cut out of the bytes that arrive: length, chunked, or until the peer closes.
//
// `step` finds the next run of data and returns where to go on; the run is [dataFrom, dataTo). So a
// body is relayed by a loop that copies runs, and what leaves is framed by us alone (body-out.ts):
// chunk sizes are written anew, extensions and trailers are checked and dropped. Nothing that two
// parsers could read differently is passed on. Rejected: passing chunked bytes through as they are
// (a quirk that we let pass is a smuggled request).

import type { ReasonCode } from "../../core/base/reasons.ts";
import { type Framing, framing } from "./request-head.ts";
import { at, COLON, CR, FIELD_VALUE, HEX_VALUE, LF, SEMICOLON, TOKEN } from "./syntax.ts";

/** A step found a fault; `fault` says which. */
export const BODY_FAULT = -1;

/** 13 hexadecimal digits stay below 2^53. */
const SIZE_DIGITS_MAX = 13;
/** Of all chunk extensions in one body, and of its trailer section. */
const EXTENSION_BYTES_MAX = 4096;
const TRAILER_BYTES_MAX = 8192;

const sizeFirst = 0;
const size = 1;
const extension = 2;
const sizeLf = 3;
const data = 4;
const dataCr = 5;
const dataLf = 6;
const trailerFirst = 7;
const trailerName = 8;
const trailerValue = 9;
const trailerLf = 10;
const lastLf = 11;

export class BodyReader {
  #framing: Framing = framing.none;
  #state = sizeFirst;
  #remaining = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #trailerBytes = 0;

  /** Complete. A body until close is never so; the peer's end completes it. */
  done = true;
  fault: ReasonCode = "BAD_CHUNK";
  dataFrom = 0;
  dataTo = 0;

  start(kind: Framing, length: number): void {
    this.#framing = kind;
    this.#remaining = length;
    this.fault = "BAD_CHUNK";
    this.done = kind === framing.none || (kind === framing.length && length === 0);
    this.#state = sizeFirst;
    this.#sizeDigits = 0;
    this.#extensionBytes = 0;
    this.#trailerBytes = 0;
  }

  /** What is still to come of a body whose length was announced. */
  get remainingBytes(): number {
    return this.#remaining;
  }

  get untilClose(): boolean {
    return this.#framing === framing.untilClose;
  }

  /** Takes bytes from `from`, up to the next run of data. Returns the index to go on from. */
  step(bytes: Buffer, from: number, to: number): number {
    this.dataFrom = from;
    this.dataTo = from;
    if (this.#framing === framing.chunked) return this.#stepChunked(bytes, from, to);
    if (this.#framing === framing.untilClose) {
      this.dataTo = to;
      return to;
    }
    const taken = Math.min(to - from, this.#remaining);
    this.#remaining -= taken;
    this.done = this.#remaining === 0;
    this.dataTo = from + taken;
    return this.dataTo;
  }

  #stepChunked(bytes: Buffer, from: number, to: number): number {
    for (let index = from; index < to; ) {
      if (this.#state === data) {
        const taken = Math.min(to - index, this.#remaining);
        this.#remaining -= taken;
        this.dataFrom = index;
        this.dataTo = index + taken;
        if (this.#remaining === 0) this.#state = dataCr;
        return this.dataTo;
      }
      if (!this.#consume(at(bytes, index))) return BODY_FAULT;
      index++;
      if (this.done) return this.#ended(index);
    }
    return this.#ended(to);
  }

  #ended(index: number): number {
    this.dataFrom = index;
    this.dataTo = index;
    return index;
  }

  /** One byte between two runs of data. */
  #consume(byte: number): boolean {
    switch (this.#state) {
      case sizeFirst:
        this.#remaining = 0;
        this.#sizeDigits = 0;
        return this.#addDigit(byte);
      case size:
        if (byte === CR) this.#state = sizeLf;
        else if (byte === SEMICOLON) this.#state = extension;
        else return this.#addDigit(byte);
        return true;
      case extension:
        if (byte === CR) this.#state = sizeLf;
        else return this.#addExtension(byte);
        return true;
      case sizeLf:
        this.#state = this.#remaining === 0 ? trailerFirst : data;
        return byte === LF;
      case dataCr:
        this.#state = dataLf;
        return byte === CR;
      case dataLf:
        this.#state = sizeFirst;
        return byte === LF;
      default:
        return this.#consumeTrailer(byte);
    }
  }

  #addDigit(byte: number): boolean {
    const digit = HEX_VALUE[byte] as number;
    this.#state = size;
    this.#sizeDigits++;
    this.#remaining = this.#remaining * 16 + digit;
    return digit >= 0 && this.#sizeDigits <= SIZE_DIGITS_MAX;
  }

  #addExtension(byte: number): boolean {
    this.#extensionBytes++;
    return FIELD_VALUE[byte] === 1 && this.#extensionBytes <= EXTENSION_BYTES_MAX;
  }

  #consumeTrailer(byte: number): boolean {
    this.#trailerBytes++;
    this.fault = "BAD_TRAILER";
    if (this.#trailerBytes > TRAILER_BYTES_MAX) return false;
    switch (this.#state) {
      case trailerFirst:
        this.#state = byte === CR ? lastLf : trailerName;
        return byte === CR || TOKEN[byte] === 1;
      case trailerName:
        if (byte === COLON) this.#state = trailerValue;
        return byte === COLON || TOKEN[byte] === 1;
      case trailerValue:
        if (byte === CR) this.#state = trailerLf;
        return byte === CR || FIELD_VALUE[byte] === 1;
      case trailerLf:
        this.#state = trailerFirst;
        return byte === LF;
      default:
        this.done = true;
        return byte === LF;
    }
  }
}

// Where messages are put together: one buffer, filled from the front, sent in one write.
//
// It is reused for the next message as soon as the kernel has taken this one, which is nearly
// always at once. When it has not, the buffer belongs to that write and the writer takes a new one.

import { at, ZERO } from "./syntax.ts";

/** Shorter runs are copied faster by a loop than by a call into the runtime. */
const LOOP_BYTES_MAX = 256;
/** Most messages are as long as one before: a view of so many bytes or fewer is made once. */
const VIEW_BYTES_MAX = 1024;
const HEX_DIGITS = Buffer.from("0123456789abcdef");

/** A sink that takes bytes and says whether it is done with them. */
export interface Sink {
  write(bytes: Uint8Array): boolean;
}

export class Writer {
  #bytes: Buffer;
  #used = 0;
  /** Of the buffer's beginning, by length. */
  #views: Buffer[] = [];

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  get used(): number {
    return this.#used;
  }

  clear(): void {
    this.#used = 0;
  }

  /** Makes room for `byteCount` more. */
  reserve(byteCount: number): void {
    const needed = this.#used + byteCount;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#replace(larger);
  }

  #replace(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#views = [];
  }

  /** Appends bytes [from, to) of `source`. There is room (`reserve`). */
  copy(source: Buffer, from: number, to: number): void {
    const target = this.#bytes;
    let used = this.#used;
    if (to - from <= LOOP_BYTES_MAX) {
      for (let index = from; index < to; index++) target[used++] = at(source, index);
      this.#used = used;
      return;
    }
    this.#used += source.copy(target, used, from, to);
  }

  all(source: Buffer): void {
    this.copy(source, 0, source.length);
  }

  /** Appends characters below 256. There is room (`reserve`). */
  text(text: string): void {
    const target = this.#bytes;
    let used = this.#used;
    for (let index = 0; index < text.length; index++) target[used++] = text.charCodeAt(index);
    this.#used = used;
  }

  /** Appends the lowest `digitCount` hexadecimal digits of a 32-bit number. */
  hex(value: number, digitCount: number): void {
    const target = this.#bytes;
    const digits = HEX_DIGITS;
    let used = this.#used;
    for (let shift = (digitCount - 1) * 4; shift >= 0; shift -= 4) {
      target[used++] = at(digits, (value >>> shift) & 15);
    }
    this.#used = used;
  }

  /** Appends the number in as few hexadecimal digits as it takes. */
  shortHex(value: number): void {
    this.hex(value, Math.max(1, (35 - Math.clz32(value)) >> 2));
  }

  /** Appends a whole number, with zeros before it up to so many digits. There is room. */
  decimal(value: number, digitCountMin = 1): void {
    let digitCount = 1;
    for (let limit = 10; limit <= value; limit *= 10) digitCount++;
    this.#used += Math.max(digitCount, digitCountMin);
    let rest = value;
    for (let back = 1; back <= digitCount || back <= digitCountMin; back++) {
      this.#bytes[this.#used - back] = ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }

  /** Sends everything and starts anew. Whether the sink is done with it. */
  flush(sink: Sink): boolean {
    const bytes = this.#view(this.#used);
    this.#used = 0;
    const taken = sink.write(bytes);
    if (!taken) this.#replace(Buffer.allocUnsafeSlow(this.#bytes.length));
    return taken;
  }

  #view(length: number): Buffer {
    if (length > VIEW_BYTES_MAX) return this.#bytes.subarray(0, length);
    const known = this.#views[length];
    if (known !== undefined) return known;
    const view = this.#bytes.subarray(0, length);
    this.#views[length] = view;
    return view;
  }

  /** A copy of everything, to be kept; and starts anew. */
  take(): Buffer {
    const kept = Buffer.allocUnsafe(this.#used);
    this.takeInto(kept);
    return kept;
  }

  /** As `take`, into a buffer with room for all of it. */
  takeInto(target: Buffer): void {
    target.set(this.#view(this.#used));
    this.#used = 0;
  }
}

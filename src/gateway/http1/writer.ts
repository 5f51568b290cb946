// Where messages are put together: one buffer, filled from the front, sent in one write.
//
// It is reused for the next message as soon as the kernel has taken this one, which is nearly
// always at once. When it has not, the buffer belongs to that write and the writer takes a new one.

import { ZERO } from "./syntax.ts";

/** Shorter runs are copied faster by a loop than by a call into the runtime; */
const LOOP_BYTES_MAX = 512;
/** and those that are not very short, by words. */
const WORDS_BYTES_MIN = 16;
const WORD_BYTES = 4;
/** Most messages are as long as one before: a view of so many bytes or fewer is made once. */
const VIEW_BYTES_MAX = 1024;
/** The two hexadecimal digits of a byte, by byte. */
const HEX_PAIRS = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, "0")).readUInt16BE(),
);

const NOTHING = new Uint8Array(0);

function wordsOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** A sink that takes bytes and says whether it is done with them. */
export interface Sink {
  write(bytes: Uint8Array): boolean;
}

export class Writer {
  #bytes: Buffer;
  #words: DataView;
  #used = 0;
  /** Most messages are read from the same memory: of what was copied from last. */
  #source: Uint8Array = NOTHING;
  #sourceWords: DataView = wordsOf(NOTHING);
  /** Of the buffer's beginning, by length. */
  #views: Buffer[] = [];

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#words = wordsOf(this.#bytes);
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
    this.#words = wordsOf(bytes);
    this.#views = [];
  }

  /** Appends bytes [from, to) of `source`. There is room (`reserve`). */
  copy(source: Buffer, from: number, to: number): void {
    if (to - from < WORDS_BYTES_MIN) this.#copyBytes(source, from, to);
    else if (to - from <= LOOP_BYTES_MAX) this.#copyWords(source, from, to);
    else this.#used += source.copy(this.#bytes, this.#used, from, to);
  }

  all(source: Uint8Array): void {
    this.#copyBytes(source, 0, source.length);
  }

  #copyBytes(source: Uint8Array, from: number, to: number): void {
    const target = this.#bytes;
    let used = this.#used;
    for (let index = from; index < to; index++) target[used++] = source[index] as number;
    this.#used = used;
  }

  #copyWords(source: Uint8Array, from: number, to: number): void {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceWords = wordsOf(source);
    }
    const target = this.#words;
    const words = this.#sourceWords;
    let used = this.#used;
    let index = from;
    for (; index + 2 * WORD_BYTES <= to; index += 2 * WORD_BYTES, used += 2 * WORD_BYTES) {
      target.setInt32(used, words.getInt32(index));
      target.setInt32(used + WORD_BYTES, words.getInt32(index + WORD_BYTES));
    }
    this.#used = used;
    this.#copyBytes(source, index, to);
  }

  /** Appends characters below 256. There is room (`reserve`). */
  text(text: string): void {
    const target = this.#bytes;
    let used = this.#used;
    for (let index = 0; index < text.length; index++) target[used++] = text.charCodeAt(index);
    this.#used = used;
  }

  /** Appends 32 bits as eight hexadecimal digits. */
  hex(value: number): void {
    const words = this.#words;
    const used = this.#used;
    words.setUint16(used, HEX_PAIRS[value >>> 24] as number);
    words.setUint16(used + 2, HEX_PAIRS[(value >>> 16) & 0xff] as number);
    words.setUint16(used + 4, HEX_PAIRS[(value >>> 8) & 0xff] as number);
    words.setUint16(used + 6, HEX_PAIRS[value & 0xff] as number);
    this.#used += 8;
  }

  /** Appends the number in as few hexadecimal digits as it takes. */
  shortHex(value: number): void {
    this.text(value.toString(16));
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

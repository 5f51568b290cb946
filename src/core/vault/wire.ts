// Bytes out, bytes in: what every format of the vault is written and read with.
//
// Numbers are unsigned and little-endian; counts and lengths are in base 128, 7 bits a byte, the
// lowest first. A reader trusts nothing: each length is checked against what the caller allows and
// against the bytes that are left before anything is allotted, so that a declared length of 1 TiB
// costs one comparison.

import { assert } from "../base/assert.ts";
import { NinesError } from "../base/errors.ts";

const chunkOfCharacters = 8_192;

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** 8 bytes; for times, which may be before 1970. */
  i64(value: bigint): this {
    assert(BigInt.asIntN(64, value) === value, "a signed number fits into 64 bits");
    const at = this.#grow(8);
    this.#view.setBigInt64(at, value, true);
    return this;
  }

  count(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, "a count is a safe integer, not negative");
    let rest = value;
    while (rest >= 128) {
      this.u8((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    return this.u8(rest);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** With its length before it. */
  bytes(bytes: Uint8Array): this {
    return this.count(bytes.length).raw(bytes);
  }

  /** A string with one character a byte. */
  byteString(text: string): this {
    this.count(text.length);
    const at = this.#grow(text.length);
    const bytes = this.#bytes;
    let all = 0;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      all |= code;
      bytes[at + index] = code;
    }
    assert(all < 256, "a byte string has one character a byte");
    return this;
  }

  /** Any string, as UTF-8. */
  text(text: string): this {
    return this.byteString(utf8Of(text));
  }

  /** What was written; a view that the next write may leave behind. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): number {
    const at = this.#length;
    this.#length += by;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Throws NINES_VAULT_DAMAGED, naming `what`, for everything that is not as it must be. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** At most `max`. */
  count(max: number): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      if (value > max) this.refuse(`${value} where ${max} is the most there may be`);
      return value;
    }
    return this.refuse("a number of more than 53 bits");
  }

  /** A view into what is read, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(max: number): Uint8Array {
    return this.raw(this.count(max));
  }

  byteString(max: number): string {
    return byteStringOf(this.bytes(max));
  }

  text(max: number): string {
    const text = textOf(this.byteString(max));
    return text ?? this.refuse("a text that is not UTF-8");
  }

  end(): void {
    if (this.left > 0) this.refuse(`${this.left} bytes too many`);
  }

  refuse(why: string): never {
    throw new NinesError("NINES_VAULT_DAMAGED", `${this.#what} cannot be: ${why}.`);
  }

  #take(length: number): number {
    if (length > this.left) this.refuse(`it ends ${length - this.left} bytes too early`);
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

export function byteStringOf(bytes: Uint8Array): string {
  if (bytes.length <= chunkOfCharacters) return characters(bytes);
  let text = "";
  for (let from = 0; from < bytes.length; from += chunkOfCharacters) {
    text += characters(bytes.subarray(from, from + chunkOfCharacters));
  }
  return text;
}

/** Names are most of what is read: as arguments one by one they would cost twice as much. */
function characters(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, bytes) as string;
}

export function bytesOf(byteString: string): Uint8Array {
  return Uint8Array.from(byteString, (character) => character.charCodeAt(0));
}

/** The UTF-8 of a text, as a byte string. */
export function utf8Of(text: string): string {
  if (isAscii(text)) return text;
  return unescape(encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, "\ufffd")));
}

/** The text of which a byte string is the UTF-8; undefined when it is none. */
export function textOf(byteString: string): string | undefined {
  if (isAscii(byteString)) return byteString;
  try {
    return decodeURIComponent(escape(byteString));
  } catch {
    return undefined;
  }
}

function isAscii(text: string): boolean {
  let all = 0;
  for (let at = 0; at < text.length; at++) all |= text.charCodeAt(at);
  return all < 128;
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += hexDigits[byte] as string;
  return text;
}

/** Of an even number of lower-case digits. */
export function bytesOfHex(hex: string): Uint8Array {
  assert(/^([0-9a-f]{2})*$/.test(hex), "pairs of hexadecimal digits");
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) =>
    Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16),
  );
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let differing = 0;
  for (let at = 0; at < a.length; at++) differing |= (a[at] as number) ^ (b[at] as number);
  return differing === 0;
}

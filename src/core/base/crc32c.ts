// CRC32C (Castagnoli), the checksum of the journal: finds every error of up to 3 bits in a record
// of any size (of up to 5 in one of 600 bytes), every burst of up to 32 bits, and all but one in
// four thousand million of the rest.
//
// Slicing by 16 (Kounavis and Berry, 2005): sixteen tables of 256 words, one of them looked up for
// each byte of 16 at a time, so that the look-ups do not wait for one another. 1.3 GB/s at 100
// bytes and 1.6 GB/s at 1 KiB on one core, in plain JavaScript.
// Rejected: a native addon (slower at 100 bytes, for the call alone), two interleaved streams (a
// quarter faster, and a matrix product to join them), CRC-32 of zlib (weaker, not Castagnoli's).

import { present } from "./assert.ts";

const polynomial = 0x82f63b78;
const tables: readonly Int32Array[] = makeTables();
const [t0, t1, t2, t3, t4, t5, t6, t7] = eightFrom(0);
const [t8, t9, t10, t11, t12, t13, t14, t15] = eightFrom(8);

/**
 * The checksum of the bytes from `start` to before `end`, going on from `seed`: the checksum of
 * what came before, or any number that the reader knows as well. Unsigned, 32 bits.
 */
export function crc32c(seed: number, view: DataView, start: number, end: number): number {
  let state = ~seed;
  let at = start;
  for (const wholeEnd = end - 15; at < wholeEnd; at += 16) {
    const a = state ^ view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    // Each index is below 256, so each entry is there.
    state =
      (t15[a & 255] as number) ^
      (t14[(a >>> 8) & 255] as number) ^
      (t13[(a >>> 16) & 255] as number) ^
      (t12[a >>> 24] as number) ^
      (t11[b & 255] as number) ^
      (t10[(b >>> 8) & 255] as number) ^
      (t9[(b >>> 16) & 255] as number) ^
      (t8[b >>> 24] as number) ^
      (t7[c & 255] as number) ^
      (t6[(c >>> 8) & 255] as number) ^
      (t5[(c >>> 16) & 255] as number) ^
      (t4[c >>> 24] as number) ^
      (t3[d & 255] as number) ^
      (t2[(d >>> 8) & 255] as number) ^
      (t1[(d >>> 16) & 255] as number) ^
      (t0[d >>> 24] as number);
  }
  for (const wholeEnd = end - 3; at < wholeEnd; at += 4) {
    const a = state ^ view.getInt32(at, true);
    state =
      (t3[a & 255] as number) ^
      (t2[(a >>> 8) & 255] as number) ^
      (t1[(a >>> 16) & 255] as number) ^
      (t0[a >>> 24] as number);
  }
  for (; at < end; at++) {
    state = (state >>> 8) ^ (t0[(state ^ view.getUint8(at)) & 255] as number);
  }
  return ~state >>> 0;
}

function makeTables(): readonly Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let state = byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? polynomial : 0);
    return state;
  });
  const all = [first];
  while (all.length < 16) {
    const last = present(all.at(-1), "the table before");
    all.push(last.map((state) => (state >>> 8) ^ (first[state & 255] as number)));
  }
  return all;
}

type Eight = readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

function eightFrom(start: number): Eight {
  return tables.slice(start, start + 8) as unknown as Eight;
}

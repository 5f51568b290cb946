// A matrix over GF(2^8) as a program of xors.
//
// Multiplication by a constant is linear over bits: an 8 x 8 matrix of zeros and ones. So m rows of
// k coefficients are 8 m sums over 8 k bits, and what is summed may as well be whole planes of bits
// (Blömer, Kalfane, Karp, Karpinski, Luby, Zuckerman, "An XOR-based erasure-resilient coding
// scheme", 1995). The sums share parts: the pair that most of them have in common becomes a value
// of its own, until no pair is common (Paar, "Optimized arithmetic for Reed-Solomon encoders",
// ISIT 1997; as straight-line programs: Uezato, SC'21). That halves the xors and takes some
// milliseconds: worth it for a geometry that is encoded again and again.
//
// Values are numbered: the input planes first, then each common pair.

import { multiply } from "./field.ts";
import type { Matrix } from "./matrix.ts";

export interface XorProgram {
  readonly inputs: number;
  /** Value `inputs + i` is the xor of these two. */
  readonly pairs: readonly (readonly [number, number])[];
  /** Each output is the xor of these values, of none if there are none. */
  readonly outputs: readonly (readonly number[])[];
}

/** The xors that it takes. */
export function xorsOf({ pairs, outputs }: XorProgram): number {
  return outputs.reduce((sum, values) => sum + Math.max(0, values.length - 1), pairs.length);
}

/** Input planes of each output plane, without sharing anything. */
export function plainProgram(rows: Matrix): XorProgram {
  const columns = rows[0]?.length ?? 0;
  const outputs = rows.flatMap((row) => Array.from({ length: 8 }, (_, bit) => planesOf(row, bit)));
  return { inputs: 8 * columns, pairs: [], outputs };
}

/** The input planes that bit `bit` of the row's product has in it. */
function planesOf(row: Uint8Array, bit: number): number[] {
  const planes: number[] = [];
  for (const [column, coefficient] of row.entries()) {
    for (let from = 0; from < 8; from++) {
      if ((multiply(coefficient, 1 << from) >> bit) & 1) planes.push(8 * column + from);
    }
  }
  return planes;
}

const valuesMax = 65_536;

/** The same with common pairs computed once. */
export function sharedProgram(rows: Matrix): XorProgram {
  const plain = plainProgram(rows);
  const sums = plain.outputs.map((values) => new Set(values));
  const counts = new Map<number, number>();
  const count = (a: number, b: number, by: number): void => {
    const key = Math.min(a, b) * valuesMax + Math.max(a, b);
    const now = (counts.get(key) ?? 0) + by;
    if (now > 0) counts.set(key, now);
    else counts.delete(key);
  };
  for (const sum of sums) {
    for (const a of sum) for (const b of sum) if (a < b) count(a, b, 1);
  }
  const pairs: (readonly [number, number])[] = [];
  for (let best = mostCommon(counts); best !== undefined; best = mostCommon(counts)) {
    const [a, b] = best;
    const value = plain.inputs + pairs.length;
    pairs.push(best);
    for (const sum of sums) {
      if (!sum.has(a) || !sum.has(b)) continue;
      sum.delete(a);
      sum.delete(b);
      count(a, b, -1);
      for (const other of sum) {
        count(a, other, -1);
        count(b, other, -1);
        count(value, other, 1);
      }
      sum.add(value);
    }
  }
  return { inputs: plain.inputs, pairs, outputs: sums.map((sum) => [...sum]) };
}

/** The pair that most sums have, if two have one; of equals the one that was counted first. */
function mostCommon(counts: ReadonlyMap<number, number>): readonly [number, number] | undefined {
  let [key, most] = [0, 1];
  for (const [pair, times] of counts) if (times > most) [key, most] = [pair, times];
  return most === 1 ? undefined : [Math.floor(key / valuesMax), key % valuesMax];
}

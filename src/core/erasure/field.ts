// The field GF(2^8): bytes that can be added (xor), multiplied and divided without ever leaving a
// byte. Polynomials over one bit, modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11d), whose powers of x = 2
// run through all 255 numbers but zero: so a product is a sum of logarithms.
//
// The polynomial is Backblaze's, klauspost's, ISA-L's and RAID-6's (H. P. Anvin, "The mathematics
// of RAID-6"); another one would give other shards. Plank, "A tutorial on Reed-Solomon coding for
// fault-tolerance in RAID-like systems", 1997, with the correction of 2005.

import { assert } from "../base/assert.ts";

const polynomial = 0x11d;
const order = 255;

const logarithms = new Uint8Array(256);
/** Twice over, so that a sum of two logarithms needs no remainder. */
const powers = new Uint8Array(2 * order);
for (let exponent = 0, power = 1; exponent < order; exponent++) {
  powers[exponent] = power;
  powers[exponent + order] = power;
  logarithms[power] = exponent;
  power = power < 128 ? power << 1 : (power << 1) ^ polynomial;
}

export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powers[(logarithms[a] as number) + (logarithms[b] as number)] as number;
}

/** One divided by `a`, which is not zero. */
export function inverse(a: number): number {
  assert(a !== 0, "nothing times zero is one");
  return powers[order - (logarithms[a] as number)] as number;
}

/** `base` to the `exponent`; 0 to the 0 is 1. */
export function power(base: number, exponent: number): number {
  if (exponent === 0) return 1;
  if (base === 0) return 0;
  return powers[((logarithms[base] as number) * exponent) % order] as number;
}

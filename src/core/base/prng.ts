// Seeded randomness as a value: the same seed gives the same run, on every machine.
//
// xoshiro128** (Blackman and Vigna, 2018), seeded by splitmix32: 32-bit integer operations only,
// which JavaScript does exactly and fast. Components take *named* sub-streams, so that one more
// draw in one place does not reshuffle everything else (Temporal's random streams). Rejected:
// Math.random (no seed), a 64-bit generator (BigInt is slow). Not for secrets.

import { assert } from "./assert.ts";

/**
 * A source of random numbers. Deterministic in tests and simulation, seeded from the OS otherwise.
 */
export interface Random {
  /** Uniform in [0, 1), 32 bits of it. */
  ratio(): number;
  /** Uniform integer in [0, bound). `bound` is in [1, 2^32]. */
  below(bound: number): number;
  /** 32 bits, as a signed integer. */
  bits(): number;
  /** An independent stream; the same name gives the same stream whatever else was drawn. */
  stream(name: string): Random;
}

export function createPrng(seed: number): Random {
  return new Xoshiro128(seed >>> 0);
}

class Xoshiro128 implements Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#a = splitmix32(seed + 0x9e3779b9);
    this.#b = splitmix32(seed + 2 * 0x9e3779b9);
    this.#c = splitmix32(seed + 3 * 0x9e3779b9);
    this.#d = splitmix32(seed + 4 * 0x9e3779b9) | 1; // never all zero
  }

  #next(): number {
    const scrambled = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return scrambled;
  }

  bits(): number {
    return this.#next();
  }

  ratio(): number {
    return (this.#next() >>> 0) / 4294967296;
  }

  below(bound: number): number {
    assert(Number.isInteger(bound) && bound >= 1 && bound <= 4294967296, "bound is in [1, 2^32]");
    return Math.floor(this.ratio() * bound);
  }

  stream(name: string): Random {
    return new Xoshiro128((this.#seed ^ fnv1a32(name)) >>> 0);
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function splitmix32(seed: number): number {
  let z = seed | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return z ^ (z >>> 15);
}

/** FNV-1a, 32 bits, of the UTF-16 code units. Stable across releases: hashes are persisted. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

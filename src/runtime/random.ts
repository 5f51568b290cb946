// Randomness for a real run: the project's own generator, seeded by the operating system. The seed
// is given back so that a surprising run can be told apart from a broken one.

import { randomBytes } from "node:crypto";
import { createPrng, type Random } from "../core/base/prng.ts";

export interface SeededRandom {
  readonly seed: number;
  readonly random: Random;
}

export function createSystemRandom(): SeededRandom {
  const seed = randomBytes(4).readUInt32LE();
  return { seed, random: createPrng(seed) };
}

// Parts in series, in parallel, and k of n, when they fail independently.
//
// All take and give unavailabilities, and none subtracts from 1, so ten parallel parts of 1e-3
// give 1e-30 and not 0. k of n with unequal parts goes through the parts once and keeps the
// distribution of how many have failed: n^2 steps where enumeration takes 2^n. Source: Trivedi,
// Probability and Statistics with Reliability, Queuing and Computer Science Applications,
// 1.10-1.11; Barlow and Heidtmann 1984 for the recursion.

import { requireCount, requireProbability, requireSize } from "../checks.ts";

/** More parts than this want a model of kinds of parts and not of parts. */
const partsMax = 10_000;

function requireParts(parts: readonly number[]): void {
  requireCount(parts.length, "the number of parts", 1);
  requireSize(parts.length, partsMax, "the number of parts");
  for (const part of parts) requireProbability(part, "a part's unavailability");
}

/** Unavailability when all parts are needed: 1 - product(1 - q), without the subtraction. */
export function series(unavailabilities: readonly number[]): number {
  requireParts(unavailabilities);
  let logAvailable = 0;
  for (const q of unavailabilities) logAvailable += Math.log1p(-q);
  return -Math.expm1(logAvailable);
}

/** Unavailability when one part is enough: product(q). */
export function parallel(unavailabilities: readonly number[]): number {
  requireParts(unavailabilities);
  return unavailabilities.reduce((product, q) => product * q, 1);
}

/**
 * Unavailability when `needed` of the parts, which may differ, must be up: the probability that
 * more than n - needed have failed. O(n^2).
 */
export function kOfN(needed: number, unavailabilities: readonly number[]): number {
  requireParts(unavailabilities);
  const parts = unavailabilities.length;
  requireCount(needed, "the number of parts needed", 1, parts);
  const fatal = parts - needed + 1;
  // failed[j] is the probability that j parts of those gone through have failed; the last entry is
  // "fatal or more", where it stays.
  const failed = new Float64Array(fatal + 1);
  failed[0] = 1;
  for (const q of unavailabilities) {
    failed[fatal] = (failed[fatal] as number) + (failed[fatal - 1] as number) * q;
    for (let j = fatal - 1; j > 0; j--) {
      failed[j] = (failed[j] as number) * (1 - q) + (failed[j - 1] as number) * q;
    }
    failed[0] *= 1 - q;
  }
  return failed[fatal] as number;
}

/** `kOfN` of n parts that are alike. */
export function kOfNAlike(needed: number, parts: number, partUnavailability: number): number {
  requireCount(parts, "the number of parts", 1, partsMax);
  return kOfN(
    needed,
    Array.from({ length: parts }, () => partUnavailability),
  );
}

// Distributions and their quantiles, as far as confidence bounds need them: normal, chi-square,
// Student, beta.
//
// A quantile is the root of the distribution function, sought in the smaller of its two tails, so a
// bound at 99.9999 % keeps its digits. Rejected: rational approximations (Acklam, AS 241) plus a
// correction: three tables of constants to save microseconds.

import { requireInside } from "../checks.ts";
import { type Tails, erfc, incompleteBeta, incompleteGamma } from "./special.ts";
import { solve, solveIncreasing } from "./solve.ts";

/** The probability that a standard normal variable is at most z. */
export function normalCdf(z: number): number {
  return erfc(-z / Math.SQRT2) / 2;
}

/** The z that a standard normal variable is at most with probability p. */
export function normalQuantile(p: number): number {
  requireInside(p, "a quantile's probability");
  if (p === 0.5) return 0;
  const tail = Math.min(p, 1 - p);
  const z = solve((x) => erfc(x / Math.SQRT2) / 2 - tail, 0, 40);
  return p < 0.5 ? -z : z;
}

/** The x that a chi-square variable is at most with probability p. */
export function chiSquareQuantile(p: number, degreesOfFreedom: number): number {
  requireInside(p, "a quantile's probability");
  const shape = degreesOfFreedom / 2;
  return 2 * positiveQuantile(p, (x) => incompleteGamma(shape, x), shape);
}

function positiveQuantile(p: number, tails: (x: number) => Tails, guess: number): number {
  return solveIncreasing((x) => excess(p, tails(x)), guess);
}

/** How far the value at these tails is past the quantile, told in the smaller tail. */
function excess(p: number, { lower, upper }: Tails): number {
  return p < 0.5 ? lower - p : 1 - p - upper;
}

/** The x that a beta variable is at most with probability p. */
export function betaQuantile(p: number, a: number, b: number): number {
  requireInside(p, "a quantile's probability");
  return solve((x) => excess(p, incompleteBeta(x, a, b)), 0, 1);
}

/** The t that a Student variable is at most with probability p. */
export function studentQuantile(p: number, degreesOfFreedom: number): number {
  requireInside(p, "a quantile's probability");
  if (p === 0.5) return 0;
  const tail = 2 * Math.min(p, 1 - p);
  const x = betaQuantile(tail, degreesOfFreedom / 2, 0.5);
  const t = Math.sqrt((degreesOfFreedom * (1 - x)) / x);
  return p < 0.5 ? -t : t;
}

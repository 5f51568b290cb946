// The root of a function that changes its sign between two points.
//
// Chandrupatla's method (1997): inverse quadratic interpolation where it can be trusted and
// bisection where not, so it is never slower than bisection by more than a few steps and needs no
// derivative. Rejected: Newton's method, which leaves the bracket on likelihoods that are flat
// far from the root.

import { assert } from "../../base/assert.ts";

const stepsMax = 300;

/** The root in [low, high] to a relative 4e-16; f(low) and f(high) have different signs. */
export function solve(f: (x: number) => number, low: number, high: number): number {
  let [a, b] = [low, high];
  let [fa, fb] = [f(a), f(b)];
  if (fa === 0) return a;
  if (fb === 0) return b;
  assert(fa < 0 !== fb < 0, "the ends of a bracket have different signs");
  let [c, fc] = [a, fa];
  let portion = 0.5;
  for (let step = 0; step < stepsMax; step++) {
    const x = a + portion * (b - a);
    const fx = f(x);
    if (fx < 0 === fa < 0) [c, fc] = [a, fa];
    else [c, b, fc, fb] = [b, a, fb, fa];
    [a, fa] = [x, fx];
    const best = Math.abs(fa) < Math.abs(fb) ? a : b;
    if (fa === 0) return a;
    const least = (2 * Number.EPSILON * Math.abs(best) + Number.MIN_VALUE) / Math.abs(b - c);
    if (!(least < 0.5)) return best;
    const x1 = (a - b) / (c - b);
    const phi = (fa - fb) / (fc - fb);
    const trusted = 1 - Math.sqrt(1 - x1) < phi && phi < Math.sqrt(x1);
    portion = trusted
      ? (fa / (fb - fa)) * (fc / (fb - fc)) +
        (((c - a) / (b - a)) * fa * fb) / ((fc - fa) * (fc - fb))
      : 0.5;
    portion = Math.min(1 - least, Math.max(least, portion));
  }
  return Math.abs(fa) < Math.abs(fb) ? a : b;
}

/** Where an increasing function of a positive number reaches zero; brackets it by powers of two. */
export function solveIncreasing(f: (x: number) => number, guess: number): number {
  let [low, high] = [guess, guess];
  while (f(low) > 0 && low > Number.MIN_VALUE * 4) low /= 2;
  while (f(high) < 0 && high < Number.MAX_VALUE / 4) high *= 2;
  return solve(f, low, high);
}

// How improbable is a value this far above the mean? log10 of P(Z > z) for a standard normal Z.
//
// Phi accrual lives in the tail, so the tail must be right: the usual logistic approximation (Akka,
// 1 / (1 + e^-(1.5976 z + 0.070566 z^3))) is within 1.4e-4 of the distribution, which at z = 6
// makes it read 10.8 where the truth is 9.0. A threshold of 8 would not mean one in 10^8. Here the
// middle is the Taylor series of the integral, the tail is Laplace's continued fraction; both to
// about twelve digits, in logarithms, so that nothing underflows.

import { assert } from "../base/assert.ts";

/** Where the series hands over to the fraction. */
const seriesEnds = 2;
const fractionDepth = 80;
const zMax = 40;

/** log10 of P(Z > z): 0 far below the mean, -0.301 at it, -8 at z = 5.612. */
export function tailLog10(z: number): number {
  if (z < -seriesEnds) return Math.log1p(-(10 ** tailLog10(-z))) / Math.LN10;
  return z < seriesEnds ? Math.log10(0.5 - integralFromZero(z)) : fraction(z);
}

/** The z above which lies one in 10^`digits`. Its inverse, by bisection: once for each detector. */
export function tailQuantile(digits: number): number {
  assert(digits > 0 && digits <= 100, "a probability of 10^-100 to 1");
  let [low, high] = [-zMax, zMax];
  for (let step = 0; step < 64; step++) {
    const middle = (low + high) / 2;
    if (-tailLog10(middle) < digits) low = middle;
    else high = middle;
  }
  return high;
}

/** density(z) * (z + z^3/3 + z^5/(3*5) + ...): the probability between 0 and z. */
function integralFromZero(z: number): number {
  let term = z;
  let sum = z;
  for (let odd = 3; odd < 80; odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return sum * Math.exp((-z * z) / 2 - Math.log(2 * Math.PI) / 2);
}

/** density(z) / (z + 1/(z + 2/(z + 3/(z + ...)))). */
function fraction(z: number): number {
  let below = z;
  for (let level = fractionDepth; level >= 1; level--) below = z + level / below;
  const lnDensity = (-z * z) / 2 - Math.log(2 * Math.PI) / 2;
  return (lnDensity - Math.log(below)) / Math.LN10;
}

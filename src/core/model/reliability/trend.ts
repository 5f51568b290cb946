// Whether failures come more or less often as time goes on; to be asked before any MTBF is
// quoted.
//
// A mean time between failures means something only where the rate is constant. Laplace's test
// asks whether the failures' times lie early or late in the time of watching; the power law (Crow
// 1974, "Crow-AMSAA", Duane) fits M(t) = lambda t^beta to a system that is mended and goes on:
// beta below 1 improves, above 1 gets worse. Times are since the beginning, of one system. When
// watching ended with a failure, that failure's time says nothing new and each formula leaves it
// out. Sources: MIL-HDBK-189, NIST/SEMATECH 8.2.3.4 and 8.4.5.2.

import { NinesError } from "../../base/errors.ts";
import { requireInside, requirePositive } from "../checks.ts";
import { chiSquareQuantile } from "../numeric/quantiles.ts";
import { erfc } from "../numeric/special.ts";

export interface FailureHistory {
  /** When the failures came, since the beginning, in order. */
  readonly times: readonly number[];
  /** When watching ended; without it, with the last failure. */
  readonly end?: number;
}

interface Checked {
  readonly times: readonly number[];
  readonly end: number;
  readonly byFailure: boolean;
}

function check(history: FailureHistory, least: number): Checked {
  const { times } = history;
  let before = 0;
  for (const time of times) {
    requirePositive(time, "a failure's time");
    if (time < before)
      throw new NinesError(
        "NINES_MODEL_INPUT",
        `the failure at ${time} comes after one at ${before}`,
      );
    before = time;
  }
  const end = history.end ?? before;
  if (end < before)
    throw new NinesError(
      "NINES_MODEL_INPUT",
      `watching ended at ${end}, before the failure at ${before}`,
    );
  if (times.length < least || times[0] === end) {
    throw new NinesError(
      "NINES_MODEL_DATA",
      `${times.length} failures are too few for a trend: it takes ${least} at different times`,
    );
  }
  return { times, end, byFailure: history.end === undefined };
}

export interface Trend {
  /** Standard normal where the rate is constant; below 0 improves, above 0 gets worse. */
  readonly statistic: number;
  /** How often a constant rate looks at least as far from constant. */
  readonly pValue: number;
}

/** Laplace's test. At least 4 failures; with fewer the normal approximation is no good. */
export function laplaceTrend(history: FailureHistory): Trend {
  const { times, end, byFailure } = check(history, 4);
  const counted = byFailure ? times.slice(0, -1) : times;
  const mean = counted.reduce((sum, time) => sum + time, 0) / counted.length;
  const statistic = (mean - end / 2) / (end * Math.sqrt(1 / (12 * counted.length)));
  return { statistic, pValue: erfc(Math.abs(statistic) / Math.SQRT2) };
}

export interface PowerLawFit {
  /** Below 1 improves, above 1 gets worse. Maximum likelihood. */
  readonly beta: number;
  readonly betaLower: number;
  readonly betaUpper: number;
  /**
   * The maximum likelihood estimate is too large with few failures; this one is not, on average.
   */
  readonly betaUnbiased: number;
  /** Expected failures until t: lambda t^beta. */
  readonly lambda: number;
  /** The rate at the end of watching, lambda beta end^(beta - 1), and its inverse. */
  readonly intensity: number;
  readonly meanTimeBetweenFailures: number;
}

/** Crow-AMSAA. At least 3 failures. The interval of beta is exact. */
export function fitPowerLaw(
  history: FailureHistory,
  options: { readonly confidence?: number } = {},
): PowerLawFit {
  const { times, end, byFailure } = check(history, 3);
  const alpha = 1 - requireInside(options.confidence ?? 0.95, "the confidence");
  const n = times.length;
  const logs = times.reduce((sum, time) => sum + Math.log(end / time), 0);
  const beta = n / logs;
  const lambda = n / end ** beta;
  const intensity = lambda * beta * end ** (beta - 1);
  const degrees = 2 * (byFailure ? n - 1 : n);
  return {
    beta,
    betaLower: chiSquareQuantile(alpha / 2, degrees) / (2 * logs),
    betaUpper: chiSquareQuantile(1 - alpha / 2, degrees) / (2 * logs),
    betaUnbiased: ((byFailure ? n - 2 : n - 1) / n) * beta,
    lambda,
    intensity,
    meanTimeBetweenFailures: 1 / intensity,
  };
}

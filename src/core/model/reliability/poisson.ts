// Counting failures: how many to expect, and what rate a count allows.
//
// Failures at a constant rate come as a Poisson process; over a time t their number has mean rate
// x t (and not rate). The interval for the rate is exact (Garwood 1936): its ends are the rates
// at which a count this high, or this low, would just be credible. With no failures the lower end
// is 0 and the upper one is -ln(alpha) / t, and no estimate is given: 0 / t would be a false 100
// %.

import { NinesError } from "../../base/errors.ts";
import {
  requireCount,
  requireInside,
  requireNotNegative,
  requirePositive,
  requireRate,
} from "../checks.ts";
import { chiSquareQuantile } from "../numeric/quantiles.ts";
import { incompleteGamma, lnGamma } from "../numeric/special.ts";

/** The probability of exactly `count` failures in `time`, at a constant rate. */
export function poissonProbability(options: {
  readonly rate: number;
  readonly time: number;
  readonly count: number;
}): number {
  const mean = requireRate(options.rate, "the rate") * requirePositive(options.time, "the time");
  const count = requireCount(options.count, "the count", 0);
  return Math.exp(count * Math.log(mean) - mean - lnGamma(count + 1));
}

/** The probability of at most `count` failures in `time`, at a constant rate. */
export function poissonAtMost(options: {
  readonly rate: number;
  readonly time: number;
  readonly count: number;
}): number {
  const mean = requireRate(options.rate, "the rate") * requirePositive(options.time, "the time");
  return incompleteGamma(requireCount(options.count, "the count", 0) + 1, mean).upper;
}

export interface ExponentialFit {
  readonly failures: number;
  readonly totalTime: number;
  /** Failures / time; undefined without failures. */
  readonly rate: number | undefined;
  readonly rateLower: number;
  readonly rateUpper: number;
  /** Time / failures; undefined without failures. */
  readonly meanTime: number | undefined;
  readonly meanTimeLower: number;
  /** Infinite without failures. */
  readonly meanTimeUpper: number;
}

/**
 * A constant failure rate from failures in a total time of operation, of one or many units, with
 * an exact two-sided interval (one-sided without failures). `ended` says whether watching ended
 * at a time fixed before, or with the last failure. Source: NIST/SEMATECH 8.4.5.1.
 */
export function fitExponential(options: {
  readonly failures: number;
  readonly totalTime: number;
  /** 0.95 by default. */
  readonly confidence?: number;
  readonly ended?: "at a time" | "with a failure";
}): ExponentialFit {
  const failures = requireCount(options.failures, "the number of failures", 0);
  const totalTime = requirePositive(options.totalTime, "the total time");
  const alpha = 1 - requireInside(options.confidence ?? 0.95, "the confidence");
  const byFailure = options.ended === "with a failure";
  if (byFailure && failures === 0) {
    throw new NinesError(
      "NINES_MODEL_DATA",
      "watching that ended with a failure has seen at least one",
    );
  }
  const none = failures === 0;
  const degrees = 2 * (byFailure ? failures : failures + 1);
  const upper = none ? -Math.log(alpha) : chiSquareQuantile(1 - alpha / 2, degrees) / 2;
  const lower = none ? 0 : chiSquareQuantile(alpha / 2, 2 * failures) / 2;
  return {
    failures,
    totalTime,
    rate: none ? undefined : failures / totalTime,
    rateLower: lower / totalTime,
    rateUpper: upper / totalTime,
    meanTime: none ? undefined : totalTime / failures,
    meanTimeLower: totalTime / upper,
    meanTimeUpper: totalTime / lower,
  };
}

/** The probability of no failure until `time`, at a constant rate. */
export function exponentialSurvival(rate: number, time: number): number {
  return Math.exp(-requireRate(rate, "the rate") * requireNotNegative(time, "the time"));
}

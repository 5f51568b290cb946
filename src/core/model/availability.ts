// From failures and repairs to availability, and from availability to words.
//
// Everything here and in the folders below counts in *un*availability, the fraction of time down.
// The nines are in its digits: 1 - 1e-17 is exactly 1 in a double, a false 100 %, while 1e-17 is
// itself. Times may be in any unit, as long as one model keeps to one.

import { requireNotNegative, requirePositive, requireProbability } from "./checks.ts";

/** Minutes in a year of 365 days. */
export const minutesPerYear = 525_600;

/**
 * The fraction of time down of something that is up for `meanUpTime` and then down for
 * `meanDownTime`, whatever their distributions. `meanUpTime` is MTBF without the repair.
 */
export function unavailability(times: {
  readonly meanUpTime: number;
  readonly meanDownTime: number;
}): number {
  const up = requirePositive(times.meanUpTime, "the mean time up");
  const down = requirePositive(times.meanDownTime, "the mean time down");
  return down / (up + down);
}

/** Minutes down in a year of 365 days. */
export function downtimeMinutesPerYear(fractionDown: number): number {
  return requireProbability(fractionDown, "an unavailability") * minutesPerYear;
}

/** How many nines: 3 for 99.9 %, 3.3 for 99.95 %; infinite only for an unavailability of 0. */
export function nines(fractionDown: number): number {
  return -Math.log10(requireProbability(fractionDown, "an unavailability"));
}

/**
 * An availability in per cent, with as many digits as it takes to tell it from 100 %: "99.990 %".
 * Never rounds up: a service that is down for one minute in a century is not said to be at 100 %.
 */
export function sayAvailability(fractionDown: number): string {
  const down = requireProbability(fractionDown, "an unavailability");
  if (down === 0) return "100 %";
  const digits = Math.min(20, Math.max(1, 1 - Math.floor(Math.log10(down * 100))));
  const scale = 10 ** digits;
  const lost = Math.ceil(down * 100 * scale * (1 - 1e-9));
  const whole = BigInt(100) * BigInt(scale) - BigInt(lost);
  const text = whole.toString().padStart(digits + 1, "0");
  return `${text.slice(0, -digits)}.${text.slice(-digits)} %`;
}

export interface RetriedTime {
  readonly attemptsMean: number;
  readonly mean: number;
  readonly standardDeviation: number;
  /**
   * The time within which it has succeeded with this probability; its tail is longer than a mean
   * says.
   */
  quantile(probability: number): number;
}

/**
 * How long something takes that is tried until it succeeds: each attempt takes `attemptTime` and
 * succeeds with `successProbability`, independently; then `afterTime` passes once. Geometric, so
 * the mean is attemptTime / p + afterTime and the variance attemptTime^2 (1 - p) / p^2.
 */
export function retriedTime(options: {
  readonly attemptTime: number;
  readonly successProbability: number;
  readonly afterTime?: number;
}): RetriedTime {
  const attempt = requirePositive(options.attemptTime, "the time of one attempt");
  const p = requireProbability(
    options.successProbability,
    "the probability that an attempt succeeds",
  );
  requirePositive(p, "the probability that an attempt succeeds");
  const after = requireNotNegative(options.afterTime ?? 0, "the time after the attempts");
  return {
    attemptsMean: 1 / p,
    mean: attempt / p + after,
    standardDeviation: (attempt * Math.sqrt(1 - p)) / p,
    quantile: (probability) => {
      const wanted = requireProbability(probability, "a quantile's probability");
      const attempts = p === 1 ? 1 : Math.ceil(Math.log1p(-wanted) / Math.log1p(-p) - 1e-9);
      return Math.max(1, attempts) * attempt + after;
    },
  };
}

/**
 * How long a failure goes unnoticed by checks every `interval` that end after `timeout`, when
 * `misses` in a row make a verdict: the failure falls anywhere between two checks.
 */
export function detectionTime(options: {
  readonly interval: number;
  readonly timeout: number;
  readonly misses: number;
}): { readonly mean: number; readonly max: number } {
  const interval = requirePositive(options.interval, "the interval between checks");
  const timeout = requireNotNegative(options.timeout, "the timeout of a check");
  const misses = requirePositive(options.misses, "the missed checks that make a verdict");
  return { mean: (misses - 0.5) * interval + timeout, max: misses * interval + timeout };
}

// Times until something is mended: what a model asks of their distribution, and draws from it.
//
// Fixed, exponential and lognormal, by mean. In the long run an alternating part is down for
// rate x mean, whatever the shape; the shape matters where a time races another one, as a hang that
// would end by itself races the restart (`meanOfShorter`).

import { assert } from "../base/assert.ts";
import type { Random } from "../base/prng.ts";
import { requireNotNegative, requirePositive } from "../model/checks.ts";
import { normalCdf } from "../model/numeric/quantiles.ts";
import type { Duration } from "./rates.ts";

/** The logarithm of a lognormal time is normal with these. */
function normalOf(meanMs: number, variation: number) {
  const variance = Math.log1p(variation ** 2);
  return { mu: Math.log(meanMs) - variance / 2, sigma: Math.sqrt(variance) };
}

/** The probability that it takes longer. */
export function lastsLonger(duration: Duration, ms: number): number {
  const { meanMs } = duration;
  requirePositive(meanMs, "a mean time until mended");
  requireNotNegative(ms, "a time");
  switch (duration.kind) {
    case "fixed":
      return ms < meanMs ? 1 : 0;
    case "exponential":
      return Math.exp(-ms / meanMs);
    case "lognormal": {
      const { mu, sigma } = normalOf(meanMs, requirePositive(duration.variation, "a variation"));
      return ms === 0 ? 1 : normalCdf((mu - Math.log(ms)) / sigma);
    }
  }
}

/** The mean of the shorter one of it and a fixed time. */
export function meanOfShorter(duration: Duration, ms: number): number {
  const { meanMs } = duration;
  const longer = lastsLonger(duration, ms);
  switch (duration.kind) {
    case "fixed":
      return Math.min(ms, meanMs);
    case "exponential":
      return meanMs * (1 - longer);
    case "lognormal": {
      const { mu, sigma } = normalOf(meanMs, duration.variation);
      const below = ms === 0 ? 0 : normalCdf((Math.log(ms) - mu) / sigma - sigma);
      return meanMs * below + ms * longer;
    }
  }
}

/** How much of it is left, on average, when one looks at any moment of it: E[X^2] / 2 E[X]. */
export function meanResidue(duration: Duration): number {
  switch (duration.kind) {
    case "fixed":
      return duration.meanMs / 2;
    case "exponential":
      return duration.meanMs;
    case "lognormal":
      return (duration.meanMs * (1 + duration.variation ** 2)) / 2;
  }
}

/** One such time. */
export function drawDuration(duration: Duration, random: Random): number {
  switch (duration.kind) {
    case "fixed":
      return duration.meanMs;
    case "exponential":
      return -duration.meanMs * Math.log1p(-random.ratio());
    case "lognormal": {
      const { mu, sigma } = normalOf(duration.meanMs, duration.variation);
      return Math.exp(mu + sigma * drawNormal(random));
    }
  }
}

/** Standard normal (Box and Muller 1958). */
export function drawNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log1p(-random.ratio()));
  const drawn = radius * Math.cos(2 * Math.PI * random.ratio());
  assert(Number.isFinite(drawn), "a ratio is below 1");
  return drawn;
}

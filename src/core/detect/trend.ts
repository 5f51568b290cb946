// Will this value cross its limit soon? The trend of a bounded history, and whether there is one.
//
// Slope: Theil-Sen, the median of the slopes of all pairs of samples (Theil 1950, Sen 1968). Up to
// 29 % of the samples may be nonsense (a garbage collection, one slow check) without moving it;
// least squares moves with the first. Significance: Mann-Kendall, S = (pairs that grow) - (pairs
// that shrink), which is near normal with variance n(n-1)(2n+5)/18 when there is no trend. Both
// look at the same pairs.
//
// A trend counts only with `historyMsMin` of history, with S beyond `significanceZ`, and when the
// *recent* half of the history grows too: a start that fills its caches grows, and then stops.
//
// The level is the median of value - slope x time, read off at the newest sample: the line that
// leaves half of the samples on each side. Pure: O(n^2) in the samples, 7,140 pairs for 120, asked
// twice a minute.

import { assert } from "../base/assert.ts";

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export interface TrendSettings {
  /** The history that a verdict needs, and half of what is kept. */
  readonly historyMsMin: number;
  /** Mann-Kendall's z that is taken for a trend: 4 is one in 30,000 histories without any. */
  readonly significanceZ: number;
}

export const trendSettings: TrendSettings = {
  historyMsMin: 300_000,
  significanceZ: 4,
};
export const trendSamplesMax = 120;

export interface Trend {
  /** Value a millisecond. */
  readonly slope: number;
  /** What the line says of now. */
  readonly level: number;
}

/** The last `trendSamplesMax` samples, no closer together than makes them cover enough time. */
export class History {
  readonly #spacingMs: number;
  readonly #samples: Sample[] = [];

  constructor({ historyMsMin }: TrendSettings) {
    this.#spacingMs = (2 * historyMsMin) / trendSamplesMax;
  }

  add(atMs: number, value: number): void {
    const last = this.#samples.at(-1);
    assert(last === undefined || atMs >= last.atMs, "time does not go back");
    if (last !== undefined && atMs - last.atMs < this.#spacingMs) return;
    this.#samples.push({ atMs, value });
    if (this.#samples.length > trendSamplesMax) this.#samples.shift();
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** It is as long as it gets, and nothing in it has changed. */
  get isFlat(): boolean {
    const first = this.#samples[0]?.value;
    return (
      this.#samples.length === trendSamplesMax && this.#samples.every((one) => one.value === first)
    );
  }

  /** So much time was passed over in which the same came again and again. */
  passedOver(byMs: number): void {
    for (const [index, { atMs, value }] of this.#samples.entries()) {
      this.#samples[index] = { atMs: atMs + byMs, value };
    }
  }
}

/** A trend upwards that is one beyond doubt; undefined without. */
export function risingTrend(
  samples: readonly Sample[],
  settings: TrendSettings,
): Trend | undefined {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return undefined;
  if (last.atMs - first.atMs < settings.historyMsMin) return undefined;
  const recent = samples.slice(Math.floor(samples.length / 2));
  if (kendallZ(samples) < settings.significanceZ) return undefined;
  if (kendallZ(recent) < settings.significanceZ) return undefined;
  // Of the two slopes the smaller: who slows down crosses later, or never.
  const slope = Math.min(theilSen(samples), theilSen(recent));
  if (slope <= 0) return undefined;
  const level = median(recent.map(({ atMs, value }) => value + slope * (last.atMs - atMs)));
  return { slope, level };
}

/** When it reaches the limit, from the newest sample on: 0 when it is there. */
export function reachesInMs({ slope, level }: Trend, limit: number): number {
  return Math.max(0, (limit - level) / slope);
}

/** The median of the slopes of all pairs. */
export function theilSen(samples: readonly Sample[]): number {
  const slopes: number[] = [];
  for (const [index, later] of samples.entries()) {
    for (const earlier of samples.slice(0, index)) {
      const tookMs = later.atMs - earlier.atMs;
      if (tookMs > 0) slopes.push((later.value - earlier.value) / tookMs);
    }
  }
  return median(slopes);
}

/** Mann-Kendall: how many deviations S lies from 0, with the usual correction by one. */
export function kendallZ(samples: readonly Sample[]): number {
  const n = samples.length;
  if (n < 2) return 0;
  let s = 0;
  for (const [index, later] of samples.entries()) {
    for (const earlier of samples.slice(0, index)) s += Math.sign(later.value - earlier.value);
  }
  const sigma = Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  return (s - Math.sign(s)) / sigma;
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

// Trends that are there are found and dated; those that are not there are not.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPrng } from "../base/prng.ts";
import {
  History,
  kendallZ,
  reachesInMs,
  risingTrend,
  type Sample,
  theilSen,
  trendSamplesMax,
  trendSettings,
} from "./trend.ts";

const MIB = 1024 * 1024;

function samplesOf(value: (atMs: number, index: number) => number, minutes = 10): Sample[] {
  const count = minutes * 12;
  return Array.from({ length: count }, (_, index) => {
    const atMs = index * 5_000;
    return { atMs, value: value(atMs, index) };
  });
}

const random = createPrng(7);
/** Between -1 and 1. */
const noise = (): number => 2 * random.ratio() - 1;

test("a leak of 3 MiB a minute is found in noise twice as large, and dated", () => {
  const samples = samplesOf((atMs) => 100 * MIB + (3 * MIB * atMs) / 60_000 + 6 * MIB * noise());
  const trend = risingTrend(samples, trendSettings);
  assert.ok(trend !== undefined);
  assert.ok(Math.abs((trend.slope * 60_000) / MIB - 3) < 0.5, `${trend.slope}`);
  // 130 MiB now, 126 to go, 42 minutes.
  const minutes = reachesInMs(trend, 256 * MIB) / 60_000;
  assert.ok(minutes > 34 && minutes < 50, `${minutes}`);
});

test("a quarter of nonsense does not move it", () => {
  const clean = (atMs: number): number => 1_000 + atMs / 100;
  const dirty = samplesOf((atMs, index) => (index % 4 === 0 ? 1e9 * noise() : clean(atMs)));
  const slope = theilSen(dirty);
  assert.ok(Math.abs(slope * 100 - 1) < 0.25, `${slope}`);
});

test("no trend: flat, falling, noise, too short, a start that fills its caches", () => {
  const none: Readonly<Record<string, readonly Sample[]>> = {
    flat: samplesOf(() => 5),
    falling: samplesOf((atMs) => -atMs),
    noise: samplesOf(() => noise()),
    short: samplesOf((atMs) => atMs, 4),
    start: samplesOf((atMs) => Math.min(atMs, 200_000) + noise()),
    empty: [],
  };
  for (const [name, samples] of Object.entries(none)) {
    assert.equal(risingTrend(samples, trendSettings), undefined, name);
  }
});

test("a start that fills its caches is no trend, whatever the noise on it", () => {
  for (let seed = 0; seed < 200; seed++) {
    const samples = samplesOf((atMs) => Math.min(atMs / 1_000, 200) + noise());
    assert.equal(risingTrend(samples, trendSettings), undefined, `start ${seed}`);
  }
});

test("of a thousand histories of noise none has a trend, nor of daily waves and saw teeth", () => {
  for (let seed = 0; seed < 1_000; seed++) {
    const samples = samplesOf(() => noise());
    assert.equal(risingTrend(samples, trendSettings), undefined, `history ${seed}`);
  }
  // A collected heap: grows for a minute, falls back.
  const teeth = samplesOf((atMs) => (atMs % 60_000) / 1_000 + noise());
  assert.equal(risingTrend(teeth, trendSettings), undefined);
});

test("the slope agrees with a median taken by hand, and tilts with its samples", () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), {
    minLength: 2,
    maxLength: 25,
  });
  fc.assert(
    fc.property(values, fc.double({ min: -1e3, max: 1e3, noNaN: true }), (list, perMs) => {
      const samples = list.map((value, index) => ({ atMs: index * 100, value }));
      const slopes: number[] = [];
      for (let a = 0; a < list.length; a++) {
        for (let b = a + 1; b < list.length; b++) {
          slopes.push(((list[b] ?? 0) - (list[a] ?? 0)) / ((b - a) * 100));
        }
      }
      slopes.sort((a, b) => a - b);
      const half = slopes.length / 2;
      const middle = [slopes[Math.ceil(half) - 1] ?? 0, slopes[Math.floor(half)] ?? 0];
      const expected = ((middle[0] ?? 0) + (middle[1] ?? 0)) / 2;
      assert.ok(Math.abs(theilSen(samples) - expected) < 1e-6);
      const tilted = samples.map(({ atMs, value }) => ({ atMs, value: value + perMs * atMs }));
      assert.ok(Math.abs(theilSen(tilted) - expected - perMs) < 1e-6 * (1 + Math.abs(perMs)));
    }),
  );
});

test("Mann-Kendall counts pairs: all growing is the most, mirrored the opposite", () => {
  const growing = samplesOf((atMs) => atMs, 1);
  // 12 samples: S = 66, variance 212.67.
  assert.ok(Math.abs(kendallZ(growing) - 65 / Math.sqrt((12 * 11 * 29) / 18)) < 1e-9);
  const falling = growing.map(({ atMs, value }) => ({ atMs, value: -value }));
  assert.equal(kendallZ(falling), -kendallZ(growing));
});

test("a history keeps few samples, and twice the time that a verdict needs", () => {
  const history = new History(trendSettings);
  for (let atMs = 0; atMs <= 3_600_000; atMs += 1_000) history.add(atMs, atMs);
  const { samples } = history;
  assert.equal(samples.length, trendSamplesMax);
  const coveredMs = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0);
  assert.ok(coveredMs >= 2 * trendSettings.historyMsMin - 10_000, `${coveredMs}`);
});

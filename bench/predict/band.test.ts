// The band holds the next value as often as it says, and jointly so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng, type Random } from "../../src/core/base/prng.ts";
import { bandOf, halfWidthRatio, isWithin } from "./band.ts";

function drawNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.ratio()));
  return radius * Math.cos(2 * Math.PI * random.ratio());
}

test("all of four figures lie within their bands in ninety-nine of a hundred runs", () => {
  const random = createPrng(11);
  const next = () => 10 + drawNormal(random);
  let misses = 0;
  for (let run = 0; run < 4_000; run++) {
    const figures = [1, 2, 3, 4].map(() => {
      const band = bandOf(Array.from({ length: 12 }, next), 4);
      return isWithin(next(), band);
    });
    if (figures.includes(false)) misses++;
  }
  // 40 are expected, and chance of four deviations is allowed.
  assert.ok(misses > 15 && misses < 65, `${misses} of 4000`);
});

test("by logarithms, a band is as far below in factors as it is above", () => {
  const band = bandOf([9, 10, 100 / 9], 1, 1e-12);
  assert.ok(Math.abs(band.expected - 10) < 1e-9);
  const [below, above] = [band.expected / band.lower, band.upper / band.expected];
  assert.ok(Math.abs(below / above - 1) < 1e-6);
});

test("a value may be 0 where nothing smaller matters", () => {
  const { lower, expected } = bandOf([0, 0, 4, 8, 9], 1, 1);
  assert.equal(lower, 0);
  assert.ok(expected > 1 && expected < 4);
});

test("its half width is told as a share of what is expected", () => {
  assert.equal(halfWidthRatio({ expected: 10, lower: 7, upper: 13 }), 0.3);
});

test("few values make no band", () => {
  assert.throws(() => bandOf([1, 2], 4), /2 simulated values make no band/);
});

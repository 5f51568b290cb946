// Times until mended: what is computed of them is what draws of them show.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng } from "../base/prng.ts";
import { drawDuration, lastsLonger, meanOfShorter, meanResidue } from "./durations.ts";
import type { Duration } from "./rates.ts";

const source = { kind: "file", key: "a test" } as const;
const shapes: readonly Duration[] = [
  { kind: "fixed", meanMs: 1_000, source },
  { kind: "exponential", meanMs: 1_000, source },
  { kind: "lognormal", meanMs: 1_000, variation: 1, source },
  { kind: "lognormal", meanMs: 1_000, variation: 0.2, source },
];

function drawn(shape: Duration): readonly number[] {
  const random = createPrng(7);
  return Array.from({ length: 100_000 }, () => drawDuration(shape, random));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("draws have the mean, the tail, the shorter of two and the residue that are computed", () => {
  for (const shape of shapes) {
    const values = drawn(shape);
    const about = (actual: number, expected: number, what: string) =>
      assert.ok(
        Math.abs(actual - expected) <= 0.02 * Math.max(expected, 0.05),
        `${what}: ${actual}, ${expected}`,
      );
    about(meanOf(values) / 1_000, 1, `mean of ${shape.kind}`);
    for (const ms of [300, 990, 1_010, 2_500]) {
      const longer = values.filter((value) => value > ms).length / values.length;
      about(longer, lastsLonger(shape, ms), `${shape.kind} longer than ${ms}`);
      const shorter = meanOf(values.map((value) => Math.min(value, ms)));
      about(shorter / 1_000, meanOfShorter(shape, ms) / 1_000, `${shape.kind} or ${ms}`);
    }
    const squares = meanOf(values.map((value) => value ** 2));
    about(squares / 2 / meanOf(values) / 1_000, meanResidue(shape) / 1_000, "residue");
  }
});

test("a time of 0 is shorter than all", () => {
  for (const shape of shapes) {
    assert.equal(lastsLonger(shape, 0), 1);
    assert.equal(meanOfShorter(shape, 0), 0);
  }
});

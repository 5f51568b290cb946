// The tail of the normal distribution against the integral that it is, and against printed tables.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { tailLog10, tailQuantile } from "./normal-tail.ts";

/** The slow twin: Simpson's rule over the density, from z to where nothing is left. */
function tailByIntegration(z: number): number {
  const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const steps = 4_000;
  const width = (Math.max(z, 0) + 12 - z) / steps;
  let sum = 0;
  for (let step = 0; step <= steps; step++) {
    const weight = step === 0 || step === steps ? 1 : 2 + 2 * (step % 2);
    sum += weight * density(z + step * width);
  }
  return (sum * width) / 3;
}

test("it agrees with the integral of the density", () => {
  fc.assert(
    fc.property(fc.double({ min: -6, max: 8, noNaN: true }), (z) => {
      const expected = Math.log10(tailByIntegration(z));
      assert.ok(Math.abs(tailLog10(z) - expected) < 1e-7, `${z}: ${tailLog10(z)}, ${expected}`);
    }),
  );
});

test("it agrees with printed tables, far out too", () => {
  const cases: readonly (readonly [number, number])[] = [
    [0, 0.5],
    [1, 0.158655253931],
    [2, 0.0227501319482],
    [3, 0.00134989803163],
    [6, 9.86587645038e-10],
    [10, 7.61985302416e-24],
  ];
  for (const [z, probability] of cases) {
    assert.ok(Math.abs(tailLog10(z) / Math.log10(probability) - 1) < 1e-9, `z = ${z}`);
  }
});

test("it falls all the way, without a step where one formula hands over to the other", () => {
  for (let z = -8; z < 38; z += 0.01) assert.ok(tailLog10(z + 0.01) < tailLog10(z) + 1e-15, `${z}`);
});

test("the quantile is its inverse", () => {
  assert.ok(Math.abs(tailQuantile(8) - 5.61200124) < 1e-6);
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 100, noNaN: true }), (digits) => {
      assert.ok(Math.abs(-tailLog10(tailQuantile(digits)) - digits) < 1e-6 * (1 + digits));
    }),
  );
});

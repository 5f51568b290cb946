// The doubling by a table of cases, the lot by its bounds.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffCeilingMs, backoffMs, failuresInRow } from "./backoff.ts";

const policy = { baseMs: 200, maxMs: 30_000 };

test("the delay doubles from the base to the ceiling", () => {
  const ceilings = [1, 2, 3, 4, 8, 9, 50, 5000].map((n) => backoffCeilingMs(policy, n));
  assert.deepEqual(ceilings, [200, 400, 800, 1600, 25_600, 30_000, 30_000, 30_000]);
});

test("half of the delay is certain, the other half is drawn", () => {
  assert.equal(backoffMs(policy, 1, 0), 100);
  assert.equal(backoffMs(policy, 1, 0.5), 150);
  const ratio = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), ratio, (failures, draw) => {
      const ceilingMs = backoffCeilingMs(policy, failures);
      const waitMs = backoffMs(policy, failures, draw);
      assert.ok(waitMs >= ceilingMs / 2 && waitMs <= ceilingMs && waitMs >= policy.baseMs / 2);
    }),
  );
});

test("who was up long enough starts from the beginning again", () => {
  assert.equal(failuresInRow(7, 59_999, 60_000), 8);
  assert.equal(failuresInRow(7, 60_000, 60_000), 1);
  assert.equal(failuresInRow(0, 0, 60_000), 1);
});

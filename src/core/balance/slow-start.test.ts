// Both forms of a ramp: by their published points, and by what all of them have in common.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rampShare } from "./slow-start.ts";

test("the straight line, and Envoy's curve for its three aggressions", () => {
  for (const [passed, aggression, wanted] of [
    [0, 0, 0.1],
    [0.5, 0, 0.55],
    [1, 0, 1],
    [0.05, 1, 0.1],
    [0.5, 1, 0.5],
    // A quarter of the window: a half with 2; with 0.5 a sixteenth, and so the minimum.
    [0.25, 2, 0.5],
    [0.25, 0.5, 0.1],
    [0.5, 0.5, 0.25],
    [1, 2, 1],
  ] as const) {
    const share = rampShare(passed * 8_000, { lengthMs: 8_000, minimum: 0.1, aggression });
    assert.ok(Math.abs(share - wanted) < 1e-12, `${passed} with ${aggression}: ${share}`);
  }
});

test("without a length there is no ramp; else it grows from the minimum to all, and stays there", () => {
  assert.equal(rampShare(0, { lengthMs: 0, minimum: 0.1, aggression: 0 }), 1);
  const ramp = fc.record({
    lengthMs: fc.integer({ min: 1, max: 3_600_000 }),
    minimum: fc.double({ min: 0.01, max: 1, noNaN: true }),
    aggression: fc.oneof(fc.constant(0), fc.double({ min: 0.1, max: 10, noNaN: true })),
  });
  fc.assert(
    fc.property(ramp, fc.nat(4_000_000), fc.nat(1_000_000), (each, sinceMs, moreMs) => {
      const share = rampShare(sinceMs, each);
      assert.ok(share >= each.minimum - 1e-12 && share <= 1);
      assert.ok(rampShare(sinceMs + moreMs, each) >= share);
      if (sinceMs >= each.lengthMs) assert.equal(share, 1);
    }),
  );
});

// Hundreds of `kill -9` on real files.

import assert from "node:assert/strict";
import { test } from "node:test";
import { killInALoop } from "./kills.ts";

for (const slowAboveMs of [Number.POSITIVE_INFINITY, 0]) {
  test(`200 kills lose nothing (slow above ${slowAboveMs} ms)`, async (t) => {
    const { acknowledged, snapshots } = await killInALoop(200, slowAboveMs);
    t.diagnostic(`${acknowledged} appends acknowledged, ${snapshots} snapshots`);
    assert.ok(acknowledged > 10_000, `${acknowledged} appends`);
  });
}

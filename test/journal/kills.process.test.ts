// A journal on real files outlives `kill -9`. kills.long.test.ts does it hundreds of times.

import assert from "node:assert/strict";
import { test } from "node:test";
import { killInALoop } from "./kills.ts";

const ways: Readonly<Record<string, number>> = {
  "at once": Number.POSITIVE_INFINITY,
  "by the thread": 0,
};

for (const [way, slowAboveMs] of Object.entries(ways)) {
  test(`6 kills of a process that writes ${way} lose nothing that it acknowledged`, async () => {
    const { acknowledged, snapshots } = await killInALoop(6, slowAboveMs);
    assert.ok(acknowledged > 500 && snapshots > 0, `${acknowledged} appends`);
  });
}

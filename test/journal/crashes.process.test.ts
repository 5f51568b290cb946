// Crash safety in short: every crash point of short lives. crashes.long.test.ts has the long ones.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openJournal } from "../../src/state/journal/open.ts";
import { crashEverywhere } from "./crashes.ts";

for (const seed of [1, 2, 3]) {
  test(`a journal outlives every crash of a life of 24 operations (seed ${seed})`, async () => {
    const options = { seed, operations: 24, outcomesMax: 2 };
    const { points, crashes } = await crashEverywhere(openJournal, options);
    assert.ok(points > 100 && crashes > 700, `${points} points, ${crashes} crashes`);
  });
}

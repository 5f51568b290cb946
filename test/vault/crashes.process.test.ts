// A vault outlives crashes: a slice. crashes.long.test.ts has every point.

import assert from "node:assert/strict";
import * as operations from "../../src/control/backup/operations.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { pruneBeside } from "./beside.ts";
import { crashEverywhere } from "./crashes.ts";

await testUntracked({
  "a vault outlives a crash at one in 40 points of a life of 12 operations": async () => {
    const options = { seed: 1, steps: 12, stride: 41 };
    const { points, crashes } = await crashEverywhere(operations, options);
    assert.ok(points > 1_000 && crashes > 40, `${points} points, ${crashes} crashes`);
  },

  "a backup survives what prunes do beside it": async () => {
    for (let seed = 1; seed <= 10; seed++) await pruneBeside(operations, seed);
  },
});

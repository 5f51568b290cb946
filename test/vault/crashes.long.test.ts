// Crash safety at length. `npm run test:long vault/crashes` prints how many crashes there were.

import assert from "node:assert/strict";
import * as operations from "../../src/control/backup/operations.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { pruneBeside } from "./beside.ts";
import { crashEverywhere } from "./crashes.ts";

await testUntracked({
  "a vault outlives 5,000 crashes over backup, prune, rebalance, key rotation and erasure": async (
    tell,
  ) => {
    let crashes = 0;
    for (let seed = 1_000; crashes < 5_000; seed++) {
      crashes += (await crashEverywhere(operations, { seed, steps: 25, stride: 5 })).crashes;
    }
    tell(`${crashes} crashes`);
  },

  "a backup survives whatever 200 seeds of prunes do beside it": async () => {
    for (let seed = 1; seed <= 200; seed++) await pruneBeside(operations, seed);
    assert.ok(true, "none has broken a promise");
  },
});

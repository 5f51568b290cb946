// Two hundred days of two hundred deployments, each lived twice (passing-over.ts).

import assert from "node:assert/strict";
import { nextTick } from "node:process";
import { testUntracked } from "../../test/untracked.fixture.ts";
import { comparePassing } from "./passing-over.ts";

const dayMs = 86_400_000;
const seeds = 200;
const boundary = (): Promise<void> => new Promise((resolve) => nextTick(resolve));

await testUntracked({
  [`${seeds} days are the same whether time is passed over or not`]: async (tell) => {
    let faults = 0;
    let passed = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const result = await comparePassing(seed, dayMs, { boundary });
      assert.equal(result.difference, undefined, `seed ${seed}`);
      faults += result.faults;
      passed += result.passed / seeds;
    }
    tell(`${faults} faults; ${(100 * passed).toFixed(1)} % of the time passed over`);
    assert.ok(faults > 10 * seeds && passed > 0.9);
  },
});

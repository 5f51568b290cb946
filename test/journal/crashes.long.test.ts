// Crash safety at length: every crash point of a life of 1,000 operations, and of many short lives.
// `npm run test:long crashes` prints how many crashes there were.

import assert from "node:assert/strict";
import { openJournal } from "../../src/state/journal/open.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { crashEverywhere } from "./crashes.ts";

await testUntracked({
  "every crash point of 1,000 operations": async (tell) => {
    const options = { seed: 2026, operations: 1_000, outcomesMax: 3 };
    const { points, crashes } = await crashEverywhere(openJournal, options);
    tell(`${points} crash points, ${crashes} crashes`);
    assert.ok(crashes >= 10_000, `${crashes} crashes`);
  },

  "20 short lives with many outcomes at each point": async (tell) => {
    let crashes = 0;
    for (let seed = 1_000; seed < 1_020; seed++) {
      const options = { seed, operations: 20, outcomesMax: 16 };
      crashes += (await crashEverywhere(openJournal, options)).crashes;
    }
    tell(`${crashes} crashes`);
    assert.ok(crashes >= 10_000, `${crashes} crashes`);
  },
});

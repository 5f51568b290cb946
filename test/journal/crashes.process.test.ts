// Crash safety in short: every crash point of short lives. crashes.long.test.ts has the long ones.

import assert from "node:assert/strict";
import { openJournal } from "../../src/state/journal/open.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { crashEverywhere } from "./crashes.ts";

const outlives = (seed: number) => async () => {
  const options = { seed, operations: 24, outcomesMax: 2 };
  const { points, crashes } = await crashEverywhere(openJournal, options);
  assert.ok(points > 100 && crashes > 700, `${points} points, ${crashes} crashes`);
};

await testUntracked({
  "a journal outlives every crash of a life of 24 operations": outlives(1),
  "and of another life": outlives(2),
  "and of a third": outlives(3),
});

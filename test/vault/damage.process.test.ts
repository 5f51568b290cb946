// Every kind of damage and trouble, to vaults of two geometries; damage.long.test.ts has all.

import assert from "node:assert/strict";
import * as operations from "../../src/control/backup/operations.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { damageEverything } from "./damage.ts";

const outlives = (seed: number) => async () => {
  await damageEverything(operations, { seed, lossesMax: 2 });
  assert.ok(true, "no promise was broken");
};

await testUntracked({
  "a vault outlives all that may happen to its targets": outlives(0),
  "and so does one of another geometry": outlives(3),
});

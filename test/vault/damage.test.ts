// Every kind of damage and trouble, to vaults of two geometries; damage.long.test.ts has all.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as operations from "../../src/control/backup/operations.ts";
import { damageEverything } from "./damage.ts";

for (const seed of [0, 3]) {
  test(`a vault outlives all that may happen to its targets, seed ${seed}`, async () => {
    await damageEverything(operations, { seed, lossesMax: 2 });
    assert.ok(true, "no promise was broken");
  });
}

// A damaged journal is repaired, whatever byte it is, even if the power fails during the repair.
// repairs.long.test.ts does it at many more bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { repairAtBytes } from "./repairs.ts";

test("a repair does what it says, cut short or not", async () => {
  const repairs = await repairAtBytes("killed", 509);
  assert.ok(repairs["nothing lost"] > 5 && repairs["records lost"] > 5, JSON.stringify(repairs));
});

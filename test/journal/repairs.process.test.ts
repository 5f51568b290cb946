// A damaged journal is repaired, whatever byte it is, even if the power fails during the repair.
// repairs.long.test.ts does it at many more bytes.

import assert from "node:assert/strict";
import { testUntracked } from "../untracked.fixture.ts";
import { repairAtBytes } from "./repairs.ts";

await testUntracked({
  "a repair does what it says, cut short or not": async () => {
    const repairs = await repairAtBytes("killed", 509);
    const { "nothing lost": harmless, "records lost": costly } = repairs;
    assert.ok(harmless > 5 && costly > 5, JSON.stringify(repairs));
  },
});

// Repairs at many more bytes of a journal, each with power losses at every point.

import assert from "node:assert/strict";
import { test } from "node:test";
import { repairAtBytes } from "./repairs.ts";

for (const end of ["closed", "killed"] as const) {
  test(`repairs of a journal that was ${end} do what they say, cut short or not`, async (t) => {
    const repairs = await repairAtBytes(end, 61);
    t.diagnostic(JSON.stringify(repairs));
    assert.ok(repairs["nothing lost"] > 50 && repairs["records lost"] > 50);
  });
}

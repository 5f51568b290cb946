// Each planted fault is found; the journal without one keeps every promise under the same tests.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findFault, missingFlushes, otherFaults } from "./planted.ts";

test("nothing is found where no fault is planted", async () => {
  assert.equal(await findFault(undefined), undefined);
});

for (const fault of [...missingFlushes, ...otherFaults]) {
  test(`found: ${fault.name}`, async (t) => {
    const found = await findFault(fault);
    assert.ok(found !== undefined, "nobody noticed");
    t.diagnostic(found);
  });
}

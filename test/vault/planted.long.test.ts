// Each planted fault is found; the vault without one keeps every promise under the same tests.

import assert from "node:assert/strict";
import { test } from "node:test";
import { faults, findFault } from "./planted.ts";

test("nothing is found where no fault is planted", async () => {
  assert.equal(await findFault(undefined), undefined);
});

for (const fault of faults) {
  test(`found: ${fault.name}`, async (t) => {
    const found = await findFault(fault);
    assert.ok(found !== undefined, "nobody noticed");
    t.diagnostic(found.slice(0, 300));
  });
}

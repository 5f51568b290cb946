// Each planted fault is found; the journal without one keeps every promise under the same tests.

import assert from "node:assert/strict";
import { testUntracked } from "../untracked.fixture.ts";
import { findFault, missingFlushes, otherFaults } from "./planted.ts";

const faults = [...missingFlushes, ...otherFaults];

await testUntracked({
  "nothing is found where no fault is planted": async () => {
    assert.equal(await findFault(undefined), undefined);
  },
  ...Object.fromEntries(
    faults.map((fault) => [
      `found: ${fault.name}`,
      async (tell: (line: string) => void) => {
        const found = await findFault(fault);
        assert.ok(found !== undefined, "nobody noticed");
        tell(found);
      },
    ]),
  ),
});

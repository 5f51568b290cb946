// Each planted fault is found; the vault without one keeps every promise under the same tests.

import assert from "node:assert/strict";
import { testUntracked } from "../untracked.fixture.ts";
import { faults, findFault } from "./planted.ts";

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
        tell(found.slice(0, 300));
      },
    ]),
  ),
});

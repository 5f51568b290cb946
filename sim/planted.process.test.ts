// The promises are really watched: planted faults are found. Those that take more than a quick seed
// are left to planted.long.test.ts.

import { describe, it } from "node:test";
import { mustBeFound } from "./planted.fixture.ts";
import { plantedFaults } from "./planted-faults.fixture.ts";

describe("a planted fault is found within 200 seeds", () => {
  for (const fault of plantedFaults.filter((each) => each.slow !== true)) {
    it(fault.name, (context) => mustBeFound(fault, context));
  }
});

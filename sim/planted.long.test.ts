// The planted faults that planted.process.test.ts leaves: most take longer to show.

import { describe, it } from "node:test";
import { mustBeFound } from "./planted.fixture.ts";
import { plantedFaults } from "./planted-faults.fixture.ts";

describe("a planted fault is found within 200 seeds", () => {
  for (const fault of plantedFaults.filter((each) => each.slow === true)) {
    it(fault.name, (context) => mustBeFound(fault, context));
  }
});

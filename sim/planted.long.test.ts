// Every planted fault is found within 200 seeds, those that hide well included.

import { describe, it } from "node:test";
import { mustBeFound } from "./planted.fixture.ts";
import { plantedFaults } from "./planted-faults.fixture.ts";

describe("each planted fault is found within 200 seeds", () => {
  for (const fault of plantedFaults) {
    it(fault.name, (context) => mustBeFound(fault, context));
  }
});

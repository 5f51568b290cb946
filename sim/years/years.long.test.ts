// Ten thousand years of two in three, against the exact availability.

import assert from "node:assert/strict";
import { nextTick } from "node:process";
import { testUntracked } from "../../test/untracked.fixture.ts";
import { simulateYears } from "./simulate-years.ts";
import { exactly, twoOfThree } from "./two-of-three.ts";

const years = 10_000;
const [everyHours, repairHours] = [8_766, 168];

await testUntracked({
  [`${years} years of 2-of-3 agree with the exact availability`]: async (tell) => {
    const boundary = (): Promise<void> => new Promise((resolve) => nextTick(resolve));
    const subject = twoOfThree(everyHours, repairHours);
    const { services, faults } = await simulateYears({ ...subject, years, seed: 1, boundary });
    const down = services[0]?.down;
    const exact = exactly(everyHours, repairHours);
    tell(`${faults} faults: exactly ${exact}, simulated ${JSON.stringify(down)}`);
    assert.ok(down !== undefined && down.lower <= exact && exact <= down.upper);
    assert.ok(down.upper - down.lower < 0.4 * exact, "the bound is narrow");
  },
});

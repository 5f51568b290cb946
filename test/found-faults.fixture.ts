// Suites of planted faults, each of which has to break a promise under the eyes of a judge.

import assert from "node:assert/strict";
import { BrokenPromise } from "./broken-promise.ts";
import { importPlanted, type PlantedFault } from "./planted.fixture.ts";
import { testUntracked } from "./untracked.fixture.ts";

const TOLD_MAX = 300;

export interface Guarded<Module, Fault extends PlantedFault> {
  /** Built file, from `dist/`, that leads to every fault. */
  readonly entry: string;
  readonly faults: readonly Fault[];
  /** Throws BrokenPromise; undefined is the module without a fault, which keeps every promise. */
  readonly judge: (module: Module, fault: Fault | undefined) => Promise<void>;
}

/** A test for each fault, and one without. As `testUntracked`: the first in a file of its own. */
export async function testFaultsAreFound<Module, Fault extends PlantedFault>(
  guarded: Guarded<Module, Fault>,
): Promise<void> {
  await testUntracked({
    "nothing is found where no fault is planted": async () => {
      assert.equal(await brokenBy(undefined, guarded), undefined);
    },
    ...Object.fromEntries(
      guarded.faults.map((fault) => [
        `found: ${fault.name}`,
        async (tell: (line: string) => void) => {
          const broken = await brokenBy(fault, guarded);
          assert.ok(broken !== undefined, "nobody noticed");
          tell(broken.slice(0, TOLD_MAX));
        },
      ]),
    ),
  });
}

/** What did not hold; undefined if all did. */
async function brokenBy<Module, Fault extends PlantedFault>(
  fault: Fault | undefined,
  { entry, judge }: Guarded<Module, Fault>,
): Promise<string | undefined> {
  let broken: string | undefined;
  await importPlanted<Module>(entry, fault, async (module) => {
    try {
      await judge(module, fault);
    } catch (error) {
      if (!(error instanceof BrokenPromise)) throw error;
      broken = error.message;
    }
  });
  return broken;
}

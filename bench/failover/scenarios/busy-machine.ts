// Every core is busy with other work, so Nines and the instances run late. Nothing is wrong with
// any instance, and whoever says so is wrong.

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { measured, noneFailed } from "../figures.ts";
import type { Nines } from "../nines.ts";
import { FAULT_AT_MS, type Scenario } from "../scenario.ts";
import { blamed } from "./verdicts.ts";

const name = "all cores busy";

export const allCoresBusy: Scenario<Nines> = {
  name,
  setUp: { serviceMs: 20 },
  durationMs: FAULT_AT_MS + 120_000,
  quickDurationMs: FAULT_AT_MS + 28_000,
  lane: "timed",
  act: async (nines, run) => {
    const busy = Array.from({ length: availableParallelism() }, () =>
      spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
    );
    try {
      await run.until(run.durationMs);
    } finally {
      for (const child of busy) child.kill("SIGKILL");
    }
    return { extra: { blamed: await blamed(nines) } };
  },
  promises: (outcomes) => [
    noneFailed(name, outcomes),
    measured(
      `${name}: false verdicts`,
      outcomes,
      { unit: "verdicts", bar: 0, over: "sum" },
      ({ extra }) => extra["blamed"] ?? Number.NaN,
    ),
  ],
};

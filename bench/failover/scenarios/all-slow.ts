// All instances become slow at once: the fault is behind them, so no instance is to blame, and
// trying elsewhere only adds to the load.

import { behave } from "../acts.ts";
import { measured, noneFailed } from "../figures.ts";
import type { Contender, Run, Scenario } from "../scenario.ts";
import { blamed } from "./verdicts.ts";

const name = "all 100x slower";

export const allSlower: Scenario = {
  name,
  setUp: { serviceMs: 20 },
  durationMs: 12_000,
  quickDurationMs: 6_000,
  lane: "timed",
  act: async (contender: Contender, run: Run) => {
    const instances = await contender.instances();
    await Promise.all(instances.map((instance) => behave(instance, { serviceMs: 2_000 })));
    await run.until(run.durationMs);
    return { extra: { blamed: await blamed(contender) } };
  },
  promises: (outcomes) => [
    noneFailed(name, outcomes),
    measured(
      `${name}: instances ejected or down`,
      outcomes,
      { unit: "verdicts", bar: 0, over: "sum" },
      ({ extra }) => extra["blamed"] ?? Number.NaN,
    ),
    measured(
      `${name}: extra requests`,
      outcomes,
      { unit: "%", bar: 5, over: "worst" },
      ({ answers, received }) => (received.length / answers.length - 1) * 100,
    ),
  ],
};

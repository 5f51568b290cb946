// One of three instances hangs: SIGSTOP. Its kernel goes on to accept connections and requests, so
// nothing refuses and nothing breaks; it is only silent. It stays stopped until the load is over.

import { signal } from "../acts.ts";
import { measured, onlyItsPostsFailed, slowShare } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { foundOutMs } from "./verdicts.ts";

function instanceStopped(options: {
  readonly serviceMs: number;
  readonly overMs: number;
  readonly barPercent: number;
}): Scenario {
  const { serviceMs, overMs, barPercent } = options;
  const name = `instance SIGSTOP, answers of ${serviceMs} ms`;
  return {
    name,
    setUp: { serviceMs },
    durationMs: 12_000,
    quickDurationMs: 9_000,
    patienceMs: 4_000,
    lane: "timed",
    act: async (contender, run) => {
      const lost = await signal(contender, 1, "SIGSTOP");
      await run.until(run.durationMs);
      return { lost: [lost], extra: { foundOutMs: await foundOutMs(contender, lost.atMs) } };
    },
    promises: (outcomes) => [
      ...onlyItsPostsFailed(name, outcomes),
      slowShare(name, outcomes, { overMs, barPercent }),
      measured(`${name}: ejected after`, outcomes, { unit: "ms", over: "worst" }, ({ extra }) => {
        return extra["foundOutMs"] ?? Number.NaN;
      }),
    ],
    told: (prefix, outcomes) => [slowShare(prefix, outcomes, { overMs })],
  };
}

export const fastInstanceStopped = instanceStopped({
  serviceMs: 1,
  overMs: 100,
  barPercent: 0.1,
});
export const slowInstanceStopped = instanceStopped({
  serviceMs: 30,
  overMs: 200,
  barPercent: 0.25,
});

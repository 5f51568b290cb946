// One of three instances is well for two seconds, away for two, and so on: by hanging (SIGSTOP and
// SIGCONT), or by refusing connections. What reaches the traffic is measured from its own notes.

import { behave, instanceOf, signal, signalIfThere } from "../acts.ts";
import { failedGets, measured, type Outcomes } from "../figures.ts";
import {
  type Contender,
  INSTANCES,
  RATE_PER_SECOND,
  type Run,
  type Scenario,
} from "../scenario.ts";
import { trafficChanges } from "../traffic.ts";

const PERIOD_MS = 2_000;
const FLAPPING = 1;

function flapping(how: "hanging" | "refusing", start: Scenario["act"]): Scenario {
  const name = `one ${how} every other 2 s`;
  const changes = (prefix: string, outcomes: Outcomes, bar?: number) =>
    measured(
      `${prefix}: changes that reach the traffic in a minute`,
      outcomes,
      { unit: "changes", over: "worst", ...(bar === undefined ? {} : { bar }) },
      ({ received, startedAtMs, durationMs }) => {
        const share = RATE_PER_SECOND / INSTANCES;
        return trafficChanges(received, FLAPPING, { startedAtMs, durationMs, share });
      },
    );
  return {
    name,
    setUp: { serviceMs: 20 },
    durationMs: 60_000,
    quickDurationMs: 24_000,
    patienceMs: 4_000,
    lane: "second",
    act: start,
    promises: (outcomes) => [changes(name, outcomes, 3), failedGets(name, outcomes)],
    told: (prefix, outcomes) => [changes(prefix, outcomes)],
  };
}

/** Stops it and lets it go on until the load ends. A process that ends meanwhile is not ours. */
async function hang(contender: Contender, run: Run) {
  const lostPids: number[] = [];
  while (run.elapsedMs() + PERIOD_MS < run.durationMs) {
    const pid = await signal(contender, FLAPPING, "SIGSTOP").catch(() => 0);
    lostPids.push(pid);
    await run.until(run.elapsedMs() + PERIOD_MS);
    if (pid !== 0) signalIfThere(pid, "SIGCONT");
    await run.until(run.elapsedMs() + PERIOD_MS);
  }
  return { lostPids };
}

export const oneHangingNowAndThen = flapping("hanging", hang);
export const oneRefusingNowAndThen = flapping("refusing", async (contender) => {
  const instance = await instanceOf(contender, FLAPPING);
  await behave(instance, { refuseEveryMs: PERIOD_MS });
  return { lostPids: [instance.pid] };
});

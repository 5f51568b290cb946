// One of three instances is well for two seconds, away for two, and so on: by hanging (SIGSTOP and
// SIGCONT), or by refusing connections. What reaches the traffic is measured from its own notes.

import { behave, instanceOf, signal, signalIfThere } from "../acts.ts";
import { failedGets, measured, type Outcomes } from "../figures.ts";
import {
  type Contender,
  INSTANCES,
  type Lost,
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
      ({ received, answers, startedAtMs, durationMs }) => {
        const load = { ratePerSecond: RATE_PER_SECOND, instances: INSTANCES, answers };
        return trafficChanges(received, FLAPPING, { startedAtMs, durationMs, ...load });
      },
    );
  return {
    name,
    setUp: { serviceMs: 20 },
    durationMs: 60_000,
    quickDurationMs: 21_000,
    patienceMs: 4_000,
    lane: "second",
    act: start,
    promises: (outcomes) => [changes(name, outcomes, 3), failedGets(name, outcomes)],
    told: (prefix, outcomes) => [changes(prefix, outcomes)],
  };
}

/** Stops it and lets it go on until the load ends. A process that ends meanwhile is not ours. */
async function hang(contender: Contender, run: Run) {
  const lost: Lost[] = [];
  while (run.elapsedMs() + PERIOD_MS < run.durationMs) {
    const stopped = await signal(contender, FLAPPING, "SIGSTOP").catch(() => undefined);
    if (stopped !== undefined) lost.push(stopped);
    await run.until(run.elapsedMs() + PERIOD_MS);
    if (stopped !== undefined) signalIfThere(stopped.pid, "SIGCONT");
    await run.until(run.elapsedMs() + PERIOD_MS);
  }
  return { lost };
}

export const oneHangingNowAndThen = flapping("hanging", hang);
export const oneRefusingNowAndThen = flapping("refusing", async (contender) => {
  const instance = await instanceOf(contender, FLAPPING);
  const atMs = Date.now();
  await behave(instance, { refuseEveryMs: PERIOD_MS });
  return { lost: [{ pid: instance.pid, atMs }] };
});

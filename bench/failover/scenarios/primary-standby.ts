// One of three instances takes all traffic and fails; another takes over, and gives back by itself
// or by an operator's word. Who is primary is read from what instances receive.

import { servingIndex, signal, signalIfThere } from "../acts.ts";
import { measured, type Outcomes } from "../figures.ts";
import { Nines } from "../nines.ts";
import type { Contender, Fault, Run, Scenario } from "../scenario.ts";
import { answeredAgainMs, failuresOf } from "../traffic.ts";

/** The failure has passed by then; what fails later fails because of the failback. */
const TAKEN_OVER_AFTER_MS = 2_500;
const POLL_MS = 100;

function answeredAgain(prefix: string, outcomes: Outcomes, bar?: number) {
  return measured(
    `${prefix}: new writes answered after`,
    outcomes,
    { unit: "ms", over: "worst", ...(bar === undefined ? {} : { bar }) },
    ({ answers, startedAtMs, extra }) =>
      answeredAgainMs(answers, "POST", (extra["faultAtMs"] ?? Number.NaN) - startedAtMs),
  );
}

/** Requests that failed from the take-over to the end; NaN when the traffic did not go back. */
function failback(prefix: string, outcomes: Outcomes, bar?: number) {
  return measured(
    `${prefix}: failed`,
    outcomes,
    { unit: "requests", over: "sum", ...(bar === undefined ? {} : { bar }) },
    ({ answers, startedAtMs, extra }) => {
      if (extra["isBack"] === undefined) return Number.NaN;
      const sinceMs = (extra["faultAtMs"] ?? 0) - startedAtMs + TAKEN_OVER_AFTER_MS;
      return failuresOf(answers).filter(({ dueMs }) => dueMs > sinceMs).length;
    },
  );
}

/** Waits until the first instance has the traffic again; empty when the load ends before. */
async function untilBack(run: Run): Promise<Readonly<Record<string, number>>> {
  while (run.elapsedMs() < run.durationMs) {
    if (servingIndex(run) === 0) return { isBack: 1 };
    await run.until(run.elapsedMs() + POLL_MS);
  }
  return {};
}

const killed = "primary kill -9";
const byItself = "failback by itself";

export const primaryKilled: Scenario = {
  name: killed,
  setUp: { serviceMs: 20, primary: "automatic failback" },
  durationMs: 16_000,
  quickDurationMs: 12_000,
  patienceMs: 5_000,
  lane: "alone",
  act: async (contender, run): Promise<Fault> => {
    const faultAtMs = Date.now();
    const pid = await signal(contender, 0, "SIGKILL");
    await run.until(run.elapsedMs() + TAKEN_OVER_AFTER_MS);
    return { lostPids: [pid], extra: { faultAtMs, ...(await untilBack(run)) } };
  },
  promises: (outcomes) => [answeredAgain(killed, outcomes, 100), failback(byItself, outcomes, 0)],
  told: (prefix, outcomes) => [
    answeredAgain(prefix, outcomes),
    failback(prefix.replace(killed, byItself), outcomes),
  ],
};

const stopped = "primary SIGSTOP";
const byHand = "failback by hand";

export const primaryStopped: Scenario = {
  name: stopped,
  setUp: { serviceMs: 20, primary: "manual failback" },
  durationMs: 16_000,
  quickDurationMs: 12_000,
  patienceMs: 5_000,
  lane: "alone",
  act: async (contender: Contender, run): Promise<Fault> => {
    const faultAtMs = Date.now();
    const pid = await signal(contender, 0, "SIGSTOP");
    await run.until(run.elapsedMs() + TAKEN_OVER_AFTER_MS);
    signalIfThere(pid, "SIGCONT");
    if (!(contender instanceof Nines)) return { lostPids: [pid], extra: { faultAtMs } };
    await run.until(run.elapsedMs() + 2_000);
    await contender.command("failback", "web");
    return { lostPids: [pid], extra: { faultAtMs, ...(await untilBack(run)) } };
  },
  promises: (outcomes) => [answeredAgain(stopped, outcomes, 1_000), failback(byHand, outcomes, 0)],
  told: (prefix, outcomes) => [answeredAgain(prefix, outcomes)],
};

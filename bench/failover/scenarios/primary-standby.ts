// One of three instances takes all traffic and fails; another takes over, and gives back by itself
// or by an operator's word. Who is primary is read from what instances receive.

import { type Figure, figure } from "../../shared/figures.ts";
import { waitUntil } from "../../shared/system.ts";
import { signal, signalIfThere } from "../acts.ts";
import { failed, measured, type Outcomes } from "../figures.ts";
import { Nines } from "../nines.ts";
import type { Contender, Fault, Run, Scenario } from "../scenario.ts";
import { answeredAgainMs, failuresOf, soleReceiver, writesOutOfTurn } from "../traffic.ts";

/** The failure has passed by then; what fails later fails because of the failback. */
const TAKEN_OVER_AFTER_MS = 2_500;
const POLL_MS = 100;

/** `extra` of these scenarios: when the fault came, and whether another took over and gave back. */
function faultAtMs({ extra, startedAtMs }: Outcomes[number]): number {
  return (extra["faultAtMs"] ?? Number.NaN) - startedAtMs;
}

function takeover(prefix: string, outcomes: Outcomes, barMs?: number): readonly Figure[] {
  const bar = barMs === undefined ? {} : { bar: barMs };
  return [
    measured(
      `${prefix}: new writes answered after`,
      outcomes,
      { unit: "ms", over: "worst", ...bar },
      (outcome) => answeredAgainMs(outcome.answers, "POST", faultAtMs(outcome)),
    ),
    measured(
      `${prefix}: writes at the old primary after the new one's first`,
      outcomes,
      { unit: "requests", over: "sum" },
      ({ received, extra }) => writesOutOfTurn(received, extra["faultAtMs"] ?? Number.NaN),
    ),
  ];
}

/** Requests that failed from the takeover on; NaN when the traffic did not go and return. */
function failback(prefix: string, outcomes: Outcomes, bar?: number): Figure {
  return measured(
    `${prefix}: failed`,
    outcomes,
    { unit: "requests", over: "sum", ...(bar === undefined ? {} : { bar }) },
    (outcome) => {
      if (outcome.extra["gaveBack"] !== 1) return Number.NaN;
      const sinceMs = faultAtMs(outcome) + TAKEN_OVER_AFTER_MS;
      return failuresOf(outcome.answers).filter(({ dueMs }) => dueMs > sinceMs).length;
    },
  );
}

/** The first instance that is ready becomes primary; here it is to be the first of the file. */
async function makeFirstPrimary(contender: Contender): Promise<void> {
  if (!(contender instanceof Nines)) return;
  // Refused where it is primary already.
  await contender.command("failback", "web").catch(() => undefined);
  await waitUntil("web-1 is primary", 10_000, async () => {
    const states = await contender.instanceStates();
    return states[0] === "up" && states.slice(1).every((state) => state === "standby");
  });
}

/** Whether the first instance alone gets the traffic before the load ends. */
async function givesBack(run: Run): Promise<number> {
  while (run.elapsedMs() < run.durationMs) {
    if (soleReceiver(run.received()) === 0) return 1;
    await run.until(run.elapsedMs() + POLL_MS);
  }
  return 0;
}

const killed = "primary kill -9";
const byItself = "failback by itself";

export const primaryKilled: Scenario = {
  name: killed,
  setUp: { serviceMs: 20, primary: "automatic failback" },
  durationMs: 16_000,
  quickDurationMs: 10_000,
  patienceMs: 4_000,
  lane: "timed",
  prepare: makeFirstPrimary,
  act: async (contender, run): Promise<Fault> => {
    const lost = await signal(contender, 0, "SIGKILL");
    await run.until(run.elapsedMs() + TAKEN_OVER_AFTER_MS);
    const tookOver = (soleReceiver(run.received()) ?? 0) > 0;
    const gaveBack = tookOver ? await givesBack(run) : 0;
    return { lost: [lost], extra: { faultAtMs: lost.atMs, gaveBack } };
  },
  promises: (outcomes) => [
    ...takeover(killed, outcomes, 100),
    failed(killed, outcomes),
    failback(byItself, outcomes, 0),
  ],
  told: (prefix, outcomes) => [
    ...takeover(prefix, outcomes),
    failback(prefix.replace(killed, byItself), outcomes),
  ],
};

const stopped = "primary SIGSTOP";
const byHand = "failback by hand";

export const primaryStopped: Scenario = {
  name: stopped,
  setUp: { serviceMs: 20, primary: "manual failback" },
  durationMs: 16_000,
  quickDurationMs: 10_000,
  patienceMs: 4_000,
  lane: "timed",
  prepare: makeFirstPrimary,
  act: async (contender: Contender, run): Promise<Fault> => {
    const lost = await signal(contender, 0, "SIGSTOP");
    await run.until(run.elapsedMs() + TAKEN_OVER_AFTER_MS);
    signalIfThere(lost.pid, "SIGCONT");
    const extra = { faultAtMs: lost.atMs, gaveBack: 0 };
    const fault = { lost: [lost], extra };
    if (!(contender instanceof Nines)) return fault;
    const tookOver = (soleReceiver(run.received()) ?? 0) > 0;
    await run.until(run.elapsedMs() + TAKEN_OVER_AFTER_MS);
    if (!tookOver) return fault;
    await contender.command("failback", "web");
    return { ...fault, extra: { ...extra, gaveBack: await givesBack(run) } };
  },
  promises: (outcomes) => [
    ...takeover(stopped, outcomes, 1_000),
    failed(stopped, outcomes),
    failback(byHand, outcomes, 0),
  ],
  told: (prefix, outcomes) => [
    ...takeover(prefix, outcomes),
    figure({
      name: `${prefix.replace(stopped, byHand)}: failed`,
      value: undefined,
      unit: "requests",
      note: "gives back by itself only",
    }),
  ],
};

// `nines load SERVICE`: finds out how much a running service takes, and keeps what it has found for
// `nines model`, `nines simulate` and `nines plan`.

import { createClock } from "../../runtime/clock.ts";
import { createSystemRandom } from "../../runtime/random.ts";
import { NinesError } from "../../core/base/errors.ts";
import { loadTable } from "../../gateway/process/table-file.ts";
import { type StateDirectory, findStateDirectory } from "../../state/directory.ts";
import { writeLoadResult } from "../../state/load-results.ts";
import { callAdmin } from "../admin/client.ts";
import { type HttpSender, createHttpSender } from "../load/http-sender.ts";
import { runLoadTest } from "../load/load-test.ts";
import { type LoadReport, announce, renderResult, stepHead, stepLine } from "../load/report.ts";
import { type Limits, type Plan, ratesOf, requestsPerStepMax } from "../load/steps.ts";
import { type Target, targetOf } from "../load/target.ts";
import type { StatusReport } from "../status/report.ts";
import type { LoadOptions } from "./actions.ts";
import { stateDirectoryOf } from "./place.ts";
import { complain, exitCode, say } from "./say.ts";

const ANSWER_TIMEOUT_MS = 2_000;
/** Below, a queue grows that no chance explains. */
const answeredRatioMin = 0.95;
const defaultWidth = 100;

export async function load(service: string, options: LoadOptions): Promise<number> {
  const plan = planOf(options);
  const state = findStateDirectory(stateDirectoryOf(options));
  const { direct = false, method, path } = options;
  const routes = loadTable(state.gatewayTable)?.routes ?? [];
  const target = targetOf({ service, direct, method, path }, await statusOf(state), routes);
  const limits: Limits = {
    errorRatioMax: options.errors,
    latency: options.latency,
    answeredRatioMin,
  };
  const { timeout: timeoutMs, connections: connectionsMax } = options;
  const isTold = options.json !== true;
  const tell = isTold ? say : complain;
  tell(announce({ target, plan, limits, timeoutMs, connectionsMax }));
  using sender = createHttpSender(target, connectionsMax);
  await tryOnce(sender, target, timeoutMs);
  using interrupted = untilInterrupted(() => sender[Symbol.dispose]());
  tell(`\n${stepHead()}`);
  const report = await runLoadTest({
    target,
    plan,
    limits,
    timeoutMs,
    connectionsMax,
    clock: createClock({ keepAlive: true }),
    random: createSystemRandom().random,
    send: sender.send,
    signal: interrupted.signal,
    tell: (step, isRepeated) => tell(stepLine(step, isRepeated)),
    countInstances: () => countInstances(state, service),
  });
  const kept = keep(state, report, plan);
  if (isTold) {
    process.stdout.write(renderResult(report, process.stdout.columns ?? defaultWidth));
    say(kept);
  } else say(JSON.stringify(report, undefined, 2));
  return exitCode.done;
}

function planOf({ from, to, step, duration }: LoadOptions): Plan {
  if (from > to) {
    throw new NinesError("NINES_LOAD_RANGE", `--from ${from} is above --to ${to}.`);
  }
  const plan: Plan = { fromPerSecond: from, toPerSecond: to, growth: step, durationMs: duration };
  const most = Math.max(...ratesOf(plan)) * (duration / 1000);
  if (most > requestsPerStepMax) {
    const what = `The last step would send ${Math.round(most).toLocaleString("en")} requests`;
    const bound = requestsPerStepMax.toLocaleString("en");
    throw new NinesError("NINES_LOAD_RANGE", `${what}; a step may have ${bound}.`);
  }
  return plan;
}

async function statusOf({ adminSocket: socketPath }: StateDirectory): Promise<StatusReport> {
  const call = { socketPath, method: "GET", path: "/v1/status" } as const;
  return (await callAdmin({ ...call, timeoutMs: ANSWER_TIMEOUT_MS })) as StatusReport;
}

async function countInstances(directory: StateDirectory, name: string): Promise<number | null> {
  try {
    const { services } = await statusOf(directory);
    const instances = services.find((one) => one.name === name)?.instances ?? [];
    return instances.filter(({ state }) => state === "up").length;
  } catch (error) {
    // What was measured is not lost because control is away just then.
    if (error instanceof NinesError) return null;
    throw error;
  }
}

/** A load of errors would be answered quickly, and say nothing of the service. */
async function tryOnce(sender: HttpSender, target: Target, timeoutMs: number): Promise<void> {
  const status = await sender.probe(timeoutMs);
  if (status !== undefined && status < 400) return;
  const found = status === undefined ? "is not answered" : `is answered ${status}`;
  throw new NinesError("NINES_LOAD_TARGET", `${target.method} ${target.path} ${found}.`);
}

interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

/** The first Ctrl-C ends the test and keeps its result; a second one ends the process, as ever. */
function untilInterrupted(end: () => void): Interruption {
  const interrupted = new AbortController();
  const onSignal = (): void => {
    interrupted.abort();
    end();
  };
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  return {
    signal: interrupted.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** The sentence that says whether it was kept, and for whom. */
function keep(state: StateDirectory, report: LoadReport, { fromPerSecond }: Plan): string {
  const { service, at, through, method, path, instances, kneePerSecond, fit } = report;
  if (fit === null) {
    return `Nothing is kept: from ${fromPerSecond}/s on nothing is known of its capacity.`;
  }
  if (report.instancesAfter !== instances) {
    return "Nothing is kept: how many instances shared the load is not sure.";
  }
  writeLoadResult(state, { service, at, through, method, path, instances, kneePerSecond, fit });
  return "Kept for `nines model`, `nines simulate` and `nines plan`.";
}

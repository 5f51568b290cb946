// A load test from its first step to its result: up until a step is too much, or somebody has had
// enough.
//
// A step that is too much is taken once more before it counts: a machine that is held up for a
// second must not pass for a service at its limit. A service at its limit shows it twice.

import { NinesError } from "../../core/base/errors.ts";
import type { Random } from "../../core/base/prng.ts";
import { type LoadFit, fitLoad } from "../../core/predict/load-fit.ts";
import type { Clock } from "../../ports/clock.ts";
import type { LoadReport } from "./report.ts";
import { type Send, runStep } from "./run-step.ts";
import {
  type Limits,
  type Plan,
  type StepReport,
  kneeOf,
  ratesOf,
  repeatsMax,
  reportStep,
} from "./steps.ts";
import type { Target } from "./target.ts";

export interface LoadTestOptions {
  readonly target: Target;
  readonly plan: Plan;
  readonly limits: Limits;
  readonly timeoutMs: number;
  readonly connectionsMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly send: Send;
  readonly signal: AbortSignal;
  /** Each step as soon as it has ended, and whether it is taken once more. */
  readonly tell: (step: StepReport, isRepeated: boolean) => void;
  /** Instances that take traffic when all steps are over; null when nobody can tell. */
  readonly countInstances: () => Promise<number | null>;
}

const warmUpShare = 0.2;
const warmUpMsMax = 2_000;
/** Behind each connection, as many may wait as it takes to see that a queue grows. */
const waitingPerConnection = 20;

export async function runLoadTest(options: LoadTestOptions): Promise<LoadReport> {
  const { signal, target } = options;
  const steps = await runSteps(options);
  const { instances, wanted } = target;
  const instancesAfter = await options.countInstances();
  const notes = [...remarks(steps, signal.aborted)];
  if (instances < wanted) notes.push(`only ${instances} of ${wanted} instances took traffic`);
  if (instancesAfter === null) notes.push("control did not answer at the end");
  else if (instancesAfter !== instances) {
    const [before, after] = [instances, instancesAfter];
    notes.push(`${before} instances took traffic at the beginning and ${after} at the end`);
  }
  const { fit, why } = fitOf(steps, instances);
  return {
    service: target.service,
    at: new Date(options.clock.wallMs()).toISOString(),
    through: target.through,
    method: target.method,
    path: target.path,
    instances,
    instancesAfter,
    steps,
    kneePerSecond: kneeOf(steps)?.offeredPerSecond ?? null,
    fit,
    notes: why === undefined ? notes : [...notes, why],
  };
}

async function runSteps(options: LoadTestOptions): Promise<readonly StepReport[]> {
  const { plan, tell } = options;
  const steps: StepReport[] = [];
  let repeats = 0;
  for (const rate of ratesOf(plan)) {
    let step = await oneStep(options, rate);
    if (step !== undefined && step.tooMuch !== null && repeats < repeatsMax) {
      repeats++;
      tell(step, true);
      step = await oneStep(options, rate);
    }
    // Half a step says nothing.
    if (step === undefined) break;
    steps.push(step);
    tell(step, false);
    if (step.tooMuch !== null) break;
  }
  return steps;
}

/** Undefined when it was interrupted. */
async function oneStep(options: LoadTestOptions, rate: number): Promise<StepReport | undefined> {
  const { plan, limits, signal } = options;
  const counts = await runStep({
    ratePerSecond: rate,
    durationMs: plan.durationMs,
    warmUpMs: Math.min(warmUpMsMax, plan.durationMs * warmUpShare),
    timeoutMs: options.timeoutMs,
    inFlightMax: options.connectionsMax,
    waitingMax: options.connectionsMax * waitingPerConnection,
    clock: options.clock,
    random: options.random,
    send: options.send,
    signal,
  });
  return signal.aborted ? undefined : reportStep(counts, limits);
}

function fitOf(
  steps: readonly StepReport[],
  instances: number,
): { readonly fit: LoadFit | null; readonly why?: string } {
  if (steps.length === 0) return { fit: null, why: "no step has ended, so nothing is known" };
  try {
    return { fit: fitLoad(steps, instances) };
  } catch (error) {
    if (!(error instanceof NinesError) || error.code !== "NINES_MODEL_DATA") throw error;
    return { fit: null, why: "start lower with --from: the first step was too much already" };
  }
}

/** Later than this, and more than this share of the typical latency, is a fault of ours. */
const sentLateMsMin = 5;
const sentLateShareMin = 0.2;

function remarks(steps: readonly StepReport[], isInterrupted: boolean): readonly string[] {
  const notes: string[] = [];
  if (isInterrupted) notes.push("it was interrupted; the step under way is left out");
  const late = steps.find(
    ({ sentLateMs, p50Ms }) => sentLateMs > sentLateMsMin && sentLateMs > p50Ms * sentLateShareMin,
  );
  if (late !== undefined) {
    const [lateMs, asked] = [late.sentLateMs.toFixed(0), Math.round(late.offeredPerSecond)];
    notes.push(
      `from ${asked}/s on requests went out up to ${lateMs} ms late: this machine, and not only ` +
        "the service, was at its limit, which counts as latency",
    );
  }
  const full = steps.find((step) => step.isEveryConnectionUsed && step.tooMuch === null);
  if (full !== undefined) {
    const asked = Math.round(full.offeredPerSecond);
    notes.push(`from ${asked}/s on every connection was in use: allow more with --connections`);
  }
  return notes;
}

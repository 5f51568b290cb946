// Which rates a load test asks for, what one step has shown, and whether it was too much.
//
// Pure. A step is too much when clients would say so: more errors than allowed, answers slower than
// allowed, or answers that come in more slowly than requests go out, which means that a queue grows
// somewhere and every further second is worse than the last. The step before is the knee.

import { assert } from "../../core/base/assert.ts";
import { sayDuration } from "../../core/base/duration.ts";
import { sayPercent } from "../../core/base/percent.ts";
import type { LatencyQuantiles, LoadStep } from "../../core/predict/load-fit.ts";

export type Growth =
  | { readonly kind: "add"; readonly perSecond: number }
  | { readonly kind: "multiply"; readonly factor: number };

export interface Plan {
  readonly fromPerSecond: number;
  readonly toPerSecond: number;
  readonly growth: Growth;
  readonly durationMs: number;
}

export const stepsMax = 60;
/** Steps that are taken once more. */
export const repeatsMax = 3;
/** One step's requests stay in memory until its end. */
export const requestsPerStepMax = 2_000_000;

/** The rates of the steps, growing; the last is `toPerSecond`. At most `stepsMax + 1` of them. */
export function ratesOf({ fromPerSecond, toPerSecond, growth }: Plan): readonly number[] {
  assert(fromPerSecond > 0 && toPerSecond >= fromPerSecond, "load grows from above 0");
  const rates: number[] = [];
  let rate = fromPerSecond;
  while (rates.length < stepsMax) {
    const rounded = Number(rate.toPrecision(6));
    if (rounded >= toPerSecond) break;
    rates.push(rounded);
    rate = growth.kind === "add" ? rate + growth.perSecond : rate * growth.factor;
    assert(rate > rounded, "steps go up");
  }
  return [...rates, toPerSecond];
}

/** What happened to one request. */
export type Outcome = "answered" | "refused" | "timed-out" | "not-sent";

/** One step, of the time between its warm-up and its end. */
export interface StepCounts {
  readonly offeredPerSecond: number;
  /** Requests that were due. */
  readonly due: number;
  /** Good answers that came, whenever their requests were due. */
  readonly answeredInTime: number;
  readonly windowMs: number;
  /** What became of those that were due, each to its end. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** From when each was due to its good answer, or to its timeout; ascending. */
  readonly latenciesMs: Float64Array;
  /** How late our own requests went out, for 99 % of them: our timer, our processor. */
  readonly sentLateMs: number;
  readonly isEveryConnectionUsed: boolean;
}

export interface Limits {
  readonly errorRatioMax: number;
  readonly latency: { readonly limitMs: number; readonly ratio: number };
  /** Of what was due, what must be answered in the same time. */
  readonly answeredRatioMin: number;
}

export interface StepReport extends LoadStep {
  readonly requests: number;
  readonly errorRatio: number;
  readonly timeouts: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly sentLateMs: number;
  readonly isEveryConnectionUsed: boolean;
  /** Why this step was too much; null when it was not. */
  readonly tooMuch: string | null;
}

const shownRatios = [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1] as const;

/** The value that this share of them does not exceed; 0 of none. */
export function quantileOf(ascending: Float64Array, ratio: number): number {
  const rank = Math.min(ascending.length, Math.max(1, Math.ceil(ascending.length * ratio)));
  return ascending[rank - 1] ?? 0;
}

export function reportStep(counts: StepCounts, limits: Limits): StepReport {
  const { latenciesMs, due, outcomes } = counts;
  const failed = due - outcomes.answered;
  const errorRatio = due === 0 ? 0 : failed / due;
  const at = (ratio: number) => quantileOf(latenciesMs, ratio);
  const limitedMs = at(limits.latency.ratio);
  const answeredRatio = answeredShare(counts, at(0.5));
  const quantiles: LatencyQuantiles = shownRatios.map((ratio) => [ratio, at(ratio)] as const);
  const isSaturated = answeredRatio < limits.answeredRatioMin || errorRatio > limits.errorRatioMax;
  return {
    offeredPerSecond: counts.offeredPerSecond,
    answeredPerSecond: (counts.answeredInTime * 1000) / counts.windowMs,
    meanMs: latenciesMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, latenciesMs.length),
    quantiles,
    isSaturated,
    requests: due,
    errorRatio,
    timeouts: outcomes["timed-out"],
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    sentLateMs: counts.sentLateMs,
    isEveryConnectionUsed: counts.isEveryConnectionUsed,
    tooMuch: whyTooMuch({ errorRatio, answeredRatio, limitedMs }, limits),
  };
}

/**
 * Of what was due, what was answered in the same time; 1 where the lack may be chance. As many as
 * the rate times the latency are under way at a step's ends, and that number is a Poisson one.
 */
function answeredShare(counts: StepCounts, medianMs: number): number {
  const lacking = counts.due - counts.answeredInTime;
  const underWay = Math.max(1, (counts.offeredPerSecond * medianMs) / 1000);
  const isChance = lacking <= 3 * Math.sqrt(2 * underWay);
  return isChance ? 1 : counts.answeredInTime / counts.due;
}

function whyTooMuch(
  step: { readonly errorRatio: number; readonly answeredRatio: number; readonly limitedMs: number },
  { errorRatioMax, answeredRatioMin, latency }: Limits,
): string | null {
  if (step.errorRatio > errorRatioMax) {
    return `${sayPercent(step.errorRatio)} failed, over ${sayPercent(errorRatioMax)}`;
  }
  if (step.answeredRatio < answeredRatioMin) {
    const answered = sayPercent(step.answeredRatio);
    return `answers came for ${answered} of what was asked: a queue grew`;
  }
  if (step.limitedMs > latency.limitMs) {
    const [found, limit] = [step.limitedMs, latency.limitMs].map((ms) => sayDuration(ms));
    return `${sayPercent(latency.ratio)} took up to ${found}, over ${limit}`;
  }
  return null;
}

/** The most that was asked for and not too much; undefined when the first step was. */
export function kneeOf(steps: readonly StepReport[]): StepReport | undefined {
  const first = steps.findIndex((step) => step.tooMuch !== null);
  return first === -1 ? steps.at(-1) : steps[first - 1];
}

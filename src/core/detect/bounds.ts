// How long each detector may take, at worst, to see what it is there to see: formulas over
// settings.
//
// The documentation prints them, the simulator holds every run to them. All count from the moment
// that the instance falls silent to the moment that control knows; the data plane follows within
// one message. `patience` is 1 for a well observer; while it doubts itself (observer-health.ts) all
// timeouts are up to 8 times as long, and heartbeats that it slept through have one interval more.

import type { MissedSettings } from "./missed-heartbeats.ts";
import { missedPatienceMs } from "./missed-heartbeats.ts";
import type { PhiSettings } from "./phi-accrual.ts";
import { patientFall } from "./observer-health.ts";
import { tailQuantile } from "./normal-tail.ts";

export interface CheckBoundSettings {
  readonly intervalMs: number;
  readonly fastIntervalMs: number;
  readonly timeoutMs: number;
  readonly fall: number;
}

/** A check begins up to a tenth of its interval late, so that the checks of many are spread. */
const jitter = 1.1;
/** A result may come so much later than its timeout (ports/probe.ts). */
const resultLateMs = 50;
/** Between two checks that live traffic asks for (control/health/active-check.ts). */
const observedSpacingMs = 100;

/**
 * A check alone: interval + (fall - 1) x max(fastInterval, timeout) + timeout. The instance falls
 * silent just after a check has passed.
 */
export function checkBoundMs(settings: CheckBoundSettings, patience = 1): number {
  const answerMs = settings.timeoutMs * patience + resultLateMs;
  const fall = patientFall({ score: patience - 1 }, settings.fall);
  const betweenMs = Math.max(jitter * settings.fastIntervalMs, answerMs);
  return jitter * settings.intervalMs + (fall - 1) * betweenMs + answerMs;
}

/** Live traffic met a failure: the one check that follows at once is enough. */
export function suspicionBoundMs({ timeoutMs }: CheckBoundSettings): number {
  // A check may be under way that began before, and cannot answer for what happened since.
  return observedSpacingMs + 2 * (timeoutMs + resultLateMs);
}

/** Missed heartbeats: (misses + 1/2) x interval, and a tenth of it for looking at a file. */
export function missedBoundMs(settings: MissedSettings, patience = 1): number {
  const askedAgainMs = patience > 1 ? settings.everyMs : 0;
  return patience * missedPatienceMs(settings) + settings.everyMs / 10 + askedAgainMs;
}

/**
 * Phi accrual of heartbeats that come regularly: mean + pause + sigmaMin x z(phi). It grows with
 * the deviation of the gaps, and so has no bound that holds for whatever came before.
 */
export function phiBoundMs(settings: PhiSettings, patience = 1): number {
  const { everyMs, pauseMs, sigmaMinMs, phi } = settings;
  const patienceMs = everyMs + pauseMs + sigmaMinMs * tailQuantile(phi);
  return patience * patienceMs + everyMs / 10 + (patience > 1 ? everyMs : 0);
}

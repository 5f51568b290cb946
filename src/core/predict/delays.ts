// How long each failure goes unnoticed (t1), how long traffic takes to go elsewhere (t2), and how
// long the instance takes to be back (t3), on average and after what the deployment says.
//
// The waits are those of the loops themselves: bounds.ts of core/detect, the backoff of core/guard,
// the table of core/supervise. Constants are what a machine with an idle core takes; measured ones
// are in docs/internals/benchmarks.md. All in milliseconds.

import { NinesError } from "../base/errors.ts";
import {
  patienceMs,
  STALLED_MS_MIN,
  STALLED_PATIENCES,
  SUSPECT_UNKNOWN_MS,
} from "../detect/stall.ts";
import { backoffCeilingMs } from "../guard/backoff.ts";
import { detectionTime } from "../model/availability.ts";
import { type PredictedInstance, type PredictedService, placesOf } from "./deployment.ts";
import { lastsLonger, meanOfShorter } from "./durations.ts";
import type { ServiceRates } from "./rates.ts";

/** From a process's end to the first refused connection and to control's knowing. */
const endSeenMs = 10;
/** From a verdict to the last worker's following it. */
const tableMs = 10;
/** A promotion: its epoch on disk, then the table. */
const promotionMs = 20;
/** Where nobody has measured how long a request takes. */
const usualServiceMs = 50;
/** A backoff that doubles has reached any bound by then. */
const growingTriesMax = 48;
/** From the end of all of the gateway to its listening again. */
export const gatewayStartMs = 2_000;

/** Until an instance that has fallen silent gets no more requests, on average. */
export function silenceSeen(service: PredictedService): number {
  return Math.min(seenByChecks(service), seenByTraffic(service));
}

function seenByTraffic(service: PredictedService): number {
  const { throughGateway, stallDetection, checks } = service;
  if (!throughGateway || !stallDetection) return Infinity;
  // Of answers that take much the same time; those that do not are waited for longer.
  const usualMs = patienceMs(requestMs(service), 0);
  if (placesOf(service).length > 1) return Math.max(STALLED_MS_MIN, STALLED_PATIENCES * usualMs);
  // Who is alone is not ejected for silence, but asked at once.
  return checks === undefined ? Infinity : SUSPECT_UNKNOWN_MS + checks.timeoutMs;
}

function seenByChecks({ name, checks, heartbeatMs }: PredictedService): number {
  let earliestMs = heartbeatMs ?? Infinity;
  if (checks !== undefined) {
    const { intervalMs, fastIntervalMs, timeoutMs, fall } = checks;
    const first = detectionTime({ interval: intervalMs, timeout: timeoutMs, misses: 1 });
    const furtherMs = (fall - 1) * Math.max(fastIntervalMs, timeoutMs);
    earliestMs = Math.min(earliestMs, first.mean + furtherMs);
  }
  if (earliestMs < Infinity) return earliestMs;
  throw new NinesError(
    "NINES_MODEL_NEVER_RECOVERS",
    `${name} has neither checks nor heartbeats: an instance that hangs would never be noticed`,
  );
}

/** Of a process that ends: until its requests are refused, and those it had are lost. */
export function endSeen(service: PredictedService): number {
  return endSeenMs + requestMs(service);
}

/** How long a request takes. */
export function requestMs({ queue }: PredictedService): number {
  return queue?.serviceTimeMs ?? usualServiceMs;
}

/** From the verdict to traffic elsewhere. */
export function transferMs(service: PredictedService): number {
  return service.mode === "primary-standby" ? promotionMs + tableMs : tableMs;
}

/** From a process's end to its being up again, failed starts included. */
export function restartMs(service: PredictedService, rates: ServiceRates): number {
  const { restart, name } = service;
  const fails = rates.startFails.value;
  if (!(fails < 1)) {
    const why = `a start of ${name} fails with a probability of ${fails}`;
    throw new NinesError("NINES_MODEL_NEVER_RECOVERS", `${why}: no instance would come back`);
  }
  const policy = { baseMs: restart.backoffMs, maxMs: restart.backoffMaxMs };
  // The k-th try is reached with fails^(k - 1), and waits for three quarters of its backoff.
  const tryMs = (tries: number) => 0.75 * backoffCeilingMs(policy, tries) + rates.start.meanMs;
  let expectedMs = 0;
  let reached = 1;
  for (let tries = 1; tries < growingTriesMax; tries++) {
    expectedMs += reached * tryMs(tries);
    reached *= fails;
  }
  // All further ones wait alike: a geometric series.
  return expectedMs + (reached / (1 - fails)) * tryMs(growingTriesMax) + risingMs(service);
}

/** Further checks that must pass. */
function risingMs({ checks }: PredictedService): number {
  return checks === undefined ? 0 : (checks.rise - 1) * checks.fastIntervalMs;
}

/** From the end of a trouble that needs no restart to the verdict `up`. */
function readmittedMs(service: PredictedService): number {
  return (service.checks?.downIntervalMs ?? 0) / 2 + risingMs(service);
}

/** From the verdict on an instance that hangs to its being up again. */
export function hangMs(
  service: PredictedService,
  { kind }: PredictedInstance,
  rates: ServiceRates,
): number {
  const { restart, mode } = service;
  const byItselfMs = rates.hangRepair.meanMs + readmittedMs(service);
  if (kind === "endpoint") return byItselfMs;
  // A primary that hangs is killed before another takes over.
  if (mode === "primary-standby") return restartMs(service, rates);
  if (restart.unhealthyAfterMs === 0) return byItselfMs;
  const waitedMs = restart.unhealthyAfterMs;
  const restarted = lastsLonger(rates.hangRepair, waitedMs);
  return (
    meanOfShorter(rates.hangRepair, waitedMs) +
    restarted * (restart.stopGraceMs + restartMs(service, rates)) +
    (1 - restarted) * readmittedMs(service)
  );
}

/** From the verdict on an endpoint that is gone to its being up again. */
export function endpointMs(service: PredictedService, rates: ServiceRates): number {
  return rates.endpointRepair.meanMs + readmittedMs(service);
}

// How requests fare by the queueing model, over all the time that so many instances were in
// traffic: each of these states is a queue of its own (M/M/c), and lasts long against a request.

import { mmc } from "../../src/core/model/queueing/stations.ts";
import {
  type PredictedService,
  placesOf,
  type QueueModel,
  utilisationOf,
} from "../../src/core/predict/deployment.ts";
import type { Sums } from "./ledger.ts";

export interface LoadedYears {
  readonly loadPerSecond: number;
  /** Rho, with all of its places in traffic, and how many these are. */
  readonly utilisation: number;
  readonly places: number;
  /** Share of the time in which more came than those in traffic serve. */
  readonly overloaded: number;
  /** Of answers in all other time; undefined where there was none. */
  readonly meanMs: number | undefined;
  readonly p99Ms: number | undefined;
}

interface State {
  readonly weight: number;
  readonly meanMs: number;
  readonly slowerThan: (ms: number) => number;
}

const halvings = 60;
const slowestMs = 3_600_000;

/** Undefined where the load is not known. */
export function loadOf(service: PredictedService, { byWorking }: Sums): LoadedYears | undefined {
  const { queue } = service;
  if (queue === undefined) return undefined;
  const { loadPerSecond, capacityPerInstance } = queue;
  const of = { utilisation: utilisationOf(service), places: placesOf(service).length };
  let wholeMs = 0;
  let overloadedMs = 0;
  const states: State[] = [];
  for (const [working, ms] of byWorking) {
    wholeMs += ms;
    if (working > 0 && loadPerSecond < working * capacityPerInstance) {
      states.push(stateOf(queue, working, ms));
    } else if (working > 0) overloadedMs += ms;
  }
  return { loadPerSecond, ...of, overloaded: overloadedMs / wholeMs, ...latencies(states) };
}

/**
 * Of the time in which it was up: as much as there are requests that are more than those in traffic
 * serve. The clients that call around faults are too few to meet that.
 */
export function unservedMs(service: PredictedService, sums: Sums): number {
  const { queue, needed } = service;
  if (queue === undefined) return 0;
  let [enoughMs, ms] = [0, 0];
  for (const [working, forMs] of sums.byWorking) {
    if (working < Math.max(1, needed)) continue;
    enoughMs += forMs;
    ms += forMs * unservedShare(queue, working);
  }
  // It may be down for want of others, or of a gateway.
  return enoughMs === 0 ? 0 : ms * Math.min(1, sums.upMs / enoughMs);
}

/** The same share of all time, if nothing ever failed. */
export function alwaysUnserved(service: PredictedService): number {
  return service.queue === undefined ? 0 : unservedShare(service.queue, placesOf(service).length);
}

function unservedShare({ loadPerSecond, capacityPerInstance }: QueueModel, working: number) {
  return Math.max(0, 1 - (working * capacityPerInstance) / loadPerSecond);
}

function stateOf(queue: QueueModel, working: number, weight: number): State {
  const { slotsPerInstance, capacityPerInstance, serviceTimeMs } = queue;
  const station = mmc({
    arrivalRate: queue.loadPerSecond,
    serviceRate: capacityPerInstance / slotsPerInstance,
    servers: working * slotsPerInstance,
  });
  const drainPerMs = (working * capacityPerInstance - queue.loadPerSecond) / 1000;
  return {
    weight,
    meanMs: station.meanWait * 1000 + serviceTimeMs,
    slowerThan: (ms) => slower(ms, station.waitProbability, drainPerMs, 1 / serviceTimeMs),
  };
}

/** P(wait + service > t) of M/M/c: the wait is 0, or exponential with the rate of the drain. */
function slower(ms: number, waits: number, drain: number, serves: number): number {
  const atOnce = Math.exp(-serves * ms);
  if (Math.abs(drain - serves) < 1e-9 * serves) return atOnce * (1 + waits * serves * ms);
  const both = (drain * atOnce - serves * Math.exp(-drain * ms)) / (drain - serves);
  return (1 - waits) * atOnce + waits * both;
}

function latencies(states: readonly State[]): Pick<LoadedYears, "meanMs" | "p99Ms"> {
  const weight = states.reduce((sum, one) => sum + one.weight, 0);
  if (weight === 0) return { meanMs: undefined, p99Ms: undefined };
  const average = (of: (state: State) => number): number =>
    states.reduce((sum, one) => sum + of(one) * one.weight, 0) / weight;
  let [low, high] = [0, slowestMs];
  for (let step = 0; step < halvings; step++) {
    const middle = (low + high) / 2;
    if (average((one) => one.slowerThan(middle)) > 0.01) low = middle;
    else high = middle;
  }
  return { meanMs: average((one) => one.meanMs), p99Ms: high };
}

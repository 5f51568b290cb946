// How requests fare by the queueing model, over all the time that so many instances were in
// traffic: each of these states is a queue of its own (M/M/c), and lasts long against a request.

import { mmc } from "../../src/core/model/queueing/stations.ts";
import type { QueueModel } from "../../src/core/predict/deployment.ts";

export interface LoadedYears {
  readonly loadPerSecond: number;
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

export function loadOf(queue: QueueModel, byWorking: ReadonlyMap<number, number>): LoadedYears {
  const { loadPerSecond, capacityPerInstance } = queue;
  let wholeMs = 0;
  let overloadedMs = 0;
  const states: State[] = [];
  for (const [working, ms] of byWorking) {
    wholeMs += ms;
    if (working > 0 && loadPerSecond < working * capacityPerInstance) {
      states.push(stateOf(queue, working, ms));
    } else if (working > 0) overloadedMs += ms;
  }
  return { loadPerSecond, overloaded: overloadedMs / wholeMs, ...latencies(states) };
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

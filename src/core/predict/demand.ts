// How many instances a load takes: fewer than that in traffic, and the service is as good as down.
//
// Enough are as many as keep the latency goal under the whole load, and are not used by more than
// nine tenths: nearer to capacity every burst makes a queue, and the model of it is at its worst.
// More instances are never slower (load-fit.ts), so the first that are enough are the fewest.

import { sayDuration } from "../base/duration.ts";
import { sayPercent } from "../base/percent.ts";
import type { QueueModel } from "./deployment.ts";
import { type LoadFit, slowerThan, utilisationUnder } from "./load-fit.ts";

export interface Demand {
  readonly loadPerSecond: number;
  /** Undefined: only keeping up is asked for. */
  readonly latency: { readonly limitMs: number; readonly ratio: number } | undefined;
}

export type Needed =
  | { readonly kind: "enough"; readonly instances: number }
  /** No number of them is enough, or it is over the bound; the sentence says why. */
  | { readonly kind: "unreachable"; readonly why: string };

const utilisationMax = 0.9;
/** Beyond, nothing of what is modelled here is how one would build it. */
export const instancesMax = 200;

export function neededFor(fit: LoadFit, { loadPerSecond, latency }: Demand): Needed {
  for (let instances = 1; instances <= instancesMax; instances++) {
    const loaded = { loadPerSecond, instances };
    if (utilisationUnder(fit, loaded) > utilisationMax) continue;
    if (latency === undefined) return { kind: "enough", instances };
    if (slowerThan(fit, latency.limitMs, loaded) <= 1 - latency.ratio) {
      return { kind: "enough", instances };
    }
    const alone = baseSlowerThan(fit, latency.limitMs);
    if (alone > 1 - latency.ratio) return unreachable(latency, alone);
  }
  const capacity = Math.round(fit.capacityPerInstance * instancesMax).toLocaleString("en");
  const why = `${instancesMax} instances, which give ${capacity}/s, are not enough for this load`;
  return { kind: "unreachable", why };
}

/** With nobody in front. */
function baseSlowerThan({ base }: LoadFit, limitMs: number): number {
  let within = 0;
  for (const [ratio, ms] of base.quantiles) if (ms <= limitMs) within = ratio;
  return 1 - within;
}

function unreachable(latency: NonNullable<Demand["latency"]>, alone: number): Needed {
  const [limit, wanted] = [sayDuration(latency.limitMs), sayPercent(1 - latency.ratio)];
  const why =
    `${sayPercent(alone)} of the answers take longer than ${limit} even when they wait for nobody, and ` +
    `${wanted} may: no number of instances changes that`;
  return { kind: "unreachable", why };
}

const assumedRatios = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999];

/** Where no load test says how latencies are spread: as exponential ones with the mean. */
export function fitOfQueue(queue: Omit<QueueModel, "loadPerSecond">): LoadFit {
  const { capacityPerInstance, slotsPerInstance, serviceTimeMs } = queue;
  return {
    capacityPerInstance,
    isCapacityReached: true,
    slotsPerInstance,
    serviceTimeMs,
    base: {
      meanMs: serviceTimeMs,
      quantiles: assumedRatios.map((ratio) => [ratio, -Math.log(1 - ratio) * serviceTimeMs]),
    },
    waitFactor: 1,
    errorRatio: 0,
  };
}

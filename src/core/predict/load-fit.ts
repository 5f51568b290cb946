// What a load test says of a service, as one queue: how much it takes, and how its latency grows
// towards that.
//
// An answer takes a base, which does not depend on the load, and a wait for one of the slots, which
// does. The base is what the emptiest step showed; capacity is the most that was answered a second,
// known once more was asked than that. Slots (how many requests an instance works on at once)
// and the wait's factor are what is left to choose: for each whole number of slots that the base
// leaves room for, the factor and the base that fit the steps' mean latencies best, by least
// squares of relative errors. The wait is M/M/c's times the factor: so variability enters a queue
// with Poisson arrivals (Allen and Cunneen; Bolch et al. 6.3): 0.5 where every answer costs the
// same, 1 where costs are exponential. All instances are one queue, since the gateway sends each
// request to who has the fewest.
//
// A service that answered all that was asked has no known capacity; then what it answered stands
// as a bound from below. Rejected: extrapolating a knee that nobody saw from the curve before it;
// Gunther's universal scalability law, which tells throughput by concurrency and nothing of waits.

import { assert } from "../base/assert.ts";
import { NinesError } from "../base/errors.ts";
import { mmc } from "../model/queueing/stations.ts";

/** One step of a load test, its beginning and end left out. */
export interface LoadStep {
  readonly offeredPerSecond: number;
  /** Good answers a second. */
  readonly answeredPerSecond: number;
  /** From the moment that each request was meant to be sent. */
  readonly meanMs: number;
  readonly quantiles: LatencyQuantiles;
  /** Clearly less was answered than was asked. */
  readonly isSaturated: boolean;
}

/** Shares, growing, each with the latency that this share of the answers did not exceed. */
export type LatencyQuantiles = readonly (readonly [ratio: number, ms: number])[];

export interface LoadFit {
  /** Good answers a second that one instance gives at most. */
  readonly capacityPerInstance: number;
  /** False: it answered all that was asked, so its capacity is this or more. */
  readonly isCapacityReached: boolean;
  /** Requests that one instance works on at once. */
  readonly slotsPerInstance: number;
  /** How long one request occupies a slot: slots / capacity. */
  readonly serviceTimeMs: number;
  /** Of an answer that waited for nobody. */
  readonly base: { readonly meanMs: number; readonly quantiles: LatencyQuantiles };
  /** The wait, in waits of M/M/c. */
  readonly waitFactor: number;
  /** Root mean square of the relative errors of the mean latencies. */
  readonly errorRatio: number;
}

const slotsMax = 256;
/** Nearer to capacity, a step ends long before the queue is as long as it would get. */
const utilisationMax = 0.95;
/** Constant service costs; costs that vary five times as much as exponential ones. */
const waitFactorRange = [0.5, 3] as const;

/** Throws NINES_MODEL_DATA where no step was answered in full. */
export function fitLoad(steps: readonly LoadStep[], instances: number): LoadFit {
  assert(Number.isInteger(instances) && instances >= 1, "there are instances");
  const calm = steps.filter((step) => !step.isSaturated && step.meanMs > 0);
  const [emptiest] = calm.toSorted((a, b) => a.offeredPerSecond - b.offeredPerSecond);
  if (emptiest === undefined) {
    const what = "Already the first step asked for more than was answered";
    throw new NinesError("NINES_MODEL_DATA", `${what}: nothing can be told of the latency below.`);
  }
  const isCapacityReached = steps.some((step) => step.isSaturated);
  const capacity = Math.max(...steps.map(surelyAnswered));
  const shape = isCapacityReached
    ? bestShape(calm, capacity, instances)
    : unsaturatedShape(emptiest, capacity, instances);
  const scale = shape.baseMs / emptiest.meanMs;
  return {
    capacityPerInstance: capacity / instances,
    isCapacityReached,
    slotsPerInstance: shape.slots,
    serviceTimeMs: (1000 * shape.slots * instances) / capacity,
    base: {
      meanMs: shape.baseMs,
      quantiles: emptiest.quantiles.map(([ratio, ms]) => [ratio, ms * Math.min(1, scale)] as const),
    },
    waitFactor: shape.waitFactor,
    errorRatio: shape.errorRatio,
  };
}

/** What a calm step answered beyond its rate was chance: more happened to be asked. */
function surelyAnswered({ answeredPerSecond, offeredPerSecond }: LoadStep): number {
  return Math.min(answeredPerSecond, offeredPerSecond);
}

interface Shape {
  readonly slots: number;
  readonly baseMs: number;
  readonly waitFactor: number;
  readonly errorRatio: number;
}

/** Nobody has seen it wait: all of the base may be work, which occupies the most slots. */
function unsaturatedShape({ meanMs }: LoadStep, capacity: number, instances: number): Shape {
  const slots = Math.ceil((capacity * meanMs) / 1000 / instances);
  return { slots: within(slots, 1, slotsMax), baseMs: meanMs, waitFactor: 1, errorRatio: 0 };
}

function bestShape(calm: readonly LoadStep[], capacity: number, instances: number): Shape {
  const told = calm.filter((step) => step.offeredPerSecond < capacity * utilisationMax);
  const steps = told.length > 0 ? told : calm.slice(0, 1);
  const baseMs = Math.min(...steps.map(({ meanMs }) => meanMs));
  const most = within(Math.floor((capacity * baseMs * 1.1) / 1000 / instances), 1, slotsMax);
  let best: Shape | undefined;
  for (let slots = 1; slots <= most; slots++) {
    const shape = shapeWith(slots, steps, capacity, instances);
    if (best === undefined || shape.errorRatio < best.errorRatio) best = shape;
  }
  assert(best !== undefined, "one slot is always tried");
  return best;
}

/** The base and the factor that make the least relative errors with so many slots. */
function shapeWith(
  slots: number,
  steps: readonly LoadStep[],
  capacity: number,
  instances: number,
): Shape {
  const servers = slots * instances;
  // Each error is 1 - base * share - factor * waited, which is linear in both.
  const terms = steps.map(({ offeredPerSecond, meanMs }) => {
    const arrivalRate = Math.min(offeredPerSecond, capacity * utilisationMax);
    const wait = mmc({ arrivalRate, serviceRate: capacity / servers, servers }).meanWait * 1000;
    return { share: 1 / meanMs, waited: wait / meanMs };
  });
  const sum = (of: (term: (typeof terms)[number]) => number): number =>
    terms.reduce((total, term) => total + of(term), 0);
  const [shares, waits] = [sum(({ share }) => share), sum(({ waited }) => waited)];
  const [ss, sw, ww] = [
    sum(({ share }) => share * share),
    sum(({ share, waited }) => share * waited),
    sum(({ waited }) => waited * waited),
  ];
  const determinant = ss * ww - sw * sw;
  const free = determinant > 1e-12 * ss * ww ? (ss * waits - sw * shares) / determinant : 1;
  const waitFactor = within(free, ...waitFactorRange);
  const baseMs = Math.max(0, (shares - waitFactor * sw) / ss);
  const squares = sum(({ share, waited }) => (1 - baseMs * share - waitFactor * waited) ** 2);
  return { slots, baseMs, waitFactor, errorRatio: Math.sqrt(squares / terms.length) };
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

export interface Loaded {
  readonly loadPerSecond: number;
  readonly instances: number;
}

/** How busy the slots are; 1 and above is more than they can do. */
export function utilisationUnder(fit: LoadFit, { loadPerSecond, instances }: Loaded): number {
  return loadPerSecond / (fit.capacityPerInstance * instances);
}

/**
 * The share of the answers that take longer than `limitMs`: base and wait are independent, and
 * what lies between two known quantiles of the base counts as the larger one, so it is told too
 * high rather than too low. 1 where the load is more than the instances can do.
 */
export function slowerThan(fit: LoadFit, limitMs: number, loaded: Loaded): number {
  if (loaded.instances < 1) return 1;
  const servers = fit.slotsPerInstance * loaded.instances;
  const queue = mmc({
    arrivalRate: loaded.loadPerSecond,
    serviceRate: (fit.capacityPerInstance * loaded.instances) / servers,
    servers,
  });
  let slower = 0;
  let below = 0;
  for (const [ratio, ms] of [...fit.base.quantiles, [1, Infinity] as const]) {
    const leftMs = limitMs - ms;
    const waits = leftMs < 0 ? 1 : queue.waitsLonger(leftMs / 1000 / fit.waitFactor);
    slower += (ratio - below) * waits;
    below = ratio;
  }
  return Math.min(1, slower);
}

/** Within how long this share of the answers comes; infinite where that cannot be said. */
export function latencyMs(fit: LoadFit, ratio: number, loaded: Loaded): number {
  const isWithin = (limitMs: number) => slowerThan(fit, limitMs, loaded) <= 1 - ratio + 1e-12;
  let high = 1;
  while (!isWithin(high)) {
    high *= 2;
    if (high > latencyMsMax) return Infinity;
  }
  let low = 0;
  while (high - low > high * 1e-3) {
    const middle = (low + high) / 2;
    if (isWithin(middle)) high = middle;
    else low = middle;
  }
  return high;
}

const latencyMsMax = 3_600_000;

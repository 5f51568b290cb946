// Which instance answers errors that its peers do not: the state of one service in one worker.
//
// In a row: `run` errors without a good answer between them, while the peers gave at least as many
// good ones, and no more errors than that. Envoy's consecutive_5xx (5), with that condition added:
// when everybody fails, it is the request or what lies behind, and ejecting somebody helps nobody.
// Of an instance whose peers were asked nothing nobody knows: it is worth a try of who stands in.
//
// By rate: every 10 s, an instance whose share of good answers lies more than 1.9 standard
// deviations below the mean of all, where five instances and more had 100 requests and more
// (Envoy's success-rate detection). It finds what fails half of the time and never in a row.
// Where so many are bad that the mean is, too, a share of errors that is set finds them: of five
// instances and more that had 50 requests and more (Envoy's failure-percentage detection).
//
// Rejected: a rate over few requests, or a decayed average: the first is chance, the second hides
// an outage behind the burst before it (Linkerd's breaker/unified.rs tells of one).

import { assert } from "../base/assert.ts";
import { grown } from "../base/grown.ts";

const RATE_WINDOW_MS = 10_000;
export const RATE_REQUESTS_MIN = 100;
export const FAILURE_REQUESTS_MIN = 50;
export const RATE_INSTANCES_MIN = 5;
/** Of a share that was counted. */
const ROUNDING = 1e-9;
const RATE_DEVIATIONS = 1.9;

/** Success rates below this are outliers: the mean less 1.9 standard deviations. */
export function rateThreshold(rates: ArrayLike<number>): number {
  assert(rates.length > 0, "a threshold of something");
  let sum = 0;
  for (let index = 0; index < rates.length; index++) sum += rates[index] as number;
  const mean = sum / rates.length;
  let squares = 0;
  for (let index = 0; index < rates.length; index++)
    squares += ((rates[index] as number) - mean) ** 2;
  return mean - RATE_DEVIATIONS * Math.sqrt(squares / rates.length);
}

export interface OutlyingRate {
  readonly slot: number;
  /** Of good answers. */
  readonly rate: number;
  /** From its peers' rates. */
  readonly isFar: boolean;
  /** As often as was said, or more. */
  readonly isFailing: boolean;
}

export class Outlier {
  /** Errors in a row. */
  run = new Int32Array(16);
  #good = new Float64Array(16);
  #goodOfAll = 0;
  #bad = new Float64Array(16);
  #badOfAll = 0;
  /** Good answers and errors of the peers when the run began. */
  #peersGoodAtStart = new Float64Array(16);
  #peersBadAtStart = new Float64Array(16);
  #windowGood = new Float64Array(16);
  #windowAll = new Float64Array(16);
  #windowEndsMs = -Infinity;

  good(slot: number): void {
    this.run[slot] = 0;
    this.#good[slot] = (this.#good[slot] as number) + 1;
    this.#goodOfAll++;
    this.#windowGood[slot] = (this.#windowGood[slot] as number) + 1;
    this.#windowAll[slot] = (this.#windowAll[slot] as number) + 1;
  }

  bad(slot: number): void {
    if (this.run[slot] === 0) {
      this.#peersGoodAtStart[slot] = this.#peersGood(slot);
      this.#peersBadAtStart[slot] = this.#peersBad(slot);
    }
    this.run[slot] = (this.run[slot] as number) + 1;
    this.#bad[slot] = (this.#bad[slot] as number) + 1;
    this.#badOfAll++;
    this.#windowAll[slot] = (this.#windowAll[slot] as number) + 1;
  }

  /** Whether it failed `runMax` times in a row while the peers did well as often. */
  isOutlier(slot: number, runMax: number): boolean {
    if (runMax === 0 || (this.run[slot] as number) < runMax) return false;
    const good = this.peersGoodInRun(slot);
    const bad = this.#peersBadInRun(slot);
    return good >= runMax && good >= bad;
  }

  /** Whether it failed as often, and no peer was asked that could tell whose fault it is. */
  isUncompared(slot: number, runMax: number): boolean {
    if (runMax === 0 || (this.run[slot] as number) < runMax) return false;
    return this.peersGoodInRun(slot) === 0 && this.#peersBadInRun(slot) === 0;
  }

  /** Half of the way there: reason enough not to show its next error to a client. */
  isSuspect(slot: number, runMax: number): boolean {
    return this.isOutlier(slot, Math.ceil(runMax / 2));
  }

  peersGoodInRun(slot: number): number {
    return this.#peersGood(slot) - (this.#peersGoodAtStart[slot] as number);
  }

  #peersBadInRun(slot: number): number {
    return this.#peersBad(slot) - (this.#peersBadAtStart[slot] as number);
  }

  /** Once every window: who of the slots below `count` is an outlier by rate, or fails so often. */
  sweep(nowMs: number, count: number, failureRatio = 0): readonly OutlyingRate[] {
    if (nowMs < this.#windowEndsMs) return [];
    const isFirst = this.#windowEndsMs === -Infinity;
    this.#windowEndsMs = nowMs + RATE_WINDOW_MS;
    const seen: { readonly slot: number; readonly all: number; readonly rate: number }[] = [];
    for (let slot = 0; slot < count && !isFirst; slot++) {
      const all = this.#windowAll[slot] as number;
      if (all < FAILURE_REQUESTS_MIN) continue;
      seen.push({ slot, all, rate: (this.#windowGood[slot] as number) / all });
    }
    this.#windowGood.fill(0);
    this.#windowAll.fill(0);
    const rates = seen.filter(({ all }) => all >= RATE_REQUESTS_MIN).map(({ rate }) => rate);
    const threshold = rates.length < RATE_INSTANCES_MIN ? -Infinity : rateThreshold(rates);
    const failsAt = failureRatio === 0 || seen.length < RATE_INSTANCES_MIN ? 2 : failureRatio;
    return seen.flatMap(({ slot, all, rate }) => {
      const isFar = all >= RATE_REQUESTS_MIN && rate < threshold;
      const isFailing = 1 - rate >= failsAt - ROUNDING;
      return isFar || isFailing ? [{ slot, rate, isFar, isFailing }] : [];
    });
  }

  /** The slot is another instance's, or what was held against it is past. */
  forget(slot: number): void {
    this.run[slot] = 0;
    this.#windowGood[slot] = 0;
    this.#windowAll[slot] = 0;
  }

  grow(capacity: number): void {
    if (capacity <= this.run.length) return;
    const larger = (numbers: Float64Array) => grown(numbers, new Float64Array(capacity));
    this.run = grown(this.run, new Int32Array(capacity));
    this.#good = larger(this.#good);
    this.#bad = larger(this.#bad);
    this.#peersGoodAtStart = larger(this.#peersGoodAtStart);
    this.#peersBadAtStart = larger(this.#peersBadAtStart);
    this.#windowGood = larger(this.#windowGood);
    this.#windowAll = larger(this.#windowAll);
  }

  #peersGood(slot: number): number {
    return this.#goodOfAll - (this.#good[slot] as number);
  }

  #peersBad(slot: number): number {
    return this.#badOfAll - (this.#bad[slot] as number);
  }
}

// How many retries a service may bear: a share of its good answers lately, or a small floor.
//
// Retries multiply load exactly when a service has least to give. A fixed number of tries a request
// does not help: when everything fails, everything is tried again. A budget does: at most `ratio`
// retries for each good answer of the last ten seconds, or so many a second where that is more, so
// that a quiet service can retry at all. Finagle's RetryBudget, as Linkerd's service profiles have
// it (0.2, 10/s, 10 s), counts requests; here answers earn, as in gRPC's retry throttling (its
// proposal A6): who answers nobody any more has nothing to retry with, and a total outage costs
// what was saved and the floor. Envoy's counts concurrent requests, and forgets a burst of quick
// failures.
//
// What calm seconds have saved is for the requests under way on one instance that dies, not for an
// outage: within `savedMs` no more is spent than was earned within it. The floor is not on top of
// that: once ten seconds have had as many retries as it gives, whoever earned them, it gives none.
//
// Invariant: in ten seconds retries <= max(ratio * good answers, floor), and those beyond the floor
// <= ratio * good answers within `savedMs`, too.
// A ring of buckets of 100 ms: no allocation, and each window is exact to one bucket.

import { assert } from "../base/assert.ts";

export const BUCKET_MS = 100;
const BUCKETS = 100;
export const RETRY_WINDOW_MS = BUCKET_MS * BUCKETS;
/** Of retries: what one of three has under way is less, where answers take less than 300 ms. */
export const RETRY_SAVED_MS = 500;

export class RetryBudget {
  readonly #earned: Tally;
  readonly #spent: Tally;
  #bucket: number;

  constructor(nowMs: number, savedMs: number) {
    assert(savedMs >= BUCKET_MS && savedMs <= RETRY_WINDOW_MS, "what is saved lies in the window");
    const recentBuckets = Math.floor(savedMs / BUCKET_MS);
    this.#earned = new Tally(recentBuckets);
    this.#spent = new Tally(recentBuckets);
    this.#bucket = Math.floor(nowMs / BUCKET_MS);
  }

  /** One more of what retries are a share of. */
  earn(nowMs: number): void {
    this.#forget(nowMs);
    this.#earned.add(this.#bucket);
  }

  /** Whether one more retry is within the budget. */
  allows(nowMs: number, ratio: number, perSecond: number): boolean {
    assert(ratio >= 0 && perSecond >= 0, "a budget is not negative");
    this.#forget(nowMs);
    const { inWindow, recently } = this.#spent;
    if (inWindow + 1 <= (perSecond * RETRY_WINDOW_MS) / 1000) return true;
    const earned = this.#earned;
    return inWindow + 1 <= ratio * earned.inWindow && recently + 1 <= ratio * earned.recently;
  }

  /** The same; spends it when it is. */
  take(nowMs: number, ratio: number, perSecond: number): boolean {
    if (!this.allows(nowMs, ratio, perSecond)) return false;
    this.#spent.add(this.#bucket);
    return true;
  }

  /** Empties the buckets that the clock has passed. */
  #forget(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const steps = Math.min(bucket - this.#bucket, BUCKETS);
    for (let step = 1; step <= steps; step++) {
      this.#earned.enter(this.#bucket + step);
      this.#spent.enter(this.#bucket + step);
    }
    if (steps > 0) this.#bucket = bucket;
  }
}

/** A count over the window, and over its most recent buckets. */
class Tally {
  inWindow = 0;
  recently = 0;
  readonly #counts = new Float64Array(BUCKETS);
  readonly #recentBuckets: number;

  constructor(recentBuckets: number) {
    this.#recentBuckets = recentBuckets;
  }

  add(bucket: number): void {
    const index = bucket % BUCKETS;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.inWindow++;
    this.recently++;
  }

  /** The clock enters a bucket: another one leaves each window. */
  enter(bucket: number): void {
    const index = bucket % BUCKETS;
    const before = (index + BUCKETS - this.#recentBuckets) % BUCKETS;
    this.recently -= this.#counts[before] as number;
    this.inWindow -= this.#counts[index] as number;
    this.#counts[index] = 0;
  }
}

// How many retries a service may bear: a share of what it was asked lately, and a small floor.
//
// Retries multiply load exactly when a service has least to give. A fixed number of tries a request
// does not help: when everything fails, everything is tried again. A budget does: at most `ratio`
// retries for each request of the last ten seconds, plus a floor a second so that a quiet service
// can retry at all. After Finagle's RetryBudget, as Linkerd's service profiles have it (0.2, 10/s,
// 10 s); Envoy's counts concurrent requests instead and forgets a burst of quick failures.
//
// Invariant: retries counted in the window <= ratio * requests counted in it + floor * window.
// A ring of one-second buckets: no allocation, and the window is exact to one bucket.

import { assert } from "../base/assert.ts";

const BUCKET_MS = 1000;
const BUCKETS = 10;
export const RETRY_WINDOW_MS = BUCKET_MS * BUCKETS;

export class RetryBudget {
  readonly #requests = new Float64Array(BUCKETS);
  readonly #retries = new Float64Array(BUCKETS);
  #requestsInWindow = 0;
  #retriesInWindow = 0;
  #bucket = 0;

  constructor(nowMs: number) {
    this.#bucket = Math.floor(nowMs / BUCKET_MS);
  }

  /** A request was made for the first time. */
  requestSeen(nowMs: number): void {
    this.#forget(nowMs);
    const index = this.#bucket % BUCKETS;
    this.#requests[index] = (this.#requests[index] as number) + 1;
    this.#requestsInWindow++;
  }

  /** Whether one more retry is within the budget. */
  allows(nowMs: number, ratio: number, perSecond: number): boolean {
    assert(ratio >= 0 && perSecond >= 0, "a budget is not negative");
    this.#forget(nowMs);
    const allowed = ratio * this.#requestsInWindow + (perSecond * RETRY_WINDOW_MS) / 1000;
    return this.#retriesInWindow + 1 <= allowed;
  }

  /** The same; spends it when it is. */
  take(nowMs: number, ratio: number, perSecond: number): boolean {
    if (!this.allows(nowMs, ratio, perSecond)) return false;
    const index = this.#bucket % BUCKETS;
    this.#retries[index] = (this.#retries[index] as number) + 1;
    this.#retriesInWindow++;
    return true;
  }

  /** Empties the buckets that the clock has passed. */
  #forget(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const steps = Math.min(bucket - this.#bucket, BUCKETS);
    for (let step = 1; step <= steps; step++) {
      const index = (this.#bucket + step) % BUCKETS;
      this.#requestsInWindow -= this.#requests[index] as number;
      this.#retriesInWindow -= this.#retries[index] as number;
      this.#requests[index] = 0;
      this.#retries[index] = 0;
    }
    if (steps > 0) this.#bucket = bucket;
  }
}

// How long to wait before the next try: doubling from a base to a ceiling, half of it by lot.
//
// "Equal jitter" (Marc Brooker, "Exponential Backoff And Jitter", AWS 2015): the wait lies between
// half of the doubled delay and all of it, so that what failed together does not come back
// together, and yet never comes back at once. Full jitter, from zero, was rejected: a crashing
// process would sometimes be restarted without any pause.

import { assert } from "../base/assert.ts";

export interface BackoffPolicy {
  /** The delay after the first failure. */
  readonly baseMs: number;
  /** No delay is longer. */
  readonly maxMs: number;
}

/** The delay after `failures` failures in a row (1 or more), before the lot is drawn. */
export function backoffCeilingMs(policy: BackoffPolicy, failures: number): number {
  assert(failures >= 1, "a backoff follows a failure");
  assert(policy.baseMs >= 0 && policy.maxMs >= policy.baseMs, "a backoff grows from base to max");
  // 2 ** 1023 is the largest finite power; the minimum takes care of the rest.
  return Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failures - 1, 1000));
}

/** The wait after `failures` failures in a row; `ratio` is a draw in [0, 1). */
export function backoffMs(policy: BackoffPolicy, failures: number, ratio: number): number {
  assert(ratio >= 0 && ratio < 1, "a draw is in [0, 1)");
  const ceilingMs = backoffCeilingMs(policy, failures);
  return ceilingMs / 2 + (ceilingMs / 2) * ratio;
}

/**
 * Failures in a row, counting the one that just happened: a process that was up for `resetAfterMs`
 * has paid off its past.
 */
export function failuresInRow(before: number, upMs: number, resetAfterMs: number): number {
  return upMs >= resetAfterMs ? 1 : before + 1;
}

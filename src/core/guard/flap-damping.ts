// When an instance that keeps going and coming may take traffic again: leaving is always at once,
// returning waits when the last minute has seen enough of it.
//
// Intuition: a dead instance costs every request that it gets, a held one costs a share of the
// capacity. So what is to be damped is the return alone, and one quick round (it crashed, it was
// restarted, it is back) is no flapping. The idea is that of BGP's route flap damping (RFC 2439),
// without its penalty that decays: two constants that nobody can read a time from, and RIPE-580
// tells of routes held for an hour because of one bad minute. Here a hold ends at a time that can
// be said when it begins, at most `flapWindowMs` away.
//
// Rule: a return needs that at most one change lies within the last minute. Out and in alternate;
// of four changes within a minute one is a return with two or three of the others before it, and
// that one was refused. So at most three changes in any minute reach the traffic, and all that must
// be remembered is the time of the last change but one.

import { assert } from "../base/assert.ts";

/** No more than three changes, out or in, in any time this long. */
export const flapWindowMs = 60_000;

/** The two latest changes of one instance, by a monotonic clock. */
export interface Changes {
  readonly lastMs: number;
  readonly beforeLastMs: number;
}

export const neverChanged: Changes = { lastMs: -Infinity, beforeLastMs: -Infinity };

/** After one more change, out or in. */
export function withChange(changes: Changes, nowMs: number): Changes {
  assert(nowMs >= changes.lastMs, "changes are remembered in order");
  return { lastMs: nowMs, beforeLastMs: changes.lastMs };
}

/** From when on a return is allowed: the first moment with one change at most in the window. */
export function heldUntilMs({ beforeLastMs }: Changes): number {
  return beforeLastMs + flapWindowMs;
}

export function mayReturn(changes: Changes, nowMs: number): boolean {
  return nowMs >= heldUntilMs(changes);
}

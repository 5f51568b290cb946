// Time, as the loops see it. Two clocks, never mixed: monotonic for every decision and deadline,
// wall only to show a person when something happened. The simulator's clock is virtual.

import type { Recurring } from "./recurring.ts";

/** A pending callback. Disposing it twice, or after it ran, does nothing. */
export interface Timer extends Disposable {
  readonly [Symbol.dispose]: () => void;
}

export interface Clock {
  /**
   * Milliseconds since an arbitrary start, with fractions; never goes back, and goes on at about
   * one second a second while the machine is awake. Shared by all processes of one machine since
   * its boot, so that readings of two processes may be compared.
   */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC. May jump both ways. For people only. */
  wallMs(): number;
  /**
   * Calls `run` once, not before `delayMs` (>= 0) from now; late under load, never early.
   * Does not keep the process alive by itself where the runtime can tell. `recurring`: whose turn
   * this is, for a clock that passes over what only repeats itself.
   */
  after(delayMs: number, run: () => void, recurring?: Recurring): Timer;
}

// Time, as the loops see it. Two clocks, never mixed: monotonic for every decision and deadline,
// wall only to show a person when something happened. The simulator's clock is virtual.

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
   * Does not keep the process alive by itself where the runtime can tell.
   */
  after(delayMs: number, run: () => void): Timer;
}

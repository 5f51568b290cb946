// The phases of an instance's life. The transition table is in lifecycle.ts.

export const phases = [
  /** Its dependencies are not ready, or a rolling change holds it. */
  "waiting",
  /** Its process runs and is not ready yet. */
  "starting",
  /** Ready, and expected to stay so. */
  "running",
  /** Told to end; SIGKILL follows after the grace. */
  "stopping",
  /** Ended on its own; restarts when the backoff is over. */
  "backoff",
  /** Ended so often that it is held back at the longest backoff, and said. */
  "crash-loop",
  /** Ended because it was told to. */
  "stopped",
] as const;
export type Phase = (typeof phases)[number];

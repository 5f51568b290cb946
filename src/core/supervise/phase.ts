// The phases of an instance's life. The transition table is in lifecycle.ts.

export const phases = [
  /** It has no process and is to get one, as soon as its dependencies are ready. */
  "waiting",
  /** Its process is asked for and not there yet: a port is looked for, the program executed. */
  "launching",
  /** Its process runs and is not ready yet. */
  "starting",
  /** Ready, and expected to stay so. */
  "running",
  /** To be ended, and gets no new traffic: told so when idle, or at the drain deadline. */
  "draining",
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

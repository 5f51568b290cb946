// What a gateway worker counted since it started: plain cumulative numbers, so that a lost report
// costs nothing and control adds workers up. Label sets are fixed: service and instance.

export interface InstanceStats {
  readonly id: string;
  /** Attempts begun. */
  readonly requests: number;
  readonly active: number;
  readonly connectFailures: number;
  readonly resets: number;
  readonly timeouts: number;
  /**
   * Requests that were answered by another instance, or tried there, because this one was silent.
   */
  readonly hedges: number;
  /** Answers by class: [1xx, 2xx, 3xx, 4xx, 5xx]. */
  readonly answers: readonly number[];
  readonly ejected: boolean;
  /** Silent for longer than usual at this moment, while its peers answer. */
  readonly late: boolean;
}

export interface ServiceStats {
  readonly name: string;
  /** Requests that clients made; retries are not counted again. */
  readonly requests: number;
  /** Requests that a rate limit kept out; not counted among `requests`. */
  readonly limited: number;
  readonly active: number;
  readonly queued: number;
  readonly retries: number;
  /** Second attempts beside a first one that a silent instance kept waiting. */
  readonly hedges: number;
  /** Answers of our own making (502, 503, 504) for this service. */
  readonly refused: number;
  /** Requests whose client saw a failure that was ours or an instance's: refused, or broken off. */
  readonly lost: number;
  /** Answers 5xx of instances, as clients got them. */
  readonly serverErrors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Counts by bucket (histogram.ts): whole request to whole answer, in ms. */
  readonly latency: readonly number[];
  readonly instances: readonly InstanceStats[];
}

export interface WorkerStats {
  readonly worker: number;
  readonly pid: number;
  /** Open client connections. */
  readonly connections: number;
  readonly connectionsAccepted: number;
  /** Closed at once: their address had as many as it may. */
  readonly connectionsRefused: number;
  /** Heads refused before a route was known (400, 408, 414, 431, 501, 505). */
  readonly refusedHeads: number;
  readonly tableVersion: number;
  readonly services: readonly ServiceStats[];
  readonly residentBytes: number;
  /** Largest delay of the event loop since the last report. */
  readonly loopDelayMs: number;
}

// What a gateway worker counted since it started: plain cumulative numbers, so that a lost report
// costs nothing and control adds workers up. Label sets are fixed: route, service, instance,
// reason.

/** By code of the catalogue (core/base/reasons.ts); what never was is absent. */
export type CountsByReason = Readonly<Record<string, number>>;

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
  /** Counts by coarse bucket (histogram.ts): attempts that got their whole answer, in ms. */
  readonly latency: readonly number[];
  readonly latencySumMs: number;
  /** By this worker. */
  readonly ejections: CountsByReason;
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
  /** The same, by why the try before had failed. */
  readonly retriedFor: CountsByReason;
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
  /** Absent where all are let in. */
  readonly concurrency?: ConcurrencyStats;
  readonly instances: readonly InstanceStats[];
}

/** What has been found out of how much a service bears (core/guard/concurrency-limit.ts). */
export interface ConcurrencyStats {
  /** Requests at once. */
  readonly limit: number;
  /** Those that wait for their answers now, or were left and may be worked on all the same. */
  readonly waiting: number;
  /** What an answer takes when nobody queues; 0: not known yet. */
  readonly baselineMs: number;
}

export interface RouteStats {
  /** core/route/route-names.ts */
  readonly name: string;
  readonly service: string;
  /** Requests that were let in; retries are not counted again. */
  readonly requests: number;
  /** Whole answers that clients got, the gateway's own among them: [1xx, 2xx, 3xx, 4xx, 5xx]. */
  readonly answers: readonly number[];
  /** Requests that did not end with an instance's whole answer. */
  readonly failures: CountsByReason;
  /** Counts by bucket (histogram.ts): whole request to whole answer, in ms. */
  readonly latency: readonly number[];
  readonly latencySumMs: number;
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
  /** What was refused before its route was known. */
  readonly failures: CountsByReason;
  /** Of the access log: written, */
  readonly logLines: number;
  /** and lost, since the disk did not take them. */
  readonly logLinesLost: number;
  readonly tableVersion: number;
  readonly routes: readonly RouteStats[];
  readonly services: readonly ServiceStats[];
  readonly residentBytes: number;
  /** Largest delay of the event loop since the last report. */
  readonly loopDelayMs: number;
}

// Nothing has happened yet: what a simulated worker, or one of a test, need not say.

export const quietInstance: Omit<InstanceStats, "id"> = {
  requests: 0,
  active: 0,
  connectFailures: 0,
  resets: 0,
  timeouts: 0,
  hedges: 0,
  answers: [],
  latency: [],
  latencySumMs: 0,
  ejections: {},
  ejected: false,
  late: false,
};

export const quietService: Omit<ServiceStats, "name"> = {
  requests: 0,
  limited: 0,
  active: 0,
  queued: 0,
  retries: 0,
  retriedFor: {},
  hedges: 0,
  refused: 0,
  lost: 0,
  serverErrors: 0,
  bytesIn: 0,
  bytesOut: 0,
  latency: [],
  instances: [],
};

export const quietWorker: Omit<WorkerStats, "worker" | "pid"> = {
  connections: 0,
  connectionsAccepted: 0,
  connectionsRefused: 0,
  refusedHeads: 0,
  failures: {},
  logLines: 0,
  logLinesLost: 0,
  tableVersion: 0,
  routes: [],
  services: [],
  residentBytes: 0,
  loopDelayMs: 0,
};

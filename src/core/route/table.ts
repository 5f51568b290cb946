// The routing table: all that the data plane knows, as one immutable value.
//
// Control computes it from the configuration and the registry; a worker swaps it between two
// requests and keeps the last good one when control is gone (static stability, rule 3). It is plain
// JSON, because it is also the file that a new worker starts from.

export const balanceAlgorithms = [
  "round-robin",
  "random",
  "weighted",
  "least-request",
  "source-hash",
] as const;
export type BalanceAlgorithm = (typeof balanceAlgorithms)[number];

/** What control says of an instance. Down and draining ones are listed, so that a worker whose
 * control is gone can try them again. */
export type InstanceVerdict = "up" | "draining" | "down";

export interface TableInstance {
  /** "web-2" or "web-10.0.0.7:8080". */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** 1 to 256; 1 unless the file says otherwise. */
  readonly weight: number;
  /** Gets traffic only when no other instance of the service can. */
  readonly backup: boolean;
  readonly verdict: InstanceVerdict;
  /** Grows at each start and each passed re-check; a larger one clears a worker's own ejection. */
  readonly generation: number;
}

export interface TableService {
  readonly name: string;
  readonly instances: readonly TableInstance[];
  /** Requests and connections at once to one instance; 0 is no limit. */
  readonly maxConnections: number;
  /** Requests that wait for a free instance or for any instance at all; a bound, not a target. */
  readonly queueLength: number;
}

export interface RouteMatch {
  /** Lower case, without port; a leading "*." matches one or more labels. Absent: any. */
  readonly host?: string;
  /** Prefix by segment: "/a" matches "/a" and "/a/b", not "/ab"; the query is not part of it. */
  readonly path?: string;
  readonly exactPath?: string;
  readonly method?: string;
  /** Lower-case names; the value must be equal, or present with any value when it is "*". */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RetryPolicy {
  /** Tries beyond the first; 0 is none. */
  readonly attempts: number;
  /** Share of requests in the last 10 s that may be retries (Linkerd's and Envoy's budget). */
  readonly budgetRatio: number;
  /** Retries a second that are always allowed, so that a quiet service can retry at all. */
  readonly budgetPerSecond: number;
  /** Largest request body that is kept for another try. */
  readonly replayBytes: number;
}

export interface Timeouts {
  readonly connectMs: number;
  /** The client's whole request head, first byte to last. */
  readonly headMs: number;
  /** No byte in either direction while a message is under way. */
  readonly idleMs: number;
  /** A client connection between two requests. */
  readonly keepAliveMs: number;
  /** Waiting for an instance. */
  readonly queueMs: number;
  /** From the whole request sent to the answer's head. */
  readonly responseMs: number;
  /** A tunnel (upgrade or TCP) without a byte. */
  readonly tunnelMs: number;
}

export interface TableRoute {
  readonly match: RouteMatch;
  readonly service: string;
  readonly balance: BalanceAlgorithm;
  readonly retry: RetryPolicy;
  readonly timeouts: Timeouts;
}

export interface TableListener {
  /** Host to bind: "0.0.0.0", "::", "127.0.0.1". */
  readonly host: string;
  readonly port: number;
  readonly protocol: "http" | "tcp";
  /** Index into `routes` for tcp, whose connections all go one way. */
  readonly tcpRoute?: number;
}

/** Limits of the HTTP path; what reaching one answers is in docs/reference/errors.md. */
export interface GatewayLimits {
  readonly headBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
  /** Client connections of one worker; past it, new ones wait in the kernel. */
  readonly connections: number;
}

export interface RoutingTable {
  readonly version: number;
  /** Worker processes; at least 1. */
  readonly workers: number;
  readonly listeners: readonly TableListener[];
  /** Tried in order; the first match wins. The loader has sorted them: most specific first. */
  readonly routes: readonly TableRoute[];
  readonly services: readonly TableService[];
  readonly limits: GatewayLimits;
  /** Longest that a draining worker, or a stop, waits for requests under way. */
  readonly drainMs: number;
}

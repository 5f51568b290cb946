// The routing table: all that the data plane knows, as one immutable value.
//
// Control computes it from the configuration and the registry; a worker swaps it between two
// requests and keeps the last good one when control is gone (static stability, rule 3). It is plain
// JSON, because it is also the file that a new worker starts from.

import type { ConcurrencySettings, Priority } from "../guard/concurrency-limit.ts";
import type { Rate } from "../guard/rate-limit.ts";
import type { RetryCondition } from "../guard/retry-conditions.ts";

export const balanceAlgorithms = [
  "round-robin",
  "random",
  "p2c",
  "weighted",
  "least-request",
  "least-time",
  "peak-ewma",
  "first",
  "source-hash",
  "rendezvous",
  "ring",
  "maglev",
] as const;
export type BalanceAlgorithm = (typeof balanceAlgorithms)[number];

/** What a route hashes. Without a name: the client's address, the path, the query as a whole. */
export const hashedParts = ["source", "header", "cookie", "path", "query"] as const;
export type HashedPart = (typeof hashedParts)[number];

/** How a route chooses among a service's instances. */
export interface BalanceRule {
  readonly algorithm: BalanceAlgorithm;
  /** What leads to an instance, of those algorithms that hash; `name`: of the header or cookie. */
  readonly hash: { readonly part: HashedPart; readonly name: string };
  /** Above 1: nobody gets more than so many times the mean load (those that hash); 0: no bound. */
  readonly loadFactor: number;
}

/** The client's address, and no bound. */
export function plainRule(algorithm: BalanceAlgorithm): BalanceRule {
  return { algorithm, hash: { part: "source", name: "" }, loadFactor: 0 };
}

/** Priority levels: 0 to one less than this. */
export const LEVELS_MAX = 8;

/**
 * What control says of an instance. All are listed, whatever the verdict, so that a worker whose
 * control is gone knows whom it can try.
 *
 * - `up`: takes traffic.
 * - `draining`: gets nothing new; it ends, or an operator wants it so.
 * - `down`: nothing runs there. A worker whose control is gone finds out by one real request.
 * - `failing`: something runs there, and its checks fail. Tried when too few are left (panic).
 * - `standby`: well, and not to get traffic: the standby of a primary; or held back after flapping,
 *   which binds a worker only while enough others serve there.
 */
export const instanceVerdicts = ["up", "draining", "down", "failing", "standby"] as const;
export type InstanceVerdict = (typeof instanceVerdicts)[number];

/**
 * Who of a service takes traffic. In `primary-standby` at most one instance at a time, chosen by
 * control alone: a worker never moves to another by itself. In `hot-standby` an instance with
 * `backupOf` takes traffic exactly while the one that it backs does not.
 */
export const serviceModes = ["active-active", "primary-standby", "hot-standby"] as const;
export type ServiceMode = (typeof serviceModes)[number];

/** Requests stay in the gateway's zone as far as its instances can carry them. */
export interface ZonePolicy {
  /** The gateway's own. */
  readonly name: string;
  /** Of all that clients send, what enters here; 0: each zone has the same. */
  readonly entering: number;
  /** With fewer usable instances zones are not looked at. */
  readonly minimum: number;
}

export interface TableInstance {
  /** "web-2" or "web-10.0.0.7:8080". */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** 1 to 256; 1 unless the file says otherwise. */
  readonly weight: number;
  /** Gets traffic only when no other instance of the service can: priority 1. */
  readonly backup: boolean;
  /** The level that it belongs to, in [0, LEVELS_MAX); it stands above `backup`. */
  readonly priority?: number;
  readonly verdict: InstanceVerdict;
  /** Grows at each start and each passed re-check; a larger one clears a worker's own ejection. */
  readonly generation: number;
  /** Of a full instance's traffic, in (0, 1]; less than 1 for a canary. */
  readonly share: number;
  /** In `hot-standby`: the id of the instance that this one stands in for. */
  readonly backupOf?: string;
  /** Where it runs, where that counts. */
  readonly zone?: string;
  /** Requests at once to this one, in place of the service's; 0 is no limit. */
  readonly maxConnections?: number;
}

/** How a worker judges instances by what it sees itself. */
export interface DetectionPolicy {
  /** Whether an instance that falls silent while its peers answer is avoided and ejected. */
  readonly stall: boolean;
  /** Errors in a row (5xx, reset, timeout) that eject; 0 is never. */
  readonly consecutiveErrors: number;
  /** Whether an instance whose success rate is far below its peers' is ejected. */
  readonly successRate: boolean;
  /** Share of errors that ejects, whatever the peers do; absent: none does. */
  readonly failureRatio?: number;
  /** First ejection; doubled at each further one within a minute, up to `ejectionMaxMs`. */
  readonly ejectionBaseMs: number;
  readonly ejectionMaxMs: number;
  /**
   * Share of a service's instances that may be ejected at once, the candidate counted in; a refused
   * connection is certain and is not held up by it.
   */
  readonly maxEjectedRatio: number;
  /** At this share of usable instances or less, ejected and failing ones are tried as well. */
  readonly panicRatio: number;
}

/**
 * Envoy's outlier detection and Linkerd's breaker, with a cap that three instances can live with.
 */
export const defaultDetection: DetectionPolicy = {
  stall: true,
  consecutiveErrors: 5,
  successRate: true,
  ejectionBaseMs: 1_000,
  ejectionMaxMs: 30_000,
  maxEjectedRatio: 0.5,
  panicRatio: 0,
};

export interface RampCurve {
  /** In (0, 1]: where it begins. */
  readonly minimum: number;
  /** Envoy's, above 0; 0: a straight line. */
  readonly aggression: number;
}

/** From a tenth to all of it, in a straight line. */
export const straightRamp: RampCurve = { minimum: 0.1, aggression: 0 };

export interface TableService {
  readonly name: string;
  readonly mode: ServiceMode;
  /**
   * Grows with each change of the primary; 0: no primary yet. For people and logs to tell two
   * promotions apart: what keeps a worker from an older one is the version of the table.
   */
  readonly epoch: number;
  readonly detection: DetectionPolicy;
  /**
   * An instance that turns usable again gets a share that grows from a minimum to 100% over this
   * time; 0 is at once.
   */
  readonly slowStartMs: number;
  /** How it grows (core/balance/slow-start.ts); absent: `straightRamp`. */
  readonly slowStartCurve?: RampCurve;
  /**
   * How much larger each priority level is than it need be; what a level cannot carry goes to the
   * next ones (core/balance/priority-load.ts). 0: nothing does while one of the level is usable.
   */
  readonly overProvision: number;
  /** Weights follow what instances report of their load. */
  readonly loadReports?: true;
  /** Absent: all zones are one. */
  readonly zones?: ZonePolicy;
  /** A worker uses at least so many of the instances; absent: all. Zones are not looked at then. */
  readonly subset?: number;
  readonly instances: readonly TableInstance[];
  /** Requests and connections at once to one instance; 0 is no limit. */
  readonly maxConnections: number;
  /** Requests that wait for a free instance or for any instance at all; a bound, not a target. */
  readonly queueLength: number;
  /** Sheds what the service cannot bear, the least important first; absent: nothing is shed. */
  readonly concurrency?: ConcurrencySettings;
}

/** A service of which nothing else is said. */
export const plainService: Omit<TableService, "name" | "instances"> = {
  mode: "active-active",
  epoch: 0,
  detection: defaultDetection,
  slowStartMs: 0,
  overProvision: 0,
  maxConnections: 0,
  queueLength: 0,
};

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
  /** Retries as a share of the good answers of the last 10 s (core/guard/retry-budget.ts). */
  readonly budgetRatio: number;
  /** Retries a second that are allowed where the share is less: a quiet service can retry, too. */
  readonly budgetPerSecond: number;
  /** Largest request body that is kept for another try. */
  readonly replayBytes: number;
  /** Absent: `defaultRetryOn`. */
  readonly on?: readonly RetryCondition[];
  /** An attempt that has no answer by then makes way for another one, where one can follow. */
  readonly perTryMs?: number;
  /** Requests of the service that wait for a further try's answer at once; absent: no bound. */
  readonly atOnce?: number;
}

/** Second attempts for requests that wait on an instance that has fallen silent; both 0: none. */
export interface HedgePolicy {
  /** Share of requests in the last 10 s that may be hedged. */
  readonly budgetRatio: number;
  /** Hedges a second that are allowed where the share is less. */
  readonly budgetPerSecond: number;
}

/** The floor: a late instance is tried 20 times a second at most (core/dispatch/chooser.ts). */
export const defaultHedge: HedgePolicy = { budgetRatio: 0.05, budgetPerSecond: 20 };

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

/** Requests past it are answered 429. */
export interface RateLimit extends Rate {
  /** Whose requests are counted together. */
  readonly by: RateLimitKey;
  /** Lower case; with `by: "header"`. */
  readonly header?: string;
}
export const rateLimitKeys = ["address", "header", "route"] as const;
export type RateLimitKey = (typeof rateLimitKeys)[number];

/** A cookie by which a client stays with the instance that answered it first. */
export interface StickyPolicy {
  /** Its name; "": "nines-" and the service's name. */
  readonly cookie: string;
  readonly sameSite: SameSite;
  /** Sent by browsers over TLS only. */
  readonly secure: boolean;
  /** How long browsers keep it; 0: until they are closed. */
  readonly maxAgeMs: number;
}
export const sameSites = ["lax", "strict", "none"] as const;
export type SameSite = (typeof sameSites)[number];

export interface TableRoute {
  readonly match: RouteMatch;
  readonly service: string;
  /** What of an overloaded service is shed first; absent: normal. */
  readonly priority?: Priority;
  /** All must let a request in. */
  readonly rateLimits: readonly RateLimit[];
  readonly balance: BalanceRule;
  /** Before `balance`, while that instance can be had; absent: nobody stays anywhere. */
  readonly sticky?: StickyPolicy;
  readonly retry: RetryPolicy;
  readonly hedge: HedgePolicy;
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
  /** Those of one client address (IPv6: of its /64); past it, new ones are closed at once. */
  readonly connectionsPerAddress: number;
  /** Bytes a second that a body must move at, in both directions, past a grace; 0 is no limit. */
  readonly minimumRate: number;
}

export const accessFormats = ["json", "combined"] as const;
export type AccessFormat = (typeof accessFormats)[number];

/** Which requests are written down, and how. */
export interface AccessLogPolicy {
  /** Absolute; absent: `logs/access.log` in the state directory. */
  readonly file?: string;
  readonly format: AccessFormat;
  /** Share of the requests that went well; what did not is always logged. */
  readonly sampleRatio: number;
  /** Whether queries are written. */
  readonly query: boolean;
  /** A larger file is renamed, */
  readonly rotateBytes: number;
  /** and so many renamed ones are kept. */
  readonly keep: number;
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
  /** Absent: nothing is logged. */
  readonly accessLog?: AccessLogPolicy;
  /** Longest that a draining worker, or a stop, waits for requests under way. */
  readonly drainMs: number;
}

// What all workers counted, as one: the living by their last report, the ended by what they had
// counted when they ended. So no counter goes back when a worker ends. What the table does not name
// any more is left out and forgotten: there are never more numbers than it has routes, services and
// instances.

import type {
  ConcurrencyStats,
  CountsByReason,
  InstanceStats,
  RouteStats,
  ServiceStats,
  WorkerStats,
} from "../../core/measure/gateway-stats.ts";
import { nameRoutes } from "../../core/route/route-names.ts";
import type { RoutingTable } from "../../core/route/table.ts";

export interface GatewayTotals {
  /** Open client connections. */
  readonly connections: number;
  readonly connectionsAccepted: number;
  readonly connectionsRefused: number;
  readonly refusedHeads: number;
  readonly failures: CountsByReason;
  readonly logLines: number;
  readonly logLinesLost: number;
  readonly routes: readonly RouteStats[];
  readonly services: readonly ServiceStats[];
}

const nothing: GatewayTotals = {
  connections: 0,
  connectionsAccepted: 0,
  connectionsRefused: 0,
  refusedHeads: 0,
  failures: {},
  logLines: 0,
  logLinesLost: 0,
  routes: [],
  services: [],
};

export interface Totals {
  /** Nothing else is counted from now on than what is in the table. */
  follow(table: RoutingTable): void;
  /** Of those that have ended. */
  readonly ended: GatewayTotals;
  /** The worker has ended: its counters stay, its gauges go. */
  retire(stats: WorkerStats): void;
  sum(living: readonly WorkerStats[]): GatewayTotals;
}

/** `kept`: of workers that ended before this control started. */
export function createTotals(kept: GatewayTotals = nothing): Totals {
  let ended = kept;
  let isListed: Listing | undefined;
  return {
    get ended() {
      return ended;
    },
    follow: (table) => {
      isListed = listingOf(table);
      ended = only(isListed, ended);
    },
    retire: (stats) => {
      ended = add(ended, only(isListed, withoutGauges(stats)));
    },
    sum: (living) => only(isListed, living.reduce<GatewayTotals>(add, ended)),
  };
}

interface Listing {
  readonly routes: ReadonlySet<string>;
  /** By name, the ids of its instances. */
  readonly services: ReadonlyMap<string, ReadonlySet<string>>;
}

function listingOf(table: RoutingTable): Listing {
  const names = nameRoutes(table);
  const routes = table.routes.map(({ service }, index) => `${names[index] ?? ""} ${service}`);
  const services = table.services.map(
    ({ name, instances }) => [name, new Set(instances.map(({ id }) => id))] as const,
  );
  return { routes: new Set(routes), services: new Map(services) };
}

/** All of it before the first table. */
function only(listing: Listing | undefined, totals: GatewayTotals): GatewayTotals {
  if (listing === undefined) return totals;
  return {
    ...totals,
    routes: totals.routes.filter((route) => listing.routes.has(keyOfRoute(route))),
    services: totals.services.flatMap((service) => {
      const ids = listing.services.get(service.name);
      if (ids === undefined) return [];
      return { ...service, instances: service.instances.filter(({ id }) => ids.has(id)) };
    }),
  };
}

function add(a: GatewayTotals, b: GatewayTotals): GatewayTotals {
  return {
    connections: a.connections + b.connections,
    connectionsAccepted: a.connectionsAccepted + b.connectionsAccepted,
    connectionsRefused: a.connectionsRefused + b.connectionsRefused,
    refusedHeads: a.refusedHeads + b.refusedHeads,
    failures: addReasons(a.failures, b.failures),
    logLines: a.logLines + b.logLines,
    logLinesLost: a.logLinesLost + b.logLinesLost,
    routes: merge(a.routes, b.routes, keyOfRoute, addRoutes),
    services: merge(a.services, b.services, (service) => service.name, addServices),
  };
}

function keyOfRoute({ name, service }: RouteStats): string {
  return `${name} ${service}`;
}

function addRoutes(a: RouteStats, b: RouteStats): RouteStats {
  return {
    name: a.name,
    service: a.service,
    requests: a.requests + b.requests,
    answers: addCounts(a.answers, b.answers),
    failures: addReasons(a.failures, b.failures),
    latency: addCounts(a.latency, b.latency),
    latencySumMs: a.latencySumMs + b.latencySumMs,
  };
}

function addReasons(a: CountsByReason, b: CountsByReason): CountsByReason {
  const sum: Record<string, number> = { ...a };
  for (const [code, count] of Object.entries(b)) sum[code] = (sum[code] ?? 0) + count;
  return sum;
}

function addServices(a: ServiceStats, b: ServiceStats): ServiceStats {
  return {
    name: a.name,
    requests: a.requests + b.requests,
    limited: a.limited + b.limited,
    active: a.active + b.active,
    queued: a.queued + b.queued,
    retries: a.retries + b.retries,
    retriedFor: addReasons(a.retriedFor, b.retriedFor),
    hedges: a.hedges + b.hedges,
    refused: a.refused + b.refused,
    lost: a.lost + b.lost,
    serverErrors: a.serverErrors + b.serverErrors,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    latency: addCounts(a.latency, b.latency),
    ...addConcurrency(a.concurrency, b.concurrency),
    instances: merge(a.instances, b.instances, (instance) => instance.id, addInstances),
  };
}

/** Each worker lets in by its own limit, and finds the same baseline out; the largest is told. */
function addConcurrency(
  a: ConcurrencyStats | undefined,
  b: ConcurrencyStats | undefined,
): Pick<ServiceStats, "concurrency"> {
  const only = a === undefined ? b : a;
  if (a === undefined || b === undefined) return only === undefined ? {} : { concurrency: only };
  return {
    concurrency: {
      limit: a.limit + b.limit,
      waiting: a.waiting + b.waiting,
      baselineMs: Math.max(a.baselineMs, b.baselineMs),
    },
  };
}

function addInstances(a: InstanceStats, b: InstanceStats): InstanceStats {
  return {
    id: a.id,
    requests: a.requests + b.requests,
    active: a.active + b.active,
    connectFailures: a.connectFailures + b.connectFailures,
    resets: a.resets + b.resets,
    timeouts: a.timeouts + b.timeouts,
    hedges: a.hedges + b.hedges,
    answers: addCounts(a.answers, b.answers),
    latency: addCounts(a.latency, b.latency),
    latencySumMs: a.latencySumMs + b.latencySumMs,
    ejections: addReasons(a.ejections, b.ejections),
    ejected: a.ejected || b.ejected,
    late: a.late || b.late,
  };
}

function addCounts(a: readonly number[], b: readonly number[]): readonly number[] {
  const longer = a.length >= b.length ? a : b;
  const shorter = longer === a ? b : a;
  return longer.map((count, index) => count + (shorter[index] ?? 0));
}

/** In the order of first appearance. */
function merge<T>(
  a: readonly T[],
  b: readonly T[],
  keyOf: (item: T) => string,
  sum: (a: T, b: T) => T,
): readonly T[] {
  const merged = new Map(a.map((item) => [keyOf(item), item]));
  for (const item of b) {
    const other = merged.get(keyOf(item));
    merged.set(keyOf(item), other === undefined ? item : sum(other, item));
  }
  return [...merged.values()];
}

function withoutGauges(stats: WorkerStats): GatewayTotals {
  return {
    connections: 0,
    connectionsAccepted: stats.connectionsAccepted,
    connectionsRefused: stats.connectionsRefused,
    refusedHeads: stats.refusedHeads,
    failures: stats.failures,
    logLines: stats.logLines,
    logLinesLost: stats.logLinesLost,
    routes: stats.routes,
    services: stats.services.map(withoutGaugesOfService),
  };
}

function withoutGaugesOfService({ concurrency: _gauge, ...service }: ServiceStats): ServiceStats {
  const instances = service.instances.map((one) => ({
    ...one,
    active: 0,
    ejected: false,
    late: false,
  }));
  return { ...service, active: 0, queued: 0, instances };
}

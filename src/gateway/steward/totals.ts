// What all workers counted, as one: the living by their last report, the ended by what they had
// counted when they ended. Counters therefore never go back while this control lives.

import type { InstanceStats, ServiceStats, WorkerStats } from "../../core/measure/gateway-stats.ts";

export interface GatewayTotals {
  /** Open client connections. */
  readonly connections: number;
  readonly connectionsAccepted: number;
  readonly connectionsRefused: number;
  readonly refusedHeads: number;
  readonly services: readonly ServiceStats[];
}

const nothing: GatewayTotals = {
  connections: 0,
  connectionsAccepted: 0,
  connectionsRefused: 0,
  refusedHeads: 0,
  services: [],
};

export interface Totals {
  /** The worker has ended: its counters stay, its gauges go. */
  retire(stats: WorkerStats): void;
  sum(living: readonly WorkerStats[]): GatewayTotals;
}

export function createTotals(): Totals {
  let ended = nothing;
  return {
    retire: (stats) => {
      ended = add(ended, withoutGauges(stats));
    },
    sum: (living) => living.reduce<GatewayTotals>(add, ended),
  };
}

function add(a: GatewayTotals, b: GatewayTotals): GatewayTotals {
  return {
    connections: a.connections + b.connections,
    connectionsAccepted: a.connectionsAccepted + b.connectionsAccepted,
    connectionsRefused: a.connectionsRefused + b.connectionsRefused,
    refusedHeads: a.refusedHeads + b.refusedHeads,
    services: merge(a.services, b.services, (service) => service.name, addServices),
  };
}

function addServices(a: ServiceStats, b: ServiceStats): ServiceStats {
  return {
    name: a.name,
    requests: a.requests + b.requests,
    limited: a.limited + b.limited,
    active: a.active + b.active,
    queued: a.queued + b.queued,
    retries: a.retries + b.retries,
    hedges: a.hedges + b.hedges,
    refused: a.refused + b.refused,
    lost: a.lost + b.lost,
    serverErrors: a.serverErrors + b.serverErrors,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    latency: addCounts(a.latency, b.latency),
    instances: merge(a.instances, b.instances, (instance) => instance.id, addInstances),
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
    services: stats.services.map((service) => ({
      ...service,
      active: 0,
      queued: 0,
      instances: service.instances.map((one) => ({
        ...one,
        active: 0,
        ejected: false,
        late: false,
      })),
    })),
  };
}

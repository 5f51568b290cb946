// Configuration and registry -> routing table. Pure: the same world gives the same table.

import type { Config, GatewayConfig, ListenConfig, ServiceConfig } from "../../config/config.ts";
import {
  type RouteMatch,
  type RoutingTable,
  type TableInstance,
  type TableListener,
  type TableRoute,
  type TableService,
  type ZonePolicy,
} from "../../core/route/table.ts";
import { tableWeights, type Weighed } from "../../core/steer/weights.ts";
import type { InstanceRecord } from "../registry/registry.ts";
import { verdictOf } from "../registry/verdict.ts";

/** What of a table is the gateway's part of the file alone. */
export type TableFrame = Omit<RoutingTable, "version" | "services">;

/** A tcp listener goes its one route without a request to match: and no request may match it. */
const noRequest: RouteMatch = { method: "" };

export function buildTable(
  config: Config & { readonly gateway: GatewayConfig },
  instances: readonly InstanceRecord[],
  version: number,
  epochOf: (service: string) => number,
  frame: TableFrame = tableFrame(config.gateway),
): RoutingTable {
  return {
    version,
    ...frame,
    services: config.services.map((service) =>
      serviceOf(service, instances, epochOf(service.name), config.gateway.zone),
    ),
  };
}

export function tableFrame(gateway: GatewayConfig): TableFrame {
  const { workers, limits, accessLog, drainMs } = gateway;
  const routes: TableRoute[] = [...gateway.routes];
  const listeners = gateway.listen.map((listen) => listenerOf(listen, gateway, routes));
  const log = accessLog === undefined ? {} : { accessLog };
  return { workers, listeners, routes, limits, ...log, drainMs };
}

/** The table of a file that has no gateway any more: nobody listens, what is under way ends. */
export function closedTable(last: RoutingTable, version: number): RoutingTable {
  return { ...last, version, listeners: [], routes: [], services: [] };
}

function listenerOf(
  listen: ListenConfig,
  gateway: GatewayConfig,
  routes: TableRoute[],
): TableListener {
  const { host, port, protocol, service } = listen;
  if (service === undefined) return { host, port, protocol };
  const { balance, retry, hedge, timeouts } = gateway;
  const policy = { balance, retry, hedge, timeouts };
  const tcpRoute = routes.push({ ...policy, match: noRequest, service, rateLimits: [] }) - 1;
  return { host, port, protocol, tcpRoute };
}

function serviceOf(
  service: ServiceConfig,
  instances: readonly InstanceRecord[],
  epoch: number,
  zone: ZonePolicy | undefined,
): TableService {
  const own = instances.filter((record) => record.service === service.name && record.port > 0);
  const { name, detection, slowStartMs, slowStartCurve, overProvision, failover } = service;
  const { maxConnections, queueLength, concurrency } = service;
  const weights = tableWeights(own.map((record) => weighed(record)));
  const standsInFor = new Map(Object.entries(failover.backups).map(([id, backup]) => [backup, id]));
  return {
    name,
    mode: failover.mode,
    epoch,
    detection,
    slowStartMs,
    ...(slowStartCurve === undefined ? {} : { slowStartCurve }),
    overProvision,
    maxConnections,
    queueLength,
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(service.loadReports ? { loadReports: true } : {}),
    ...(service.subset === undefined ? {} : { subset: service.subset }),
    ...(zone === undefined ? {} : { zones: zone }),
    instances: own.map((record, index) => {
      const row = instanceOf(record, weights[index] ?? 1, standsInFor.get(record.id));
      return zone === undefined || record.zone === "" ? row : { ...row, zone: record.zone };
    }),
  };
}

function weighed({ weight, steered, agent }: InstanceRecord): Weighed {
  return { weight, operator: steered?.weight, agentPercent: agent?.weightPercent };
}

/** Without spreading where there is nothing to: it is made for everybody at every change of one. */
function instanceOf(
  record: InstanceRecord,
  weight: number,
  backupOf: string | undefined,
): TableInstance {
  const { id, host, port, backup, priority, generation, share = 1 } = record;
  const verdict = verdictOf(record);
  const row = { id, host, port, weight, backup, generation, share, verdict };
  const maxConnections = record.agent?.maxConnections;
  if (priority === undefined && backupOf === undefined && maxConnections === undefined) return row;
  return {
    ...row,
    ...(priority === undefined ? {} : { priority }),
    ...(backupOf === undefined ? {} : { backupOf }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
  };
}

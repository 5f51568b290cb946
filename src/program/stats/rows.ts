// The rows of HAProxy's statistics out of what control knows and the gateway counted. Pure.
//
// One row FRONTEND for the gateway, and for each service a row for each instance and one BACKEND.
// Where HAProxy's words and Nines' differ: a session is a request; `rate` is the mean of ten
// seconds, not the last one; `wretr` and `wredis` are equal, since a retry goes elsewhere. What
// Nines does not keep (maxima, downtime, averages) is left empty rather than made up.

import type { Config, HealthConfig, ServiceConfig } from "../../config/config.ts";
import type { InstanceRecord } from "../../control/registry/registry.ts";
import { verdictOf } from "../../control/registry/verdict.ts";
import type { InstanceStats, ServiceStats } from "../../core/measure/gateway-stats.ts";
import { quietInstance, quietService } from "../../core/measure/gateway-stats.ts";
import type { RoutingTable, TableInstance } from "../../core/route/table.ts";
import type { GatewayTotals } from "../../gateway/steward/totals.ts";
import type { RateWindow } from "../status/rates.ts";
import type { StatsRow } from "./columns.ts";

export interface StatsInputs {
  readonly config: Config;
  readonly instances: readonly InstanceRecord[];
  readonly totals: GatewayTotals;
  readonly rates: RateWindow;
  readonly table: RoutingTable | undefined;
  readonly nowMs: number;
  readonly wallMs: number;
}

const type = { frontend: 0, backend: 1, server: 2 } as const;
/** HAProxy counts its processes; Nines is one. */
const pid = 1;

export function statsRows(inputs: StatsInputs): readonly StatsRow[] {
  const { config } = inputs;
  return [
    ...(config.gateway === undefined ? [] : [frontend(inputs)]),
    ...config.services.flatMap((service, index) => serviceRows(service, index + 2, inputs)),
  ];
}

function frontend({ config, totals, rates, nowMs }: StatsInputs): StatsRow {
  const { gateway } = config;
  const perSecond = totals.services.map((one) => rates.service(one, nowMs).requestsPerSecond);
  return {
    pxname: "gateway",
    svname: "FRONTEND",
    scur: totals.connections,
    slim: (gateway?.limits.connections ?? 0) * (gateway?.workers ?? 1),
    stot: totals.connectionsAccepted,
    bin: sum(totals.services, ({ bytesIn }) => bytesIn),
    bout: sum(totals.services, ({ bytesOut }) => bytesOut),
    dreq: sum(totals.services, ({ limited }) => limited),
    ereq: totals.refusedHeads,
    status: "OPEN",
    pid,
    iid: 1,
    sid: 0,
    type: type.frontend,
    ...answers(totals.routes),
    req_rate: Math.round(perSecond.reduce((all, one) => all + one, 0)),
    req_tot: sum(totals.routes, ({ requests }) => requests),
    mode: gateway?.listen.some(({ protocol }) => protocol === "http") === true ? "http" : "tcp",
    conn_tot: totals.connectionsAccepted,
    dcon: totals.connectionsRefused,
  };
}

function serviceRows(service: ServiceConfig, iid: number, inputs: StatsInputs): StatsRow[] {
  const { name } = service;
  const counted = inputs.totals.services.find((one) => one.name === name);
  const records = inputs.instances.filter((record) => record.service === name);
  const told = inputs.table?.services.find((one) => one.name === name)?.instances ?? [];
  const servers = records.map((record) => {
    const stats = counted?.instances.find(({ id }) => id === record.id);
    const listed = told.find(({ id }) => id === record.id);
    const perSecond = inputs.rates.instance(counted, record.id, inputs.nowMs);
    const row = server(service, record, listed, stats ?? { ...quietInstance, id: record.id });
    const lastchg = Math.max(0, Math.floor((inputs.wallMs - record.sinceWallMs) / 1000));
    return { ...row, iid, lastchg, rate: Math.round(perSecond) };
  });
  return [...servers, backend(service, iid, servers, counted ?? { ...quietService, name }, inputs)];
}

function server(
  { name, health, maxConnections }: ServiceConfig,
  record: InstanceRecord,
  listed: TableInstance | undefined,
  stats: InstanceStats,
): StatsRow {
  const percent = record.agent?.weightPercent ?? 100;
  // An operator's weight stands in place of what the agent makes of the file's.
  const share = record.steered?.weight === undefined ? percent : 100;
  const weight = listed?.weight ?? record.weight;
  const limit = listed?.maxConnections ?? maxConnections;
  const isBackup = record.backup || (record.priority ?? 0) > 0;
  return {
    pxname: name,
    svname: record.id,
    scur: stats.active,
    ...(limit === 0 ? {} : { slim: limit }),
    stot: stats.requests,
    econ: stats.connectFailures,
    eresp: stats.resets + stats.timeouts,
    status: statusOf(record, health),
    weight: percent === 0 ? 0 : weight,
    act: isBackup ? 0 : 1,
    bck: isBackup ? 1 : 0,
    pid,
    sid: record.ordinal,
    lbtot: stats.requests,
    type: type.server,
    ...answers([stats]),
    ...checkOf(record, health),
    ...agentOf(record),
    ...(record.port === 0 ? {} : { addr: addressOf(record) }),
    ...(percent === 0 ? {} : { uweight: Math.round((weight * 100) / share) }),
  };
}

function backend(
  { name }: ServiceConfig,
  iid: number,
  servers: readonly StatsRow[],
  stats: ServiceStats,
  { config, rates, nowMs }: StatsInputs,
): StatsRow {
  const serving = servers.filter(({ status }) => status === "UP" || status === "no check");
  const add = (rows: readonly StatsRow[], column: "weight" | "act" | "bck") =>
    sum(rows, (row) => Number(row[column] ?? 0));
  const { instances } = stats;
  const counted = answers(instances);
  const route = config.gateway?.routes.find(({ service }) => service === name);
  const isHttp = route !== undefined;
  const isTcp = config.gateway?.listen.some(({ service }) => service === name) === true;
  return {
    pxname: name,
    svname: "BACKEND",
    qcur: stats.queued,
    scur: stats.active,
    ...(stats.concurrency && { slim: stats.concurrency.limit }),
    stot: stats.requests,
    bin: stats.bytesIn,
    bout: stats.bytesOut,
    dreq: stats.limited,
    econ: sum(instances, ({ connectFailures }) => connectFailures),
    eresp: sum(instances, ({ resets, timeouts }) => resets + timeouts),
    wretr: stats.retries,
    wredis: stats.retries,
    status: serving.length > 0 ? "UP" : "DOWN",
    weight: add(serving, "weight"),
    act: add(serving, "act"),
    bck: add(serving, "bck"),
    pid,
    iid,
    sid: 0,
    lbtot: sum(instances, ({ requests }) => requests),
    type: type.backend,
    rate: Math.round(rates.service(stats, nowMs).requestsPerSecond),
    ...counted,
    hrsp_5xx: counted.hrsp_5xx + stats.refused,
    req_tot: stats.requests,
    ...(isHttp || isTcp ? { mode: isHttp ? "http" : "tcp" } : {}),
    ...(route === undefined ? {} : { algo: route.balance.algorithm }),
  };
}

/** HAProxy's words. */
function statusOf(record: InstanceRecord, { check, heartbeat }: HealthConfig): string {
  const { agent, steered } = record;
  if (steered?.forced === "down") return "DOWN (forced)";
  if (agent?.administrative === "maint") return "MAINT";
  const isThere = record.phase === "running" || record.phase === "external";
  switch (verdictOf(record)) {
    case "draining":
      return "DRAIN";
    case "standby":
      return "NOLB";
    case "down":
    case "failing":
      return isThere && agent !== undefined && agent.operating !== "up" ? "DOWN (agent)" : "DOWN";
    case "up":
      return check.kind === "none" && heartbeat === undefined ? "no check" : "UP";
  }
}

function checkOf(record: InstanceRecord, { check, rise, fall }: HealthConfig): StatsRow {
  if (check.kind === "none") return {};
  const text = record.lastCheck ?? "";
  const known = { check_rise: rise, check_fall: fall };
  if (text === "" || text === "not checked yet") return { ...known, check_status: "INI" };
  const code = /^answered (\d{3})\b/.exec(text)?.[1];
  const status =
    record.failingSinceMs === undefined
      ? `${check.kind === "tcp" ? "L4" : "L7"}OK`
      : failureOf(text, check.kind === "tcp" ? "L4" : "L7");
  const answered = code === undefined ? {} : { check_code: Number(code) };
  return { ...known, check_status: status, ...answered, last_chk: text };
}

function failureOf(text: string, layer: "L4" | "L7"): string {
  if (/^answered \d{3}\b/.test(text)) return "L7STS";
  if (/refused|unreachable|no route|not known|ENOTFOUND|EHOST|ENET/i.test(text)) return "L4CON";
  if (text.startsWith("no connection")) return "L4TOUT";
  if (/^no answer|within \d/.test(text)) return `${layer}TOUT`;
  return `${layer}${layer === "L4" ? "CON" : "RSP"}`;
}

function agentOf({ agent, agentHeard }: InstanceRecord): StatsRow {
  if (agent === undefined) return {};
  const health = { agent_rise: 1, agent_fall: 1, agent_health: agent.operating === "up" ? 1 : 0 };
  if (agentHeard === undefined) return { ...health, agent_status: "INI" };
  const said = agent.operating === "up" ? "L7OK" : "L7STS";
  const statuses = { said, refused: "UNK", unreachable: "L4CON", late: "L4TOUT" } as const;
  return { ...health, agent_status: statuses[agentHeard.outcome], last_agt: agentHeard.text };
}

function addressOf({ host, port }: InstanceRecord): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function answers(all: readonly { readonly answers: readonly number[] }[]) {
  const of = (index: number): number => sum(all, (one) => one.answers[index] ?? 0);
  return { hrsp_1xx: of(0), hrsp_2xx: of(1), hrsp_3xx: of(2), hrsp_4xx: of(3), hrsp_5xx: of(4) };
}

function sum<One>(all: readonly One[], value: (one: One) => number): number {
  return all.reduce((total, one) => total + value(one), 0);
}

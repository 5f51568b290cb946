// The status report, put together from what control knows and what the gateway counted. Pure.

import type { Config, ListenConfig, ServiceConfig } from "../../config/config.ts";
import type { DutiesState } from "../../control/backup/duties.ts";
import type { InstanceRecord } from "../../control/registry/registry.ts";
import { healthOf, isDrained } from "../../control/registry/verdict.ts";
import type { Incident } from "../../core/incident/incident.ts";
import type {
  ConcurrencyStats,
  InstanceStats,
  ServiceStats,
  WorkerStats,
} from "../../core/measure/gateway-stats.ts";
import { type Ledger, underWay } from "../../core/deploy/versions.ts";
import { isWithdrawn, sayWithdrawn } from "../../core/steer/agent-state.ts";
import { weightOf } from "../../core/steer/weights.ts";
import type { WorkerState } from "../../gateway/contract.ts";
import { headlineOf } from "../incidents/report.ts";
import type { RateWindow } from "./rates.ts";
import { errorsOf } from "./rates.ts";
import type {
  GatewayReport,
  InstanceReport,
  InstanceState,
  OpenIncidentReport,
  ServiceReport,
  StatusReport,
} from "./report.ts";
import { vaultReport } from "./vault.ts";
import { deployReport } from "./versions.ts";

/** What the gateway's processes last said of themselves. */
export interface GatewayView {
  readonly parent: { readonly pid: number; readonly term: number } | undefined;
  readonly workers: readonly WorkerState[];
  readonly workerStats: readonly WorkerStats[];
  /** Summed over all workers there ever were. */
  readonly totals: readonly ServiceStats[];
  readonly tableVersion: number;
}

export interface StatusInputs {
  readonly version: string;
  readonly stateDirectory: string;
  readonly config: Config;
  readonly instances: readonly InstanceRecord[];
  readonly epochOf: (service: string) => number;
  readonly inMaintenance: (service: string) => boolean;
  /** See Control.removedEndpoints. */
  readonly removedOf: (service: string) => readonly string[];
  readonly gateway: GatewayView;
  readonly rates: RateWindow;
  /** Of the services that Nines starts. */
  readonly ledgers: ReadonlyMap<string, Ledger>;
  readonly incidents: readonly Incident[];
  /** Undefined where the file has no backup. */
  readonly vault: DutiesState | undefined;
  readonly control: { readonly pid: number; readonly term: number; readonly sinceWallMs: number };
  readonly nowMs: number;
  readonly wallMs: number;
}

export function composeStatus(inputs: StatusInputs): StatusReport {
  const { config, control, instances } = inputs;
  const named = new Set(config.services.map(({ name }) => name));
  const leaving = [...new Set(instances.map(({ service }) => service))].filter(
    (name) => !named.has(name),
  );
  return {
    nines: inputs.version,
    at: toIso(inputs.wallMs),
    file: config.file,
    stateDirectory: inputs.stateDirectory,
    control: {
      state: "running",
      pid: control.pid,
      term: control.term,
      since: toIso(control.sinceWallMs),
    },
    gateway: config.gateway === undefined ? null : gatewayReport(config.gateway.listen, inputs),
    services: [
      ...config.services.map((service) => serviceReport(service.name, service, inputs)),
      // No longer in the file, and still being ended.
      ...leaving.map((name) => serviceReport(name, undefined, inputs)),
    ],
    backup: inputs.vault === undefined ? null : vaultReport(inputs.vault),
    incidents: inputs.incidents.flatMap(openIncident),
  };
}

/** None when it is closed. */
function openIncident(incident: Incident): readonly OpenIncidentReport[] {
  const { id, service, state, startedWallMs } = incident;
  if (state === "closed") return [];
  return [{ id, service, state, since: toIso(startedWallMs), headline: headlineOf(incident) }];
}

function gatewayReport(listen: readonly ListenConfig[], inputs: StatusInputs): GatewayReport {
  const { parent, workers, workerStats, tableVersion } = inputs.gateway;
  return {
    addresses: listen.map(addressOf),
    parent: parent === undefined ? null : { pid: parent.pid, term: parent.term },
    workers: workers.map((worker) => {
      const stats = workerStats.find((one) => one.worker === worker.worker);
      return {
        worker: worker.worker,
        pid: worker.pid,
        state: worker.state,
        connections: stats?.connections ?? 0,
        tableVersion: stats?.tableVersion ?? 0,
        residentBytes: stats?.residentBytes ?? 0,
        since: toIso(worker.sinceWallMs),
      };
    }),
    tableVersion,
  };
}

/** "http://127.0.0.1:8080": how somebody on this machine reaches a listener. */
export function addressOf({ host, port, protocol }: ListenConfig): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "localhost" : host;
  const shown = reachable.includes(":") ? `[${reachable}]` : reachable;
  return `${protocol}://${shown}:${port}`;
}

function serviceReport(
  name: string,
  config: ServiceConfig | undefined,
  inputs: StatusInputs,
): ServiceReport {
  const totals = inputs.gateway.totals.find((service) => service.name === name);
  const rates = inputs.rates.service(totals, inputs.nowMs);
  const records = inputs.instances.filter(({ service }) => service === name);
  const backups = Object.entries(config?.failover.backups ?? {});
  const instances = records.map((record) => {
    const standsInFor = backups.find(([, backup]) => backup === record.id)?.[0];
    return instanceReport(record, standsInFor, totals, inputs);
  });
  const ledger = inputs.ledgers.get(name);
  const deploy = ledger && underWay(ledger);
  return {
    name,
    kind:
      records[0]?.origin === "endpoint" || config?.kind === "endpoints" ? "endpoints" : "command",
    mode: config?.failover.mode ?? "active-active",
    primary: primaryOf(config, records),
    epoch: inputs.epochOf(name),
    // Only a primary is moved by control: nothing else is held where it is.
    maintenance: config?.failover.mode === "primary-standby" && inputs.inMaintenance(name),
    up: instances.filter(({ state }) => state === "up" || state === "standby").length,
    wanted: config === undefined ? 0 : wantedOf(config, records),
    requestsPerSecond: round(rates.requestsPerSecond),
    errorsPerSecond: round(rates.errorsPerSecond),
    p50Ms: rates.p50Ms ?? null,
    p99Ms: rates.p99Ms ?? null,
    errors: totals === undefined ? 0 : errorsOf(totals),
    retries: totals?.retries ?? 0,
    queued: totals?.queued ?? 0,
    concurrency: concurrencyReport(totals?.concurrency),
    restarts: records.reduce((sum, { restarts }) => sum + restarts, 0),
    version: ledger?.inForce ?? null,
    deploy: deploy === undefined ? null : deployReport(deploy),
    instances,
    removed: inputs.removedOf(name),
  };
}

function concurrencyReport(found: ConcurrencyStats | undefined): ServiceReport["concurrency"] {
  if (found === undefined) return null;
  const { limit, waiting, baselineMs } = found;
  return { limit, waiting, baselineMs: baselineMs === 0 ? null : round(baselineMs) };
}

function primaryOf(
  config: ServiceConfig | undefined,
  records: readonly InstanceRecord[],
): string | null {
  if (config?.failover.mode !== "primary-standby") return null;
  return records.find(({ standing }) => standing !== "standby")?.id ?? null;
}

/** An operator adds and removes instances: what there is and is not leaving is wanted. */
function wantedOf(config: ServiceConfig, records: readonly InstanceRecord[]): number {
  if (config.kind === "endpoints") return records.length;
  const staying = records.filter(({ phase }) => phase !== "stopping" && phase !== "stopped");
  return Math.max(config.replicas.min, staying.length);
}

function instanceReport(
  record: InstanceRecord,
  standsInFor: string | undefined,
  totals: ServiceStats | undefined,
  inputs: StatusInputs,
): InstanceReport {
  const stats = totals?.instances.find(({ id }) => id === record.id);
  return {
    id: record.id,
    state: stateOf(record),
    why: whyOf(record, standsInFor),
    since: toIso(record.sinceWallMs),
    pid: record.pid ?? null,
    address: record.port === 0 ? null : `${record.host}:${record.port}`,
    requestsPerSecond: round(inputs.rates.instance(totals, record.id, inputs.nowMs)),
    errors: stats === undefined ? 0 : errorsOfInstance(stats),
    restarts: record.restarts,
    version: record.version ?? null,
    share: record.share ?? 1,
    ...weightReport(record),
    forced: record.steered?.forced ?? null,
    agent: record.agentHeard?.text ?? null,
    added: record.added ?? false,
  };
}

function weightReport(record: InstanceRecord): Pick<InstanceReport, "weight" | "weightBy"> {
  const { weight, steered, agent } = record;
  const operator = steered?.weight;
  const agentPercent = agent?.weightPercent;
  const by = agentPercent === undefined || agentPercent === 100 ? "file" : "agent";
  return {
    weight: round(weightOf({ weight, operator, agentPercent })),
    weightBy: operator === undefined ? by : "operator",
  };
}

export function stateOf(record: InstanceRecord): InstanceState {
  switch (record.phase) {
    case "external":
    case "running":
      if (record.steered?.forced === "down") return "down";
      if (isDrained(record)) return "draining";
      if (healthOf(record) === "unknown") return "starting";
      if (healthOf(record) === "down") return "down";
      if (record.standing === "leaving") return "draining";
      return record.standing === "standby" ? "standby" : "up";
    case "launching":
      return "starting";
    case "waiting":
    case "starting":
    case "draining":
    case "stopping":
    case "backoff":
    case "crash-loop":
    case "stopped":
      return record.phase;
  }
}

/** Somebody's word outlasts what happens to the instance meanwhile, and is why it gets nothing. */
function whyOf(record: InstanceRecord, standsInFor: string | undefined): string {
  const { id, phase, draining, agent, why, standingWhy } = record;
  const stays = phase === "external" || phase === "running";
  const forced = record.steered?.forced;
  if (stays && forced !== undefined) return `${id} is ${forced}: an operator forced it`;
  if (stays && draining) return `${id} gets no new traffic: an operator drained it`;
  if (stays && agent !== undefined && isWithdrawn(agent)) {
    return `${id} gets no new traffic: its agent says ${sayWithdrawn(agent)}`;
  }
  if (!stays || healthOf(record) !== "up") return why;
  if (standingWhy !== "") return standingWhy;
  return standsInFor === undefined ? why : `${id} gets traffic while ${standsInFor} gets none`;
}

function errorsOfInstance(stats: InstanceStats): number {
  return (stats.answers[4] ?? 0) + stats.connectFailures + stats.resets + stats.timeouts;
}

function toIso(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

// A StatusReport as a person reads it: who runs, in what state, and why, in one dense table.
//
// Pure: report, width and colour in, text out. Instances stand indented under their service.
// Numbers keep their columns; `why`, which one came for, takes all that is left of the width.

import type {
  GatewayReport,
  InstanceReport,
  OpenIncidentReport,
  ServiceReport,
  StatusReport,
  VaultReport,
} from "./report.ts";
import { sayVault } from "./vault.ts";

export interface TableOptions {
  /** Columns of the terminal; Infinity where nobody counts them. */
  readonly width: number;
  readonly colour: boolean;
  readonly nowMs: number;
}

type Paint = (text: string) => string;
interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

const heads = [
  "SERVICE",
  "PID",
  "STATE",
  "SINCE",
  "REQ/S",
  "P50",
  "P99",
  "ERR",
  "RST",
  "WHY",
] as const;
const leftAligned: ReadonlySet<string> = new Set(["SERVICE", "STATE"]);
const WHY = heads.length - 1;
const WHY_WIDTH_MIN = 20;
const GAP = "  ";

export function renderStatus(report: StatusReport, options: TableOptions): string {
  const paints = palette(options.colour);
  const lines = [controlLine(report, options, paints)];
  if (report.gateway !== null) lines.push(...gatewayLines(report.gateway, options.width));
  if (report.backup !== null) lines.push(...vaultLines(report.backup, options, paints));
  for (const incident of report.incidents) lines.push(incidentLine(incident, options, paints));
  lines.push("");
  if (report.services.length === 0) lines.push("No services.");
  else lines.push(...table(report, options, paints));
  return `${lines.join("\n")}\n`;
}

function controlLine(report: StatusReport, options: TableOptions, paints: Palette): string {
  const { state, pid, term, since } = report.control;
  if (state === "not-running") {
    const lead = paints.bad("Control is not running.");
    const nothing = report.gateway === null && report.services.length === 0;
    if (nothing) return `${lead} Nothing else does, either.`;
    if (!somethingLives(report)) {
      return `${lead} All that it started has ended, too; \`nines up\` starts it again.`;
    }
    return `${lead} What it started goes on without it; \`nines up\` takes it over again.`;
  }
  if (state === "not-answering") {
    const lead = paints.bad(`Control does not answer (pid ${pid}).`);
    return `${lead} What it started goes on without it; \`nines down\` would end all.`;
  }
  const age = since === null ? "" : `, since ${formatAge(Date.parse(since), options.nowMs)}`;
  return `control  pid ${pid}, term ${term}${age}  ${report.file ?? ""}`.trimEnd();
}

function incidentLine(
  { id, since, state, headline }: OpenIncidentReport,
  { width, nowMs }: TableOptions,
  paints: Palette,
): string {
  const age = formatAge(Date.parse(since), nowMs);
  const line = shorten(`incident ${id}, began ${age} ago: ${headline}`, width);
  return state === "recovered" ? paints.warn(line) : paints.bad(line);
}

function vaultLines(
  backup: VaultReport,
  { width, nowMs }: TableOptions,
  paints: Palette,
): readonly string[] {
  const stale = backup.sources.filter((source) => source.stale);
  const isFailing = backup.duties.some(({ failures }) => failures > 0);
  const line = shorten(`backup  ${sayVault(backup, nowMs)}`, width);
  return [
    isFailing ? paints.warn(line) : line,
    ...stale.map(({ why }) => paints.bad(shorten(`backup  STALE: ${why}`, width))),
  ];
}

function somethingLives({ gateway, services }: StatusReport): boolean {
  const instances = services.flatMap((service) => service.instances);
  return gateway !== null || instances.some(({ state }) => state !== "ended");
}

function gatewayLines(gateway: GatewayReport, width: number): string[] {
  const parent =
    gateway.parent === null
      ? "no parent"
      : `parent pid ${gateway.parent.pid}, term ${gateway.parent.term}`;
  const lead = `gateway  ${parent}`;
  const lines = [`${lead}  ${gateway.addresses.join("  ")}`.trimEnd()];
  const workers = gateway.workers.map((worker) => {
    const state = worker.state === "serving" ? "" : ` ${worker.state}`;
    return `${worker.worker}: pid ${worker.pid}${state}, ${count(worker.connections, "connection")}`;
  });
  let line = "";
  for (const worker of workers) {
    if (line !== "" && line.length + GAP.length + worker.length > width - 9) {
      lines.push(`workers  ${line}`);
      line = "";
    }
    line = line === "" ? worker : `${line}${GAP}${worker}`;
  }
  lines.push(line === "" ? "workers  none" : `workers  ${line}`);
  return lines;
}

function table(report: StatusReport, options: TableOptions, paints: Palette): string[] {
  const rows: Cell[][] = [heads.map((text) => ({ text, paint: paints.soft }))];
  for (const service of report.services) {
    rows.push(serviceRow(service, paints));
    for (const instance of service.instances) rows.push(instanceRow(instance, options, paints));
  }
  const widths = heads.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] as Cell).text.length)),
  );
  const taken = widths.slice(0, WHY).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[WHY] = Math.max(WHY_WIDTH_MIN, options.width - taken);
  return rows.map((row) => renderRow(row, widths));
}

function renderRow(row: readonly Cell[], widths: readonly number[]): string {
  const cells = row.map((cell, column) => {
    const text = shorten(cell.text, widths[column] ?? 0);
    const shown = column === WHY ? text : pad(text, column, widths[column] ?? 0);
    return cell.paint === undefined ? shown : cell.paint(shown);
  });
  return cells.join(GAP).trimEnd();
}

function pad(text: string, column: number, width: number): string {
  return leftAligned.has(heads[column] ?? "") ? text.padEnd(width) : text.padStart(width);
}

function serviceRow(service: ServiceReport, paints: Palette): Cell[] {
  const all = service.up >= service.wanted;
  const paint = all ? paints.good : service.up === 0 ? paints.bad : paints.warn;
  return [
    { text: service.name, paint: paints.bold },
    { text: "" },
    { text: `${service.up}/${service.wanted} up`, paint },
    { text: "" },
    { text: formatRate(service.requestsPerSecond) },
    { text: formatLatency(service.p50Ms) },
    { text: formatLatency(service.p99Ms) },
    { text: `${service.errors}` },
    { text: `${service.restarts}` },
    { text: remarks(service) },
  ];
}

function remarks(service: ServiceReport): string {
  const noPrimary = service.mode === "primary-standby" && service.primary === null;
  const remarked = [
    noPrimary ? "no primary" : "",
    service.maintenance ? "in maintenance: nobody takes over by itself" : "",
    waiting(service.queued),
    deploying(service),
  ];
  return remarked.filter((remark) => remark !== "").join("; ");
}

/** "web goes back to version 3: …" without its name, which is in the row already. */
function deploying({ name, deploy }: ServiceReport): string {
  if (deploy === null) return "";
  return `deploy: ${deploy.why.replace(new RegExp(`^${name}:? `), "")}`;
}

function waiting(requests: number): string {
  if (requests === 0) return "";
  return `${count(requests, "request")} ${requests === 1 ? "waits" : "wait"} for an instance`;
}

function instanceRow(instance: InstanceReport, options: TableOptions, paints: Palette): Cell[] {
  return [
    { text: `  ${instance.id}` },
    { text: instance.pid === null ? "-" : `${instance.pid}` },
    { text: instance.state, paint: paintOfState(instance, paints) },
    { text: instance.since === null ? "-" : formatAge(Date.parse(instance.since), options.nowMs) },
    { text: formatRate(instance.requestsPerSecond) },
    { text: "" },
    { text: "" },
    { text: `${instance.errors}` },
    { text: `${instance.restarts}` },
    { text: withoutName(instance) },
  ];
}

function paintOfState(instance: InstanceReport, paints: Palette): Paint {
  switch (instance.state) {
    case "up":
    case "alive":
      return paints.good;
    case "down":
    case "backoff":
    case "crash-loop":
    case "ended":
      return paints.bad;
    case "waiting":
    case "standby":
    case "starting":
    case "draining":
    case "stopping":
    case "stopped":
      return paints.warn;
  }
}

/** "web-1 is ready: …" as "is ready: …": its name is in the row already. */
function withoutName({ id, why }: InstanceReport): string {
  return why.startsWith(`${id} `) ? why.slice(id.length + 1) : why;
}

export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1)).trimEnd()}…`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : `${Math.round(perSecond)}`;
}

function formatLatency(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 10) return `${ms.toFixed(1)}ms`;
  return ms < 10_000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

/** "42s", "3m", "5h12m", "9d": how long ago. */
export function formatAge(thenMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - thenMs) / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d`;
}

interface Palette {
  readonly good: Paint;
  readonly warn: Paint;
  readonly bad: Paint;
  readonly soft: Paint;
  readonly bold: Paint;
}

function palette(colour: boolean): Palette {
  const paint = (code: number) => (text: string) =>
    colour && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { good: paint(32), warn: paint(33), bad: paint(31), soft: paint(2), bold: paint(1) };
}

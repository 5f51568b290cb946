// What a service's `failover` says of its instances: that there are such, and enough of them.

import type { WrittenFailover } from "./failover-schema.ts";
import { nearest, type Path } from "./problems.ts";
import type { WrittenService } from "./service-schema.ts";
import { printAddress, printDuration } from "./units.ts";

export interface FailoverFinding {
  readonly level: "error" | "warning";
  readonly path: Path;
  readonly what: string;
  readonly remedy: string;
}

/** `path` is that of the service, whose last part is its name. */
export function checkFailover(path: Path, value: WrittenService): readonly FailoverFinding[] {
  const { failover } = value;
  const below = [...path, "failover"];
  const ids = instancesOf(String(path.at(-1)), value);
  return [
    ...checkMode(below, value, ids.length),
    ...namesIn(below, failover).flatMap(({ path: at, id }) => checkName(at, id, ids)),
    ...checkBackups([...below, "backups"], failover),
    ...checkDrain([...below, "drain"], failover),
  ];
}

/** Every id that an instance may have, a service scaled to its most. */
function instancesOf(name: string, { replicas, endpoints }: WrittenService): readonly string[] {
  if (endpoints !== undefined) {
    return endpoints.map(({ address }) => `${name}-${printAddress(address)}`);
  }
  const most = typeof replicas === "number" ? replicas : replicas.max;
  return Array.from({ length: most }, (_one, index) => `${name}-${index + 1}`);
}

function checkMode(
  path: Path,
  { failover, endpoints, health }: WrittenService,
  instances: number,
): readonly FailoverFinding[] {
  const { mode, order, backups } = failover;
  const findings: FailoverFinding[] = [];
  const add = (level: FailoverFinding["level"], key: string, what: string, remedy: string) =>
    findings.push({ level, path: [...path, key], what, remedy });
  if (mode === "primary-standby" && instances < 2) {
    add("warning", "mode", "has nobody to take over", "Give the service two instances or more.");
  }
  if (mode === "primary-standby" && isCheckedByTcpAlone(health)) {
    const what =
      "cannot find a primary that hangs: `tcp` passes while its kernel takes connections";
    const remedy = "Add `health: { http: /healthz }`, a `command` that asks it, or a `heartbeat`.";
    add("warning", "mode", what, remedy);
  }
  if (mode === "hot-standby" && Object.keys(backups).length === 0) {
    add("error", "mode", "needs `backups`", "Add `backups: { web-1: web-2 }` with your names.");
  }
  if (mode !== "hot-standby" && Object.keys(backups).length > 0) {
    add("error", "backups", "is for `mode: hot-standby`", "Leave it out, or write that mode.");
  }
  if (mode !== "primary-standby" && order !== undefined) {
    add("error", "order", "is for `mode: primary-standby`", "Leave it out, or write that mode.");
  }
  if (mode === "primary-standby" && endpoints?.some(({ backup }) => backup) === true) {
    const what = "stands beside endpoints with `backup: true`";
    add("error", "mode", what, "Leave `backup` out; `order` says who comes first.");
  }
  return findings;
}

function isCheckedByTcpAlone({
  http,
  command,
  grpc,
  heartbeat,
}: WrittenService["health"]): boolean {
  const others = [http, command, grpc === false ? undefined : grpc, heartbeat];
  return others.every((other) => other === undefined);
}

function namesIn(
  path: Path,
  { order = [], backups }: WrittenFailover,
): readonly { readonly path: Path; readonly id: string }[] {
  return [
    ...order.map((id, index) => ({ path: [...path, "order", index], id })),
    ...Object.entries(backups).flatMap(([id, backup]) => [
      { path: [...path, "backups", id], id },
      { path: [...path, "backups", id], id: backup },
    ]),
  ];
}

function checkName(path: Path, id: string, ids: readonly string[]): readonly FailoverFinding[] {
  if (ids.includes(id)) return [];
  const meant = nearest(id, ids);
  const known = `There are ${ids.slice(0, 10).join(", ")}.`;
  const remedy = meant === undefined ? known : `Did you mean "${meant}"?`;
  return [{ level: "error", path, what: `names "${id}", which is no instance of it`, remedy }];
}

/** One stands in for one: a chain or a circle would have nobody to end it. */
function checkBackups(path: Path, { backups }: WrittenFailover): readonly FailoverFinding[] {
  const findings: FailoverFinding[] = [];
  const taken = new Set<string>();
  for (const [id, backup] of Object.entries(backups)) {
    const what = taken.has(backup)
      ? `gives ${backup} a second instance to stand in for`
      : backup in backups
        ? `names ${backup}, which has a backup of its own`
        : undefined;
    taken.add(backup);
    const remedy = "Give each an instance of its own that stands in for nobody else.";
    if (what !== undefined) findings.push({ level: "error", path: [...path, id], what, remedy });
  }
  return findings;
}

const QUEUE_MS = 5_000;

function checkDrain(path: Path, { drain, mode }: WrittenFailover): readonly FailoverFinding[] {
  if (mode !== "primary-standby" || drain < QUEUE_MS) return [];
  const what = `is not shorter than ${printDuration(QUEUE_MS)}, for which requests wait by default`;
  const remedy = "Make it shorter, or `gateway.timeouts.queue` longer.";
  return [{ level: "warning", path, what, remedy }];
}

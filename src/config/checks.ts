// What no field can know by itself: what the parts of a file say of each other.
//
// Each service, listener and route is read on its own, so that one with a mistake in it does not
// hide the mistakes of the others: all are said at once. A check passes over what it cannot read;
// the schema has refused that already. Checks of names use all names, also of services with
// mistakes.

import type { z } from "zod";
import { admin } from "./admin-schema.ts";
import { valueAt } from "./explain.ts";
import { checkBackup } from "./backup-checks.ts";
import { checkFailover } from "./failover-checks.ts";
import { listener, route, type WrittenListener, type WrittenRoute } from "./gateway-schema.ts";
import { idleKeys } from "./idle-keys.ts";
import { checkPredict } from "./predict-checks.ts";
import { nearest, type Path, type Problem } from "./problems.ts";
import { laterKeys } from "./schema.ts";
import { commandOnlyKeys, service, type WrittenService } from "./service-schema.ts";
import { printAddress, printDuration } from "./units.ts";

const SERVICES_MAX = 256;

/** A problem whose line is not looked up yet. */
export interface Finding extends Pick<Problem, "level" | "path" | "what" | "remedy"> {
  readonly part: "key" | "value";
}

interface Placed<Value> {
  readonly path: Path;
  readonly value: Value;
}

type PlainMap = Readonly<Record<string, unknown>>;

interface Parts {
  readonly file: unknown;
  /** All services by name, with the map that stands there, also where it has mistakes. */
  readonly written: ReadonlyMap<string, PlainMap | undefined>;
  readonly services: readonly Placed<WrittenService>[];
  readonly listeners: readonly Placed<WrittenListener>[];
  readonly routes: readonly Placed<WrittenRoute>[];
}

export function checkParts(file: unknown): readonly Finding[] {
  const parts = readParts(file);
  return [
    ...[...parts.written].flatMap(([name, written]) => checkKeys(name, written)),
    ...checkCount(parts),
    ...parts.services.flatMap(checkService),
    ...parts.services.flatMap(({ path, value }) =>
      idleKeys(file, path, value).map((one) => warning(one.path, one.what, one.remedy)),
    ),
    ...checkNames(parts),
    ...checkCycles(parts),
    ...checkListeners(parts),
    ...checkAdmin(parts),
    ...checkRoutes(parts),
    ...[
      ...checkBackup(valueAt(file, ["backup"])),
      ...checkPredict(valueAt(file, ["predict"]), parts.services),
    ].map((finding) => ({
      ...finding,
      level: "error" as const,
      part: "value" as const,
    })),
  ];
}

function readParts(file: unknown): Parts {
  const entries = Object.entries(asMap(valueAt(file, ["services"])) ?? {});
  const written = new Map(entries.map(([name, value]) => [name, asMap(value)]));
  const services = [...written].map(([name, value]) => ({ path: ["services", name], value }));
  return {
    file,
    written,
    services: readable(service, services),
    listeners: readable(listener, listAt(file, ["gateway", "listen"])),
    routes: readable(route, listAt(file, ["gateway", "routes"])),
  };
}

function readable<Value>(
  schema: z.ZodType<Value>,
  parts: readonly Placed<unknown>[],
): readonly Placed<Value>[] {
  return parts.flatMap(({ path, value }) => {
    const read = schema.safeParse(value);
    return read.success ? [{ path, value: read.data }] : [];
  });
}

function asMap(value: unknown): PlainMap | undefined {
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  return isMap ? (value as PlainMap) : undefined;
}

function listAt(file: unknown, path: Path): readonly Placed<unknown>[] {
  const value = valueAt(file, path);
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, index) => ({ path: [...path, index], value: item }));
}

function error(path: Path, what: string, remedy: string, part: "key" | "value" = "value"): Finding {
  return { level: "error", path, what, remedy, part };
}

function warning(path: Path, what: string, remedy: string): Finding {
  return { level: "warning", path, what, remedy, part: "key" };
}

/** What makes it a service: exactly one of `command` and `endpoints`, and only keys that go with
 * it. */
function checkKeys(name: string, written: PlainMap | undefined): readonly Finding[] {
  if (written === undefined) return [];
  const path = ["services", name];
  const [command, endpoints] = ["command" in written, "endpoints" in written];
  if (command && endpoints) {
    const remedy = "Keep `command` for what Nines runs, or `endpoints` for what runs elsewhere.";
    return [error([...path, "endpoints"], "stands beside `command`", remedy, "key")];
  }
  if (endpoints) {
    return commandOnlyKeys
      .filter((key) => key in written)
      .map((key) => error([...path, key], "means nothing for `endpoints`", "Leave it out.", "key"));
  }
  if (command || laterKeys["services.*"]?.some((key) => key in written)) return [];
  const what = "has neither `command` nor `endpoints`";
  return [error(path, what, "Add `command:` with what to run.", "key")];
}

function checkCount({ file, written }: Parts): readonly Finding[] {
  const count = written.size;
  if (count > SERVICES_MAX) {
    const what = `has ${count} services, more than ${SERVICES_MAX}`;
    return [error(["services"], what, "Divide them over several files.")];
  }
  const stands = valueAt(file, ["services"]);
  const isOther = stands !== undefined && asMap(stands) === undefined;
  // A machine may do nothing but back up.
  const isVault = valueAt(file, ["backup"]) !== undefined;
  if (count > 0 || isOther || isVault || asMap(file) === undefined) return [];
  const what = stands === undefined ? "is missing" : "is empty";
  return [error(["services"], what, "Add a service: its name, and `command:` below it.")];
}

function checkService({ path, value }: Placed<WrittenService>): readonly Finding[] {
  return [
    ...checkHealth([...path, "health"], value),
    ...checkEndpoints([...path, "endpoints"], value.endpoints ?? []),
    ...checkDetection([...path, "detection"], value),
    ...checkConcurrency([...path, "concurrency"], value),
    ...checkRunning(path, value),
    ...checkFailover(path, value).map((finding) => ({ ...finding, part: "value" as const })),
    ...checkDeploy([...path, "deploy"], value),
    ...notActedOn(path, value),
  ];
}

function checkDetection(path: Path, { detection }: WrittenService): readonly Finding[] {
  const { ejection, ejectionMax } = detection;
  if (ejection <= ejectionMax) return [];
  const what = `is shorter than \`ejection\`, ${printDuration(ejection)}`;
  return [error([...path, "ejectionMax"], what, "Make it at least as long.")];
}

function checkConcurrency(path: Path, { concurrency }: WrittenService): readonly Finding[] {
  if (concurrency === undefined || concurrency.min <= concurrency.max) return [];
  return [error([...path, "max"], `is below \`min\`, ${concurrency.min}`, "Make it as large.")];
}

function checkHealth(path: Path, { health, endpoints }: WrittenService): readonly Finding[] {
  const findings: Finding[] = [];
  const ways = (["http", "tcp", "command", "grpc"] as const).filter(
    (way) => health[way] !== undefined && health[way] !== false,
  );
  for (const way of ways.slice(1)) {
    const remedy = "Keep one of them; `tcp` proves least.";
    findings.push(error([...path, way], `stands beside \`${ways[0]}\``, remedy, "key"));
  }
  if (ways.length === 0 && health.tcp === false && health.heartbeat === undefined) {
    const remedy = "Leave it out, or add `http` with a path.";
    findings.push(error([...path, "tcp"], "leaves no way to check", remedy));
  }
  if (endpoints !== undefined && health.heartbeat !== undefined) {
    const remedy = "Leave it out: what Nines did not start cannot be told where to beat.";
    findings.push(error([...path, "heartbeat"], "means nothing for `endpoints`", remedy, "key"));
  }
  if (health.expectBody !== undefined && health.http === undefined) {
    const remedy = "Add `http` with a path.";
    findings.push(error([...path, "expectBody"], "is for an `http` check", remedy, "key"));
  }
  for (const key of ["timeout", "fastInterval"] as const) {
    const written = health[key];
    if (written === undefined || written <= health.interval) continue;
    const interval = printDuration(health.interval);
    const what = `is longer than the interval of ${interval}`;
    findings.push(warning([...path, key], what, `Make it ${interval} or less.`));
  }
  return findings;
}

function checkEndpoints(
  path: Path,
  endpoints: NonNullable<WrittenService["endpoints"]>,
): readonly Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const [index, endpoint] of endpoints.entries()) {
    const address = printAddress(endpoint.address);
    if (seen.has(address)) {
      const remedy = "Leave it out; `weight` gives an endpoint a larger share.";
      findings.push(error([...path, index], `names ${address} a second time`, remedy));
    }
    seen.add(address);
  }
  if (endpoints.length > 0 && endpoints.every(({ backup }) => backup)) {
    const what = "are all backups";
    findings.push(warning(path, what, "Leave `backup` out where traffic should go at first."));
  }
  return findings;
}

function checkRunning(path: Path, value: WrittenService): readonly Finding[] {
  const findings: Finding[] = [];
  const { replicas, restart, port } = value;
  const most = typeof replicas === "number" ? replicas : replicas.max;
  if (typeof replicas !== "number" && replicas.min > replicas.max) {
    const what = `is ${replicas.min}, more than max, which is ${replicas.max}`;
    findings.push(error([...path, "replicas", "min"], what, "Make max at least min."));
  }
  if (port > 0 && port + most - 1 > 65535) {
    const what = `leaves no ports for ${most} instances: they count up to ${port + most - 1}`;
    findings.push(error([...path, "port"], what, `Write ${65536 - most} or less.`));
  }
  if (restart.backoff > restart.backoffMax) {
    const what = `is longer than backoffMax, which is ${printDuration(restart.backoffMax)}`;
    findings.push(
      error([...path, "restart", "backoff"], what, "Make backoffMax at least as long."),
    );
  }
  return findings;
}

function checkDeploy(path: Path, { deploy, failover }: WrittenService): readonly Finding[] {
  const { maxSurge, maxUnavailable, canary } = deploy;
  const findings: Finding[] = [];
  if (canary.length > 0 && failover?.mode === "primary-standby") {
    const what = "has no meaning while one instance takes all traffic";
    findings.push(error([...path, "canary"], what, "Leave it out."));
  }
  if (isNothing(maxSurge) && isNothing(maxUnavailable)) {
    const what = "is 0 while maxSurge is 0: no instance could ever be replaced";
    findings.push(error([...path, "maxUnavailable"], what, "Make one of the two at least 1."));
  }
  for (const [index, share] of canary.entries()) {
    if (share > (canary[index - 1] ?? 0)) continue;
    const remedy = "Write the shares in growing order.";
    findings.push(error([...path, "canary", index], "is not more than the step before it", remedy));
  }
  return findings;
}

function isNothing(amount: WrittenService["deploy"]["maxSurge"]): boolean {
  return ("count" in amount ? amount.count : amount.ratio) === 0;
}

function notActedOn(path: Path, value: WrittenService): readonly Finding[] {
  return (["scale", "slo"] as const)
    .filter((key) => value[key] !== undefined)
    .map((key) =>
      warning([...path, key], "is not acted on by this version", "Keep it for a later version."),
    );
}

/** Every name of a service that the file uses, where it uses it. */
function checkNames({ file, written }: Parts): readonly Finding[] {
  const names = [...written.keys()];
  const used: Placed<unknown>[] = [];
  for (const part of ["listen", "routes"]) {
    for (const { path, value } of listAt(file, ["gateway", part])) {
      used.push({ path: [...path, "service"], value: valueAt(value, ["service"]) });
    }
  }
  for (const [name, value] of written) {
    for (const needed of dependenciesOf(["services", name], value)) used.push(needed);
  }
  for (const name of Object.keys(asMap(valueAt(file, ["predict", "services"])) ?? {})) {
    used.push({ path: ["predict", "services", name], value: name });
  }
  return used.flatMap(({ path, value }) => {
    if (typeof value !== "string" || written.has(value)) return [];
    const meant = nearest(value, names);
    const known =
      names.length === 0 ? "There are none." : `There are ${names.slice(0, 10).join(", ")}.`;
    const remedy = meant === undefined ? known : `Did you mean "${meant}"?`;
    return [error(path, `names ${JSON.stringify(value)}, which is no service here`, remedy)];
  });
}

function dependenciesOf(path: Path, written: PlainMap | undefined): readonly Placed<unknown>[] {
  const dependsOn = written?.["dependsOn"];
  const below = [...path, "dependsOn"];
  if (!Array.isArray(dependsOn)) return [{ path: below, value: dependsOn }];
  return dependsOn.map((value: unknown, index) => ({ path: [...below, index], value }));
}

/** Each circle of `dependsOn` once, at the first of its services. */
function checkCycles({ written }: Parts): readonly Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  const visit = (name: string, above: readonly string[]): void => {
    const start = above.indexOf(name);
    if (start >= 0) {
      const circle = [...above.slice(start), name];
      const path = ["services", name, "dependsOn"];
      const what = `goes round in a circle: ${circle.join(" -> ")}`;
      findings.push(error(path, what, "Leave one of these out; none of them could start."));
      return;
    }
    if (done.has(name)) return;
    for (const { value } of dependenciesOf([], written.get(name))) {
      if (typeof value === "string" && written.has(value)) visit(value, [...above, name]);
    }
    done.add(name);
  };
  for (const name of written.keys()) visit(name, []);
  return findings;
}

function checkListeners({ listeners }: Parts): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [index, { path, value }] of listeners.entries()) {
    const { protocol } = value;
    if (protocol === "tcp" && value.service === undefined) {
      const remedy = "Add `service:` with the service that takes its connections.";
      findings.push(error(path, "is a tcp listener without a service", remedy));
    }
    if (protocol === "http" && value.service !== undefined) {
      const remedy = "Name it in a route, or write `protocol: tcp`.";
      findings.push(error([...path, "service"], "is for tcp listeners", remedy, "key"));
    }
    const taken = listeners.slice(0, index).find((other) => collide(other.value, value));
    if (taken === undefined) continue;
    const other = printAddress(taken.value.address);
    const what = `takes a port that ${other} above takes already`;
    findings.push(error([...path, "address"], what, "Leave one out, or give it another port."));
  }
  return findings;
}

/** An address that others can reach is wished for in so many words. */
function checkAdmin({ file, listeners }: Parts): readonly Finding[] {
  const read = admin.safeParse(valueAt(file, ["admin"]));
  if (!read.success) return [];
  const { listen, allowRemote } = read.data;
  const path = ["admin", "listen"];
  const findings: Finding[] = [];
  if (!allowRemote && !listen.host.startsWith("127.") && listen.host !== "::1") {
    const remedy = `Write "127.0.0.1:${listen.port}", or add \`allowRemote: true\`.`;
    findings.push(error(path, "can be reached by other machines, in plain HTTP", remedy));
  }
  const taken = listeners.find(({ value }) => collide(value, { address: listen }));
  if (taken !== undefined) {
    const what = `takes the port of the gateway's ${printAddress(taken.value.address)}`;
    findings.push(error(path, what, "Give it another port."));
  }
  return findings;
}

type Listening = Pick<WrittenListener, "address">;

function collide(a: Listening, b: Listening): boolean {
  if (a.address.port !== b.address.port) return false;
  const hosts = [a.address.host, b.address.host];
  // "::" takes the port of every IPv4 address as well.
  if (hosts.includes("::") || hosts[0] === hosts[1]) return true;
  return hosts.includes("0.0.0.0") && hosts.every((host) => !host.includes(":"));
}

function checkRoutes({ file, written, routes }: Parts): readonly Finding[] {
  const findings: Finding[] = [];
  const listeners = listAt(file, ["gateway", "listen"]);
  const http = listeners.some(({ value }) => valueAt(value, ["protocol"]) !== "tcp");
  const someRoutes = listAt(file, ["gateway", "routes"]).length > 0;
  if (http && !someRoutes && written.size > 1) {
    const what = "has an http listener and no routes, and there are several services";
    const remedy = "Add `routes: [{ service: NAME }]` to say which of them takes requests.";
    findings.push(error(["gateway"], what, remedy, "key"));
  }
  if (someRoutes && listeners.length > 0 && !http) {
    const remedy = "Add an http listener, or leave the routes out.";
    findings.push(warning(["gateway", "routes"], "are for http, and no listener is", remedy));
  }
  const seen = new Map<string, number>();
  for (const [index, { path, value }] of routes.entries()) {
    findings.push(...checkMatch([...path, "match"], value.match));
    const key = matchKey(value.match);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else {
      const what = `matches the same requests as routes[${routes[first]?.path.at(-1)}]`;
      findings.push(error(path, what, "Leave one out, or give it one more condition."));
    }
  }
  return findings;
}

function checkMatch(path: Path, match: WrittenRoute["match"]): readonly Finding[] {
  const findings: Finding[] = [];
  if (match.path !== undefined && match.exactPath !== undefined) {
    findings.push(
      error([...path, "exactPath"], "stands beside `path`", "Keep one of them.", "key"),
    );
  }
  const names = new Set<string>();
  for (const name of Object.keys(match.headers ?? {})) {
    const lower = name.toLowerCase();
    if (names.has(lower)) {
      const remedy = "Keep one; upper and lower case are the same in header names.";
      findings.push(error([...path, "headers", name], "is there twice", remedy, "key"));
    }
    names.add(lower);
  }
  return findings;
}

/** Equal for two matches that no request can tell apart. */
function matchKey({ host, path, exactPath, method, headers }: WrittenRoute["match"]): string {
  const sorted = Object.entries(headers ?? {})
    .map(([name, value]) => [name.toLowerCase(), value])
    .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  const prefix = exactPath === undefined ? (path ?? "/") : undefined;
  return JSON.stringify([host, prefix, exactPath, method, sorted]);
}

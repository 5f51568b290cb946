// From what was written, all of it checked, to what the program uses: complete, absolute paths,
// most specific route first, frozen to the bottom.

import { WORKERS_MAX } from "../core/balance/accept-share.ts";
import type { FailoverSettings } from "../core/failover/settings.ts";
import type { DeploySettings } from "../core/deploy/settings.ts";
import {
  type AccessLogPolicy,
  type DetectionPolicy,
  defaultHedge,
  type HedgePolicy,
  type RateLimit,
  type RetryPolicy,
  type RouteMatch,
  type BalanceRule,
  plainRule,
  type StickyPolicy,
  type ZonePolicy,
} from "../core/route/table.ts";
import type {
  AgentConfig,
  CheckConfig,
  AdminConfig,
  CommandService,
  Config,
  EndpointService,
  GatewayConfig,
  HealthConfig,
  HeartbeatConfig,
  ListenConfig,
  RouteConfig,
  RoutePolicy,
  ServiceConfig,
} from "./config.ts";
import type { WrittenDetection } from "./detection-schema.ts";
import type { WrittenFailover } from "./failover-schema.ts";
import type { WrittenAccessLog } from "./access-log-schema.ts";
import type { WrittenAdmin } from "./admin-schema.ts";
import type {
  WrittenBalance,
  WrittenGateway,
  WrittenHedge,
  WrittenListener,
  WrittenRateLimit,
  WrittenRoute,
  WrittenSticky,
  WrittenZone,
} from "./gateway-schema.ts";
import { resolveBackup } from "./resolve-backup.ts";
import { resolveCosts, resolvePredict } from "./resolve-predict.ts";
import type { WrittenFile } from "./schema.ts";
import type { WrittenService } from "./service-schema.ts";
import { shellCommand } from "./shell-command.ts";

const HEALTH_TIMEOUT_MS = 500;
const HEALTH_FAST_INTERVAL_MS = 250;

/** `file` is absolute; relative paths in it start from its folder. */
export function resolveConfig(written: WrittenFile, file: string, cores: number): Config {
  const folder = file.slice(0, Math.max(1, file.lastIndexOf("/")));
  const services = Object.entries(written.services).map(([name, service]) =>
    resolveService(name, service, folder),
  );
  const { admin, gateway, backup, predict, costs } = written;
  const absolute = (path: string) => resolvePath(folder, path);
  return deepFreeze({
    file,
    services,
    ...(gateway === undefined ? {} : { gateway: resolveGateway(gateway, services, cores, folder) }),
    ...(admin === undefined ? {} : { admin: resolveAdmin(admin, folder) }),
    ...(backup === undefined ? {} : { backup: resolveBackup(backup, absolute) }),
    ...(predict === undefined ? {} : { predict: resolvePredict(predict) }),
    ...(costs === undefined ? {} : { costs: resolveCosts(costs) }),
  });
}

function resolveService(name: string, written: WrittenService, folder: string): ServiceConfig {
  const { dependsOn, maxConnections, queueLength, concurrency } = written;
  const base = {
    name,
    health: resolveHealth(written.health),
    detection: resolveDetection(written.detection),
    ...resolveSlowStart(written.slowStart),
    ...(written.loadReports ? { loadReports: true as const } : {}),
    ...(written.subset > 0 ? { subset: written.subset } : {}),
    overProvision: written.overProvisioning === "off" ? 0 : written.overProvisioning,
    failover: resolveFailover(written.failover),
    dependsOn: typeof dependsOn === "string" ? [dependsOn] : dependsOn,
    maxConnections,
    queueLength,
    ...(concurrency === undefined ? {} : { concurrency }),
  };
  if (written.endpoints === undefined) {
    return { ...base, kind: "command", ...resolveCommand(written, folder) };
  }
  const endpoints = written.endpoints.map(({ address, weight, backup, priority, zone }) => {
    const level = priority === undefined ? {} : { priority };
    return { ...address, weight, backup, ...level, zone: zone ?? "" };
  });
  return { ...base, kind: "endpoints", endpoints } satisfies EndpointService;
}

function resolveHealth(written: WrittenService["health"]): HealthConfig {
  const { interval, fall, rise, initialState, heartbeat, agent } = written;
  const check = resolveCheck(written);
  // To start a program takes longer than to open a connection.
  const usualTimeoutMs = check.kind === "command" ? interval : HEALTH_TIMEOUT_MS;
  return {
    check,
    ...(heartbeat === undefined ? {} : { heartbeat: resolveHeartbeat(heartbeat) }),
    ...(agent === undefined ? {} : { agent: resolveAgent(agent) }),
    intervalMs: interval,
    timeoutMs: written.timeout ?? Math.min(usualTimeoutMs, interval),
    fall,
    rise,
    fastIntervalMs: written.fastInterval ?? Math.min(HEALTH_FAST_INTERVAL_MS, interval),
    downIntervalMs: written.downInterval ?? interval,
    initialState,
  };
}

function resolveDetection(written: WrittenDetection): DetectionPolicy {
  return {
    stall: written.stall,
    consecutiveErrors: written.consecutiveErrors,
    successRate: written.successRate,
    ...(written.failures === undefined ? {} : { failureRatio: written.failures }),
    ejectionBaseMs: written.ejection,
    ejectionMaxMs: written.ejectionMax,
    maxEjectedRatio: written.maxEjected,
    panicRatio: written.panic,
  };
}

function resolveSlowStart(
  written: WrittenService["slowStart"],
): Pick<ServiceConfig, "slowStartMs" | "slowStartCurve"> {
  if (typeof written === "number") return { slowStartMs: written };
  const { time, minimum, aggression } = written;
  return { slowStartMs: time, slowStartCurve: { minimum, aggression: aggression ?? 0 } };
}

function resolveFailover(written: WrittenFailover): FailoverSettings {
  const { mode, order, backups, failback, minimumHealthy, drain, fence } = written;
  const { unfenced, predictive } = written;
  return {
    mode,
    order: order ?? [],
    backups,
    failback,
    minimumHealthyMs: minimumHealthy,
    drainMs: drain,
    fenceMs: fence,
    unfenced,
    predictive,
  };
}

/** A heartbeat is proof enough; without one, and without a way to ask, a connection is opened. */
function resolveCheck(written: WrittenService["health"]): CheckConfig {
  const { http, tcp, command, grpc, expectStatus, expectBody } = written;
  if (http !== undefined) {
    const statuses = isRange(expectStatus) ? [expectStatus] : expectStatus;
    const body = expectBody === undefined ? {} : { expectBody };
    return { kind: "http", path: http, expectStatus: statuses, ...body };
  }
  if (command !== undefined) {
    return {
      kind: "command",
      command: typeof command === "string" ? shellCommand(command) : command,
    };
  }
  if (grpc !== undefined && grpc !== false) {
    return { kind: "grpc", service: grpc };
  }
  return { kind: written.heartbeat === undefined || tcp === true ? "tcp" : "none" };
}

function resolveHeartbeat(
  written: NonNullable<WrittenService["health"]["heartbeat"]>,
): HeartbeatConfig {
  const { every, detector, misses, phi, file } = written;
  return { everyMs: every, detector, misses, phi, file };
}

function resolveAgent({
  port,
  interval,
  send,
}: NonNullable<WrittenService["health"]["agent"]>): AgentConfig {
  return { port, intervalMs: interval, send: send ?? "" };
}

type StatusRange = readonly [number, number];

function isRange(written: StatusRange | readonly StatusRange[]): written is StatusRange {
  return typeof written[0] === "number";
}

type CommandPart = Omit<CommandService, "kind" | keyof EndpointService>;

function resolveCommand(written: WrittenService, folder: string): CommandPart {
  const { command = [], replicas, restart, user } = written;
  return {
    command: typeof command === "string" ? shellCommand(command) : command,
    replicas: typeof replicas === "number" ? { min: replicas, max: replicas } : replicas,
    workingDirectory: resolvePath(folder, written.workingDirectory),
    environment: written.env,
    ...(user === undefined ? {} : { user }),
    limits: {
      memoryBytes: written.limits.memory ?? 0,
      openFiles: written.limits.openFiles ?? 0,
    },
    restart: {
      backoffMs: restart.backoff,
      backoffMaxMs: restart.backoffMax,
      resetAfterMs: restart.resetAfter,
      crashLoopCount: restart.crashLoopCount,
      crashLoopWithinMs: restart.crashLoopWithin,
      unhealthyAfterMs: restart.unhealthyAfter,
    },
    startTimeoutMs: written.startTimeout,
    stopGraceMs: written.stopGrace,
    logs: { rotateBytes: written.logs.rotateAt, keep: written.logs.keep },
    deploy: resolveDeploy(written.deploy),
    portBase: written.port,
  };
}

function resolveDeploy(written: WrittenService["deploy"]): DeploySettings {
  return {
    maxSurge: written.maxSurge,
    maxUnavailable: written.maxUnavailable,
    minimumHealthyMs: written.minimumHealthy,
    canary: written.canary,
    stepTimeMs: written.stepTime,
    rollback: written.rollback,
    deadlineMs: written.deadline,
  };
}

function resolveAdmin(written: WrittenAdmin, folder: string): AdminConfig {
  const { listen, tokenFile, readTokenFile, hosts } = written;
  return {
    ...listen,
    tokenFile: resolvePath(folder, tokenFile),
    ...(readTokenFile === undefined ? {} : { readTokenFile: resolvePath(folder, readTokenFile) }),
    hosts,
  };
}

function resolvePath(folder: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function resolveGateway(
  written: WrittenGateway,
  services: readonly ServiceConfig[],
  cores: number,
  folder: string,
): GatewayConfig {
  const { limits, accessLog } = written;
  const policy = resolvePolicy(written);
  const routes = written.routes.map((route) => resolveRoute(route, policy));
  const only = services.length === 1 ? services[0] : undefined;
  if (routes.length === 0 && only !== undefined) {
    routes.push({ match: { path: "/" }, service: only.name, rateLimits: [], ...policy });
  }
  return {
    ...policy,
    workers: written.workers ?? Math.min(Math.max(1, cores), WORKERS_MAX),
    listen: written.listen.map(resolveListener),
    routes: routes.sort(bySpecificity),
    limits: {
      headBytes: limits.head,
      headerCount: limits.headers,
      targetBytes: limits.target,
      connections: limits.connections,
      connectionsPerAddress: limits.connectionsPerAddress ?? Math.ceil(limits.connections * 0.9),
      minimumRate: limits.minimumRate,
    },
    ...(accessLog === undefined ? {} : { accessLog: resolveAccessLog(accessLog, folder) }),
    drainMs: written.drain,
    ...(written.zone === undefined ? {} : { zone: resolveZone(written.zone) }),
  };
}

function resolveAccessLog(written: WrittenAccessLog, folder: string): AccessLogPolicy {
  const { file, format, sample, query, rotateAt, keep } = written;
  const place = file === undefined ? {} : { file: resolvePath(folder, file) };
  return { ...place, format, sampleRatio: sample, query, rotateBytes: rotateAt, keep };
}

const ZONE_MINIMUM = 6;

function resolveZone(written: WrittenZone): ZonePolicy {
  if (typeof written === "string") return { name: written, entering: 0, minimum: ZONE_MINIMUM };
  const { name, entering = 0, minimum = ZONE_MINIMUM } = written;
  return { name, entering, minimum };
}

function resolveListener({ address, protocol, service }: WrittenListener): ListenConfig {
  return { ...address, protocol, ...(service === undefined ? {} : { service }) };
}

const neverHedged: HedgePolicy = { budgetRatio: 0, budgetPerSecond: 0 };

/** What is not said is that of `general`. */
function resolveHedge(written: WrittenHedge, general: HedgePolicy): HedgePolicy {
  if (written === "off") return neverHedged;
  return {
    budgetRatio: written.budget ?? general.budgetRatio,
    budgetPerSecond: written.perSecond ?? general.budgetPerSecond,
  };
}

function resolveBalance(written: WrittenBalance): BalanceRule {
  if (typeof written === "string") return plainRule(written);
  const { rule, by, boundedLoad } = written;
  return { algorithm: rule, hash: by, loadFactor: boundedLoad ?? 0 };
}

/** What is not said is absent, and that of the gateway. */
function resolveConditions({ on, perTry, atOnce }: WrittenRoute["retry"]): Partial<RetryPolicy> {
  return {
    ...(on === undefined ? {} : { on }),
    ...(perTry === undefined ? {} : { perTryMs: perTry }),
    ...(atOnce === undefined ? {} : { atOnce }),
  };
}

function resolvePolicy({ balance, retry, hedge, timeouts }: WrittenGateway): RoutePolicy {
  return {
    balance: resolveBalance(balance),
    retry: {
      attempts: retry.attempts,
      budgetRatio: retry.budget,
      budgetPerSecond: retry.budgetPerSecond,
      replayBytes: retry.replay,
      ...resolveConditions(retry),
    },
    hedge: resolveHedge(hedge, defaultHedge),
    timeouts: {
      connectMs: timeouts.connect,
      headMs: timeouts.head,
      idleMs: timeouts.idle,
      keepAliveMs: timeouts.keepAlive,
      queueMs: timeouts.queue,
      responseMs: timeouts.response,
      tunnelMs: timeouts.tunnel,
    },
  };
}

function resolveRoute(written: WrittenRoute, policy: RoutePolicy): RouteConfig {
  const { priority, retry, hedge, timeouts } = written;
  return {
    match: resolveMatch(written.match),
    service: written.service,
    ...(priority === "normal" ? {} : { priority }),
    rateLimits: written.rateLimits.map(resolveRateLimit),
    balance: written.balance === undefined ? policy.balance : resolveBalance(written.balance),
    ...(written.sticky === undefined ? {} : { sticky: resolveSticky(written.sticky) }),
    retry: {
      ...policy.retry,
      ...resolveConditions(retry),
      attempts: retry.attempts ?? policy.retry.attempts,
      budgetRatio: retry.budget ?? policy.retry.budgetRatio,
      budgetPerSecond: retry.budgetPerSecond ?? policy.retry.budgetPerSecond,
      replayBytes: retry.replay ?? policy.retry.replayBytes,
    },
    hedge: resolveHedge(hedge, policy.hedge),
    timeouts: {
      ...policy.timeouts,
      connectMs: timeouts.connect ?? policy.timeouts.connectMs,
      idleMs: timeouts.idle ?? policy.timeouts.idleMs,
      queueMs: timeouts.queue ?? policy.timeouts.queueMs,
      responseMs: timeouts.response ?? policy.timeouts.responseMs,
      tunnelMs: timeouts.tunnel ?? policy.timeouts.tunnelMs,
    },
  };
}

/** `cookie` is a map of which nothing is said. */
function resolveSticky(written: WrittenSticky): StickyPolicy {
  if (written === "cookie") return { cookie: "", sameSite: "lax", secure: false, maxAgeMs: 0 };
  const { name = "", sameSite, secure, maxAge } = written;
  // Browsers refuse the one without the other.
  return { cookie: name, sameSite, secure: secure || sameSite === "none", maxAgeMs: maxAge };
}

const HEADER = "header:";

function resolveRateLimit({ requests, per, burst = requests, by }: WrittenRateLimit): RateLimit {
  const rate = { requests, perMs: per, burst };
  if (!by.startsWith(HEADER)) return { ...rate, by: by === "route" ? "route" : "address" };
  return { ...rate, by: "header", header: by.slice(HEADER.length).toLowerCase() };
}

function resolveMatch({
  host,
  path,
  exactPath,
  method,
  headers,
}: WrittenRoute["match"]): RouteMatch {
  const prefix = path ?? (exactPath === undefined ? "/" : undefined);
  const lower = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    ...(host === undefined ? {} : { host }),
    ...(prefix === undefined ? {} : { path: prefix }),
    ...(exactPath === undefined ? {} : { exactPath }),
    ...(method === undefined ? {} : { method }),
    ...(lower.length === 0 ? {} : { headers: Object.fromEntries(lower) as Record<string, string> }),
  };
}

/** Sorts most specific first (see GatewayConfig.routes); the sort is stable, so ties stay as
 * written. */
function bySpecificity({ match: a }: RouteConfig, { match: b }: RouteConfig): number {
  return (
    hostRank(b) - hostRank(a) ||
    Number(b.exactPath !== undefined) - Number(a.exactPath !== undefined) ||
    (b.path?.length ?? 0) - (a.path?.length ?? 0) ||
    conditions(b) - conditions(a)
  );
}

/** A whole host name before every wildcard, a longer wildcard before a shorter, any host last. */
function hostRank({ host }: RouteMatch): number {
  if (host === undefined) return 0;
  return host.startsWith("*.") ? host.length : 1000;
}

function conditions({ method, headers }: RouteMatch): number {
  return Number(method !== undefined) + Object.keys(headers ?? {}).length;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

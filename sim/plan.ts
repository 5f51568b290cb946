// What a seed decides before the run begins: the file, the programs, the load.
//
// Several services, so that one's trouble meets another's: `store` first, `web` after it, `api`
// beside them, often with backups of its own (hot-standby), `ledger` of which one instance at a
// time takes traffic, and endpoints that nobody here starts. Everything else is drawn: replicas,
// checks, balancing, backoff, whom workers eject and for how long, hedges, slow start, how fast the
// programs start and serve.

import type { Random } from "../src/core/base/prng.ts";
import { plainFailover } from "../src/core/failover/settings.ts";
import { defaultDeploy, type DeploySettings } from "../src/core/deploy/settings.ts";
import {
  balanceAlgorithms,
  defaultDetection,
  defaultHedge,
  type DetectionPolicy,
  type HedgePolicy,
  plainRule,
  type BalanceAlgorithm,
} from "../src/core/route/table.ts";
import type {
  CommandService,
  Config,
  EndpointService,
  GatewayConfig,
  HealthConfig,
  RouteConfig,
  ServiceConfig,
} from "../src/config/config.ts";
import type { ClientLoad } from "./world/clients.ts";
import type { ProgramTraits } from "./world/program.ts";

export interface Plan {
  readonly config: Config;
  readonly traits: ReadonlyMap<string, ProgramTraits>;
  readonly loads: readonly ClientLoad[];
  readonly workers: number;
  /** Process ids that the machine has; few, unless more are needed. */
  readonly pids?: number;
}

function pick<T>(random: Random, from: readonly [T, ...T[]]): T {
  return from[random.below(from.length)] ?? from[0];
}

export function drawPlan(random: Random): Plan {
  const services: ServiceConfig[] = [
    drawCommand(random.stream("store"), "store", []),
    drawPrimary(random.stream("ledger"), "ledger"),
    drawCommand(random.stream("web"), "web", ["store"]),
    withBackup(
      random.stream("api-backup"),
      drawCommand(random.stream("api"), "api", random.ratio() < 0.5 ? ["web"] : []),
    ),
    drawEndpoints(random.stream("cache"), "cache"),
  ];
  const workers = 1 + random.below(3);
  return {
    config: makeConfig(services, drawGateway(random.stream("gateway"), services, workers)),
    traits: new Map(
      services.map((service) => [
        service.name,
        drawTraits(random.stream(`program-${service.name}`), service.health),
      ]),
    ),
    loads: services.map((service) => ({
      service: service.name,
      requestsPerSecond: 2 + random.ratio() * 6,
      postRatio: 0.1,
    })),
    workers,
  };
}

export function makeConfig(services: readonly ServiceConfig[], gateway: GatewayConfig): Config {
  return { file: "/srv/nines.yaml", services, gateway } as Config;
}

function drawHealth(random: Random): HealthConfig {
  const intervalMs = pick(random, [1000, 1000, 2000]);
  return {
    check:
      random.ratio() < 0.75
        ? { kind: "http", path: "/healthz", expectStatus: [[200, 399]] }
        : { kind: "tcp" },
    intervalMs,
    timeoutMs: 500,
    fall: 1 + random.below(3),
    rise: 1 + random.below(3),
    fastIntervalMs: pick(random, [250, 500]),
    downIntervalMs: intervalMs,
    initialState: "unchecked",
  };
}

/** A third of the commands give signs of life: beside their check, or instead of it. */
function withHeartbeats(random: Random, health: HealthConfig): HealthConfig {
  if (random.ratio() < 0.65) return health;
  const alone = random.ratio() < 0.4;
  const heartbeat = {
    everyMs: pick(random, [500, 1000]),
    detector: alone || random.ratio() < 0.5 ? "misses" : "phi",
    misses: 2 + random.below(3),
    phi: 8,
    file: "heartbeat",
  } as const;
  return { ...health, ...(alone ? { check: { kind: "none" } } : {}), heartbeat };
}

function drawCommand(random: Random, name: string, dependsOn: readonly string[]): CommandService {
  const replicas = 1 + random.below(4);
  return {
    kind: "command",
    name,
    health: withHeartbeats(random.stream("heartbeat"), drawHealth(random)),
    dependsOn,
    maxConnections: pick(random, [0, 0, 8]),
    queueLength: 100,
    detection: drawDetection(random.stream("detection")),
    slowStartMs: pick(random.stream("slow-start"), [0, 0, 2000, 10_000]),
    overProvision: 0,
    failover: plainFailover,
    command: ["/usr/bin/node", `${name}.js`],
    replicas: { min: replicas, max: replicas + 2 },
    workingDirectory: "/srv",
    environment: {},
    limits: { memoryBytes: pick(random, [0, 256 * 1024 * 1024]), openFiles: 0 },
    restart: {
      backoffMs: pick(random, [100, 200, 500]),
      backoffMaxMs: pick(random, [5000, 10_000]),
      resetAfterMs: 10_000,
      crashLoopCount: 5,
      crashLoopWithinMs: 60_000,
      unhealthyAfterMs: pick(random, [5000, 10_000]),
    },
    startTimeoutMs: 10_000,
    stopGraceMs: pick(random, [1000, 5000]),
    logs: { rotateBytes: 10 * 1024 * 1024, keep: 3 },
    deploy: drawDeploy(random.stream("deploy")),
    portBase: random.ratio() < 0.5 ? 0 : 8000 + random.below(1000),
  };
}

/** The last stands in for the first, in two services of three that have two. */
function withBackup(random: Random, service: CommandService): CommandService {
  const { name, replicas } = service;
  if (replicas.min < 2 || random.ratio() < 0.33) return service;
  const backups = { [`${name}-1`]: `${name}-${replicas.min}` };
  return { ...service, failover: { ...plainFailover, mode: "hot-standby", backups } };
}

/** Half of the services judge as the defaults do. */
function drawDetection(random: Random): DetectionPolicy {
  if (random.ratio() < 0.5) return defaultDetection;
  return {
    stall: random.ratio() < 0.8,
    consecutiveErrors: pick(random, [0, 3, 5, 10]),
    successRate: random.ratio() < 0.8,
    ejectionBaseMs: pick(random, [250, 1000, 5000]),
    ejectionMaxMs: pick(random, [10_000, 30_000]),
    maxEjectedRatio: pick(random, [0.3, 0.5, 1]),
    panicRatio: pick(random, [0, 0, 0.3, 0.5]),
  };
}

function drawHedge(random: Random): HedgePolicy {
  const off = { budgetRatio: 0, budgetPerSecond: 0 };
  return pick(random, [defaultHedge, defaultHedge, off, { budgetRatio: 0.2, budgetPerSecond: 50 }]);
}

function drawDeploy(random: Random): DeploySettings {
  const maxSurge = { count: pick(random, [0, 0, 1, 2]) };
  return {
    maxSurge,
    maxUnavailable: { count: maxSurge.count === 0 ? 1 : random.below(3) },
    minimumHealthyMs: pick(random, [0, 1000, 3000]),
    canary: pick<readonly number[]>(random, [[], [], [0.1], [0.1, 0.5]]),
    stepTimeMs: 2000 + random.below(5000),
    rollback: defaultDeploy.rollback,
    deadlineMs: pick(random, [20_000, 60_000]),
  };
}

/** Of two or three, one takes traffic. */
function drawPrimary(random: Random, name: string): CommandService {
  const replicas = 2 + random.below(2);
  const service = drawCommand(random, name, []);
  return {
    ...service,
    deploy: { ...service.deploy, canary: [] },
    slowStartMs: 0,
    overProvision: 0,
    replicas: { min: replicas, max: replicas + 1 },
    failover: {
      ...plainFailover,
      mode: "primary-standby",
      failback: pick(random, ["automatic", "automatic", "manual"]),
      minimumHealthyMs: pick(random, [5_000, 30_000]),
      fenceMs: pick(random, [0, 500]),
    },
  };
}

function drawEndpoints(random: Random, name: string): EndpointService {
  const count = 2 + random.below(2);
  return {
    kind: "endpoints",
    name,
    health: drawHealth(random),
    dependsOn: [],
    maxConnections: 0,
    queueLength: 100,
    detection: drawDetection(random.stream("detection")),
    slowStartMs: pick(random.stream("slow-start"), [0, 0, 2000, 10_000]),
    overProvision: 0,
    failover: plainFailover,
    endpoints: Array.from({ length: count }, (_, index) => ({
      host: `10.0.0.${index + 1}`,
      port: 6379,
      weight: 1 + random.below(4),
      backup: index > 0 && random.ratio() < 0.3,
      zone: "",
    })),
  };
}

function drawGateway(
  random: Random,
  services: readonly ServiceConfig[],
  workers: number,
): GatewayConfig {
  const policy: Omit<RouteConfig, "match" | "service"> = {
    rateLimits: [],
    balance: plainRule("round-robin"),
    retry: { attempts: 2, budgetRatio: 0.2, budgetPerSecond: 10, replayBytes: 65_536 },
    hedge: drawHedge(random.stream("hedge")),
    timeouts: {
      connectMs: 1000,
      headMs: 10_000,
      idleMs: 60_000,
      keepAliveMs: 60_000,
      queueMs: 1000,
      responseMs: pick(random, [5000, 10_000]),
      tunnelMs: 3_600_000,
    },
  };
  return {
    ...policy,
    workers,
    listen: [{ host: "0.0.0.0", port: 8080, protocol: "http" }],
    routes: services.map(({ name }) => ({
      ...policy,
      match: { path: `/${name}` },
      service: name,
      balance: plainRule(drawAlgorithm(random, random.stream(`balance ${name}`))),
    })),
    limits: {
      headBytes: 16_384,
      headerCount: 100,
      targetBytes: 8192,
      connections: 10_000,
      connectionsPerAddress: 10_000,
      minimumRate: 0,
    },
    drainMs: 5000,
  };
}

/** Those of the first version by the plan's own draws, so that their seeds stay what they were. */
function drawAlgorithm(random: Random, others: Random): BalanceAlgorithm {
  const old = pick<BalanceAlgorithm>(random, [
    "round-robin",
    "random",
    "weighted",
    "least-request",
    "source-hash",
  ]);
  if (others.ratio() < 0.5) return old;
  return balanceAlgorithms[others.below(balanceAlgorithms.length)] ?? old;
}

function drawTraits(random: Random, health: HealthConfig): ProgramTraits {
  const leastMs = 50 + random.below(500);
  return {
    startMs: [leastMs, leastMs + random.below(3000)],
    // A tcp check takes whoever listens for ready: such a program must listen only then.
    listensEarly: health.check.kind === "http" && random.ratio() < 0.5,
    slots: 2 + random.below(15),
    queue: 64,
    serviceMs: 1 + random.below(20),
    endMs: 50 + random.below(800),
    residentBytes: 50 * 1024 * 1024,
  };
}

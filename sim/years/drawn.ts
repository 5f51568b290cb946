// Deployments drawn from a seed, with faults that come every few hours: what passing over time is
// tried on. One or two services of those that the runs of sim/plan.ts have, checked seldom, so that
// a whole day without passing over anything is cheap.

import type {
  CommandService,
  Config,
  EndpointService,
  ServiceConfig,
} from "../../src/config/config.ts";
import type { Random } from "../../src/core/base/prng.ts";
import { ratesOf } from "../../src/core/predict/default-rates.ts";
import type {
  Deployment,
  PredictedInstance,
  PredictedService,
} from "../../src/core/predict/deployment.ts";
import { drawPlan, makeConfig } from "../plan.ts";
import type { Subject } from "./lifetime.ts";

const hourMs = 3_600_000;
const minuteMs = 60_000;
const here = "here";

export function drawSubject(random: Random): Subject {
  const { config } = drawPlan(random.stream("plan"));
  const first = random.below(config.services.length);
  const second = random.below(2 * config.services.length);
  const services = config.services
    .filter((_, index) => index === first || index === second)
    .map((service) => seldomChecked(service, random.stream(service.name)));
  const { gateway } = config;
  const drawn = gateway === undefined ? config : makeConfig(services, { ...gateway, workers: 1 });
  return subjectOf(drawn, saidRates);
}

/** Every few hours something, so that a day has some of all. */
const saidRates = {
  crash: { everyMs: 6 * hourMs },
  hang: { everyMs: 12 * hourMs, repairMs: 10 * minuteMs },
  gray: { everyMs: 18 * hourMs, repairMs: 10 * minuteMs },
  endpoint: { everyMs: 6 * hourMs, repairMs: 5 * minuteMs },
  machine: { everyMs: 24 * hourMs, repairMs: 10 * minuteMs },
  zone: { everyMs: 72 * hourMs, repairMs: 10 * minuteMs },
  gatewayWorker: { everyMs: 12 * hourMs },
  gateway: { everyMs: 48 * hourMs },
  control: { everyMs: 12 * hourMs },
} as const;

/** As `describeFile` has it, of what is drawn here: all of it on one machine. */
export function subjectOf(
  config: Config,
  said: Parameters<typeof ratesOf>[0]["said"],
  needed = 1,
): Subject {
  const services = config.services.map((service) => predicted(config, service, needed));
  const names = services.map(({ name }) => name);
  const machines = new Map([[here, true]]);
  for (const { machine } of services.flatMap(({ instances }) => instances)) {
    if (!machines.has(machine)) machines.set(machine, false);
  }
  const deployment: Deployment = {
    services,
    machines: [...machines].map(([name, isHost]) => ({ name, zone: "zone", isHost })),
    gateway: { workers: config.gateway?.workers ?? 1, machines: [here] },
  };
  return { config, deployment, rates: ratesOf({ services: names, said, saidOf: {}, seen: {} }) };
}

function predicted(config: Config, service: ServiceConfig, needed: number): PredictedService {
  const { name, failover, dependsOn } = service;
  const known = new Set(config.services.map((one) => one.name));
  return {
    name,
    mode: failover.mode,
    instances: service.kind === "command" ? processes(service) : endpoints(service),
    needed,
    checks: service.health,
    heartbeatMs: undefined,
    stallDetection: service.detection.stall,
    resentShare: 0.9,
    restart: restartOf(service),
    throughGateway: true,
    dependsOn: dependsOn.filter((other) => known.has(other)),
    queue: undefined,
  };
}

function processes({ name, replicas }: CommandService): readonly PredictedInstance[] {
  return Array.from({ length: replicas.min }, (_, at) => {
    return { id: `${name}-${at + 1}`, machine: here, kind: "process" as const, backup: false };
  });
}

function endpoints(service: EndpointService): readonly PredictedInstance[] {
  return service.endpoints.map(({ host, port, backup }) => {
    return { id: `${service.name}-${host}:${port}`, machine: host, kind: "endpoint", backup };
  });
}

function restartOf(service: ServiceConfig): PredictedService["restart"] {
  if (service.kind === "command") {
    const { restart, stopGraceMs } = service;
    return { ...restart, stopGraceMs };
  }
  return { backoffMs: 0, backoffMaxMs: 0, unhealthyAfterMs: 0, stopGraceMs: 0 };
}

function seldomChecked<Service extends ServiceConfig>(service: Service, random: Random): Service {
  const intervalMs = 4_000 + 500 * random.below(5);
  // A check that hears nothing is under way for long: what happens meanwhile must find it there.
  const timeoutMs = 500 * (1 + random.below(6));
  const { heartbeat, ...health } = service.health;
  const times = { ...health, intervalMs, timeoutMs, downIntervalMs: intervalMs };
  const beats = heartbeat === undefined ? {} : { heartbeat: { ...heartbeat, everyMs: 4_000 } };
  return { ...service, dependsOn: [], health: { ...times, ...beats } };
}

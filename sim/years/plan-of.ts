// From a user's file, and what is predicted of it, to what the simulator plays: the file's own
// services, checks and failover settings, programs that start and serve as the rates and the load
// model say, and one route for each service that has any, so that its requests can be told apart.

import type { Config, GatewayConfig, RouteConfig } from "../../src/config/config.ts";
import type { Random } from "../../src/core/base/prng.ts";
import type { Deployment, PredictedService } from "../../src/core/predict/deployment.ts";
import { drawDuration } from "../../src/core/predict/durations.ts";
import type { Rates, ServiceRates } from "../../src/core/predict/rates.ts";
import type { Plan } from "../plan.ts";
import type { ProgramTraits } from "../world/program.ts";

/** What a program is taken for of which nothing was measured. */
const slotsAssumed = 16;
const serviceMsAssumed = 10;
const queueAssumed = 64;
/** From SIGTERM to the end of a program that has nothing left to do, at most. */
const endMs = 200;
/** More gateway workers than this behave like so many. */
const workersMax = 2;
const pidsPerInstance = 4;
const pidsMin = 48;

export function planOf(config: Config, deployment: Deployment, rates: Rates): Plan {
  const instances = deployment.services.reduce((sum, one) => sum + one.instances.length, 0);
  return {
    config:
      config.gateway === undefined
        ? config
        : { ...config, gateway: oneRouteEach(config, config.gateway) },
    traits: new Map(
      deployment.services.map((one) => [one.name, traitsOf(one, rates.services[one.name])]),
    ),
    loads: [],
    workers: Math.min(deployment.gateway?.workers ?? 0, workersMax),
    pids: Math.max(pidsMin, pidsPerInstance * instances),
  };
}

function oneRouteEach({ services }: Config, gateway: GatewayConfig): GatewayConfig {
  const routes = services.flatMap(({ name }): readonly RouteConfig[] => {
    const own = gateway.routes.find(({ service }) => service === name);
    return own === undefined ? [] : [{ ...own, match: { path: `/${name}` }, service: name }];
  });
  // What listens for tcp goes no route of http: nobody calls there.
  const listen = gateway.listen.map(({ host, port }) => ({
    host,
    port,
    protocol: "http" as const,
  }));
  return { ...gateway, routes, listen };
}

function traitsOf(service: PredictedService, rates: ServiceRates | undefined): ProgramTraits {
  const { queue, checks } = service;
  const checkMs = (checks?.fastIntervalMs ?? 0) / 2;
  const isEndpoint = service.instances[0]?.kind === "endpoint";
  return {
    startMs: [1, 1],
    ...(rates === undefined || isEndpoint
      ? {}
      : { drawStart: (random) => drawStart(rates, checkMs, random) }),
    listensEarly: false,
    slots: queue?.slotsPerInstance ?? slotsAssumed,
    queue: queueAssumed,
    serviceMs: queue?.serviceTimeMs ?? serviceMsAssumed,
    endMs,
    residentBytes: 0,
  };
}

/** The rates count a start to its first passed check: half an interval later on average. */
function drawStart(rates: ServiceRates, checkMs: number, random: Random) {
  const fails = random.ratio() < rates.startFails.value;
  const readyMs = Math.max(1, drawDuration(rates.start, random) - checkMs);
  return { readyMs, fails };
}

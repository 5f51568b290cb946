// Deployments and rates for tests: everything said, nothing measured.

import type { Deployment, Machine, PredictedService } from "./deployment.ts";
import type { Duration, Rates, ServiceRates, Uncertain } from "./rates.ts";

const source = { kind: "file", key: "a test" } as const;

export function exactly(value: number): Uncertain {
  return { value, lower: value, upper: value, source };
}

export function within(lower: number, upper: number): Uncertain {
  return { value: Math.sqrt(lower * upper), lower, upper, source };
}

export function lasting(meanMs: number, kind: "fixed" | "exponential" = "fixed"): Duration {
  return { kind, meanMs, source };
}

/** As good as never: what is not looked at in a test. */
export const hardlyEver = exactly(1e-15);

export const quietService: ServiceRates = {
  crash: hardlyEver,
  hang: hardlyEver,
  gray: hardlyEver,
  endpoint: hardlyEver,
  commonCause: exactly(0),
  startFails: exactly(0),
  start: lasting(2_000),
  hangRepair: lasting(1_800_000),
  endpointRepair: lasting(600_000),
  grayRepair: lasting(1_800_000),
};

/** Nothing fails but what a test says. */
export function ratesFor(
  services: Readonly<Record<string, Partial<ServiceRates>>>,
  shared: Partial<Rates> = {},
): Rates {
  return {
    machine: hardlyEver,
    machineRepair: lasting(3_600_000),
    zone: hardlyEver,
    zoneRepair: lasting(7_200_000),
    gatewayWorker: hardlyEver,
    gateway: hardlyEver,
    control: hardlyEver,
    controlRepair: lasting(5_000),
    ...shared,
    services: Object.fromEntries(
      Object.entries(services).map(([name, said]) => [name, { ...quietService, ...said }]),
    ),
  };
}

export function machines(...names: readonly string[]): readonly Machine[] {
  return names.map((name) => ({ name, zone: "zone", isHost: true }));
}

/** `web` with processes on these machines. */
export function webOn(places: readonly string[], said: Partial<PredictedService> = {}) {
  const service: PredictedService = {
    name: "web",
    mode: "active-active",
    instances: places.map((machine, at) => ({
      id: `web-${at + 1}`,
      machine,
      kind: "process",
      backup: false,
    })),
    needed: 1,
    checks: {
      intervalMs: 2_000,
      fastIntervalMs: 250,
      downIntervalMs: 2_000,
      timeoutMs: 500,
      fall: 3,
      rise: 1,
    },
    heartbeatMs: undefined,
    stallDetection: true,
    resentShare: 0.9,
    restart: {
      backoffMs: 100,
      backoffMaxMs: 30_000,
      unhealthyAfterMs: 30_000,
      stopGraceMs: 4_000,
    },
    throughGateway: false,
    dependsOn: [],
    queue: undefined,
  };
  return { ...service, ...said };
}

export function only(service: PredictedService): Deployment {
  const names = new Set(service.instances.map(({ machine }) => machine));
  return { services: [service], machines: machines(...names), gateway: undefined };
}

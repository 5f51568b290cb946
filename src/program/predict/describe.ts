// From the file and what was seen to what is predicted: a Config as a Deployment, with its rates.
//
// Everything that Nines runs is on one machine unless `predict` says otherwise; an endpoint's
// machine is its host. What the file does not say is measured or assumed (default-rates.ts), never
// left out.

import type {
  Config,
  EndpointService,
  HealthConfig,
  ServiceConfig,
  ServicePredictionConfig,
} from "../../config/config.ts";
import { onlyZone } from "../../config/resolve-predict.ts";
import { printAddress } from "../../config/units.ts";
import { NinesError } from "../../core/base/errors.ts";
import { missedBoundMs, phiBoundMs } from "../../core/detect/bounds.ts";
import { phiSettings } from "../../core/detect/phi-accrual.ts";
import { ratesOf, type ServiceSeen } from "../../core/predict/default-rates.ts";
import { fitOfQueue, neededFor } from "../../core/predict/demand.ts";
import {
  type Deployment,
  type Machine,
  machineOf,
  type PredictedGateway,
  type PredictedInstance,
  type PredictedService,
  type QueueModel,
} from "../../core/predict/deployment.ts";
import type { Rates } from "../../core/predict/rates.ts";

/** The machine on which everything is, where none is said. */
export const thisMachine = "this machine";
const resentUsually = 0.9;

/** What was measured, by service. */
export interface Known {
  readonly seen: Readonly<Record<string, ServiceSeen>>;
  /** What `nines load` found. */
  readonly queues: Readonly<Record<string, Omit<QueueModel, "loadPerSecond">>>;
}

export interface Described {
  readonly deployment: Deployment;
  readonly rates: Rates;
}

export const nothingKnown: Known = { seen: {}, queues: {} };

export function describeFile(config: Config, known: Known): Described {
  const names = config.services.map(({ name }) => name);
  const said = config.predict;
  const saidOf = Object.fromEntries(
    Object.entries(said?.services ?? {}).map(([name, { rates }]) => [name, rates]),
  );
  return {
    deployment: deploymentOf(config, known),
    rates: ratesOf({ services: names, said: said?.rates ?? {}, saidOf, seen: known.seen }),
  };
}

function deploymentOf(config: Config, known: Known): Deployment {
  const hosts = hostsOf(config);
  const services = config.services.map((service) => serviceOf(config, service, hosts, known));
  const first = hosts[0]?.name ?? thisMachine;
  const gateway: PredictedGateway | undefined =
    config.gateway === undefined
      ? undefined
      : { workers: config.gateway.workers, machines: gatewayMachines(config, first) };
  return { services, machines: machinesOf(config, hosts, services), gateway };
}

function gatewayMachines({ predict }: Config, first: string): readonly string[] {
  const said = predict?.gateway ?? [];
  return said.length === 0 ? [first] : said;
}

function hostsOf({ predict }: Config): readonly Machine[] {
  const said = predict?.machines ?? [];
  const places = said.length === 0 ? [{ name: thisMachine, zone: onlyZone }] : said;
  return places.map((place) => ({ ...place, isHost: true }));
}

/** The hosts, and a machine for each host of endpoints and each name that only a service says. */
function machinesOf(
  { services: written }: Config,
  hosts: readonly Machine[],
  services: readonly PredictedService[],
): readonly Machine[] {
  const machines = new Map(hosts.map((one) => [one.name, one]));
  const fromHosts = new Set(machines.keys());
  for (const [at, { instances }] of services.entries()) {
    const service = written[at];
    for (const [index, { machine }] of instances.entries()) {
      const isEndpoint = service?.kind === "endpoints";
      const saidZone = isEndpoint ? (service.endpoints[index]?.zone ?? "") : "";
      const known = machines.get(machine);
      if (known === undefined) {
        const zone = saidZone === "" ? onlyZone : saidZone;
        machines.set(machine, { name: machine, zone, isHost: !isEndpoint });
      } else if (saidZone !== "" && saidZone !== known.zone && !fromHosts.has(machine)) {
        const what = `${machine} is in ${known.zone} by one endpoint and in ${saidZone} by another`;
        throw new NinesError("NINES_PREDICT_CONTRADICTION", what);
      }
    }
  }
  return [...machines.values()];
}

function serviceOf(
  config: Config,
  service: ServiceConfig,
  hosts: readonly Machine[],
  known: Known,
): PredictedService {
  const said = config.predict?.services[service.name];
  const instances = instancesOf(service, said?.machines ?? [], hosts);
  const queue = queueOf(said, known.queues[service.name]);
  const { mode } = service.failover;
  const places = placesIn(service, instances);
  return {
    name: service.name,
    mode,
    instances,
    needed: said?.needed ?? neededOf(queue, places),
    ...checksOf(service.health),
    stallDetection: service.detection.stall,
    resentShare: said?.resentShare ?? resentOf(config, service.name),
    restart: restartOf(service),
    throughGateway: isReachedByGateway(config, service.name),
    dependsOn: service.dependsOn,
    queue,
  };
}

function instancesOf(
  service: ServiceConfig,
  said: readonly string[],
  hosts: readonly Machine[],
): readonly PredictedInstance[] {
  const saidOf = (ordinal: number) => said[ordinal % Math.max(1, said.length)];
  if (service.kind === "endpoints") return endpointsOf(service, saidOf);
  const { name, replicas, failover } = service;
  const instances = Array.from({ length: replicas.min }, (_, ordinal): PredictedInstance => {
    const id = `${name}-${ordinal + 1}`;
    const machine = saidOf(ordinal) ?? machineOf(ordinal, hosts);
    return { id, machine, kind: "process", backup: false, ...standInOf(id, failover.backups) };
  });
  return inOrder(instances, failover.order);
}

function endpointsOf(
  { name, endpoints, failover }: EndpointService,
  saidOf: (ordinal: number) => string | undefined,
): readonly PredictedInstance[] {
  const instances = endpoints.map((endpoint, ordinal): PredictedInstance => {
    const id = `${name}-${printAddress(endpoint)}`;
    const isHere = ["localhost", "127.0.0.1", "::1"].includes(endpoint.host);
    const machine = saidOf(ordinal) ?? (isHere ? thisMachine : endpoint.host);
    const { backup } = endpoint;
    return { id, machine, kind: "endpoint", backup, ...standInOf(id, failover.backups) };
  });
  return inOrder(instances, failover.order);
}

function standInOf(
  id: string,
  backups: Readonly<Record<string, string>>,
): Pick<PredictedInstance, "backupOf"> {
  const backed = Object.entries(backups).find(([, backup]) => backup === id)?.[0];
  return backed === undefined ? {} : { backupOf: backed };
}

function inOrder(
  instances: readonly PredictedInstance[],
  order: readonly string[],
): readonly PredictedInstance[] {
  const rank = ({ id }: PredictedInstance) => {
    const at = order.indexOf(id);
    return at === -1 ? order.length : at;
  };
  return instances.toSorted((a, b) => rank(a) - rank(b));
}

function placesIn(service: ServiceConfig, instances: readonly PredictedInstance[]): number {
  if (service.failover.mode === "primary-standby") return 1;
  return instances.filter(({ backup, backupOf }) => !backup && backupOf === undefined).length;
}

/** What the load takes, and no more than there is: an overload is said beside the figures. */
function neededOf(queue: QueueModel | undefined, places: number): number {
  if (queue === undefined) return 1;
  const { loadPerSecond, fit = fitOfQueue(queue) } = queue;
  const wanted = neededFor(fit, { loadPerSecond, latency: undefined });
  return wanted.kind === "enough" ? Math.min(places, wanted.instances) : places;
}

function queueOf(
  said: ServicePredictionConfig | undefined,
  measured: Omit<QueueModel, "loadPerSecond"> | undefined,
): QueueModel | undefined {
  const capacityPerInstance = said?.capacityPerInstance ?? measured?.capacityPerInstance;
  const loadPerSecond = said?.loadPerSecond;
  if (loadPerSecond === undefined || capacityPerInstance === undefined) return undefined;
  const saidMs = said?.serviceTimeMs ?? measured?.serviceTimeMs;
  const busy = (capacityPerInstance * (saidMs ?? 0)) / 1000;
  const slotsPerInstance =
    said?.slotsPerInstance ?? measured?.slotsPerInstance ?? Math.max(1, Math.round(busy));
  const serviceTimeMs = saidMs ?? (slotsPerInstance * 1000) / capacityPerInstance;
  const queue = { loadPerSecond, capacityPerInstance, slotsPerInstance, serviceTimeMs };
  // What the file says of capacity or times is of another service than the one that was measured.
  const isMeasured = said?.capacityPerInstance === undefined && said?.serviceTimeMs === undefined;
  return isMeasured && measured?.fit !== undefined ? { ...queue, fit: measured.fit } : queue;
}

function checksOf(health: HealthConfig): Pick<PredictedService, "checks" | "heartbeatMs"> {
  const { intervalMs, fastIntervalMs, downIntervalMs, timeoutMs, fall, rise, heartbeat } = health;
  const checks = { intervalMs, fastIntervalMs, downIntervalMs, timeoutMs, fall, rise };
  return {
    checks: health.check.kind === "none" ? undefined : checks,
    heartbeatMs: heartbeat === undefined ? undefined : heartbeatBound(heartbeat),
  };
}

function heartbeatBound(heartbeat: NonNullable<HealthConfig["heartbeat"]>): number {
  const { everyMs, detector, misses, phi } = heartbeat;
  if (detector === "misses") return missedBoundMs({ everyMs, misses });
  return phiBoundMs(phiSettings(everyMs, phi));
}

/** Where requests are tried again at all, most can be. */
function resentOf({ gateway }: Config, name: string): number {
  if (gateway === undefined) return 0;
  const routes = gateway.routes.filter(({ service }) => service === name);
  return routes.some(({ retry }) => retry.attempts > 0) ? resentUsually : 0;
}

function isReachedByGateway({ gateway }: Config, name: string): boolean {
  if (gateway === undefined) return false;
  return (
    gateway.routes.some(({ service }) => service === name) ||
    gateway.listen.some(({ service }) => service === name)
  );
}

function restartOf(service: ServiceConfig): PredictedService["restart"] {
  // Of endpoints nothing is started; the values are not looked at.
  if (service.kind === "endpoints") {
    return { backoffMs: 0, backoffMaxMs: 0, unhealthyAfterMs: 0, stopGraceMs: 0 };
  }
  const { backoffMs, backoffMaxMs, unhealthyAfterMs } = service.restart;
  return { backoffMs, backoffMaxMs, unhealthyAfterMs, stopGraceMs: service.stopGraceMs };
}

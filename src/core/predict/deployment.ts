// What is predicted: services, where their instances stand, and how fast their troubles are seen
// and mended. A value without names of files, so that a model, a simulation and a search for a
// plan change it and ask again.
//
// An instance is lost when it fails itself, and together with others when its machine, its zone or
// a cause that all copies share fails (rates.ts). A service is down while fewer than `needed` of
// its places in traffic are filled by instances that work. Everything Nines runs is on one machine
// unless the file places it (`predict.machines`): that machine is then the floor of everything, and
// is said to be. Planned changes (deploys, scaling, maintenance) are left out.

import type { ServiceMode } from "../route/table.ts";
import type { LoadFit } from "./load-fit.ts";

export interface Place {
  readonly name: string;
  readonly zone: string;
}

export interface Machine extends Place {
  /** Whether Nines runs processes there; else it is the host of an endpoint. */
  readonly isHost: boolean;
}

export interface PredictedInstance {
  /** As in the routing table: "web-2", "web-10.0.0.7:8080". */
  readonly id: string;
  /** A machine's name. */
  readonly machine: string;
  /** A process is started again by Nines; an endpoint comes back when somebody else mends it. */
  readonly kind: "process" | "endpoint";
  /** Stands in for all others together. */
  readonly backup: boolean;
  /** In `hot-standby`: stands in for this one. */
  readonly backupOf?: string;
}

/** How an instance is asked, of core/detect/bounds.ts. */
export interface CheckTimes {
  readonly intervalMs: number;
  readonly fastIntervalMs: number;
  readonly downIntervalMs: number;
  readonly timeoutMs: number;
  readonly fall: number;
  readonly rise: number;
}

export interface RestartTimes {
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Checks failing this long end the process; 0 is never. */
  readonly unhealthyAfterMs: number;
  /** SIGTERM to SIGKILL, of one that hangs. */
  readonly stopGraceMs: number;
}

/** How a service's requests queue; what `nines load` measures, or the file says. */
export interface QueueModel {
  /** Requests a second, of the whole service. */
  readonly loadPerSecond: number;
  /** Requests a second that one instance serves at most. */
  readonly capacityPerInstance: number;
  /** Requests that one instance serves at once. */
  readonly slotsPerInstance: number;
  /** Mean, without waiting. */
  readonly serviceTimeMs: number;
  /** How latencies are spread; absent where no load test has seen them. */
  readonly fit?: LoadFit;
}

export interface PredictedService {
  readonly name: string;
  readonly mode: ServiceMode;
  /** In the order of preference. */
  readonly instances: readonly PredictedInstance[];
  /** Fewer than this many working in traffic, and the service is down. */
  readonly needed: number;
  /** Undefined: not checked at all, heartbeats apart. */
  readonly checks: CheckTimes | undefined;
  /** Longest silence of heartbeats until the verdict; undefined without heartbeats. */
  readonly heartbeatMs: number | undefined;
  /** Workers notice an instance that answers nothing while requests come (core/detect/stall). */
  readonly stallDetection: boolean;
  /** Of requests to an instance that fails, the share that another one can answer. */
  readonly resentShare: number;
  readonly restart: RestartTimes;
  /** Whether its clients come through the gateway. */
  readonly throughGateway: boolean;
  /** Without one of these it serves nobody. Names of services; no cycle. */
  readonly dependsOn: readonly string[];
  readonly queue: QueueModel | undefined;
}

export interface PredictedGateway {
  readonly workers: number;
  /** One is enough. This version of Nines has one gateway; more are for what-if questions. */
  readonly machines: readonly string[];
}

export interface Deployment {
  readonly services: readonly PredictedService[];
  readonly machines: readonly Machine[];
  /** Undefined: clients reach the services without it. */
  readonly gateway: PredictedGateway | undefined;
}

/** Those that take traffic while all is well; in `primary-standby` one place for all. */
export function placesOf({ mode, instances }: PredictedService): readonly PredictedInstance[] {
  if (mode === "primary-standby") return instances.slice(0, 1);
  return instances.filter(({ backup, backupOf }) => !backup && backupOf === undefined);
}

/** Rho: the load by what all places serve; 0 where either is not known. */
export function utilisationOf(service: PredictedService): number {
  const { queue } = service;
  if (queue === undefined) return 0;
  return queue.loadPerSecond / (placesOf(service).length * queue.capacityPerInstance);
}

/** A service with all that it depends on: what it needs to be solved. */
export function withDependencies(deployment: Deployment, service: PredictedService): Deployment {
  const names = new Set([service.name]);
  // A set that grows while it is gone through is gone through to its new end.
  for (const name of names) {
    const found = deployment.services.find((one) => one.name === name);
    for (const other of found?.dependsOn ?? []) names.add(other);
  }
  return { ...deployment, services: deployment.services.filter(({ name }) => names.has(name)) };
}

/** Machines a, b, c, ... spread over zones in turn: as even as can be. */
export function spreadMachines(machines: number, zones: number): readonly Machine[] {
  return Array.from({ length: machines }, (_, at) => ({
    name: `machine-${at + 1}`,
    zone: `zone-${(at % zones) + 1}`,
    isHost: true,
  }));
}

/** Instances are dealt out over machines in turn, neighbours in different zones if there are. */
export function machineOf(ordinal: number, machines: readonly Place[]): string {
  const byZone = new Map<string, Place[]>();
  for (const machine of machines) {
    byZone.set(machine.zone, [...(byZone.get(machine.zone) ?? []), machine]);
  }
  const zones = [...byZone.values()];
  const longest = Math.max(...zones.map((zone) => zone.length));
  const dealt = Array.from({ length: longest }, (_, round) =>
    zones.flatMap((zone) => zone[round] ?? []),
  ).flat();
  return dealt[ordinal % dealt.length]?.name ?? "";
}

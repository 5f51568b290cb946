// What might be changed: each a deployment of its own, with the words for it. Which of them buys
// anything is found by solving it, never by a rule.

import {
  type Deployment,
  machineOf,
  type Machine,
  type PredictedInstance,
  type PredictedService,
} from "./deployment.ts";
import type { Rates } from "./rates.ts";

export interface Change {
  /** "one more instance" */
  readonly what: string;
  readonly deployment: Deployment;
  /** What becomes of any rates by it. */
  readonly rates: (before: Rates) => Rates;
}

export function changesOf(deployment: Deployment, name: string): readonly Change[] {
  const service = deployment.services.find((one) => one.name === name);
  if (service === undefined) return [];
  const changes: Change[] = [];
  const add = (what: string, changed: Deployment, rates: Change["rates"] = (same) => same) =>
    changes.push({ what, deployment: changed, rates });
  const becomes = (what: string, changed: Partial<PredictedService>) =>
    add(what, withService(deployment, { ...service, ...changed }));
  const isAlone = service.instances.length === 1;
  const more = instancesOf(service, service.instances.length + 1, deployment.machines);
  if (isAlone) {
    const standby = { ...more, mode: "primary-standby" } as const;
    add("a standby", withService(deployment, standby));
  }
  const one = service.mode === "primary-standby" ? "one more standby" : "one more instance";
  add(one, withService(deployment, more));
  if (!isAlone) {
    add("another machine, with a gateway", withMachine(deployment, false));
    add("another machine in another zone, with a gateway", withMachine(deployment, true));
  }
  const { checks, restart } = service;
  if (checks !== undefined) {
    const intervalMs = checks.intervalMs / 2;
    const fastIntervalMs = Math.min(checks.fastIntervalMs, intervalMs);
    const timeoutMs = Math.min(checks.timeoutMs, intervalMs);
    becomes("checks twice as often", {
      checks: { ...checks, intervalMs, fastIntervalMs, timeoutMs },
    });
  }
  if (service.instances.every(({ kind }) => kind === "endpoint")) return changes;
  const waitedMs = restart.unhealthyAfterMs;
  if (service.mode !== "primary-standby") {
    const unhealthyAfterMs = waitedMs === 0 ? 30_000 : waitedMs / 2;
    const what = waitedMs === 0 ? "restarts after 30 s of hanging" : "restarts in half of the time";
    becomes(`${what} (\`restart.unhealthyAfter\`)`, { restart: { ...restart, unhealthyAfterMs } });
  }
  add("starts in half of the time", deployment, (rates) => withFasterStart(rates, name));
  return changes;
}

/** A machine that only the changed service names is there as well. */
function withService(deployment: Deployment, changed: PredictedService): Deployment {
  const services = deployment.services.map((one) => (one.name === changed.name ? changed : one));
  return { ...deployment, services, machines: machinesWith(deployment, changed) };
}

/** With further instances; a further endpoint is on a machine of its own. */
function instancesOf(
  service: PredictedService,
  count: number,
  machines: readonly Machine[],
): PredictedService {
  const { instances, name } = service;
  const kind = instances[0]?.kind ?? "process";
  const further = Array.from({ length: count - instances.length }, (_, at): PredictedInstance => {
    const ordinal = instances.length + at;
    const id = kind === "process" ? `${name}-${ordinal + 1}` : `${name}-new-${ordinal + 1}`;
    const machine = kind === "process" ? machineOf(ordinal, hostsOf(service, machines)) : id;
    return { id, machine, kind, backup: false };
  });
  return { ...service, instances: [...instances, ...further] };
}

/** Where a service's further processes may go: not to the host of somebody else's endpoint. */
function hostsOf(service: PredictedService, machines: readonly Machine[]): readonly Machine[] {
  const own = new Set(service.instances.map(({ machine }) => machine));
  const hosts = machines.filter(({ name, isHost }) => isHost || own.has(name));
  return hosts.length === 0 ? machines : hosts;
}

function machinesWith(deployment: Deployment, service: PredictedService): readonly Machine[] {
  const known = new Set(deployment.machines.map(({ name }) => name));
  const zone = deployment.machines.find(({ name }) => name === service.instances[0]?.machine)?.zone;
  const missing = service.instances.filter(({ machine }) => !known.has(machine));
  return [
    ...deployment.machines,
    ...missing.map(({ machine }) => ({ name: machine, zone: zone ?? "", isHost: false })),
  ];
}

/** One more machine for processes, over which all processes are dealt out anew. */
function withMachine(deployment: Deployment, inAnotherZone: boolean): Deployment {
  const { machines, services, gateway } = deployment;
  const zone = inAnotherZone ? "another zone" : (machines.at(0)?.zone ?? "");
  const further: Machine = { name: "another machine", zone, isHost: true };
  const hosts = [...machines.filter(({ isHost }) => isHost), further];
  return {
    machines: [...machines, further],
    services: services.map((service) => ({
      ...service,
      instances: service.instances.map((one, ordinal) =>
        one.kind === "process" ? { ...one, machine: machineOf(ordinal, hosts) } : one,
      ),
    })),
    gateway:
      gateway === undefined
        ? undefined
        : { ...gateway, machines: [...gateway.machines, further.name] },
  };
}

function withFasterStart(rates: Rates, name: string): Rates {
  const own = rates.services[name];
  if (own === undefined) return rates;
  const start = { ...own.start, meanMs: own.start.meanMs / 2 };
  return { ...rates, services: { ...rates.services, [name]: { ...own, start } } };
}

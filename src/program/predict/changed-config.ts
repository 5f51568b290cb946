// A plan's choice as a configuration: what to write into the file, and the Config that would come
// of it, for a simulation.
//
// Only what differs is written. This version of Nines runs its processes on one machine: where a
// plan has more, `predict.machines` says so to the models, and building it is for people.

import type {
  Config,
  EndpointConfig,
  EndpointService,
  HealthConfig,
  PredictConfig,
  ServiceConfig,
  ServicePredictionConfig,
} from "../../config/config.ts";
import { printDuration } from "../../config/units.ts";
import type { Deployment } from "../../core/predict/deployment.ts";
import type { Choice } from "../../core/predict/search.ts";
import { thisMachine } from "./describe.ts";

const noPrediction: PredictConfig = { machines: [], gateway: [], rates: {}, services: {} };
const noServicePrediction: ServicePredictionConfig = { machines: [], rates: {} };

/** The same file for a service that gets this load. */
export function withLoad(config: Config, name: string, loadPerSecond: number): Config {
  const predict = config.predict ?? noPrediction;
  const own = predict.services[name] ?? noServicePrediction;
  const services = { ...predict.services, [name]: { ...own, loadPerSecond } };
  return { ...config, predict: { ...predict, services } };
}

/** The same file with this choice made for a service. */
export function withChoice(config: Config, name: string, choice: Choice): Config {
  const services = config.services.map((one) => (one.name === name ? chosen(one, choice) : one));
  return { ...config, services };
}

function chosen(service: ServiceConfig, { instances, intervalMs }: Choice): ServiceConfig {
  const { health } = service;
  const checked = {
    ...service,
    health: intervalMs === 0 ? health : withInterval(health, intervalMs),
  };
  if (checked.kind === "endpoints") return checked;
  const { replicas } = checked;
  return { ...checked, replicas: { min: instances, max: Math.max(instances, replicas.max) } };
}

export interface Chosen {
  readonly choice: Choice;
  readonly deployment: Deployment;
  /** Undefined: none was asked for. */
  readonly loadPerSecond: number | undefined;
}

/** YAML of what differs from the file; "" where nothing does. */
export function changeInFile(
  config: Config,
  name: string,
  { choice, deployment, loadPerSecond }: Chosen,
): string {
  const service = config.services.find((one) => one.name === name);
  if (service === undefined) return "";
  const own = serviceLines(service, choice);
  const predicted = predictLines(config, service, { deployment, loadPerSecond });
  return [
    ...(own.length === 0 ? [] : ["services:", `  ${name}:`, ...own.map((line) => `    ${line}`)]),
    ...(predicted.length === 0 ? [] : ["predict:", ...predicted.map((line) => `  ${line}`)]),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function serviceLines(service: ServiceConfig, choice: Choice): readonly string[] {
  const { instances, intervalMs } = choice;
  const lines: string[] = [];
  if (service.kind === "command") {
    const { min, max } = service.replicas;
    const most = Math.max(instances, max);
    const range = max > min ? `{ min: ${instances}, max: ${most} }` : `${instances}`;
    if (instances !== min) lines.push(`replicas: ${range}`);
  } else if (!isSpreadAs(service, choice)) {
    const { machines, zones } = choice;
    lines.push(
      `# endpoints: ${instances} of them, over ${machines} hosts in ${zones} zones; each is`,
      '# `{ address: "HOST:PORT", zone: ZONE }`',
    );
  }
  if (intervalMs !== 0) lines.push(...healthLines(service.health, intervalMs));
  return lines;
}

/** What is checked more often is waited for no longer than until the next check. */
function healthLines(before: HealthConfig, intervalMs: number): readonly string[] {
  const after = withInterval(before, intervalMs);
  const keys: string[] = [];
  const add = (key: string, wasMs: number, ms: number) => {
    if (ms !== wasMs) keys.push(`${key}: ${printDuration(ms)}`);
  };
  add("interval", before.intervalMs, after.intervalMs);
  add("fastInterval", before.fastIntervalMs, after.fastIntervalMs);
  add("timeout", before.timeoutMs, after.timeoutMs);
  return keys.length === 0 ? [] : [`health: { ${keys.join(", ")} }`];
}

function withInterval(health: HealthConfig, intervalMs: number): HealthConfig {
  const fastIntervalMs = Math.min(health.fastIntervalMs, intervalMs);
  const timeoutMs = Math.min(health.timeoutMs, intervalMs);
  return { ...health, intervalMs, fastIntervalMs, timeoutMs };
}

function isSpreadAs({ endpoints }: EndpointService, choice: Choice): boolean {
  const differing = (of: (one: EndpointConfig) => string) => new Set(endpoints.map(of)).size;
  return (
    endpoints.length === choice.instances &&
    differing(({ host }) => host) === choice.machines &&
    differing(({ zone }) => zone) === choice.zones
  );
}

function predictLines(
  { predict }: Config,
  { name, kind }: ServiceConfig,
  { deployment, loadPerSecond }: Omit<Chosen, "choice">,
): readonly string[] {
  const hosts = deployment.machines.filter(({ isHost }) => isHost);
  const before = predict?.machines ?? [];
  const lines: string[] = [];
  const names = before.length === 0 ? [thisMachine] : before.map((machine) => machine.name);
  const isSame =
    hosts.every((host, at) => host.name === names[at]) && hosts.length === names.length;
  if (kind === "command" && !isSame) {
    lines.push("machines:", ...hosts.map((host) => `  ${host.name}: { zone: ${host.zone} }`));
  }
  const gateways = deployment.gateway?.machines ?? [];
  if (gateways.length > Math.max(1, predict?.gateway.length ?? 0)) {
    lines.push(`gateway: [${gateways.join(", ")}]`);
  }
  const said = predict?.services[name];
  if (loadPerSecond !== undefined && said?.loadPerSecond !== loadPerSecond) {
    lines.push("services:", `  ${name}: { load: ${loadPerSecond} }`);
  }
  if ((said?.machines.length ?? 0) > 0) {
    lines.push(`# without services.${name}.machines: they are dealt out anew`);
  }
  return lines;
}

// The cheapest way to run a service that is available and quick enough, and why nothing cheaper is.
//
// What may be chosen: instances, the machines and zones that they are dealt out over, on how many
// of them there is a gateway, and how often instances are checked. How many instances the load
// takes is a question of queues alone (demand.ts); with fewer of them working the service counts as
// down, so that one model judges both promises at once. Each choice is a deployment of its own,
// solved exactly (solve.ts), and the search leaves none out (search.ts).
//
// A target that no choice reaches is answered by what stands in the way: each shared thing is taken
// away in turn from the best choice. Left as they are: the mode, since whether a program may run
// twice is no question of price, and checks are never made rarer than the file has them.

import { NinesError } from "../base/errors.ts";
import type { Costs } from "./costs.ts";
import {
  type CheckTimes,
  type Deployment,
  type Machine,
  type PredictedInstance,
  type PredictedService,
  machineOf,
  spreadMachines,
  withDependencies,
} from "./deployment.ts";
import { type Cause, type Rates, type ServiceRates, type Uncertain, causes } from "./rates.ts";
import {
  type Choice,
  type Found,
  type Judged,
  type Space,
  cheapest,
  isClearlyBetter,
} from "./search.ts";
import { type Structure, solve, structureOf } from "./solve.ts";

export interface PlanBounds {
  readonly instancesMax: number;
  readonly machinesMax: number;
  readonly zonesMax: number;
  readonly gatewaysMax: number;
}

export interface PlanQuestion {
  /** As it is now; other services stay, and are dealt out over the same machines. */
  readonly deployment: Deployment;
  readonly rates: Rates;
  readonly costs: Costs;
  readonly service: string;
  /** Instances that the load takes. */
  readonly needed: number;
  readonly unavailabilityMax: number;
  readonly bounds: PlanBounds;
}

/** A cause; or that there is one gateway; or the services that it depends on. */
export type BurdenName = Cause | "oneGateway" | "dependencies";

/** What would be gone if one thing were not there; they overlap, and need not add up. */
export interface Burden {
  readonly what: BurdenName;
  readonly unavailability: number;
}

export interface Reasoned extends Judged {
  /** Largest first. */
  readonly burdens: readonly Burden[];
}

/** Why nothing within the bounds is good enough. */
export interface InTheWay {
  /** The most available; of nearly equal ones, the cheapest. */
  readonly best: Reasoned;
  /** The largest causes that would all have to go; all of them, where that is not enough. */
  readonly causes: readonly Cause[];
  /** Whether the target would be met without them. */
  readonly wouldDo: boolean;
  /** The cheapest that is good enough if gateways were on more machines. */
  readonly withGateways: Judged | undefined;
}

export interface Planned {
  readonly needed: number;
  /** Undefined: no choice within the bounds is good enough. */
  readonly chosen: Reasoned | undefined;
  /** The chosen one as a deployment. */
  readonly deployment: Deployment | undefined;
  /** Cheaper ones that are not good enough, each clearly better than those that cost less. */
  readonly cheaper: readonly Reasoned[];
  /** What more money buys. */
  readonly dearer: readonly Judged[];
  /** Undefined where one was chosen. */
  readonly inTheWay: InTheWay | undefined;
  readonly judged: number;
}

export function plan(asked: PlanQuestion): Planned {
  const service = serviceOf(asked);
  // What it leans on decides, as in a prediction, and what else there is does not.
  const question = { ...asked, deployment: withDependencies(asked.deployment, service) };
  const found = search(question, spaceOf(question, service));
  const { chosen, judged } = found;
  const reasoned = (one: Judged): Reasoned => ({ ...one, burdens: burdensOf(question, one) });
  const steps = clearSteps(found.cheaper);
  return {
    needed: question.needed,
    chosen: chosen === undefined ? undefined : reasoned(chosen),
    deployment: chosen === undefined ? undefined : deploymentOf(asked, chosen.choice),
    cheaper: steps.slice(-cheaperMax).map(reasoned),
    dearer: found.dearer,
    inTheWay: chosen === undefined ? inTheWayOf(question, service, found) : undefined,
    judged,
  };
}

function search(question: PlanQuestion, space: Space): Found {
  const known = new Map<string, ReadonlyMap<number, number>>();
  const judge = (choice: Choice): number => {
    const { instances, machines, zones, gateways, intervalMs } = choice;
    const shape = [instances, machines, zones, gateways].join(" ");
    const all = known.get(shape) ?? judgeShape(question, choice, space.intervalsMs);
    known.set(shape, all);
    return all.get(intervalMs) ?? 1;
  };
  return cheapest(space, question.costs, judge, question.unavailabilityMax);
}

/**
 * By the interval between checks, which changes numbers and no structure: compiling is what takes
 * time, and a structure what takes memory, so each is made once and let go.
 */
function judgeShape(
  question: PlanQuestion,
  choice: Choice,
  intervalsMs: readonly number[],
): ReadonlyMap<number, number> {
  const structure = structureOf(deploymentOf(question, choice));
  return new Map(
    intervalsMs.map((intervalMs) => {
      const deployment = deploymentOf(question, { ...choice, intervalMs });
      return [intervalMs, unavailabilityOf({ ...structure, deployment }, question)];
    }),
  );
}

function clearSteps(better: readonly Judged[]): readonly Judged[] {
  const steps: Judged[] = [];
  for (const one of better) if (isClearlyBetter(one, steps.at(-1))) steps.push(one);
  return steps;
}

function inTheWayOf(question: PlanQuestion, service: PredictedService, found: Found): InTheWay {
  const least = found.best.unavailability;
  const nearly = found.cheaper.find(({ unavailability }) => unavailability <= least * 1.01);
  const best = nearly ?? found.best;
  const burdens = burdensOf(question, best);
  const structure = structureOf(deploymentOf(question, best.choice));
  const gone: Cause[] = [];
  let rates = question.rates;
  let wouldDo = false;
  for (const { what } of burdens) {
    if (wouldDo || what === "oneGateway" || what === "dependencies") continue;
    gone.push(what);
    rates = hardlyEver(rates, what);
    wouldDo = unavailabilityOf(structure, { ...question, rates }) <= question.unavailabilityMax;
  }
  return {
    best: { ...best, burdens },
    causes: gone,
    wouldDo,
    withGateways: withMoreGateways(question, service),
  };
}

/** Only what is shared by all has to be asked for: instances, machines and zones are searched. */
function withMoreGateways(question: PlanQuestion, service: PredictedService): Judged | undefined {
  const { bounds } = question;
  const space = spaceOf(
    { ...question, bounds: { ...bounds, gatewaysMax: gatewaysTried } },
    service,
  );
  if (space.gatewaysMax <= bounds.gatewaysMax) return undefined;
  return search(question, space).chosen;
}

const gatewaysTried = 3;
const cheaperMax = 6;
const intervalMsMin = 100;

function serviceOf({ deployment, service: name, needed, bounds }: PlanQuestion): PredictedService {
  const service = deployment.services.find((one) => one.name === name);
  if (service === undefined) contradiction(`there is no service ${name}`);
  if (service.instances.some(({ backup }) => backup)) {
    contradiction(`${name} has backup endpoints, which no plan chooses`);
  }
  if (service.mode === "primary-standby" && needed > 1) {
    contradiction(`${needed} instances are needed, and of a primary there is one`);
  }
  const least = leastInstances(service, needed);
  if (least > bounds.instancesMax) {
    contradiction(`${least} instances are needed, and a plan may have ${bounds.instancesMax}`);
  }
  return service;
}

/** Half of a hot standby's instances, rounded down, stand in for others. */
function leastInstances({ mode }: PredictedService, needed: number): number {
  return mode === "hot-standby" ? 2 * needed - 1 : needed;
}

function contradiction(what: string): never {
  throw new NinesError("NINES_PREDICT_CONTRADICTION", what);
}

function spaceOf({ needed, bounds }: PlanQuestion, service: PredictedService): Space {
  const isGatewayMovable = service.throughGateway && !isElsewhere(service);
  return {
    instancesMin: leastInstances(service, needed),
    instancesMax: bounds.instancesMax,
    machinesMax: bounds.machinesMax,
    zonesMax: bounds.zonesMax,
    gatewaysMax: isGatewayMovable ? bounds.gatewaysMax : 1,
    intervalsMs: intervalsOf(service.checks),
  };
}

/** As the file has it, and twice, four and eight times as often. */
function intervalsOf(checks: CheckTimes | undefined): readonly number[] {
  if (checks === undefined) return [0];
  const { intervalMs } = checks;
  const shorter = [intervalMs / 2, intervalMs / 4, intervalMs / 8].map(Math.round);
  return [intervalMs, ...shorter.filter((ms) => ms >= intervalMsMin)];
}

function isElsewhere({ instances }: PredictedService): boolean {
  return instances.every(({ kind }) => kind === "endpoint");
}

/** With this choice made. Endpoints get hosts of their own, processes share theirs. */
export function deploymentOf(question: PlanQuestion, choice: Choice): Deployment {
  const { deployment, service: name, needed } = question;
  const { services, machines, gateway } = deployment;
  const change = (service: PredictedService, places: readonly Machine[]): PredictedService => ({
    ...service,
    needed,
    instances: instancesOn(service, choice.instances, places),
    checks: checksEvery(service.checks, choice.intervalMs),
  });
  const own = services.find((one) => one.name === name);
  if (own !== undefined && isElsewhere(own)) {
    const hosts = hostsOfEndpoints(name, choice);
    return {
      gateway,
      machines: [...machines, ...hosts],
      services: services.map((one) => (one === own ? change(one, hosts) : one)),
    };
  }
  const hosts = hostsFor(machines, choice);
  return {
    machines: [...hosts, ...keptMachines(deployment, hosts)],
    services: services.map((one) => (one === own ? change(one, hosts) : dealtOver(one, hosts))),
    gateway:
      gateway === undefined
        ? undefined
        : { ...gateway, machines: hosts.slice(0, choice.gateways).map((host) => host.name) },
  };
}

/** Where endpoints are, also those beside the processes that are dealt out anew. */
function keptMachines(
  { machines, services }: Deployment,
  hosts: readonly Machine[],
): readonly Machine[] {
  const endpoints = services
    .flatMap(({ instances }) => instances)
    .filter(({ kind }) => kind === "endpoint");
  const used = new Set(endpoints.map(({ machine }) => machine));
  const chosen = new Set(hosts.map(({ name }) => name));
  return machines
    .filter(({ name, isHost }) => !chosen.has(name) && (!isHost || used.has(name)))
    .map((one) => ({ ...one, isHost: false }));
}

/** Those there are, where they are as many, in as many zones. */
function hostsFor(machines: readonly Machine[], choice: Choice): readonly Machine[] {
  const hosts = machines.filter(({ isHost }) => isHost);
  const zones = new Set(hosts.map(({ zone }) => zone)).size;
  if (hosts.length === choice.machines && zones === choice.zones) return hosts;
  return spreadMachines(choice.machines, choice.zones);
}

function hostsOfEndpoints(name: string, { machines, zones }: Choice): readonly Machine[] {
  return spreadMachines(machines, zones).map((place, at) => ({
    name: `${name}-host-${at + 1}`,
    zone: place.zone,
    isHost: false,
  }));
}

function dealtOver(service: PredictedService, hosts: readonly Machine[]): PredictedService {
  const instances = service.instances.map((one, ordinal) =>
    one.kind === "process" ? { ...one, machine: machineOf(ordinal, hosts) } : one,
  );
  return { ...service, instances };
}

/** In `hot-standby` half of them stand in for the others, each on the machine after. */
function instancesOn(
  service: PredictedService,
  count: number,
  places: readonly Machine[],
): readonly PredictedInstance[] {
  const kind = service.instances[0]?.kind ?? "process";
  const id = (ordinal: number) => `${service.name}-${ordinal + 1}`;
  const standIns = service.mode === "hot-standby" ? Math.floor(count / 2) : 0;
  const first = count - standIns;
  return Array.from({ length: count }, (_, ordinal): PredictedInstance => {
    const backs = ordinal - first;
    const plain = { id: id(ordinal), kind, backup: false } as const;
    if (backs < 0) return { ...plain, machine: machineOf(ordinal, places) };
    return { ...plain, machine: machineOf(backs + 1, places), backupOf: id(backs) };
  });
}

function checksEvery(checks: CheckTimes | undefined, intervalMs: number): CheckTimes | undefined {
  if (checks === undefined) return undefined;
  const fastIntervalMs = Math.min(checks.fastIntervalMs, intervalMs);
  const timeoutMs = Math.min(checks.timeoutMs, intervalMs);
  return { ...checks, intervalMs, fastIntervalMs, timeoutMs };
}

function unavailabilityOf(
  structure: Structure,
  { rates, service }: PlanQuestion,
  without?: Cause,
): number {
  const solved = solve(structure, rates, without).find(({ name }) => name === service);
  return solved?.unavailability ?? 1;
}

/** As good as never; a rate of 0 would be a claim that the models refuse. */
const hardlyEverPerHour = 1e-15;

function hardlyEver(rates: Rates, cause: Cause): Rates {
  const never = <Known extends Uncertain>(rate: Known): Known => ({
    ...rate,
    value: hardlyEverPerHour,
  });
  if (!isOfServices(cause)) return { ...rates, [cause]: never(rates[cause]) };
  const services = Object.entries(rates.services).map(([name, own]) => {
    return [name, { ...own, [cause]: never(own[cause]) }] as const;
  });
  return { ...rates, services: Object.fromEntries(services) };
}

function isOfServices(cause: Cause): cause is Cause & keyof ServiceRates {
  return (serviceCausesWithCommon as readonly Cause[]).includes(cause);
}

const serviceCausesWithCommon = ["crash", "hang", "gray", "endpoint", "commonCause"] as const;

function burdensOf(question: PlanQuestion, { choice, unavailability }: Judged): readonly Burden[] {
  const deployment = deploymentOf(question, choice);
  const structure = structureOf(deployment);
  const gained = (cause: Cause) => unavailability - unavailabilityOf(structure, question, cause);
  const without = causes.map((cause): Burden => {
    // Without crashes there are none of all at once either, which are told apart here.
    const counted = cause === "crash" ? gained("commonCause") : 0;
    return { what: cause, unavailability: gained(cause) - counted };
  });
  const shared = withoutShared(question, deployment).map(([what, changed]): Burden => {
    const left = unavailabilityOf(structureOf(changed), question);
    return { what, unavailability: unavailability - left };
  });
  return [...without, ...shared]
    .filter((one) => one.unavailability > unavailability * 0.01)
    .sort((a, b) => b.unavailability - a.unavailability);
}

/** The same without what all of it goes through, or leans on. */
function withoutShared(
  { service: name }: PlanQuestion,
  deployment: Deployment,
): readonly (readonly [BurdenName, Deployment])[] {
  const service = deployment.services.find((one) => one.name === name);
  if (service === undefined) return [];
  const changes: (readonly [BurdenName, Deployment])[] = [];
  const becomes = (changed: Partial<PredictedService>): Deployment => ({
    ...deployment,
    services: deployment.services.map((one) => (one === service ? { ...one, ...changed } : one)),
  });
  const [only, ...others] = deployment.gateway?.machines ?? [];
  if (service.throughGateway && only !== undefined && others.length === 0) {
    changes.push(["oneGateway", becomes({ throughGateway: false })]);
  }
  if (service.dependsOn.length > 0) {
    changes.push(["dependencies", becomes({ dependsOn: [] })]);
  }
  return changes;
}

// How much of the time each service is down, from a deployment and its rates.
//
// Three levels. An instance by itself alternates between working and mending: it is lost for
// rate x mean time to mend of each of its causes, whatever their distributions. Where the order of
// things matters, as with a primary and those that stand by, a Markov chain says how often traffic
// is between two of them (primary.ts). Above both, a decision diagram over zones, machines,
// instances, common causes and the gateway: exact where they are shared, also by services that
// depend on each other. What is lost although enough instances work, since nobody has noticed yet
// that one does not, is added as a share of the requests.
//
// The structure is compiled once and its numbers are put in anew, so that hundreds of draws of the
// rates cost little. Rejected: one chain of everything (2^n states for what is independent), and
// the sum of all minimal cut sets (above 0.1 it is no probability any more).

import { assert } from "../base/assert.ts";
import { NinesError } from "../base/errors.ts";
import { requireProbability, requireRate } from "../model/checks.ts";
import {
  and,
  atLeast,
  type Compiled,
  compile,
  event,
  not,
  or,
  type Tree,
} from "../model/structure/fault-tree.ts";
import {
  endpointMs,
  endSeen,
  gatewayStartMs,
  hangMs,
  requestMs,
  restartMs,
  silenceSeen,
  transferMs,
} from "./delays.ts";
import {
  type Deployment,
  type Machine,
  type PredictedInstance,
  type PredictedService,
  placesOf,
  utilisationOf,
} from "./deployment.ts";
import { meanResidue } from "./durations.ts";
import { betweenPrimaries } from "./primary.ts";
import type { Cause, Rate, Rates, ServiceRates } from "./rates.ts";

const msPerHour = 3_600_000;

/** How a service's trouble comes about: fractions of time, and of the requests of that time. */
export interface ServiceDown {
  readonly name: string;
  /** Of its requests, the share that is not served, all told. */
  readonly unavailability: number;
  /** Fewer instances in traffic than needed, whatever it depends on included. */
  readonly down: number;
  /** The share that meets, while it is up, an instance whose failure nobody has noticed. */
  readonly unnoticed: number;
  /** The share that meets no trouble, and is more than all places serve. */
  readonly overloaded: number;
  readonly times: MeanTimes;
}

/** Of one failure of a service's instances that Nines sees, on average over all of them. */
export interface MeanTimes {
  readonly detectMs: number;
  readonly transferMs: number;
  readonly recoverMs: number;
  /** How many there are. */
  readonly perYear: number;
}

/** A compiled deployment; `solve` it for any rates. */
export interface Structure {
  readonly deployment: Deployment;
  readonly compiled: Compiled;
}

/** Throws NINES_PREDICT_CONTRADICTION for a deployment that cannot be. */
export function structureOf(deployment: Deployment): Structure {
  check(deployment);
  const trees = new Trees(deployment);
  const tops = deployment.services.map((service) => trees.of(service, []));
  return { deployment, compiled: compile(...tops) };
}

/** A cause that is taken away never happens: to see what it contributes. */
export function solve(
  { deployment, compiled }: Structure,
  rates: Rates,
  without?: Cause,
): readonly ServiceDown[] {
  const numbers = new Numbers(deployment, rates, without);
  const probabilities = Float64Array.from(compiled.events, ({ name }) => numbers.of(name));
  const variables = new Map(compiled.events.map(({ name }, variable) => [name, variable]));
  return deployment.services.map((service, at) => {
    const top = compiled.tops[at] as number;
    const down = compiled.diagrams.probability(top, probabilities);
    const sensitivities = compiled.diagrams.sensitivities(top, probabilities);
    // P(down, given that it has failed) = P(down) + (1 - q) dP/dq.
    const upWithout = (name: string): number => {
      const variable = variables.get(name) ?? -1;
      const sensitivity = sensitivities[variable] ?? 0;
      return Math.max(0, 1 - down - (1 - (probabilities[variable] ?? 0)) * sensitivity);
    };
    const unnoticed = Math.min(1 - down, numbers.unnoticed(service, upWithout));
    const overloaded = (1 - down - unnoticed) * unservedShare(service);
    const unavailability = down + unnoticed + overloaded;
    const times = numbers.times(service);
    return { name: service.name, unavailability, down, unnoticed, overloaded, times };
  });
}

/** Of a load beyond what all places serve at best, what is over. */
function unservedShare(service: PredictedService): number {
  return Math.max(0, 1 - 1 / utilisationOf(service));
}

function contradiction(what: string): never {
  throw new NinesError("NINES_PREDICT_CONTRADICTION", what);
}

function check({ services, machines, gateway }: Deployment): void {
  const known = new Set(machines.map(({ name }) => name));
  if (services.length === 0) contradiction("there is no service");
  for (const machine of gateway?.machines ?? []) {
    if (!known.has(machine)) contradiction(`the gateway is on ${machine}, which is no machine`);
  }
  if (gateway?.machines.length === 0) contradiction("the gateway is on no machine");
  for (const service of services) {
    for (const { id, machine } of service.instances) {
      if (!known.has(machine)) contradiction(`${id} is on ${machine}, which is no machine`);
    }
    const places = placesOf(service).length;
    if (!Number.isInteger(service.needed) || service.needed < 1 || service.needed > places) {
      contradiction(
        `${service.name} needs ${service.needed} instances in traffic, and has ${places} places`,
      );
    }
  }
}

/** From parts to the failure of each service; what is shared is the same event. */
class Trees {
  readonly #deployment: Deployment;
  readonly #zones: ReadonlyMap<string, string>;
  readonly #known = new Map<string, Tree>();

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
    this.#zones = new Map(deployment.machines.map(({ name, zone }) => [name, zone]));
  }

  of(service: PredictedService, above: readonly string[]): Tree {
    const { name, dependsOn } = service;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    if (above.includes(name)) {
      contradiction(`${[...above, name].join(" -> ")}: services depend on each other in a circle`);
    }
    const below = dependsOn.map((other) => {
      const found = this.#deployment.services.find((one) => one.name === other);
      if (found === undefined) contradiction(`${name} depends on ${other}, which is no service`);
      return this.of(found, [...above, name]);
    });
    const tree = or(this.#own(service), ...this.#gateway(service), ...below);
    this.#known.set(name, tree);
    return tree;
  }

  #own(service: PredictedService): Tree {
    const { name, mode, instances } = service;
    const lost = (one: PredictedInstance) =>
      or(this.#place(one.machine), event(`instance ${one.id}`, 0));
    const reasons: Tree[] = [];
    if (mode === "primary-standby") {
      reasons.push(
        and(...this.#neighbours(instances).map(lost)),
        event(`between primaries of ${name}`, 0),
      );
    } else reasons.push(this.#tooFew(service, lost));
    if (hasCommonCause(service)) reasons.push(event(`common cause of ${name}`, 0));
    return or(...reasons);
  }

  #tooFew(service: PredictedService, lost: (one: PredictedInstance) => Tree): Tree {
    const { instances, needed } = service;
    const empty = this.#neighbours(placesOf(service)).map((one) => {
      const standIn = instances.find(({ backupOf }) => backupOf === one.id);
      return standIn === undefined ? lost(one) : and(lost(one), lost(standIn));
    });
    const tooFew = atLeast(empty.length - needed + 1, ...empty);
    const backups = instances.filter(({ backup }) => backup).map(lost);
    if (backups.length < needed) return tooFew;
    // They take traffic once no other does, and then all of them.
    const backupsToo = atLeast(backups.length - needed + 1, ...backups);
    return needed === 1 ? and(tooFew, backupsToo) : and(tooFew, or(not(and(...empty)), backupsToo));
  }

  #gateway({ throughGateway }: PredictedService): readonly Tree[] {
    const { gateway } = this.#deployment;
    return gateway === undefined || !throughGateway
      ? []
      : [event("gateway", 0), and(...gateway.machines.map((machine) => this.#place(machine)))];
  }

  #place(machine: string): Tree {
    const zone = this.#zones.get(machine) ?? "";
    return or(event(`zone ${zone}`, 0), event(`machine ${machine}`, 0));
  }

  /** Those of one zone and machine side by side: the diagram forgets each place once past it. */
  #neighbours(instances: readonly PredictedInstance[]): readonly PredictedInstance[] {
    const place = ({ machine }: PredictedInstance) => `${this.#zones.get(machine)} ${machine}`;
    return instances.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
  }
}

function hasCommonCause({ instances }: PredictedService): boolean {
  return instances.filter(({ kind }) => kind === "process").length > 1;
}

/** A cause of an instance's failures: how often, and how each goes. Times in milliseconds. */
interface Failure {
  readonly isSeen: boolean;
  readonly perHour: number;
  readonly detectMs: number;
  readonly recoverMs: number;
  /** Of the requests that meet it before it is noticed, the share that is lost. */
  readonly lostShare: number;
}

/** The numbers of one solution. */
class Numbers {
  readonly #deployment: Deployment;
  readonly #rates: Rates;
  readonly #without: Cause | undefined;
  readonly #byEvent = new Map<string, number>();
  readonly #failures = new Map<string, readonly Failure[]>();

  constructor(deployment: Deployment, rates: Rates, without: Cause | undefined) {
    this.#deployment = deployment;
    this.#rates = rates;
    this.#without = without;
    for (const service of deployment.services) this.#addService(service);
    const startMs = Math.max(...deployment.services.map((one) => this.#startMs(one)));
    for (const { name, zone } of deployment.machines) {
      this.#add(`machine ${name}`, this.#perHour("machine"), rates.machineRepair.meanMs + startMs);
      this.#add(`zone ${zone}`, this.#perHour("zone"), rates.zoneRepair.meanMs + startMs);
    }
    this.#add("gateway", this.#perHour("gateway"), gatewayStartMs + this.#controlAwayMs());
  }

  of(name: string): number {
    const known = this.#byEvent.get(name);
    assert(known !== undefined, "every event has a number");
    return known;
  }

  #add(name: string, perHour: number, meanMs: number): void {
    this.#byEvent.set(name, fractionOf(perHour, meanMs));
  }

  #addService(service: PredictedService): void {
    const { name, instances, mode } = service;
    for (const instance of instances) {
      let mending = 0;
      for (const { perHour, detectMs, recoverMs } of this.#failuresOf(service, instance)) {
        mending += (perHour * (detectMs + recoverMs)) / msPerHour;
      }
      this.#byEvent.set(`instance ${instance.id}`, mending / (1 + mending));
    }
    const common = this.#commonCausePerHour(service);
    this.#add(`common cause of ${name}`, common, this.#restartMs(service));
    if (mode !== "primary-standby") return;
    const [first] = instances;
    if (first === undefined) return;
    const between = betweenPrimaries({
      standbys: instances.length - 1,
      failures: [...this.#failuresOf(service, first), ...this.#placeFailures(service, first)],
      transferMs: transferMs(service) + this.#controlAwayMs(),
    });
    this.#byEvent.set(`between primaries of ${name}`, between);
  }

  #ratesOf({ name }: PredictedService): ServiceRates {
    const found = this.#rates.services[name];
    return found ?? contradiction(`there are no rates of ${name}`);
  }

  /** 0 for the cause that was taken away. */
  #perHour(cause: Cause, service?: PredictedService): number {
    const rate = rateOf(this.#rates, service && this.#ratesOf(service), cause);
    const perHour = requireRate(rate.value, `the rate of ${cause}`);
    return cause === this.#without ? 0 : perHour;
  }

  #beta(service: PredictedService): number {
    const beta = requireProbability(this.#ratesOf(service).commonCause.value, "commonCause");
    return hasCommonCause(service) ? beta : 0;
  }

  #commonCausePerHour(service: PredictedService): number {
    if (this.#without === "commonCause" || this.#without === "crash") return 0;
    return this.#beta(service) * this.#perHour("crash", service);
  }

  /** Instances of a service fail alike, by their kind. */
  #failuresOf(service: PredictedService, instance: PredictedInstance): readonly Failure[] {
    const alike = `${instance.kind} of ${service.name}`;
    const known = this.#failures.get(alike) ?? this.#drawUpFailures(service, instance);
    this.#failures.set(alike, known);
    return known;
  }

  #drawUpFailures(service: PredictedService, instance: PredictedInstance): readonly Failure[] {
    const rates = this.#ratesOf(service);
    const resent = 1 - requireProbability(service.resentShare, `resentShare of ${service.name}`);
    const silentMs = silenceSeen(service);
    const awayMs = this.#controlAwayMs();
    const isProcess = instance.kind === "process";
    const hang: Failure = {
      isSeen: true,
      perHour: this.#perHour("hang", service),
      detectMs: silentMs,
      recoverMs: hangMs(service, instance, rates) + (isProcess ? awayMs : 0),
      lostShare: resent,
    };
    const gray: Failure = {
      isSeen: false,
      perHour: this.#perHour("gray", service),
      detectMs: rates.grayRepair.meanMs,
      recoverMs: isProcess ? this.#restartMs(service) : 0,
      lostShare: 1,
    };
    if (!isProcess) {
      const perHour = this.#perHour("endpoint", service);
      const recoverMs = endpointMs(service, rates);
      // It may refuse or be silent: taken as silent.
      return [{ ...hang, perHour, recoverMs }, hang, gray];
    }
    const crash: Failure = {
      isSeen: true,
      perHour: (1 - this.#beta(service)) * this.#perHour("crash", service),
      detectMs: endSeen(service),
      recoverMs: this.#restartMs(service),
      lostShare: resent,
    };
    return [crash, hang, gray];
  }

  #restartMs(service: PredictedService): number {
    return restartMs(service, this.#ratesOf(service)) + this.#controlAwayMs();
  }

  /** By how much a restart is later since control may be away just then. */
  #controlAwayMs(): number {
    const repair = this.#rates.controlRepair;
    return fractionOf(this.#perHour("control"), repair.meanMs) * meanResidue(repair);
  }

  #startMs(service: PredictedService): number {
    const hasProcess = service.instances.some(({ kind }) => kind === "process");
    return hasProcess ? this.#ratesOf(service).start.meanMs : 0;
  }

  /** Those of a primary's places that leave somebody elsewhere to take over. */
  #placeFailures(service: PredictedService, primary: PredictedInstance): readonly Failure[] {
    const own = this.#machine(primary);
    const places = service.instances.map((one) => this.#machine(one));
    const failures: Failure[] = [];
    if (places.some(({ name }) => name !== own.name)) {
      failures.push(this.#placeFailure(service, "machine"));
    }
    if (places.some(({ zone }) => zone !== own.zone)) {
      failures.push(this.#placeFailure(service, "zone"));
    }
    return failures;
  }

  /** A failure of its instances that comes from where they are. */
  #placeFailure(service: PredictedService, cause: "machine" | "zone"): Failure {
    const repair = cause === "machine" ? this.#rates.machineRepair : this.#rates.zoneRepair;
    return {
      isSeen: true,
      perHour: this.#perHour(cause),
      detectMs: silenceSeen(service),
      recoverMs: repair.meanMs + this.#startMs(service),
      lostShare: 1 - service.resentShare,
    };
  }

  /**
   * The share of requests that meet an instance of which nobody has noticed that it does not work,
   * while the service is up without it. Each of n places gets 1/n of the requests, so it is what
   * one place's failures make of its own. `upWithout` is P(up, given that this part has failed).
   */
  unnoticed(service: PredictedService, upWithout: (event: string) => number): number {
    const places = placesOf(service);
    const requests = fractionOf(this.#workerPerHour(service), requestMs(service));
    // Of a primary it is all of the service, and counted as such.
    if (service.mode === "primary-standby") return requests;
    let share = 0;
    const meet = (event: string, failures: readonly Failure[]): void => {
      const up = upWithout(event);
      for (const one of failures) {
        share += up * fractionOf(one.perHour, one.detectMs) * one.lostShare;
      }
    };
    for (const place of places) {
      meet(`instance ${place.id}`, this.#failuresOf(service, place));
      const { name, zone } = this.#machine(place);
      meet(`machine ${name}`, [this.#placeFailure(service, "machine")]);
      meet(`zone ${zone}`, [this.#placeFailure(service, "zone")]);
    }
    return requests + share / places.length;
  }

  #machine({ machine }: PredictedInstance): Machine {
    const found = this.#deployment.machines.find(({ name }) => name === machine);
    assert(found !== undefined, "every instance is on a machine of the deployment");
    return found;
  }

  /** Each end of a worker loses what it was working on, a share of 1 / workers. */
  #workerPerHour({ throughGateway }: PredictedService): number {
    const has = throughGateway && this.#deployment.gateway !== undefined;
    return has ? this.#perHour("gatewayWorker") : 0;
  }

  times(service: PredictedService): MeanTimes {
    const all = service.instances.flatMap((one) => this.#failuresOf(service, one));
    const common = {
      perHour: this.#commonCausePerHour(service),
      detectMs: endSeen(service),
      recoverMs: this.#restartMs(service),
    };
    let [perHour, detectMs, recoverMs] = [0, 0, 0];
    for (const one of [...all.filter(({ isSeen }) => isSeen), common]) {
      perHour += one.perHour;
      detectMs += one.perHour * one.detectMs;
      recoverMs += one.perHour * one.recoverMs;
    }
    return {
      detectMs: detectMs / perHour,
      transferMs: transferMs(service),
      recoverMs: recoverMs / perHour,
      perYear: perHour * 8_760,
    };
  }
}

/** The rate of a cause; those of instances are a service's own. */
export function rateOf(rates: Rates, service: ServiceRates | undefined, cause: Cause): Rate {
  switch (cause) {
    case "machine":
    case "zone":
    case "gatewayWorker":
    case "gateway":
    case "control":
      return rates[cause];
    default:
      return service?.[cause] ?? contradiction(`there are no rates of ${cause}`);
  }
}

/** Of the time, what something is down that fails at this rate while it is up. */
function fractionOf(perHour: number, meanMs: number): number {
  const mending = (perHour * meanMs) / msPerHour;
  return mending / (1 + mending);
}

// One lifetime of a deployment: years of it, with its real control loops, from one seed.
//
// Time goes on task by task around every fault, and is passed over where every loop says that it
// would only repeat itself (ports/recurring.ts, EventLoop.passOver). Without `passesOver` every
// second is lived through; what is decided, and when, is the same to the last line of the trace.

import type { Config } from "../../src/config/config.ts";
import type { Incident } from "../../src/core/incident/incident.ts";
import type { Deployment } from "../../src/core/predict/deployment.ts";
import type { Rates } from "../../src/core/predict/rates.ts";
import type { Boundary } from "../world/event-loop.ts";
import { World } from "../world/world.ts";
import { Callers } from "./callers.ts";
import { Faults, type Strike } from "./faults.ts";
import { Ledger, type Outage } from "./ledger.ts";
import { planOf } from "./plan-of.ts";
import { Standings } from "./standing.ts";

export interface Subject {
  /** As the user's file is. */
  readonly config: Config;
  readonly deployment: Deployment;
  readonly rates: Rates;
}

export interface LifetimeOptions extends Subject {
  readonly seed: number;
  readonly lastsMs: number;
  readonly boundary: Boundary;
  /** Default true. */
  readonly passesOver?: boolean;
  /** See WorldOptions. */
  readonly settleAlways?: boolean;
  /** Default false: nothing is kept of what happens. */
  readonly trace?: boolean;
  readonly onOutage?: (outage: Outage) => void;
  /** An incident is over, by the account of control. */
  readonly onIncident?: (incident: Incident) => void;
  readonly onWorld?: (world: World) => void;
}

/** Everything starts at once, and is not yet what is asked for. */
export const settlesMs = 60_000;
/**
 * Clients who have gone come back so soon while a worker keeps an instance out that works: only a
 * request readmits it, and the real ones never stop.
 */
const returnMs = 5_000;
/** A table is with its workers by then. */
const followMs = 1;

/** Lives through it. The ledgers tell how each service fared, from `settlesMs` on. */
export async function live(options: LifetimeOptions): Promise<Lifetime> {
  const lifetime = new Lifetime(options);
  await lifetime.run();
  return lifetime;
}

export class Lifetime {
  readonly world: World;
  ledgers: readonly Ledger[] = [];
  /** Faults that hit somebody. */
  strikes = 0;
  readonly #options: LifetimeOptions;
  /** Services that clients call. */
  readonly #called: readonly string[];
  readonly #callers: Callers;
  readonly #standings: Standings;
  /** Who answered last answers wrongly. */
  #isWrong = false;
  readonly #unchangedForMs = (instances: readonly string[] | undefined): number =>
    this.world.unchangedForMs(instances);

  constructor(options: LifetimeOptions) {
    const { config, deployment, rates, seed, boundary } = options;
    this.#options = options;
    const plan = planOf(config, deployment, rates);
    const calm = { trace: options.trace ?? false };
    const settleAlways = options.settleAlways ?? false;
    this.world = new World({ seed, plan, boundary, settleAlways, calm });
    options.onWorld?.(this.world);
    this.#called = calledOf(config, deployment);
    this.#callers = new Callers(this.world, this.world.random.stream("callers"), this.#called, {
      unaccepted: (service) => this.#ledger(service)?.called(true),
      went: () => this.#callersWent(),
      areHeard: () => this.ledgers.every((one) => one.isHeard || this.#areAllAnswered(one)),
    });
    this.#standings = new Standings(this.world, deployment);
  }

  async run(): Promise<void> {
    const { loop, random } = this.world;
    const { deployment, rates, lastsMs } = this.#options;
    this.#watch();
    this.world.start();
    await this.#goOn(settlesMs);
    this.ledgers = deployment.services.map((service) => {
      const isCalled = this.#called.includes(service.name);
      const ended = (outage: Outage): void => this.#options.onOutage?.(outage);
      return new Ledger(service, isCalled, loop.nowMs, ended);
    });
    this.#look();
    const faults = new Faults(this.world, deployment, rates, random.stream("faults"), {
      coming: () => this.#callersCome(),
      struck: (strike) => this.#struck(strike),
    });
    faults.start();
    await this.#goOn(settlesMs + lastsMs);
    for (const ledger of this.ledgers) ledger.close(loop.nowMs);
    if (loop.failure !== undefined) throw loop.failure;
  }

  async #goOn(untilMs: number): Promise<void> {
    const { loop } = this.world;
    const passesOver = this.#options.passesOver ?? true;
    let askMs = passesOver ? loop.nowMs : untilMs;
    while (loop.nowMs < untilMs && loop.failure === undefined) {
      await loop.run(Math.min(untilMs, askMs));
      if (!passesOver) continue;
      // While clients call every call is lived through; when they go, the loop pauses.
      askMs = this.#callers.areCalling ? untilMs : loop.passOver(untilMs, this.#unchangedForMs);
    }
  }

  #watch(): void {
    const { world } = this;
    world.watchers.push({
      noted: () => this.#look(),
      // When workers follow it.
      published: () => void world.loop.after(followMs, () => this.#look()),
      // An attempt ends, and at once the request that it answers.
      attemptEnded: (_worker, instance) => {
        this.#isWrong = world.machine.live(instance).some(({ gray }) => gray);
      },
      requestEnded: (_worker, { service, result }) => {
        this.#ledger(service)?.called(result !== "answered" || this.#isWrong);
      },
      incidentChanged: (incident) => {
        if (incident.state !== "closed") return;
        world.history.delete(incident.id);
        this.#options.onIncident?.(incident);
      },
    });
  }

  #areAllAnswered({ service }: Ledger): boolean {
    return this.#standings.areAllAnswered(service.name);
  }

  #ledger(service: string): Ledger | undefined {
    return this.ledgers.find((one) => one.service.name === service);
  }

  #look(): void {
    if (this.ledgers.length === 0) return;
    const standings = this.#standings.all();
    let hasChanged = false;
    for (const ledger of this.ledgers) {
      const standing = standings.get(ledger.service.name);
      if (standing === undefined) continue;
      hasChanged = ledger.stands(standing, this.world.loop.nowMs) || hasChanged;
    }
    // What clients met before tells nothing of what they would meet now.
    if (hasChanged && !this.#callers.areCalling) this.#callersCome();
  }

  #struck(strike: Strike): void {
    this.strikes++;
    for (const ledger of this.ledgers) {
      if (this.#concerns(strike, ledger.service.name)) ledger.struck(strike);
      ledger.happened();
    }
  }

  /** A service has the faults of all that it depends on, and those that everybody shares. */
  #concerns(strike: Strike, service: string): boolean {
    const { cause, whom } = strike;
    const { deployment } = this.#options;
    const own = deployment.services.find(({ name }) => name === service);
    if (own === undefined) return false;
    const zoneOf = (name: string): string | undefined =>
      deployment.machines.find((one) => one.name === name)?.zone;
    const isOwn = own.instances.some(({ id, machine }) => {
      return id === whom || machine === whom || zoneOf(machine) === whom;
    });
    const ofNines = deployment.gateway?.machines[0] ?? "";
    const isShared = whom === "" || whom === ofNines || whom === zoneOf(ofNines);
    if (isOwn || isShared || (cause === "commonCause" && whom === service)) return true;
    return own.dependsOn.some((name) => this.#concerns(strike, name));
  }

  #callersCome(): void {
    if (!this.#callers.areCalling) {
      for (const ledger of this.ledgers) ledger.callersCame(this.world.loop.nowMs);
    }
    this.#callers.come();
  }

  #callersWent(): void {
    this.world.loop.pause();
    for (const ledger of this.ledgers) {
      ledger.callersWent(this.#areAllAnswered(ledger), this.world.loop.nowMs);
    }
    if (!this.#standings.isAnyKeptOut()) return;
    this.world.loop.after(returnMs, () => this.#callersCome());
  }
}

/** Services with a route of http of their own; of all others only their standing is known. */
function calledOf({ gateway }: Config, { services }: Deployment): readonly string[] {
  const routed = new Set(gateway?.routes.map(({ service }) => service));
  return services.map(({ name }) => name).filter((name) => routed.has(name));
}

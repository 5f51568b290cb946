// Faults from rates: each thing that can fail has a Poisson process of its own, and what fails is
// mended after a time that is drawn as well, by Nines where it can, else by somebody else.
//
// A fault that comes upon what is down already does nothing: so times between failures are
// exponential from the moment that a thing is up, as rates are understood (core/predict/rates.ts).

import { sayDuration } from "../../src/core/base/duration.ts";
import type { Random } from "../../src/core/base/prng.ts";
import type { Deployment, PredictedInstance } from "../../src/core/predict/deployment.ts";
import { drawDuration } from "../../src/core/predict/durations.ts";
import type { Cause, Duration, Rates, ServiceRates } from "../../src/core/predict/rates.ts";
import type { Program } from "../world/program.ts";
import type { World } from "../world/world.ts";

/** A fault that hit somebody. */
export interface Strike {
  readonly cause: Cause;
  /** An instance, a service, a machine, a zone; empty: the gateway or control. */
  readonly whom: string;
  readonly atMs: number;
  readonly sentence: string;
}

export interface FaultsEvents {
  /** A fault comes a moment from now, if it finds anybody. */
  coming(): void;
  struck(strike: Strike): void;
}

/** Clients are there so long before a fault. */
const aheadMs = 200;
const msPerHour = 3_600_000;

export class Faults {
  readonly #world: World;
  readonly #deployment: Deployment;
  readonly #rates: Rates;
  readonly #random: Random;
  readonly #events: FaultsEvents;
  /** How many faults keep a machine down: its own, and its zone's. */
  readonly #down = new Map<string, number>();
  readonly #zonesDown = new Set<string>();

  constructor(
    world: World,
    deployment: Deployment,
    rates: Rates,
    random: Random,
    events: FaultsEvents,
  ) {
    this.#world = world;
    this.#deployment = deployment;
    this.#rates = rates;
    this.#random = random;
    this.#events = events;
  }

  start(): void {
    const { services, machines, gateway } = this.#deployment;
    for (const { name, instances } of services) {
      const rates = this.#rates.services[name];
      if (rates !== undefined) this.#startService(name, instances, rates);
    }
    for (const { name } of machines) this.#often("machine", name, this.#rates.machine.value);
    for (const zone of new Set(machines.map((one) => one.zone))) {
      this.#often("zone", zone, this.#rates.zone.value);
    }
    if (gateway !== undefined) {
      const { workers } = this.#world.plan;
      this.#often("gatewayWorker", "", this.#rates.gatewayWorker.value * workers);
      this.#often("gateway", "", this.#rates.gateway.value);
    }
    this.#often("control", "", this.#rates.control.value);
  }

  #startService(name: string, all: readonly PredictedInstance[], rates: ServiceRates): void {
    const processes = all.filter(({ kind }) => kind === "process").length;
    const shared = processes > 1 ? rates.commonCause.value : 0;
    for (const { id, kind } of all) {
      if (kind === "endpoint") this.#often("endpoint", id, rates.endpoint.value);
      else this.#often("crash", id, (1 - shared) * rates.crash.value);
      this.#often("hang", id, rates.hang.value);
      this.#often("gray", id, rates.gray.value);
    }
    this.#often("commonCause", name, shared * rates.crash.value);
  }

  /** Strikes again and again, so often an hour. */
  #often(cause: Cause, whom: string, perHour: number): void {
    if (perHour <= 0) return;
    const random = this.#random.stream(`${cause} ${whom}`);
    const { loop } = this.#world;
    const next = (): void => {
      const gapMs = (-Math.log(1 - random.ratio()) / perHour) * msPerHour;
      const noticeMs = Math.min(aheadMs, gapMs);
      loop.after(gapMs - noticeMs, () => {
        this.#events.coming();
        loop.after(noticeMs, () => {
          this.#strike(cause, whom, random);
          next();
        });
      });
    };
    next();
  }

  #strike(cause: Cause, whom: string, random: Random): void {
    const did = this.#do(cause, whom, random);
    if (did === undefined) return;
    const { nowMs } = this.#world.loop;
    this.#events.struck({ cause, whom, atMs: nowMs, sentence: did });
    this.#world.note("fault", whom, did);
  }

  /** What was done, in a sentence's part; undefined when there was nobody to hit. */
  #do(cause: Cause, whom: string, random: Random): string | undefined {
    switch (cause) {
      case "crash":
        return this.#crash(this.#program(whom));
      case "hang":
        return this.#hang(this.#program(whom), this.#drawOf(whom, "hangRepair", random));
      case "gray":
        return this.#answerWrongly(this.#program(whom), this.#drawOf(whom, "grayRepair", random));
      case "endpoint":
        return this.#lose(whom, this.#drawOf(whom, "endpointRepair", random));
      case "commonCause":
        return this.#crashAll(whom);
      case "machine":
        return this.#machineFails(whom, drawDuration(this.#rates.machineRepair, random));
      case "zone":
        return this.#zoneFails(whom, drawDuration(this.#rates.zoneRepair, random));
      case "gatewayWorker":
        return this.#killWorker(random);
      case "gateway":
        return this.#killGateway();
      case "control":
        return this.#killControl(drawDuration(this.#rates.controlRepair, random));
    }
  }

  #drawOf(id: string, key: RepairKey, random: Random): number {
    const service = this.#deployment.services.find(({ instances }) =>
      instances.some((one) => one.id === id),
    );
    const rates = service && this.#rates.services[service.name];
    return rates === undefined ? 0 : drawDuration(rates[key], random);
  }

  /** Of the instance, if it works. */
  #program(id: string): Program | undefined {
    return this.#world.machine.live(id).find(({ state, gray, stoppedSinceMs }) => {
      return state === "ready" && !gray && stoppedSinceMs === undefined;
    });
  }

  #crash(program: Program | undefined): string | undefined {
    program?.end({ kind: "signalled", signal: "SIGSEGV", outOfMemory: false });
    return program && `${program.id} crashed`;
  }

  #crashAll(service: string): string | undefined {
    const predicted = this.#deployment.services.find(({ name }) => name === service);
    const programs = (predicted?.instances ?? []).flatMap(({ id }) => this.#program(id) ?? []);
    for (const program of programs) this.#crash(program);
    return programs.length === 0 ? undefined : `all processes of ${service} ended at once`;
  }

  #hang(program: Program | undefined, forMs: number): string | undefined {
    if (program === undefined) return undefined;
    program.pause();
    this.#ifItLives(program, forMs, () => program.resume());
    return `${program.id} hung`;
  }

  #answerWrongly(program: Program | undefined, forMs: number): string | undefined {
    if (program === undefined) return undefined;
    program.gray = true;
    this.#ifItLives(program, forMs, () => {
      this.#events.coming();
      program.gray = false;
      // A person has found it: what Nines started is ended, and started anew.
      if (this.#placeOf(program.id)?.kind === "process") program.end({ kind: "exited", code: 0 });
      this.#world.note("fault", program.id, `${program.id} was put right by a person`);
    });
    return `${program.id} answered wrongly, and passed its checks`;
  }

  /** Nobody comes for what has ended before: no time is lived through for that. */
  #ifItLives(program: Program, forMs: number, run: () => void): void {
    const { loop, machine } = this.#world;
    const task = loop.after(forMs, () => {
      watch[Symbol.dispose]();
      run();
    });
    const watch = machine.onEnd(program, () => task[Symbol.dispose]());
  }

  #lose(id: string, forMs: number): string | undefined {
    const program = this.#program(id);
    if (program === undefined) return undefined;
    const { host, port } = program;
    this.#crash(program);
    this.#world.loop.after(forMs, () => this.#bringBack(id, host, port));
    return `${id} was gone for ${sayDuration(forMs)}`;
  }

  #bringBack(id: string, host: string, port: number): void {
    const place = this.#placeOf(id);
    const isDown = (this.#down.get(place?.machine ?? "") ?? 0) > 0;
    if (isDown || this.#world.machine.live(id).length > 0) return;
    this.#events.coming();
    this.#world.machine.run(id, host, port);
  }

  #placeOf(id: string): PredictedInstance | undefined {
    return this.#deployment.services
      .flatMap(({ instances }) => instances)
      .find((one) => one.id === id);
  }

  #zoneFails(zone: string, forMs: number): string | undefined {
    if (this.#zonesDown.has(zone)) return undefined;
    this.#zonesDown.add(zone);
    const machines = this.#deployment.machines.filter((one) => one.zone === zone);
    for (const { name } of machines) this.#switchOff(name);
    this.#mendLater(
      machines.map(({ name }) => name),
      forMs,
      () => this.#zonesDown.delete(zone),
    );
    return `${zone} failed for ${sayDuration(forMs)}`;
  }

  #machineFails(name: string, forMs: number): string | undefined {
    if ((this.#down.get(name) ?? 0) > 0) return undefined;
    this.#switchOff(name);
    this.#mendLater([name], forMs);
    return `${name} failed for ${sayDuration(forMs)}`;
  }

  #mendLater(machines: readonly string[], forMs: number, mended?: () => void): void {
    this.#world.loop.after(forMs, () => {
      this.#events.coming();
      mended?.();
      for (const name of machines) this.#switchOn(name);
    });
  }

  #switchOff(name: string): void {
    const before = this.#down.get(name) ?? 0;
    this.#down.set(name, before + 1);
    if (before > 0) return;
    const { machine, gateway } = this.#world;
    if (this.#carriesNines(name)) {
      this.#world.killControl();
      gateway.stop();
    }
    for (const { id } of this.#on(name)) {
      machine.ailment(id).execFails = true;
      for (const program of machine.live(id)) program.end({ kind: "unknown" });
    }
    this.#world.note("fault", name, `${name} is off`);
  }

  #switchOn(name: string): void {
    const left = (this.#down.get(name) ?? 1) - 1;
    this.#down.set(name, left);
    if (left > 0) return;
    const { machine, gateway, plan } = this.#world;
    for (const { id, kind } of this.#on(name)) {
      machine.ailment(id).execFails = false;
      const address = kind === "endpoint" ? this.#addressOf(id) : undefined;
      if (address !== undefined) this.#bringBack(id, address.host, address.port);
    }
    if (this.#carriesNines(name)) {
      this.#world.reviveControl();
      gateway.start(plan.workers);
    }
    this.#world.note("fault", name, `${name} is on again`);
  }

  #on(machine: string): readonly PredictedInstance[] {
    return this.#deployment.services.flatMap(({ instances }) =>
      instances.filter((one) => one.machine === machine),
    );
  }

  #addressOf(id: string): { readonly host: string; readonly port: number } | undefined {
    for (const service of this.#world.file.services) {
      if (service.kind !== "endpoints") continue;
      const found = service.endpoints.find(
        ({ host, port }) => `${service.name}-${host}:${port}` === id,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Control and the gateway run there. */
  #carriesNines(machine: string): boolean {
    const { gateway, machines } = this.#deployment;
    return (gateway?.machines[0] ?? machines[0]?.name) === machine;
  }

  #ninesIsOn(): boolean {
    return this.#deployment.machines.every(
      ({ name }) => !this.#carriesNines(name) || (this.#down.get(name) ?? 0) === 0,
    );
  }

  #killWorker(random: Random): string | undefined {
    const { gateway } = this.#world;
    const worker = gateway.workers[random.below(Math.max(1, gateway.workers.length))];
    if (worker !== undefined) gateway.kill(worker);
    return worker && "a gateway worker was killed";
  }

  #killGateway(): string | undefined {
    const { gateway } = this.#world;
    const workers = [...gateway.workers];
    for (const worker of workers) gateway.kill(worker);
    return workers.length === 0 ? undefined : "all processes of the gateway ended";
  }

  #killControl(forMs: number): string | undefined {
    if (this.#world.control?.gate.state !== "running") return undefined;
    this.#world.killControl();
    this.#world.loop.after(forMs, () => {
      if (this.#ninesIsOn()) this.#world.reviveControl();
    });
    return `control was away for ${sayDuration(forMs)}`;
  }
}

type RepairKey = {
  [Key in keyof ServiceRates]: ServiceRates[Key] extends Duration ? Key : never;
}[keyof ServiceRates];

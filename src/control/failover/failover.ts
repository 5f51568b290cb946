// The failover loop: who may take traffic. It writes `standing` into the registry; the routing loop
// makes verdicts of it, the supervisor waits with a start where it says so.
//
// A service has a keeper by its mode: in `primary-standby` one that moves the primary (primary.ts),
// else one that damps flapping (returns.ts). A keeper looks whenever something of its service
// changed. What it writes while it looks is heard when it is done, so that a look never begins
// within another.

import type { Config, ServiceConfig } from "../../config/config.ts";
import { assert } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { RegistryChange } from "../registry/registry.ts";
import { Maintenance } from "./maintenance.ts";
import { PrimaryKeeper, type PrimaryPorts } from "./primary.ts";
import { ReturnsKeeper } from "./returns.ts";

export type FailoverPorts = Omit<PrimaryPorts, "inMaintenance">;

type Keeper = PrimaryKeeper | ReturnsKeeper;

/** More looks in one turn contradict the keepers: a look that changes nothing asks for none. */
const LOOKS_MAX = 100;

export class FailoverLoop {
  readonly #ports: PrimaryPorts;
  readonly #maintenance: Maintenance;
  readonly #subscription: Disposable;
  readonly #keepers = new Map<string, Keeper>();
  readonly #asked = new Set<string>();
  #config: Config | undefined;
  #looking = false;

  constructor(ports: FailoverPorts) {
    this.#maintenance = new Maintenance(ports.records, ports.careful);
    this.#ports = { ...ports, inMaintenance: (service) => this.#maintenance.isOn(service) };
    this.#subscription = ports.registry.subscribe((change) => {
      if (!matters(change)) return;
      this.#asked.add((change.after ?? change.before)?.service ?? "");
      this.#lookAround();
    });
  }

  follow(config: Config): void {
    this.#config = config;
    const named = new Set(config.services.map(({ name }) => name));
    for (const name of this.#keepers.keys()) if (!named.has(name)) this.#end(name);
    this.#quietly(() => {
      for (const service of config.services) this.#keep(service, config.gateway !== undefined);
    });
    for (const name of named) this.#asked.add(name);
    this.#lookAround();
  }

  /**
   * What follows, in a sentence. Throws NINES_SERVICE_UNKNOWN, NINES_TARGET_UNKNOWN,
   * NINES_FAILOVER_MODE or NINES_FAILOVER_REFUSED.
   */
  failover(service: string, to: string | undefined): string {
    const keeper = this.#primaryOf(service);
    return this.#quietly(() => keeper.order("order-failover", to));
  }

  failback(service: string): string {
    const keeper = this.#primaryOf(service);
    return this.#quietly(() => keeper.order("order-failback", undefined));
  }

  /**
   * One that it begins for must have a primary: of others control moves nothing that it could hold.
   * What is so now, in a sentence. Throws NINES_SERVICE_UNKNOWN, NINES_FAILOVER_MODE,
   * NINES_FAILOVER_REFUSED or NINES_STATE_WRITE.
   */
  maintain(on: boolean, service: string | undefined): string {
    if (service !== undefined && on) this.#primaryOf(service);
    if (service !== undefined) this.#require(service);
    const maintenance = this.#maintenance;
    const isOn = service === undefined ? maintenance.isOnForAll : maintenance.isOn(service);
    const whom = service ?? "all services";
    if (on && isOn) return `maintenance of ${whom} goes on: ${this.#whatIsHeld(service)}`;
    if (!on && service !== undefined && !isOn) return `${service} is not in maintenance`;
    if (!on && !maintenance.isOnForSome) return "no service is in maintenance";
    if (!on && service !== undefined && maintenance.isOnForAll) {
      const what = `All services are in maintenance, "${service}" with them.`;
      throw new NinesError(
        "NINES_FAILOVER_REFUSED",
        `${what} \`nines maintenance off\` ends it for all.`,
      );
    }
    if (service !== undefined && on) maintenance.begin(service);
    else if (service !== undefined) maintenance.end(service);
    else if (on) maintenance.beginForAll();
    else maintenance.endForAll();
    const sentence = on
      ? `maintenance begins for ${whom}: ${this.#whatIsHeld(service)}`
      : `maintenance is over for ${whom}: standbys take over by themselves again`;
    const kind = on ? "maintenance.on" : "maintenance.off";
    this.#ports.events.record({ kind, level: "info", sentence, ...(service ? { service } : {}) });
    for (const name of this.#keepers.keys()) this.#asked.add(name);
    this.#lookAround();
    return sentence;
  }

  /** Control moves primaries alone: the workers choose backups by themselves, at any time. */
  #whatIsHeld(service: string | undefined): string {
    const held = "no standby takes over by itself";
    const services = this.#config?.services ?? [];
    const others = services.filter(({ failover }) => failover.mode === "hot-standby");
    if (service !== undefined || others.length === 0) return held;
    const names = others.map(({ name }) => name).join(", ");
    return `${held}; backups of ${names} do, for each worker decides that at once`;
  }

  isInMaintenance(service: string): boolean {
    return this.#maintenance.isOn(service);
  }

  /** Throws NINES_SERVICE_UNKNOWN or NINES_FAILOVER_MODE. */
  explain(service: string): readonly string[] {
    return this.#primaryOf(service).explain();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const name of this.#keepers.keys()) this.#end(name);
  }

  #keep(service: ServiceConfig, served: boolean): void {
    const { name } = service;
    const known = this.#keepers.get(name);
    const primary = service.failover.mode === "primary-standby";
    if (primary && known instanceof PrimaryKeeper) return known.follow(service, served);
    if (!primary && known instanceof ReturnsKeeper) return;
    this.#end(name);
    const keeper = primary
      ? new PrimaryKeeper(this.#ports, service, served)
      : new ReturnsKeeper(this.#ports, name);
    this.#keepers.set(name, keeper);
  }

  #end(name: string): void {
    this.#keepers.get(name)?.[Symbol.dispose]();
    this.#keepers.delete(name);
  }

  #lookAround(): void {
    if (this.#looking) return;
    this.#quietly(() => undefined);
  }

  /** Runs it, then looks wherever something has changed meanwhile, until nothing does. */
  #quietly<Result>(run: () => Result): Result {
    assert(!this.#looking, "nobody orders from within a look");
    this.#looking = true;
    try {
      const result = run();
      for (let looks = 0; this.#asked.size > 0; looks++) {
        assert(looks < LOOKS_MAX, "the keepers come to rest");
        const names = [...this.#asked];
        this.#asked.clear();
        for (const name of names) this.#keepers.get(name)?.look();
      }
      return result;
    } finally {
      this.#looking = false;
    }
  }

  #require(name: string): ServiceConfig {
    const service = this.#config?.services.find((one) => one.name === name);
    if (service !== undefined) return service;
    throw new NinesError("NINES_SERVICE_UNKNOWN", `No service "${name}" is in the file.`);
  }

  #primaryOf(name: string): PrimaryKeeper {
    const { failover } = this.#require(name);
    const keeper = this.#keepers.get(name);
    if (keeper instanceof PrimaryKeeper) return keeper;
    throw new NinesError(
      "NINES_FAILOVER_MODE",
      `"${name}" is ${failover.mode}: it has no primary.`,
    );
  }
}

/** What a keeper reads; not what it writes, and not the sentences. */
function matters({ before, after }: RegistryChange): boolean {
  if (before === undefined || after === undefined) return true;
  return (
    before.phase !== after.phase ||
    before.health !== after.health ||
    before.draining !== after.draining ||
    before.steered !== after.steered ||
    before.agent !== after.agent ||
    before.ejectedGeneration !== after.ejectedGeneration ||
    before.told !== after.told
  );
}

// How the services of a simulated world really stand: which places in traffic are filled by
// programs that work.
//
// A place is an instance that is meant to take traffic: all but those that stand in for others. It
// is filled by its instance when workers send there and the program answers; else by its stand-in.
// Of `primary-standby` one place is to be filled, by whoever is primary.

import type { Deployment, PredictedService } from "../../src/core/predict/deployment.ts";
import type { RoutingTable, TableInstance } from "../../src/core/route/table.ts";
import type { World } from "../world/world.ts";
import type { Standing } from "./ledger.ts";

export class Standings {
  readonly #world: World;
  readonly #deployment: Deployment;
  /** As a worker follows it. */
  #table: RoutingTable | undefined;
  readonly #rows = new Map<string, readonly TableInstance[]>();

  constructor(world: World, deployment: Deployment) {
    this.#world = world;
    this.#deployment = deployment;
  }

  /** By service; each with all that it depends on. */
  all(): ReadonlyMap<string, Standing> {
    this.#readTable();
    const found = new Map<string, Standing>();
    for (const service of this.#deployment.services) this.#of(service, found);
    return found;
  }

  /** Whether a worker has ejected an instance that works, and that the table says is up. */
  isAnyKeptOut(): boolean {
    this.#readTable();
    const rows = [...this.#rows.values()].flat();
    return this.#world.gateway.serving().some((worker) => {
      const ejected = worker.ejected();
      return ejected.some(
        (id) => rows.some((row) => row.id === id && row.verdict === "up") && this.#answers(id),
      );
    });
  }

  /** Whether there are workers, and each sends requests only where all of them are answered. */
  areAllAnswered(service: string): boolean {
    const workers = this.#world.gateway.serving();
    const areAnswered = workers.every((worker) => {
      const own = worker.table?.services.find(({ name }) => name === service);
      // In a panic others are tried as well.
      if (own === undefined || own.detection.panicRatio > 0) return false;
      const takers = [...worker.takers(own)];
      return takers.length > 0 && takers.every((id) => this.#answers(id));
    });
    return workers.length > 0 && areAnswered;
  }

  #of(service: PredictedService, found: Map<string, Standing>): Standing {
    const known = found.get(service.name);
    if (known !== undefined) return known;
    const others = service.dependsOn.every((name) => {
      const other = this.#deployment.services.find((one) => one.name === name);
      return other === undefined || this.#of(other, found).isUp;
    });
    const working = this.#working(service);
    const isUp =
      others && working >= service.needed && (!service.throughGateway || this.#hasGateway());
    const standing = { working, isUp, isWhole: isUp && working >= placesOf(service) };
    found.set(service.name, standing);
    return standing;
  }

  #readTable(): void {
    for (const { gate, table } of this.#world.gateway.workers) {
      if (gate.state !== "running" || table === undefined || table === this.#table) continue;
      this.#table = table;
      for (const { name, instances } of table.services) this.#rows.set(name, instances);
      return;
    }
  }

  #hasGateway(): boolean {
    return this.#world.gateway.workers.some(({ gate }) => gate.state === "running");
  }

  #working(service: PredictedService): number {
    const rows = this.#rows.get(service.name) ?? [];
    const routed = service.throughGateway;
    const works = (id: string): boolean => {
      const isMeant = !routed || rows.some((row) => row.id === id && row.verdict === "up");
      return isMeant && this.#answers(id);
    };
    const { instances } = service;
    const filled = instances.filter(({ id, backup, backupOf }) => {
      if (backup || backupOf !== undefined) return false;
      return works(id) || instances.some((one) => one.backupOf === id && works(one.id));
    });
    if (filled.length > 0) return filled.length;
    return instances.filter(({ id, backup }) => backup && works(id)).length;
  }

  #answers(id: string): boolean {
    const programs = this.#world.machine.live(id);
    return programs.some(({ healthySinceMs, gray }) => healthySinceMs !== undefined && !gray);
  }
}

function placesOf({ mode, instances }: PredictedService): number {
  if (mode === "primary-standby") return 1;
  return instances.filter(({ backup, backupOf }) => !backup && backupOf === undefined).length;
}

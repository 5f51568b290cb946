// The routing loop: whenever the registry or the file changes, the table that follows from them is
// published, once for all changes of one turn.
//
// Then it writes into the registry what the data plane was told of each instance, so that whoever
// ends one can wait until no worker sends to it any more.

import type { Config, GatewayConfig } from "../../config/config.ts";
import type {
  InstanceVerdict,
  RoutingTable,
  TableInstance,
  TableService,
} from "../../core/route/table.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { RoutingTables } from "../../ports/routing-tables.ts";
import type { Registry, RegistryChange } from "../registry/registry.ts";
import { verdictOf } from "../registry/verdict.ts";
import { buildTable, closedTable, type TableFrame, tableFrame } from "./build-table.ts";
import type { RoutingMemory } from "./memory.ts";

export interface RoutingPorts {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly routingTables: RoutingTables;
  readonly memory: RoutingMemory;
}

export class RoutingLoop {
  readonly #ports: RoutingPorts;
  readonly #subscription: Disposable;
  #config: Config | undefined;
  /** The same in every table of one file. */
  #frame: TableFrame | undefined;
  #fileSays = "";
  #table: RoutingTable | undefined;
  /** What the file said when the table was made. */
  #fileSaid = "";
  #pending: Timer | undefined;

  constructor(ports: RoutingPorts) {
    this.#ports = ports;
    this.#subscription = ports.registry.subscribe((change) => {
      if (changesRouting(change)) this.#publishSoon();
    });
  }

  get table(): RoutingTable | undefined {
    return this.#table;
  }

  follow(config: Config): void {
    const { gateway } = config;
    this.#config = config;
    this.#frame = gateway && tableFrame(gateway);
    this.#fileSays = gateway === undefined ? "" : fileSays({ ...config, gateway });
    this.#publishSoon();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#pending?.[Symbol.dispose]();
  }

  #publishSoon(): void {
    this.#pending ??= this.#ports.clock.after(0, () => {
      this.#pending = undefined;
      this.#publish();
    });
  }

  #publish(): void {
    const { memory, registry, routingTables } = this.#ports;
    const current = this.#table?.version ?? 0;
    const wanted = this.#wantedTable(current);
    if (wanted === undefined) return;
    const last = this.#fileSaid === this.#fileSays ? this.#table : undefined;
    this.#fileSaid = this.#fileSays;
    const changed = last === undefined || !isSameOfInstances(last, wanted);
    const table = changed ? { ...wanted, version: memory.nextVersion() } : last;
    this.#table = table;
    // As in the table, whatever a listener makes of it while it is told.
    const told = registry.instances().map((record) => {
      const { id, generation } = record;
      return { id, generation, verdict: verdictOf(record) };
    });
    if (changed) {
      // The disk is what takes time here, and clients may wait for the table.
      const early = memory.isReserved(table.version);
      if (early) routingTables.publish(table);
      memory.keep(table.version, told);
      if (!early) routingTables.publish(table);
    }
    for (const { id, verdict } of told) this.#tell(id, verdict, table.version);
  }

  #wantedTable(version: number): RoutingTable | undefined {
    const config = this.#config;
    const gateway = config?.gateway;
    if (config !== undefined && gateway !== undefined) {
      const { registry } = this.#ports;
      const epochOf = (service: string): number => registry.epoch(service);
      const whole = { ...config, gateway };
      return buildTable(whole, registry.instances(), version, epochOf, this.#frame);
    }
    return this.#table && closedTable(this.#table, version);
  }

  #tell(id: string, verdict: InstanceVerdict, version: number): void {
    const record = this.#ports.registry.get(id);
    if (record === undefined || (record.told?.verdict === verdict && record.told.version > 0))
      return;
    this.#ports.registry.patch(id, { told: { verdict, version } });
  }
}

/** Of a whole file once; of instances with every change of one of them. */
function fileSays(config: Config & { readonly gateway: GatewayConfig }): string {
  return JSON.stringify(buildTable(config, [], 0, () => 0));
}

/** What is said of instances, which are all of a table that is not the file's alone. */
function isSameOfInstances(one: RoutingTable, other: RoutingTable): boolean {
  if (one.services.length !== other.services.length) return false;
  return one.services.every(({ epoch, instances }, at) => {
    const { epoch: otherEpoch, instances: others } = other.services[at] as TableService;
    if (epoch !== otherEpoch || instances.length !== others.length) return false;
    return instances.every((row, index) => isSameRow(row, others[index] as TableInstance));
  });
}

/** Each of its values is a text, a number or a yes. */
function isSameRow(row: TableInstance, other: TableInstance): boolean {
  return isWithin(row, other) && isWithin(other, row);
}

function isWithin(some: TableInstance, all: TableInstance): boolean {
  for (const key in some) {
    const name = key as keyof TableInstance;
    if (some[name] !== all[name]) return false;
  }
  return true;
}

function changesRouting({ before, after }: RegistryChange): boolean {
  if (before === undefined || after === undefined) return true;
  return (
    before.generation !== after.generation ||
    before.host !== after.host ||
    before.port !== after.port ||
    before.weight !== after.weight ||
    before.backup !== after.backup ||
    before.priority !== after.priority ||
    before.zone !== after.zone ||
    before.share !== after.share ||
    before.draining !== after.draining ||
    before.steered !== after.steered ||
    before.agent !== after.agent ||
    before.standing !== after.standing ||
    before.phase !== after.phase ||
    before.health !== after.health
  );
}

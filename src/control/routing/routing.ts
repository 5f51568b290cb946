// The routing loop: whenever the registry or the file changes, the table that follows from them is
// published, once for all changes of one turn.
//
// Then it writes into the registry what the data plane was told of each instance, so that whoever
// ends one can wait until no worker sends to it any more.

import type { Config } from "../../config/config.ts";
import type { InstanceVerdict, RoutingTable } from "../../core/route/table.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { RoutingTables } from "../../ports/routing-tables.ts";
import type { Registry, RegistryChange } from "../registry/registry.ts";
import { verdictOf } from "../registry/verdict.ts";
import { buildTable, closedTable } from "./build-table.ts";
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
  #table: RoutingTable | undefined;
  /** What the table says, whatever its version. */
  #says = "";
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
    this.#config = config;
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
    const says = JSON.stringify({ ...wanted, version: 0 });
    const changed = this.#table === undefined || says !== this.#says;
    this.#says = says;
    const table = changed ? { ...wanted, version: memory.nextVersion() } : this.#table;
    if (table === undefined) return;
    this.#table = table;
    // As in the table, whatever a listener makes of it while it is told.
    const told = registry.instances().map((record) => ({ ...record, verdict: verdictOf(record) }));
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
      return buildTable({ ...config, gateway }, registry.instances(), version, epochOf);
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

function changesRouting({ before, after }: RegistryChange): boolean {
  if (before === undefined || after === undefined) return true;
  return (
    before.generation !== after.generation ||
    before.host !== after.host ||
    before.port !== after.port ||
    before.weight !== after.weight ||
    before.backup !== after.backup ||
    before.share !== after.share ||
    before.draining !== after.draining ||
    before.standing !== after.standing ||
    before.phase !== after.phase ||
    before.health !== after.health
  );
}

// Returns to the traffic of a service whose instances all take part: at once, unless one flaps and
// can be spared (core/failover/returns.ts decides). Writes `standing` alone, and holds one timer.

import { followPresence, type Presence, unseen } from "../../core/failover/returns.ts";
import { heldUntilMs } from "../../core/guard/flap-damping.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { InstanceRecord, Registry } from "../registry/registry.ts";
import { isHeldOut, verdictIfActive, verdictOf } from "../registry/verdict.ts";

export interface ReturnsPorts {
  readonly clock: Clock;
  readonly events: Events;
  readonly registry: Registry;
}

export class ReturnsKeeper {
  readonly #ports: ReturnsPorts;
  readonly #service: string;
  #presences: ReadonlyMap<string, Presence> = new Map();
  #timer: Timer | undefined;

  constructor(ports: ReturnsPorts, service: string) {
    this.#ports = ports;
    this.#service = service;
  }

  look(): void {
    const records = this.#ports.registry
      .instances()
      .filter(({ service }) => service === this.#service);
    // What a deploy adds for its time is not missing before it is there.
    const count = records.filter(({ extra }) => extra !== true).length;
    const next = new Map<string, Presence>();
    for (const { id } of records) {
      const record = this.#ports.registry.get(id);
      if (record !== undefined) next.set(id, this.#lookAt(record, count));
    }
    this.#presences = next;
    this.#wait();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #lookAt(record: InstanceRecord, count: number): Presence {
    const { id, service } = record;
    const { clock, events, registry } = this.#ports;
    const facts = {
      ejected: record.ejectedGeneration === record.generation,
      well: verdictIfActive(record) === "up",
      withdrawn: isHeldOut(record),
      isSpare: (): boolean => this.#othersUp(id) >= Math.ceil(count / 2),
    };
    const before = this.#presences.get(id) ?? unseen;
    const { presence, says } = followPresence(before, facts, id, clock.monotonicMs());
    if (says !== undefined) {
      const kind = presence.phase === "held" ? "failover.held" : "failover.returned";
      events.record({ kind, level: "info", sentence: says, service, instance: id });
    }
    const held = presence.phase === "held";
    const why = says ?? record.standingWhy;
    const standing = held ? "standby" : "active";
    registry.patch(id, { standing, standingWhy: held ? why : "", startHeld: "" });
    return presence;
  }

  #othersUp(id: string): number {
    const all = this.#ports.registry.instances();
    return all.filter(
      (one) => one.service === this.#service && one.id !== id && verdictOf(one) === "up",
    ).length;
  }

  /** Until the first hold is over. */
  #wait(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const held = [...this.#presences.values()].filter(({ phase }) => phase === "held");
    if (held.length === 0) return;
    const dueMs = Math.min(...held.map(({ changes }) => heldUntilMs(changes)));
    const delayMs = Math.max(1, dueMs - this.#ports.clock.monotonicMs());
    this.#timer = this.#ports.clock.after(delayMs, () => this.look());
  }
}

// The health loop: watches every instance that may take traffic, and writes into the registry
// whether it is well. An instance has one signal or two: a check (active-check.ts), heartbeats
// (heartbeat-watch.ts). Well is what all its signals call up, down is what one of them does.
//
// Invariant: evidence counts only for the process that gave it. The signals end with the process,
// and what they hear of it later is dropped.

import type { Config, HealthConfig } from "../../config/config.ts";
import type { Random } from "../../core/base/prng.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Heartbeats } from "../../ports/heartbeats.ts";
import type { Probes } from "../../ports/probe.ts";
import type { Health, InstanceRecord, Registry, RegistryChange } from "../registry/registry.ts";
import type { Surroundings } from "../registry/surroundings.ts";
import { ActiveCheck } from "./active-check.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { Observer } from "./observer.ts";
import type { News, Signal, Subject } from "./signal.ts";

export interface HealthPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly probes: Probes;
  readonly heartbeats: Heartbeats;
  readonly events: Events;
  readonly registry: Registry;
  /** What an instance's process lives in; undefined when nobody knows. */
  readonly surroundingsOf: (record: InstanceRecord) => Surroundings | undefined;
  /** How long a passed check of an instance took. */
  readonly measured: (instance: string, latencyMs: number) => void;
}

/** When many are checked from one moment on, their first checks are this far apart on average. */
const spreadMs = 5;

interface Watch {
  readonly signals: readonly Signal[];
  /** What it was begun with: which signals it asks for, what differs is begun anew. */
  health: HealthConfig;
}

export class HealthLoop {
  readonly #ports: HealthPorts & { readonly observer: Observer };
  readonly #subscription: Disposable;
  readonly #watches = new Map<string, Watch>();
  #settings = new Map<string, HealthConfig>();

  constructor(ports: HealthPorts) {
    this.#ports = { ...ports, observer: new Observer(ports.clock, ports.events) };
    this.#subscription = ports.registry.subscribe((change) => this.#registryChanged(change));
  }

  follow(config: Config): void {
    this.#settings = new Map(config.services.map(({ name, health }) => [name, health]));
    for (const record of this.#ports.registry.instances()) this.#review(record);
  }

  /** Live traffic met a failure. Ignored for what is not watched, or known to be down. */
  suspect(instance: string, detail: string): void {
    for (const signal of this.#watches.get(instance)?.signals ?? []) signal.suspect(detail);
  }

  /** How many times as long as their settings say checks wait now: more than once in self-doubt. */
  get patience(): number {
    return this.#ports.observer.factor;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#ports.observer[Symbol.dispose]();
    for (const id of this.#watches.keys()) this.#end(id);
  }

  #registryChanged({ before, after }: RegistryChange): void {
    const id = (after ?? before)?.id ?? "";
    // As it is now, which may be newer than the change.
    const record = this.#ports.registry.get(id);
    if (record === undefined) this.#end(id);
    else this.#review(record);
  }

  /** Begins or ends the watch over an instance, as its phase and the file say. */
  #review(record: InstanceRecord): void {
    const { id } = record;
    const health = this.#settings.get(record.service);
    const watch = this.#watches.get(id);
    if (health === undefined || !isWatched(record)) {
      if (watch === undefined) return;
      this.#end(id);
      return this.#ports.registry.patch(id, { health: "unknown", failingSinceMs: undefined });
    }
    if (watch?.health === health) return;
    if (watch !== undefined && askedBy(watch.health) === askedBy(health)) {
      watch.health = health;
      return;
    }
    this.#end(id);
    this.#begin(record, health);
  }

  #begin(record: InstanceRecord, health: HealthConfig): void {
    const { id } = record;
    const signals: Signal[] = [];
    const watch: Watch = { signals, health };
    const subject: Subject = () => this.#subject(id, watch);
    const tell = (news: News): void => this.#heard(id, watch, news);
    this.#watches.set(id, watch);
    if (health.check.kind !== "none") {
      const delayMs = this.#firstDelayMs(record, health);
      signals.push(new ActiveCheck(this.#ports, health, subject, delayMs, tell));
    }
    const { heartbeat } = health;
    const file = heartbeat && this.#ports.surroundingsOf(record)?.heartbeatFile;
    if (heartbeat !== undefined && file !== undefined) {
      signals.push(new HeartbeatWatch(this.#ports, file, { health, heartbeat }, subject, tell));
    }
    this.#assume(record, signals);
  }

  /**
   * What it counts as before the first evidence. One that runs and that nobody asks anything of (it
   * was started before heartbeats were asked for) is well until it is replaced.
   */
  #assume(record: InstanceRecord, signals: readonly Signal[]): void {
    const assumed = overall(signals);
    const starting = record.phase === "starting";
    if (assumed === "unknown" || (starting && assumed === "down")) return;
    if (starting && signals.length === 0) return;
    this.#ports.registry.patch(record.id, { health: assumed, lastCheck: "not checked yet" });
  }

  #end(id: string): void {
    for (const signal of this.#watches.get(id)?.signals ?? []) signal[Symbol.dispose]();
    this.#watches.delete(id);
  }

  #subject(id: string, watch: Watch): ReturnType<Subject> {
    const record = this.#ports.registry.get(id);
    const health = record && this.#settings.get(record.service);
    const current = this.#watches.get(id) === watch;
    return record === undefined || health === undefined || !current
      ? undefined
      : { record, health };
  }

  #heard(id: string, watch: Watch, { detail, changed }: News): void {
    const record = this.#subject(id, watch)?.record;
    if (record === undefined) return;
    const health = overall(watch.signals);
    const same = health === "unknown" || health === record.health;
    const failingSinceMs = earliest(watch.signals);
    this.#ports.registry.patch(id, { lastCheck: detail, failingSinceMs });
    if (!same && changed !== undefined) this.#changed(record, health, changed);
  }

  /** Announces a new verdict. The end of a start is for the supervisor to say. */
  #changed(record: InstanceRecord, health: Health, why: string): void {
    const { registry, events, clock } = this.#ports;
    const { id, service } = record;
    const up = health === "up";
    if (record.phase === "starting") {
      if (up) registry.patch(id, { health });
      return;
    }
    const sentence = `${id} is ${why}`;
    const kind = up ? "instance.up" : "instance.down";
    events.record({ kind, level: up ? "info" : "warning", sentence, service, instance: id });
    const wasOut = record.told?.verdict === "down" || record.told?.verdict === "failing";
    const readmitted = up && (wasOut || record.health === "down");
    const generation = record.generation + (readmitted ? 1 : 0);
    const sinceWallMs = clock.wallMs();
    registry.patch(id, { health, generation, why: sentence, sinceWallMs });
  }

  /** A start is checked at once; what already runs is, with all others, spread a little. */
  #firstDelayMs(record: InstanceRecord, { fastIntervalMs }: HealthConfig): number {
    if (record.phase === "starting") return 0;
    const spread = Math.min(fastIntervalMs, spreadMs * this.#ports.registry.instances().length);
    return this.#ports.random.ratio() * spread;
  }
}

function isWatched(record: InstanceRecord): boolean {
  const { phase, port } = record;
  return port > 0 && (phase === "starting" || phase === "running" || phase === "external");
}

/** Which signals these settings ask for; all else is followed as they go. */
function askedBy({ check, heartbeat }: HealthConfig): string {
  return JSON.stringify([check.kind === "none", heartbeat]);
}

/** Up when all say so, down when one does. */
function overall(signals: readonly Signal[]): Health {
  if (signals.some(({ verdict }) => verdict === "down")) return "down";
  return signals.every(({ verdict }) => verdict === "up") ? "up" : "unknown";
}

function earliest(signals: readonly Signal[]): number | undefined {
  const since = signals.flatMap(({ failingSinceMs }) => failingSinceMs ?? []);
  return since.length === 0 ? undefined : Math.min(...since);
}

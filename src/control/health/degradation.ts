// Who will fail soon? With `failover.predictive`, an instance whose memory or whose checks grow
// steadily towards their limit is replaced before they reach it, in its service's own time.
//
// core/detect/trend.ts says whether there is a trend; this file samples, and asks that an instance
// be replaced only while another serves and all are well: a replacement ahead of time must cost
// less than the failure that it saves. The supervisor replaces it as in any rolling change. Said
// either way, once for each process.
//
// Histories are of one process, and end with it.

import type { CommandService, Config } from "../../config/config.ts";
import { sayBytes } from "../../core/base/bytes.ts";
import { sayDuration } from "../../core/base/duration.ts";
import {
  History,
  reachesInMs,
  risingTrend,
  type Trend,
  trendSettings,
} from "../../core/detect/trend.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Recurring, Rest } from "../../ports/recurring.ts";
import type { InstanceRecord, Registry } from "../registry/registry.ts";

export interface DegradationPorts {
  readonly clock: Clock;
  readonly events: Events;
  readonly registry: Registry;
  /** Memory of an instance's process group now; undefined when it has none. */
  readonly residentBytes: (instance: string) => number | undefined;
  /** Replaces it in turn, with all others well. */
  readonly replace: (instance: string, cause: string) => void;
}

/** A trend that reaches its limit later than this is left alone: much may happen until then. */
const horizonMs = 600_000;
export const sampleMs = 5_000;
/** Trends are looked for at each nth sample: that costs a sort of thousands of slopes. */
const samplesBetweenLooks = 6;

interface Past {
  readonly pid: number | undefined;
  readonly memory: History;
  readonly latency: History;
  /** What was said of it last: that it waits for its turn, or is replaced. */
  said: "nothing" | "waits" | "replaced";
}

export class DegradationLoop {
  readonly #ports: DegradationPorts;
  readonly #pasts = new Map<string, Past>();
  #services: ReadonlyMap<string, CommandService> = new Map();
  #timer: Timer | undefined;
  #samples = 0;
  #dueMs = 0;
  readonly #recurring: Recurring = {
    atRest: () => this.#atRest(),
    passedOver: (byMs) => this.#passedOver(byMs),
  };

  constructor(ports: DegradationPorts) {
    this.#ports = ports;
  }

  follow(config: Config): void {
    const predictive = config.services.flatMap((service) =>
      service.kind === "command" && service.failover.predictive
        ? [[service.name, service] as const]
        : [],
    );
    this.#services = new Map(predictive);
    if (predictive.length > 0) this.#timer ??= this.#sampleLater();
  }

  /** A check passed after this time. */
  measured(instance: string, latencyMs: number): void {
    this.#pasts.get(instance)?.latency.add(this.#ports.clock.monotonicMs(), latencyMs);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #sampleLater(): Timer {
    const { clock } = this.#ports;
    this.#dueMs = clock.monotonicMs() + sampleMs;
    const run = (): void => {
      this.#sample();
      this.#timer = this.#services.size > 0 ? this.#sampleLater() : undefined;
    };
    return clock.after(sampleMs, run, this.#recurring);
  }

  /** Histories that are full of one value show no trend, and stay so. */
  #atRest(): Rest | undefined {
    for (const { memory, latency } of this.#pasts.values()) {
      for (const { samples, isFlat } of [memory, latency]) {
        if (samples.length > 0 && !isFlat) return undefined;
      }
    }
    const agoMs = this.#ports.clock.monotonicMs() + sampleMs - this.#dueMs;
    return { everyMs: sampleMs, agoMs };
  }

  #passedOver(byMs: number): void {
    this.#dueMs += byMs;
    this.#samples += byMs / sampleMs;
    for (const { memory, latency } of this.#pasts.values()) {
      memory.passedOver(byMs);
      latency.passedOver(byMs);
    }
  }

  #sample(): void {
    const { clock, registry, residentBytes } = this.#ports;
    const watched = registry.instances().filter(({ service }) => this.#services.has(service));
    const ids = new Set(watched.map(({ id }) => id));
    for (const id of this.#pasts.keys()) if (!ids.has(id)) this.#pasts.delete(id);
    for (const record of watched) {
      const bytes = residentBytes(record.id);
      if (bytes !== undefined) this.#past(record).memory.add(clock.monotonicMs(), bytes);
    }
    if (++this.#samples % samplesBetweenLooks === 0) this.#look(watched);
  }

  #past(record: InstanceRecord): Past {
    const { id, pid } = record;
    const known = this.#pasts.get(id);
    if (known?.pid === pid && known !== undefined) return known;
    const past: Past = {
      pid,
      memory: new History(trendSettings),
      latency: new History(trendSettings),
      said: "nothing",
    };
    this.#pasts.set(id, past);
    return past;
  }

  /** One instance of a service at a time: the first whose turn it may be. */
  #look(watched: readonly InstanceRecord[]): void {
    for (const service of this.#services.values()) {
      const own = watched.filter((record) => record.service === service.name);
      if (own.some(({ id }) => this.#pasts.get(id)?.said === "replaced")) continue;
      for (const record of own) {
        const why = this.#forecast(record, service);
        if (why === undefined) continue;
        this.#act(record, own, why);
        break;
      }
    }
  }

  #act({ id, service }: InstanceRecord, own: readonly InstanceRecord[], why: string): void {
    const past = this.#pasts.get(id);
    const allWell = own.every(
      ({ phase, health, draining }) => phase === "running" && health === "up" && !draining,
    );
    if (past === undefined || past.said === "replaced") return;
    if (own.length > 1 && allWell) {
      past.said = "replaced";
      this.#say(id, service, `${id} is replaced ahead of time: ${why}`);
      return this.#ports.replace(id, `it is replaced ahead of time: ${why}`);
    }
    if (past.said === "waits") return;
    past.said = "waits";
    const since = own.length > 1 ? `not all of ${service} are well` : "no other could serve";
    this.#say(id, service, `${id} is not replaced ahead of time, since ${since}: ${why}`);
  }

  /** Which limit it will reach within the horizon, and when; undefined without any. */
  #forecast(record: InstanceRecord, service: CommandService): string | undefined {
    const past = this.#pasts.get(record.id);
    if (past === undefined || record.phase !== "running") return undefined;
    const { memoryBytes } = service.limits;
    const memory = memoryBytes > 0 ? risingTrend(past.memory.samples, trendSettings) : undefined;
    if (memory !== undefined && reachesInMs(memory, memoryBytes) <= horizonMs) {
      return (
        `memory grows ${sayBytes(perMinute(memory))}/min and reaches its limit of ` +
        `${sayBytes(memoryBytes)} in about ${sayDuration(reachesInMs(memory, memoryBytes))}`
      );
    }
    const { timeoutMs } = service.health;
    const latency = risingTrend(past.latency.samples, trendSettings);
    if (latency === undefined || reachesInMs(latency, timeoutMs) > horizonMs) return undefined;
    return (
      `its checks take ${sayDuration(perMinute(latency))} longer each minute and reach their ` +
      `timeout of ${sayDuration(timeoutMs)} in about ` +
      sayDuration(reachesInMs(latency, timeoutMs))
    );
  }

  #say(instance: string, service: string, sentence: string): void {
    const kind = "instance.degrading";
    this.#ports.events.record({ kind, level: "warning", sentence, service, instance });
  }
}

function perMinute({ slope }: Trend): number {
  return slope * 60_000;
}

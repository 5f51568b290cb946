// The health loop: asks every instance that may take traffic whether it is well, and writes the
// verdict into the registry. core/detect/threshold.ts decides; this file holds timers and probes.
//
// One probe at a time an instance, the first at once, later ones with a little jitter so that the
// checks of many instances do not march in step. What live traffic noticed asks for a check at
// once, but at most one in `observedSpacingMs`: a failing instance under load is noticed a thousand
// times a second.
//
// Invariant: a result counts only for the process that was asked. A check ends with the process,
// and what a probe of it says later is dropped.

import type { Config, HealthConfig } from "../../config/config.ts";
import type { Random } from "../../core/base/prng.ts";
import {
  type CheckResult,
  judge,
  nextCheckMs,
  suspect,
  type ThresholdSettings,
  type ThresholdState,
  unchecked,
} from "../../core/detect/threshold.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { ProbeRequest, Probes } from "../../ports/probe.ts";
import type { InstanceRecord, Registry, RegistryChange } from "../registry/registry.ts";

export interface HealthPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly probes: Probes;
  readonly events: Events;
  readonly registry: Registry;
}

/**
 * A failure that comes this long after its deadline says that we were stopped or starved: our timer
 * ran before we read the answer. One such in a row is asked again; two are believed.
 */
const asleepMs = 250;
/** Shortest time between two checks that live traffic asked for. */
export const observedSpacingMs = 100;
/** Checks begin up to this share earlier or later than their interval says. */
const jitterShare = 0.1;
/** When many are checked from one moment on, their first checks are this far apart on average. */
const spreadMs = 5;

interface Check {
  state: ThresholdState;
  timer: Timer | undefined;
  asking: boolean;
  /** What live traffic met since the probe under way began: that one cannot answer it. */
  metMeanwhile: string | undefined;
  /** Its last result told of us, not of the instance, and was dropped. */
  doubted: boolean;
  beganMs: number;
}

export class HealthLoop {
  readonly #ports: HealthPorts;
  readonly #subscription: Disposable;
  readonly #checks = new Map<string, Check>();
  #settings = new Map<string, HealthConfig>();

  constructor(ports: HealthPorts) {
    this.#ports = ports;
    this.#subscription = ports.registry.subscribe((change) => this.#registryChanged(change));
  }

  follow(config: Config): void {
    this.#settings = new Map(config.services.map(({ name, health }) => [name, health]));
    for (const record of this.#ports.registry.instances()) this.#review(record);
  }

  /** Live traffic met a failure. Ignored for what is not checked, or known to be down. */
  suspect(instance: string, detail: string): void {
    const check = this.#checks.get(instance);
    if (check === undefined) return;
    if (check.asking) check.metMeanwhile = detail;
    else if (suspects(check, detail)) this.#askIn(instance, check, this.#observedDelayMs(check));
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const id of this.#checks.keys()) this.#end(id);
  }

  #registryChanged({ before, after }: RegistryChange): void {
    const id = (after ?? before)?.id ?? "";
    // As it is now, which may be newer than the change.
    const record = this.#ports.registry.get(id);
    if (record === undefined) this.#end(id);
    else this.#review(record);
  }

  /** Begins or ends the check of an instance, as its phase says. */
  #review(record: InstanceRecord): void {
    const { id } = record;
    const wanted = isChecked(record) && this.#settings.has(record.service);
    if (wanted === this.#checks.has(id)) return;
    if (wanted) {
      this.#begin(record);
    } else {
      this.#end(id);
      this.#ports.registry.patch(id, { health: "unknown" });
    }
  }

  #begin(record: InstanceRecord): void {
    const beganMs = this.#ports.clock.monotonicMs();
    const check: Check = {
      state: unchecked,
      timer: undefined,
      asking: false,
      metMeanwhile: undefined,
      doubted: false,
      beganMs,
    };
    this.#checks.set(record.id, check);
    this.#askIn(record.id, check, this.#firstDelayMs(record));
  }

  #end(id: string): void {
    this.#checks.get(id)?.timer?.[Symbol.dispose]();
    this.#checks.delete(id);
  }

  #askIn(id: string, check: Check, delayMs: number): void {
    check.timer?.[Symbol.dispose]();
    check.timer = this.#ports.clock.after(delayMs, () => this.#ask(id, check));
  }

  #ask(id: string, check: Check): void {
    const record = this.#ports.registry.get(id);
    const settings = record && this.#settings.get(record.service);
    check.timer = undefined;
    if (record === undefined || settings === undefined) return;
    check.asking = true;
    check.metMeanwhile = undefined;
    check.beganMs = this.#ports.clock.monotonicMs();
    void this.#ports.probes
      .probe({ host: record.host, port: record.port }, requestOf(settings, record))
      .then((result) => this.#answered(id, check, result));
  }

  #answered(id: string, check: Check, result: CheckResult): void {
    const record = this.#ports.registry.get(id);
    const health = record && this.#settings.get(record.service);
    if (this.#checks.get(id) !== check || record === undefined || health === undefined) return;
    check.asking = false;
    const nowMs = this.#ports.clock.monotonicMs();
    const lateMs = nowMs - check.beganMs - health.timeoutMs;
    if (!result.passed && lateMs > asleepMs && !check.doubted) {
      check.doubted = true;
      return this.#askIn(id, check, 0);
    }
    check.doubted = false;
    const judgement = judge(check.state, result, nowMs, settingsFor(record, health));
    check.state = judgement.state;
    if (judgement.changed !== undefined) {
      this.#changed(record, check.state, judgement.changed, result);
    } else {
      this.#ports.registry.patch(id, { lastCheck: result.detail });
    }
    this.#schedule(id, check);
  }

  #schedule(id: string, check: Check): void {
    const record = this.#ports.registry.get(id);
    const health = record && this.#settings.get(record.service);
    if (this.#checks.get(id) !== check || record === undefined || health === undefined) return;
    if (check.metMeanwhile !== undefined && suspects(check, check.metMeanwhile)) {
      return this.#askIn(id, check, this.#observedDelayMs(check));
    }
    const jitter = 1 + jitterShare * (2 * this.#ports.random.ratio() - 1);
    const intervalMs = nextCheckMs(check.state, settingsFor(record, health));
    const untilMs = check.beganMs + jitter * intervalMs;
    this.#askIn(id, check, Math.max(0, untilMs - this.#ports.clock.monotonicMs()));
  }

  /** Announces a new verdict. The end of a start is for the supervisor to say. */
  #changed(record: InstanceRecord, state: ThresholdState, why: string, result: CheckResult): void {
    const { registry, events, clock } = this.#ports;
    const { id, service } = record;
    const up = state.verdict === "up";
    const health = state.verdict;
    const lastCheck = result.detail;
    if (record.phase === "starting") return registry.patch(id, { health, lastCheck });
    const sentence = `${id} is ${why}`;
    const kind = up ? "instance.up" : "instance.down";
    events.record({ kind, level: up ? "info" : "warning", sentence, service, instance: id });
    const wasOut = record.told?.verdict === "down" || record.told?.verdict === "failing";
    const readmitted = up && (wasOut || record.health === "down");
    const generation = record.generation + (readmitted ? 1 : 0);
    const sinceWallMs = clock.wallMs();
    registry.patch(id, { health, lastCheck, generation, why: sentence, sinceWallMs });
  }

  #observedDelayMs(check: Check): number {
    return Math.max(0, check.beganMs + observedSpacingMs - this.#ports.clock.monotonicMs());
  }

  /** A start is checked at once; what already runs is, with all others, spread a little. */
  #firstDelayMs(record: InstanceRecord): number {
    if (record.phase === "starting") return 0;
    const longestMs = this.#settings.get(record.service)?.fastIntervalMs ?? 0;
    const spread = Math.min(longestMs, spreadMs * this.#ports.registry.instances().length);
    return this.#ports.random.ratio() * spread;
  }
}

/** Whether live traffic's word is news; kept until a check has answered it. */
function suspects(check: Check, detail: string): boolean {
  const state = suspect(check.state, detail);
  const news = state !== check.state;
  check.state = state;
  return news;
}

function isChecked(record: InstanceRecord): boolean {
  const { phase, port } = record;
  return port > 0 && (phase === "starting" || phase === "running" || phase === "external");
}

/**
 * The start timeout judges a start, not the count of its checks; and nobody waits to learn of it.
 */
function settingsFor(record: InstanceRecord, health: HealthConfig): ThresholdSettings {
  if (record.phase !== "starting") return health;
  return { ...health, fall: Number.MAX_SAFE_INTEGER, intervalMs: health.fastIntervalMs };
}

function requestOf(health: HealthConfig, record: InstanceRecord): ProbeRequest {
  const { check, timeoutMs } = health;
  if (check.kind === "tcp") return { kind: "tcp", timeoutMs };
  const host = record.host.includes(":") ? `[${record.host}]` : record.host;
  return {
    kind: "http",
    timeoutMs,
    path: check.path,
    host: `${host}:${record.port}`,
    expectStatus: check.expectStatus,
  };
}

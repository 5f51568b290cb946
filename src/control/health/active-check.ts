// The check of one instance: one probe at a time, the first at once, later ones with a little
// jitter so that the checks of many do not march in step. core/detect/threshold.ts counts; this
// file holds the timer and the probe.
//
// What live traffic noticed asks for a check at once, but at most one in `observedSpacingMs`: a
// failing instance under load is noticed a thousand times a second. A silence that we slept through
// makes the observer unwell before it is counted: then one is never enough.

import type { HealthConfig } from "../../config/config.ts";
import { assert } from "../../core/base/assert.ts";
import type { Random } from "../../core/base/prng.ts";
import {
  initially,
  judge,
  nextCheckMs,
  suspect,
  type ThresholdSettings,
  type ThresholdState,
} from "../../core/detect/threshold.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { ProbeRequest, ProbeResult, Probes } from "../../ports/probe.ts";
import type { Recurring, Rest } from "../../ports/recurring.ts";
import type { InstanceRecord } from "../registry/registry.ts";
import type { Surroundings } from "../registry/surroundings.ts";
import type { Observer } from "./observer.ts";
import type { News, Signal, Subject } from "./signal.ts";

/** Shortest time between two checks that live traffic asked for. */
export const observedSpacingMs = 100;
/** Checks begin up to this share earlier or later than their interval says. */
export const jitterShare = 0.1;
/** What the port grants a result beyond its timeout. */
const resultLateMs = 50;

export interface CheckPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly probes: Probes;
  readonly observer: Observer;
  readonly surroundingsOf: (record: InstanceRecord) => Surroundings | undefined;
  /** How long a passed check took. */
  readonly measured: (instance: string, latencyMs: number) => void;
}

export class ActiveCheck implements Signal {
  readonly #ports: CheckPorts;
  readonly #subject: Subject;
  readonly #tell: (news: News) => void;
  #state: ThresholdState;
  #timer: Timer | undefined;
  #asking = false;
  /** What live traffic met since the probe under way began: its pass does not answer that. */
  #metMeanwhile: string | undefined;
  #beganMs: number;
  #failingSinceMs: number | undefined;
  /** What the latest check met. */
  #detail = "";
  /** From one check to the next; undefined while the latest told something new. */
  #repeatsEveryMs: number | undefined;
  /** How long the latest took. */
  #lastedMs = Number.POSITIVE_INFINITY;
  readonly #heeds: readonly string[];
  #ended = false;
  readonly #recurring: Recurring = {
    atRest: () => this.#atRest(),
    passedOver: (byMs) => void (this.#beganMs += byMs),
  };

  constructor(
    ports: CheckPorts,
    health: HealthConfig,
    subject: Subject,
    firstDelayMs: number,
    tell: (news: News) => void,
  ) {
    this.#ports = ports;
    this.#subject = subject;
    this.#tell = tell;
    this.#state = initially(health.initialState);
    this.#beganMs = ports.clock.monotonicMs();
    this.#heeds = [subject()?.record.id ?? ""];
    this.#askIn(firstDelayMs);
  }

  get verdict(): ThresholdState["verdict"] {
    return this.#state.verdict;
  }

  get failingSinceMs(): number | undefined {
    return this.#failingSinceMs;
  }

  suspect(detail: string): void {
    if (this.#asking) this.#metMeanwhile = detail;
    else if (this.#isNews(detail)) this.#askIn(this.#observedDelayMs());
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }

  #askIn(delayMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#ports.clock.after(delayMs, () => this.#ask(), this.#recurring);
  }

  /** It passes and is up, or fails and is down, for the same reason as the last time. */
  #atRest(): Rest | undefined {
    const everyMs = this.#repeatsEveryMs;
    if (everyMs === undefined || this.#metMeanwhile !== undefined) return undefined;
    const agoMs = this.#ports.clock.monotonicMs() - this.#beganMs;
    return { everyMs, agoMs, heeds: this.#heeds, lastsMs: this.#lastedMs };
  }

  #ask(): void {
    const subject = this.#subject();
    this.#timer = undefined;
    if (subject === undefined) return;
    const { record, health } = subject;
    this.#asking = true;
    this.#metMeanwhile = undefined;
    this.#beganMs = this.#ports.clock.monotonicMs();
    const timeoutMs = health.timeoutMs * this.#ports.observer.factor;
    const { host, port } = record;
    const request = this.#requestOf(health, record, timeoutMs);
    void this.#ports.probes
      .probe({ host, port }, request, this.#recurring)
      .then((result) => this.#answered(result, timeoutMs));
  }

  /** Who starts may be silent, and an endpoint that never answered may not be there. */
  #tellsOfHearing({ phase }: InstanceRecord, silent: boolean): boolean {
    if (phase === "external") return !silent || this.#state.passedOnce;
    return phase !== "starting";
  }

  #answered(result: ProbeResult, timeoutMs: number): void {
    const subject = this.#subject();
    if (this.#ended || subject === undefined) return;
    const { observer, clock, measured } = this.#ports;
    const { record, health } = subject;
    const silent = result.silent === true;
    this.#asking = false;
    this.#lastedMs = clock.monotonicMs() - this.#beganMs;
    if (silent) observer.ranLate(this.#beganMs + timeoutMs + resultLateMs);
    if (this.#tellsOfHearing(record, silent)) observer.asked(record.id, silent);
    if (result.passed) measured(record.id, result.latencyMs);
    else this.#twoWitnesses();
    const settings = this.#settingsFor(record, health);
    const before = this.#state;
    const { state, changed } = judge(before, result, clock.monotonicMs(), settings);
    this.#state = state;
    const repeats = sameState(before, state) && this.#detail === result.detail;
    this.#detail = result.detail;
    this.#failingSinceMs = result.passed ? undefined : (this.#failingSinceMs ?? this.#beganMs);
    this.#tell({ detail: result.detail, changed });
    this.#schedule(repeats, record, settings);
  }

  /** A check that fails while traffic meets failures confirms them, whichever of the two began. */
  #twoWitnesses(): void {
    if (this.#metMeanwhile === undefined) return;
    this.#isNews(this.#metMeanwhile);
    this.#metMeanwhile = undefined;
  }

  /** `settings` were those of `record`, as it was before this check was told of. */
  #schedule(repeats: boolean, record: InstanceRecord, settings: ThresholdSettings): void {
    const subject = this.#subject();
    this.#repeatsEveryMs = undefined;
    if (this.#ended || subject === undefined) return;
    if (this.#metMeanwhile !== undefined && this.#isNews(this.#metMeanwhile)) {
      return this.#askIn(this.#observedDelayMs());
    }
    const { random, clock } = this.#ports;
    const jitter = 1 + jitterShare * (2 * random.ratio() - 1);
    const isSame = subject.record === record;
    const now = isSame ? settings : this.#settingsFor(subject.record, subject.health);
    const everyMs = jitter * nextCheckMs(this.#state, now);
    const delayMs = this.#beganMs + everyMs - clock.monotonicMs();
    if (repeats && delayMs > 0) this.#repeatsEveryMs = everyMs;
    this.#askIn(Math.max(0, delayMs));
  }

  /** Whether live traffic's word is news; kept until a check has answered it. */
  #isNews(detail: string): boolean {
    const state = suspect(this.#state, detail);
    const news = state !== this.#state;
    this.#state = state;
    if (news) this.#repeatsEveryMs = undefined;
    return news;
  }

  #observedDelayMs(): number {
    return Math.max(0, this.#beganMs + observedSpacingMs - this.#ports.clock.monotonicMs());
  }

  /**
   * The start timeout judges a start, not the count of its checks; and nobody waits to learn of it.
   */
  #settingsFor(record: InstanceRecord, health: HealthConfig): ThresholdSettings {
    const { observer } = this.#ports;
    if (record.phase === "starting") {
      return { ...health, fall: Number.MAX_SAFE_INTEGER, intervalMs: health.fastIntervalMs };
    }
    return { ...health, fall: observer.fall(health.fall), doubt: !observer.isWell };
  }

  #requestOf({ check }: HealthConfig, record: InstanceRecord, timeoutMs: number): ProbeRequest {
    assert(check.kind !== "none", "an instance without a check is not asked");
    switch (check.kind) {
      case "tcp":
        return { kind: "tcp", timeoutMs };
      case "grpc":
        return { ...check, timeoutMs };
      case "http": {
        const host = record.host.includes(":") ? `[${record.host}]` : record.host;
        return { ...check, timeoutMs, host: `${host}:${record.port}` };
      }
      case "command": {
        const { heartbeatFile: _, ...place } = this.#ports.surroundingsOf(record) ?? nowhere;
        return { ...check, ...place, timeoutMs };
      }
    }
  }
}

function sameState(a: ThresholdState, b: ThresholdState): boolean {
  return (
    a.verdict === b.verdict &&
    a.passedOnce === b.passedOnce &&
    a.against === b.against &&
    a.suspicion === b.suspicion &&
    a.failingSinceMs === b.failingSinceMs
  );
}

/** Of an instance that ends at this moment: what its check says is dropped. */
const nowhere: Surroundings = { workingDirectory: "/", environment: {} };

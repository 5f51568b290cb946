// One `primary-standby` service: core/failover decides, this file looks at the registry and the
// workers, keeps the record, and writes who is to take traffic.
//
// It looks whenever something about the service changes, and every few milliseconds while it waits
// for the workers' word; nothing is remembered between two looks but the state that the table
// names.
//
// Invariants: a promotion is on disk before its standing is written, and with that before any
// worker hears of it; an instance that is not the primary gets no process before it is sealed,
// that is, before every worker that lives has said that it sends it nothing.

import type { ServiceConfig } from "../../config/config.ts";
import { assert, present } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import { explainFailover } from "../../core/failover/explain.ts";
import {
  bornFailover,
  candidateOf,
  type FailoverEvent,
  type FailoverState,
  type FailoverStep,
  type KeptFailover,
  mayStart,
  nextEpoch,
  pendingEvents,
  type PrimaryCondition,
  readKeptFailover,
  type Situation,
  sayEpoch,
  startPatienceMs,
  step,
} from "../../core/failover/failover.ts";
import { promotionKey } from "../../core/failover/kept-promotion.ts";
import { byPreference } from "../../core/failover/preference.ts";
import { hasProcess } from "../../core/supervise/lifecycle.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Records } from "../../ports/records.ts";
import type { Traffic } from "../../ports/traffic.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import type { InstanceRecord, Registry } from "../registry/registry.ts";
import { healthOf, isDrained } from "../registry/verdict.ts";

export interface PrimaryPorts {
  readonly term: number;
  readonly clock: Clock;
  readonly events: Events;
  readonly records: Records;
  readonly careful: CarefulRecords;
  readonly registry: Registry;
  readonly traffic: Traffic;
  /** SIGKILL to an instance's process group. */
  readonly kill: (instance: string) => void;
  readonly inMaintenance: (service: string) => boolean;
}

/** How often the workers' word is looked for while a move waits for it, and while none does. */
const MOVING_POLL_MS = 5;
const SEALING_POLL_MS = 25;
/** Until a disk that refused a promotion is asked again. */
const REFUSED_RETRY_MS = 500;
/** More steps at one look contradict the table: each leads to a phase that waits for something. */
const STEPS_MAX = 16;

interface Refusal {
  readonly what: "promotion" | "move";
  readonly retryAtMs: number;
}

export class PrimaryKeeper {
  readonly #ports: PrimaryPorts;
  #service: ServiceConfig;
  #served: boolean;
  #state: FailoverState;
  /** Since when each is well, of those that are. */
  readonly #wellSinceMs = new Map<string, number>();
  /** Who is known to get nothing since it was primary last. */
  readonly #sealed = new Set<string>();
  #timer: Timer | undefined;
  /** What the disk refused last, as long as it is wanted. */
  #refusal: Refusal | undefined;
  #refusedNow = false;

  constructor(ports: PrimaryPorts, service: ServiceConfig, served: boolean) {
    this.#ports = ports;
    this.#service = service;
    this.#served = served;
    const kept = readKeptFailover(ports.careful.read(this.#key));
    this.#state = bornFailover(kept, ports.clock.monotonicMs(), service.failover);
    ports.registry.setEpoch(service.name, this.#state.epoch);
  }

  /** Follows the file. `served`: there is a gateway whose workers could send to anybody. */
  follow(service: ServiceConfig, served: boolean): void {
    this.#service = service;
    this.#served = served;
    this.look();
  }

  /** Does what follows from the world as it is now. */
  look(): void {
    this.#watchWellness();
    this.#refusedNow = false;
    for (let steps = 0; this.#stepOnce(); steps++) {
      assert(steps < STEPS_MAX, `${this.#service.name} comes to rest`);
    }
    // What was refused may be wanted no more.
    const { retryAtMs = 0 } = this.#refusal ?? {};
    if (!this.#refusedNow && this.#ports.clock.monotonicMs() >= retryAtMs) {
      this.#refusal = undefined;
    }
    this.#seal();
    for (const record of this.#instances()) this.#show(record);
    this.#waitForMore();
  }

  /** An operator's word; what follows. Throws NINES_TARGET_UNKNOWN or NINES_FAILOVER_REFUSED. */
  order(kind: "order-failover" | "order-failback", to: string | undefined): string {
    if (to !== undefined && !this.#instances().some(({ id }) => id === to)) {
      const sentence = `${to} is not an instance of ${this.#service.name}.`;
      throw new NinesError("NINES_TARGET_UNKNOWN", sentence);
    }
    this.look();
    const situation = this.#situation();
    const target = to ?? (kind === "order-failback" ? situation.preferred : this.#candidate());
    const word = kind === "order-failback" ? "failback" : "failover";
    const before = this.#state;
    const taken = this.#take({ kind, target, cause: `an operator asked for a ${word}` }, situation);
    const moved = this.#state.phase !== before.phase || this.#state.epoch !== before.epoch;
    this.look();
    if (!taken.kept) throw refusal(`${this.#service.name} stays as it is: the disk refuses.`);
    const already = target === before.primary && kind === "order-failback";
    if (!moved && !already) throw refusal(`${taken.sentence}.`);
    return taken.sentence;
  }

  /** What it is, and what it would do now, a sentence each. */
  explain(): readonly string[] {
    return explainFailover(
      this.#service.name,
      this.#state,
      this.#situation(),
      this.#service.failover,
    );
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  get #key(): string {
    return promotionKey(this.#service.name);
  }

  #instances(): readonly InstanceRecord[] {
    const { name } = this.#service;
    return this.#ports.registry.instances().filter((record) => record.service === name);
  }

  #candidate(): string | undefined {
    return candidateOf(this.#state, this.#situation());
  }

  #watchWellness(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    const well = this.#instances().filter(isFit);
    const ids = new Set(well.map(({ id }) => id));
    for (const id of this.#wellSinceMs.keys()) if (!ids.has(id)) this.#wellSinceMs.delete(id);
    for (const id of ids) if (!this.#wellSinceMs.has(id)) this.#wellSinceMs.set(id, nowMs);
  }

  #situation(): Situation {
    const { primary } = this.#state;
    const { name, failover } = this.#service;
    const ordered = byPreference(
      this.#instances().map((record) => ({
        ...record,
        wellSinceMs: this.#wellSinceMs.get(record.id),
      })),
      failover.order,
    );
    const record = primary === undefined ? undefined : this.#ports.registry.get(primary);
    const others = ordered.filter(({ id }) => id !== primary);
    const nowMs = this.#ports.clock.monotonicMs();
    return {
      nowMs,
      ...this.#primaryCondition(record),
      fit: ordered.filter(isFit).map(({ id }) => id),
      starting: ordered.filter(isStarting).map(({ id }) => id),
      settled: ordered.some((record) => isFit(record) && !isNew(record, nowMs)),
      preferred: ordered[0]?.id,
      fenced: this.#isFenced(record),
      heard: others.length === 0 || others.some((each) => this.#sendsNobodyTo(each)),
      // Whoever is drained, or ends by plan, is waited for.
      killable: record?.origin === "command" && conditionOf(record) !== "leaving",
      maintenance: this.#ports.inMaintenance(name),
    };
  }

  #primaryCondition(record: InstanceRecord | undefined): {
    readonly primary: PrimaryCondition;
    readonly why: string;
  } {
    const { primary } = this.#state;
    if (record === undefined) return { primary: "ended", why: `there is no ${primary} any more` };
    return { primary: conditionOf(record), why: record.why };
  }

  /** Nobody may send to the primary; where there was none, to any of them. */
  #isFenced(record: InstanceRecord | undefined): boolean {
    if (this.#state.primary !== undefined)
      return record === undefined || this.#sendsNobodyTo(record);
    return this.#instances().every((each) => this.#sendsNobodyTo(each));
  }

  #sendsNobodyTo({ id, told }: InstanceRecord): boolean {
    if (!this.#served) return true;
    if (told === undefined || told.version === 0) return false;
    const out = told.verdict === "standby" || told.verdict === "draining";
    return out && this.#ports.traffic.isFenced(id, told.version);
  }

  #stepOnce(): boolean {
    const situation = this.#situation();
    const { failover } = this.#service;
    for (const event of pendingEvents(this.#state, situation, failover)) {
      const before = this.#state;
      if (!this.#take(event, situation).kept) return false;
      if (this.#state !== before) return true;
    }
    return false;
  }

  /** Takes a step, unless the disk refuses to remember it. */
  #take(
    event: FailoverEvent,
    situation: Situation,
  ): { readonly kept: boolean; readonly sentence: string } {
    const { name, failover } = this.#service;
    const taken = step(this.#state, event, {
      service: name,
      rules: failover,
      situation,
      nextEpoch: nextEpoch(this.#state.epoch, this.#ports.term),
    });
    if (!this.#keep(taken)) return { kept: false, sentence: "" };
    if (taken.command === "kill") this.#ports.kill(present(this.#state.primary, "a primary"));
    this.#state = taken.state;
    if (taken.said !== undefined) this.#say(taken.said.kind, taken.said.level, taken.said.sentence);
    return { kept: true, sentence: taken.said?.sentence ?? "" };
  }

  /**
   * Before a promotion: what must outlive us. Before a planned move what is so already, since a
   * disk that will refuse the promotion must not cost the service the move. Refused: it is tried
   * again a little later.
   */
  #keep({ state, command }: FailoverStep): boolean {
    const begins = state.phase === "switching" && this.#state.phase !== "switching";
    if (command !== "promote" && !begins) return true;
    const primary = present(state.primary, "somebody who is promoted");
    if (begins) return this.#write("move", { ...state, primary, pinned: this.#state.pinned });
    if (!this.#write("promotion", { ...state, primary })) return false;
    this.#sealed.delete(primary);
    this.#ports.registry.setEpoch(this.#service.name, state.epoch);
    return true;
  }

  /** A refused move must not hold up the promotion that becomes urgent meanwhile. */
  #write(what: Refusal["what"], { epoch, primary, pinned }: KeptFailover): boolean {
    const { clock, records } = this.#ports;
    const nowMs = clock.monotonicMs();
    const before = this.#refusal?.what === what ? this.#refusal : undefined;
    this.#refusedNow = true;
    if (before !== undefined && nowMs < before.retryAtMs) return false;
    this.#refusal = { what, retryAtMs: nowMs + REFUSED_RETRY_MS };
    try {
      records.write(this.#key, { epoch, primary, pinned });
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      const nobody = "nobody would know of it";
      const sentence =
        what === "promotion"
          ? `${primary} is not promoted, ${nobody}: ${error.message}`
          : `${primary} hands over to nobody yet, ${nobody}: ${error.message}`;
      if (before === undefined) this.#say("failover.refused", "warning", sentence);
      return false;
    }
    this.#refusedNow = false;
    this.#refusal = undefined;
    return true;
  }

  #say(kind: string, level: "info" | "warning", sentence: string): void {
    this.#ports.events.record({ kind, level, sentence, service: this.#service.name });
  }

  #seal(): void {
    for (const record of this.#instances()) {
      const { id } = record;
      if (id === this.#state.primary) continue;
      if (!this.#sealed.has(id) && this.#sendsNobodyTo(record)) this.#sealed.add(id);
    }
  }

  /** Writes what each may have. */
  #show({ id, service }: InstanceRecord): void {
    const { phase, primary, successor, epoch, cause } = this.#state;
    const isPrimary = id === primary;
    const held = mayStart(this.#state, id, this.#sealed.has(id))
      ? ""
      : `${id} waits for its start: a worker may still take it for the primary of ${service}`;
    const serves = phase === "serving" || phase === "holding";
    const standing =
      isPrimary && serves ? "active" : isPrimary && phase === "switching" ? "leaving" : "standby";
    const why = {
      active: `${id} is primary (epoch ${sayEpoch(epoch)}): ${cause}`,
      leaving: `${id} hands over to ${successor}: ${cause}`,
      standby: isPrimary
        ? `${id} gets no traffic: ${cause}`
        : `${id} stands by${primary === undefined ? "" : ` for ${primary}`}`,
    }[standing];
    this.#ports.registry.patch(id, { standing, standingWhy: why, startHeld: held });
  }

  /** One timer: the deadline, or the next look for the workers' word, whichever is first. */
  #waitForMore(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const nowMs = this.#ports.clock.monotonicMs();
    const delays = [this.#pollMs()];
    const { deadlineMs } = this.#state;
    const retryAtMs = this.#refusal?.retryAtMs;
    if (deadlineMs !== undefined) delays.push(Math.max(deadlineMs, retryAtMs ?? 0) - nowMs);
    if (retryAtMs !== undefined) delays.push(retryAtMs - nowMs);
    const delayMs = Math.min(...delays);
    if (delayMs === Infinity) return;
    this.#timer = this.#ports.clock.after(Math.max(1, delayMs), () => this.look());
  }

  #pollMs(): number {
    const { phase, primary } = this.#state;
    if (phase === "switching" || phase === "fencing") return MOVING_POLL_MS;
    const records = this.#instances();
    const open = records.some(({ id }) => id !== primary && !this.#sealed.has(id));
    const waiting = phase === "vacant" && records.some(isFit);
    return open || waiting ? SEALING_POLL_MS : Infinity;
  }
}

/** Whether it could be primary this moment. */
function isFit(record: InstanceRecord): boolean {
  const { phase } = record;
  if (phase !== "running" && phase !== "external") return false;
  return healthOf(record) === "up" && !isDrained(record);
}

function isStarting({ phase }: InstanceRecord): boolean {
  return phase === "waiting" || phase === "launching" || phase === "starting";
}

function isNew({ readyAtMs }: InstanceRecord, nowMs: number): boolean {
  return readyAtMs !== undefined && nowMs - readyAtMs < startPatienceMs;
}

function conditionOf(record: InstanceRecord): PrimaryCondition {
  const { phase } = record;
  const health = healthOf(record);
  if (phase !== "external" && !hasProcess(phase)) return "ended";
  if (phase === "launching" || phase === "starting" || health === "down") return "failing";
  if (isDrained(record)) return "leaving";
  return health === "unknown" ? "unknown" : "well";
}

function refusal(sentence: string): NinesError {
  return new NinesError("NINES_FAILOVER_REFUSED", sentence);
}

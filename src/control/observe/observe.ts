// The observing loop: what control sees of instances, workers and events, told to the accounts of
// incidents (core/incident/fold.ts), one a service; what they become is announced and kept.
//
// It decides nothing and delays nobody: verdicts are made elsewhere, whether or not anybody keeps
// account of them. What workers have ejected it writes into the registry, where others read it.
//
// An instance is *out* from the moment when its process ends unasked, its checks say down, or a
// worker ejects it, until it has its place again: up in the table that was published and ejected by
// no worker; or a standby where one takes traffic for all; or not wanted any more. Who is held back
// because it flaps is well, and out. What somebody asked for (a drain, a restart, a change of the
// file) takes nobody out.

import type { Config } from "../../config/config.ts";
import { sayDuration } from "../../core/base/duration.ts";
import {
  type Account,
  observed,
  type Observation,
  quietAccount,
  resumedAccount,
  stillAtMs,
} from "../../core/incident/fold.ts";
import type { CauseName } from "../../core/dispatch/ejections.ts";
import { type Certainty, certainty, type Incident } from "../../core/incident/incident.ts";
import { LossCounter } from "../../core/incident/losses.ts";
import type { WorkerStats } from "../../core/measure/gateway-stats.ts";
import type { RoutingTable, ServiceMode } from "../../core/route/table.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { EventEntry, Events } from "../../ports/events.ts";
import type { History } from "../../ports/history.ts";
import type { Recurring, Rest } from "../../ports/recurring.ts";
import type { WorkerReports } from "../../ports/worker-reports.ts";
import type { InstanceRecord, Registry, RegistryChange } from "../registry/registry.ts";
import { healthOf, isHeldOut, isReady, verdictOf } from "../registry/verdict.ts";
import { announce } from "./announce.ts";
import { relate } from "./relations.ts";
import { WorkerViews } from "./worker-views.ts";

export interface ObservePorts {
  readonly term: number;
  readonly clock: Clock;
  readonly registry: Registry;
  /** Where incidents are announced. */
  readonly events: Events;
  readonly history: History;
  readonly workerReports: WorkerReports;
  /** The one in force. */
  readonly table: () => RoutingTable | undefined;
}

/** What a worker noticed, or has concluded, of an instance. */
export interface Noticed {
  readonly instance: string;
  readonly detail: string;
  readonly kind?: "seen" | "ejected" | "readmitted";
  /** Of an ejection. */
  readonly cause?: CauseName;
}

const tickMs = 1_000;
/** Kinds of events that concern every service. */
const concernsAll = /^(gateway|control|maintenance)\./;

export class ObserveLoop {
  readonly #ports: ObservePorts;
  readonly #subscriptions: readonly Disposable[];
  readonly #accounts = new Map<string, Account>();
  readonly #losses = new LossCounter();
  readonly #views: WorkerViews;
  /** When a notice said so: it counts until each worker has reported since. */
  readonly #ejectedMs = new Map<string, number>();
  /** Somebody may be ejected by what was noticed, or by what the registry says of it. */
  #areEjectionsOpen = false;
  /** Whom workers keep out for no more than having come and gone too often. */
  readonly #heldByWorkers = new Set<string>();
  /** Accounts that have changed since they were kept. */
  readonly #unkept = new Set<string>();
  readonly #startedMs: number;
  /** As in the file. */
  #modes: ReadonlyMap<string, ServiceMode> = new Map();
  #opened = 0;
  #tick: Timer | undefined;
  #tickDueMs = 0;
  readonly #recurring: Recurring = {
    atRest: () => this.#atRest(),
    passedOver: (byMs) => void (this.#tickDueMs += byMs),
  };

  constructor(ports: ObservePorts) {
    this.#ports = ports;
    this.#startedMs = ports.clock.monotonicMs();
    this.#views = new WorkerViews(ports.workerReports);
    this.#subscriptions = [
      ports.registry.subscribe((change) => this.#registryChanged(change)),
      ports.workerReports.onReport((stats) => this.#reported(stats)),
    ];
    ports.history.whenRestored((kept) => this.#restore(kept));
  }

  /** What the file names no more is not waited for. */
  follow(config: Config): void {
    this.#modes = new Map(config.services.map(({ name, failover }) => [name, failover.mode]));
    for (const account of this.#accounts.values()) {
      if (!this.#modes.has(account.service)) this.#mendAll(account, "left the file");
    }
  }

  noticed({ instance, detail, kind = "seen", cause }: Noticed): void {
    // A hold follows from what was before, and is no trouble of its own. Were it a change to those
    // who count changes, theirs and the workers' holds would follow on each other for ever.
    if (cause === "flapping") this.#heldByWorkers.add(instance);
    else if (kind === "ejected" || kind === "readmitted") this.#heldByWorkers.delete(instance);
    if (cause === "flapping") return;
    const record = this.#ports.registry.get(instance);
    if (record === undefined || !mayServe(record) || kind === "readmitted") return;
    const atMs = this.#nowMs();
    this.#observe(record.service, { kind: "sign", atMs, sentence: detail });
    if (kind !== "ejected") return;
    this.#ejectedMs.set(instance, atMs);
    this.#areEjectionsOpen = true;
    this.#ports.registry.patch(instance, { ejectedGeneration: record.generation });
    this.#fault(record, atMs, detail, certainty.ejection);
  }

  /** An event of anybody: part of the account of what is under way. */
  recorded(entry: EventEntry): void {
    const { kind, level, sentence, instance } = entry;
    if (kind.startsWith("incident.")) return;
    const record = instance === undefined ? undefined : this.#ports.registry.get(instance);
    const service = entry.service ?? record?.service;
    const atMs = this.#nowMs();
    // Said before the instance is registered again; a warning where it is still wanted.
    const endedUnseen = kind === "instance.ended-unseen" && level === "warning";
    if (endedUnseen && instance !== undefined && service !== undefined) {
      this.#fault({ id: instance, service }, atMs, sentence, certainty.end);
    }
    for (const account of this.#accounts.values()) {
      if (account.incident === undefined || account.state === "quiet") continue;
      if (account.service === service || (service === undefined && concernsAll.test(kind))) {
        this.#observe(account.service, { kind: "action", atMs, sentence });
      }
    }
  }

  /** All that are kept and all that are under way, oldest first. */
  incidents(): readonly Incident[] {
    const byId = new Map(this.#ports.history.incidents().map((one) => [one.id, one]));
    for (const { incident } of this.#accounts.values()) {
      if (incident !== undefined) byId.set(incident.id, incident);
    }
    return [...byId.values()];
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#tick?.[Symbol.dispose]();
    this.#keepAll();
  }

  // What is seen.

  #registryChanged({ before, after }: RegistryChange): void {
    if (after === undefined) {
      if (before !== undefined) this.#mend(before, `${before.id} is not wanted any more`);
      return;
    }
    if (before === undefined || isNews(before, after)) this.#review(after);
  }

  #review(record: InstanceRecord): void {
    const { failingSinceMs, id, phase, why } = record;
    const nowMs = this.#nowMs();
    if (failingSinceMs !== undefined && mayServe(record)) {
      const sentence = `a check of ${id} failed: ${record.lastCheck ?? "no answer"}`;
      this.#observe(record.service, { kind: "sign", atMs: failingSinceMs, sentence });
    }
    if (phase === "backoff" || phase === "crash-loop") {
      this.#fault(record, nowMs, why, certainty.end);
    } else if (mayServe(record) && healthOf(record) === "down") {
      this.#fault(record, nowMs, why, certainty.checks, failingSinceMs);
    } else if (this.#isInPlace(record)) {
      this.#mend(record, why);
    }
    this.#lookElsewhere(record.service);
  }

  #reported(stats: WorkerStats): void {
    const nowMs = this.#nowMs();
    this.#views.reported(stats, nowMs);
    if (this.#areEjectionsOpen || this.#views.isAnyEjected) this.#noteEjections();
    const isTroubled = (service: string) => this.#account(service).state !== "quiet";
    for (const { service, ...counted } of this.#losses.report(stats, nowMs, isTroubled)) {
      this.#observe(service, { kind: "counted", ...counted });
    }
    for (const account of this.#accounts.values()) this.#reviewOut(account);
  }

  #noteEjections(): void {
    this.#areEjectionsOpen = false;
    for (const { id, generation, ejectedGeneration } of this.#ports.registry.instances()) {
      const isEjected = this.#isEjected(id);
      this.#areEjectionsOpen ||= isEjected;
      if (isEjected === (ejectedGeneration !== undefined)) continue;
      if (isEjected && this.#heldByWorkers.has(id)) continue;
      const ejected = isEjected ? generation : undefined;
      this.#ports.registry.patch(id, { ejectedGeneration: ejected });
    }
  }

  /** Those that are out may have their place again, or their traffic has gone elsewhere. */
  #reviewOut({ service, state, incident }: Account): void {
    if (incident === undefined || state === "quiet") return;
    for (const id of Object.keys(incident.out)) {
      const record = this.#ports.registry.get(id);
      if (record !== undefined && this.#isInPlace(record)) this.#mend(record, record.why);
    }
    this.#lookElsewhere(service);
  }

  #isInPlace(record: InstanceRecord): boolean {
    const { id, phase, service } = record;
    if (phase === "stopped") return true;
    if (!(phase === "running" || phase === "external")) return false;
    if (isHeldOut(record)) return true;
    const hasStandbys = this.#modes.get(service) === "primary-standby";
    const standsBy = hasStandbys && verdictOf(record) === "standby" && isReady(record);
    return (standsBy || this.#isServing(record)) && !this.#isEjected(id);
  }

  /** Up, and told so: another loop may hold it back before a table is made. */
  #isServing(record: InstanceRecord): boolean {
    if (verdictOf(record) !== "up") return false;
    return this.#ports.table() === undefined || record.told?.verdict === "up";
  }

  #isEjected(id: string): boolean {
    const sinceMs = this.#ejectedMs.get(id);
    if (sinceMs !== undefined) {
      if (!this.#views.allReportedAfter(sinceMs)) return true;
      this.#ejectedMs.delete(id);
    }
    return this.#views.isEjected(id);
  }

  #lookElsewhere(service: string): void {
    const { state, incident } = this.#account(service);
    if (state !== "detected" || incident === undefined) return;
    const out = Object.keys(incident.out);
    const others = this.#ports.registry
      .instances()
      .filter((one) => one.service === service && verdictOf(one) === "up")
      .map(({ id }) => id)
      .filter((id) => incident.out[id] === undefined);
    if (others.length === 0) return;
    const sinceMs = incident.detectedMs ?? 0;
    const told = (id: string) => this.#ports.registry.get(id)?.told;
    if (!out.every((id) => this.#views.avoid(id, told(id), sinceMs))) return;
    const sentence = `traffic goes to ${sayAll(others)}`;
    this.#observe(service, { kind: "elsewhere", atMs: this.#nowMs(), sentence });
  }

  // What is told to the accounts.

  #fault(
    record: Pick<InstanceRecord, "id" | "service">,
    atMs: number,
    sentence: string,
    sure: Certainty,
    sinceMs?: number,
  ): void {
    const { id: instance, service } = record;
    const known = this.#account(service).incident?.out[instance];
    if (known === sentence) return;
    this.#observe(service, { kind: "fault", atMs, sinceMs, instance, sentence, certainty: sure });
    this.#lookElsewhere(service);
  }

  #mend({ id: instance, service }: InstanceRecord, sentence: string): void {
    this.#observe(service, { kind: "mended", atMs: this.#nowMs(), instance, sentence });
  }

  #mendAll({ service, incident }: Account, why: string): void {
    for (const instance of Object.keys(incident?.out ?? {})) {
      const sentence = `${instance} ${why}`;
      this.#observe(service, { kind: "mended", atMs: this.#nowMs(), instance, sentence });
    }
  }

  #observe(service: string, seen: Observation): void {
    const before = this.#account(service);
    const id = `${this.#ports.term}-${this.#opened + 1}`;
    const after = observed(before, seen, { wallMs: this.#ports.clock.wallMs(), id });
    if (after === before) return;
    this.#accounts.set(service, after);
    if (after.incident?.id === id) this.#opened++;
    if (after.previous !== undefined) this.#ports.history.keep(after.previous);
    const { incident } = after;
    if (incident !== undefined && incident !== before.incident) this.#unkept.add(service);
    // Time does nothing to a quiet account.
    if (after.state !== "quiet") this.#tickSoon();
    const isNew = incident !== undefined && incident.id !== before.incident?.id;
    if (after.state === before.state && !isNew) return;
    if (isNew) this.#relate(after);
    announce(this.#ports.events, before, after);
    this.#keep(service);
  }

  #relate(account: Account): void {
    const atMs = this.#nowMs();
    const others = [...this.#accounts.values()];
    const world = {
      nowMs: atMs,
      controlStartedMs: this.#startedMs,
      term: this.#ports.term,
      loopDelayMs: this.#views.loopDelayMs(atMs),
    };
    for (const { service, sentence } of relate(account, others, world)) {
      this.#observe(service, { kind: "note", atMs, sentence });
    }
  }

  #account(service: string): Account {
    return this.#accounts.get(service) ?? quietAccount(service);
  }

  // What was, and what is kept.

  #restore(kept: readonly Incident[]): void {
    const nowMs = this.#nowMs();
    for (const incident of kept.filter(({ state }) => state !== "closed")) {
      const { service } = incident;
      const newer = this.#account(service);
      const isOfThisBoot = latestMs(incident) <= nowMs;
      if (newer.state !== "quiet") {
        this.#abandon(incident, `it goes on as incident ${newer.incident?.id ?? "to come"}`);
      } else if (!isOfThisBoot) {
        this.#abandon(incident, "the machine was started anew; when it was over is not known");
      } else {
        this.#resume(incident, nowMs);
      }
    }
  }

  #resume(incident: Incident, atMs: number): void {
    const { service } = incident;
    const awayMs = atMs - latestMs(incident);
    const sentence =
      `control was away for ${sayDuration(awayMs)} at most, until its term ${this.#ports.term}: ` +
      "what clients lost meanwhile is not counted";
    this.#accounts.set(service, resumedAccount(incident));
    this.#observe(service, { kind: "note", atMs, sentence });
    for (const id of Object.keys(incident.out)) {
      const record = this.#ports.registry.get(id);
      if (record !== undefined) this.#review(record);
      else this.#observe(service, mendedAs(id, atMs, `${id} is not there any more`));
    }
    this.#tickSoon();
  }

  /** Closed without an end: nobody saw it. */
  #abandon(incident: Incident, why: string): void {
    const note = `control was away: ${why}`;
    const notes = [...incident.notes, note];
    this.#ports.history.keep({ ...incident, state: "closed", notes, out: {} });
  }

  #tickSoon(): void {
    if (this.#tick !== undefined) return;
    this.#tickDueMs = this.#nowMs() + tickMs;
    this.#tick = this.#ports.clock.after(tickMs, () => this.#look(), this.#recurring);
  }

  #look(): void {
    this.#tick = undefined;
    const atMs = this.#nowMs();
    this.#losses.retain(this.#views.linked());
    let isUnderWay = false;
    for (const account of this.#accounts.values()) {
      this.#mendGone(account, atMs);
      this.#reviewOut(this.#account(account.service));
      this.#observe(account.service, { kind: "passed", atMs });
      isUnderWay ||= this.#account(account.service).state !== "quiet";
    }
    this.#keepAll();
    if (isUnderWay) this.#tickSoon();
  }

  /** It waits for the end of an incident, and nothing is lost or mended meanwhile. */
  #atRest(): Rest | undefined {
    if (this.#unkept.size > 0) return undefined;
    const nowMs = this.#nowMs();
    let endsMs = Number.POSITIVE_INFINITY;
    for (const account of this.#accounts.values()) {
      if (this.#gone(account).length > 0) return undefined;
      endsMs = Math.min(endsMs, stillAtMs(account));
    }
    const dueInMs = this.#tickDueMs - nowMs;
    // The first look from then on ends it. What else a look sees, reports have been looked at for.
    const looks = Math.max(0, Math.ceil((endsMs - this.#tickDueMs) / tickMs));
    const forMs = dueInMs + looks * tickMs;
    return { everyMs: tickMs, agoMs: tickMs - dueInMs, forMs, heeds: [], lastsMs: 0 };
  }

  /** What was out while control was away and did not come back into the registry. */
  #mendGone(account: Account, atMs: number): void {
    for (const id of this.#gone(account)) {
      this.#observe(account.service, mendedAs(id, atMs, `${id} is not wanted any more`));
    }
  }

  #gone({ incident }: Account): readonly string[] {
    const out = Object.keys(incident?.out ?? {});
    return out.filter((id) => this.#ports.registry.get(id) === undefined);
  }

  #keepAll(): void {
    for (const service of this.#unkept) this.#keep(service);
  }

  #keep(service: string): void {
    this.#unkept.delete(service);
    const { incident } = this.#account(service);
    if (incident !== undefined) this.#ports.history.keep(incident);
  }

  #nowMs(): number {
    return this.#ports.clock.monotonicMs();
  }
}

/** Whether traffic may go there: what fails elsewhere is no failure. */
function mayServe(record: InstanceRecord): boolean {
  const { phase } = record;
  return (phase === "running" || phase === "external") && !isHeldOut(record);
}

function isNews(before: InstanceRecord, after: InstanceRecord): boolean {
  return (
    before.phase !== after.phase ||
    before.health !== after.health ||
    before.draining !== after.draining ||
    before.steered !== after.steered ||
    before.failingSinceMs !== after.failingSinceMs ||
    before.told !== after.told ||
    verdictOf(before) !== verdictOf(after)
  );
}

/** What it knows last. The monotonic clock begins anew with the machine: then that is to come. */
function latestMs({ startedMs, lastSignMs, timeline }: Incident): number {
  return Math.max(startedMs, lastSignMs, timeline.at(-1)?.atMs ?? startedMs);
}

function mendedAs(instance: string, atMs: number, sentence: string): Observation {
  return { kind: "mended", atMs, instance, sentence };
}

function sayAll(names: readonly string[]): string {
  const shown = names.slice(0, 4).join(", ");
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown;
}

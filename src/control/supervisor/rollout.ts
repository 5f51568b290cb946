// The versions of one service, and the deploy that is under way: which version each ordinal is to
// run, whether that has come about, and whether it does harm. core/deploy decides; this holds the
// records and looks at the instances.
//
// Nothing of "which instance is next" is remembered: a review sees it in the instances. What must
// survive a control that dies is the ledger, written before anything is done by it; a disk that
// refuses in the middle of a deploy costs the step, which the next control takes again, and only a
// deploy that cannot be written down at all is refused.

import type { CommandService } from "../../config/config.ts";
import { present } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import {
  type Deploy,
  type DeployEvent,
  goesForward,
  isOver,
  stepDeploy,
} from "../../core/deploy/deploy.ts";
import type { CauseName } from "../../core/dispatch/ejections.ts";
import { ErrorWatch } from "../../core/deploy/error-watch.ts";
import {
  type DeploySettings,
  stepPlan,
  type StepPlan,
  surgeOf,
  unavailableOf,
} from "../../core/deploy/settings.ts";
import {
  currentVersion,
  firstLedger,
  inForce,
  type Ledger,
  previousVersion,
  same,
  underWay,
  versionAt,
  versionOf,
  type VersionOrigin,
  type Wish,
  withOutcome,
  withVersion,
} from "../../core/deploy/versions.ts";
import {
  type Fingerprint,
  fingerprintOf,
  type StartParts,
} from "../../core/supervise/fingerprint.ts";
import type { DisruptionBudget } from "../../core/supervise/rolling.ts";
import type { Phase } from "../../core/supervise/phase.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Records } from "../../ports/records.ts";
import type { Traffic } from "../../ports/traffic.ts";
import type { CarefulRecords } from "../registry/careful-records.ts";
import type { Health } from "../registry/registry.ts";
import { startPartsOf, withStartParts } from "./start-parts.ts";
import { VersionRecords } from "./version-records.ts";

export interface RolloutPorts {
  readonly clock: Clock;
  readonly records: Records;
  readonly careful: CarefulRecords;
  readonly events: Events;
  readonly traffic: Traffic;
  /** What the instances are to be has changed, or should be looked at. */
  readonly changed: () => void;
}

/** An instance as a deploy sees it. */
export interface InstanceView {
  readonly id: string;
  readonly ordinal: number;
  /** What its latest process was started with. */
  readonly fingerprint: Fingerprint | undefined;
  readonly phase: Phase;
  readonly health: Health;
  /** Well, and kept from traffic all the same, since it came and went too often. */
  readonly heldBack: boolean;
  /** Why its process ended, or is ended, unasked; undefined while it has not failed. */
  readonly failure: string | undefined;
  readonly readyAtMs: number | undefined;
}

export interface DeployWish {
  readonly parts: StartParts;
  readonly settings: DeploySettings;
  readonly by: string;
  /** Whether the followed file says the same, so that it is no newer word later. */
  readonly fromFile: boolean;
  /** Takes the place of a deploy that is under way. */
  readonly replace: boolean;
}

/** What an order led to. */
export interface DeployAnswer {
  readonly version: number;
  /** Undefined: nothing is to be done. */
  readonly from: number | undefined;
  readonly changed: readonly string[];
}

/** While a deploy is under way, time and traffic are looked at this often. */
export const lookMs = 250;
/** A look that comes so late says that we slept: then time without progress is nobody's fault. */
const asleepMs = 1_000;
/**
 * What a version does while it serves. A connection that is refused or breaks says that a process
 * ended, perhaps on somebody's word: whether it failed is the supervisor's to say, and a version
 * that breaks connections and lives is found by its counts.
 */
const condemning: readonly CauseName[] = ["errors", "unanswered", "silence"];
/** Those that were down together come back one after another. */
const recoverMs = 5_000;

export class Rollout {
  readonly #ports: RolloutPorts;
  readonly #name: string;
  #service: CommandService;
  /** The service as it is now, by the parts that a version is started by. */
  #specs = new WeakMap<StartParts, CommandService>();
  #ledger: Ledger;
  readonly #records: VersionRecords;
  /** Of the deploy's phase; monotonic. */
  #deadlineMs: number | undefined;
  #lookedAtMs = 0;
  #look: Timer | undefined;
  /** How many instances were as the phase wants them. */
  #progress = 0;
  /** Whether all but the extra ones are as the phase wants them. */
  #allAreBack = false;
  readonly #upSinceMs = new Map<string, number>();
  /** The version that each ordinal runs, for a deploy that stays where it is. */
  readonly #at = new Map<number, number>();
  /** When all old instances were down last: then it is not for the new version that it is, too. */
  #allDownAtMs = Number.NEGATIVE_INFINITY;
  #errors = new ErrorWatch();
  /** What a worker said when it ejected an instance of the new version. */
  #ejection: string | undefined;

  constructor(ports: RolloutPorts, service: CommandService, how: VersionOrigin) {
    this.#ports = ports;
    this.#name = service.name;
    this.#service = service;
    this.#records = new VersionRecords(ports, service.name);
    const kept = this.#records.readLedger(service);
    this.#ledger = kept ?? firstLedger(this.#wish(service, how));
    if (kept === undefined) this.#keepVersion(this.#ledger.inForce, service);
    else this.follow(service, how);
    if (this.#deploy !== undefined) this.#step({ kind: "resumed" });
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Whether a deploy is under way. */
  get isMoving(): boolean {
    return this.#deploy !== undefined;
  }

  /** Whether the file's word on what is started contradicts a deploy that is under way. */
  contradicts(service: CommandService): boolean {
    return this.#deploy !== undefined && !same(fingerprintOf(service), this.#ledger.file);
  }

  /** Follows the file. Returns a sentence when what runs is not what it says. */
  follow(service: CommandService, how: VersionOrigin): string | undefined {
    this.#service = service;
    this.#specs = new WeakMap();
    const fingerprint = fingerprintOf(service);
    if (same(fingerprint, this.#ledger.file)) return this.#differs(fingerprint);
    if (this.#deploy !== undefined)
      this.#step({ kind: "overtaken", cause: "the file has changed" });
    const { ledger, number } = withVersion(this.#ledger, this.#wish(service, how));
    this.#ledger = inForce({ ...ledger, file: fingerprint }, number);
    this.#keepVersion(number, service);
    return undefined;
  }

  /** Throws NINES_DEPLOY_UNDER_WAY, or NINES_STATE_WRITE when it cannot be kept. */
  deploy({ parts, settings, by, fromFile, replace }: DeployWish): DeployAnswer {
    const running = this.#deploy;
    if (running !== undefined && !replace) throw this.#busy(running);
    const fingerprint = fingerprintOf(parts);
    const file = fromFile ? fingerprint : this.#ledger.file;
    const wish: Wish = { fingerprint, how: "deploy", by, wallMs: this.#ports.clock.wallMs() };
    const { ledger, number } = withVersion(this.#ledger, wish);
    if (number === ledger.inForce) {
      this.#ledger = { ...ledger, file };
      this.#records.keepLedger(this.#ledger);
      if (running === undefined) return { version: number, from: undefined, changed: [] };
      return this.rollback(undefined, by);
    }
    this.#records.mustKeepParts(number, parts);
    this.#start({ ...ledger, file }, number, settings, by);
    return {
      version: number,
      from: ledger.inForce,
      changed: versionAt(ledger, number)?.changed ?? [],
    };
  }

  /** Throws NINES_VERSION_UNKNOWN, NINES_DEPLOY_UNDER_WAY, NINES_STATE_WRITE. */
  rollback(to: number | undefined, by: string): DeployAnswer {
    const running = this.#deploy;
    if (running !== undefined) {
      if (to !== undefined && to !== running.from) throw this.#busy(running);
      this.#step({ kind: "withdrawn", cause: `${by} asked for it` });
      return { version: running.from, from: running.to, changed: [] };
    }
    const ledger = this.#ledger;
    const version = to === undefined ? previousVersion(ledger) : versionAt(ledger, to);
    if (version === undefined || !this.#records.knows(ledger, version.number, this.#service)) {
      const what = to === undefined ? "an earlier version" : `a version ${to}`;
      throw new NinesError(
        "NINES_VERSION_UNKNOWN",
        `Nothing is known of ${what} of ${this.#name}.`,
      );
    }
    const { number, changed } = version;
    if (number === ledger.inForce) return { version: number, from: undefined, changed: [] };
    this.#start(ledger, number, { ...this.#service.deploy, canary: [] }, by);
    return { version: number, from: ledger.inForce, changed };
  }

  /** The service as this ordinal is to be started. */
  specOf(ordinal: number, replicas: number): CommandService {
    const parts = this.#partsOf(this.#wanted(ordinal, replicas));
    const known = this.#specs.get(parts);
    if (known !== undefined) return known;
    const spec = withStartParts(this.#service, parts);
    this.#specs.set(parts, spec);
    return spec;
  }

  /** Ordinals beyond the replicas that there are to be. */
  extras(replicas: number): readonly number[] {
    const deploy = this.#deploy;
    if (deploy === undefined) return [];
    const extra = this.#extraStays(deploy, replicas) ? this.#plan(deploy, replicas).extra : 0;
    return Array.from({ length: extra }, (_, index) => replicas + index + 1);
  }

  /** Whether an ordinal beyond the replicas is the deploy's to keep or to let go. */
  owns(ordinal: number, replicas: number): boolean {
    const deploy = this.#deploy;
    return deploy !== undefined && ordinal <= replicas + surgeOf(deploy.settings, replicas);
  }

  /** How many may be changed at once; back to what is known to be good, all that are down. */
  budget(replicas: number): DisruptionBudget {
    const deploy = this.#deploy;
    const maxUnavailable = deploy === undefined ? 1 : unavailableOf(deploy.settings, replicas);
    const trial = deploy !== undefined && goesForward(deploy);
    const trials = trial ? Math.max(1, maxUnavailable) : Number.POSITIVE_INFINITY;
    return { wanted: replicas, maxUnavailable, trials };
  }

  /** Its part of a full instance's traffic, in (0, 1]. */
  shareOf(fingerprint: Fingerprint | undefined, replicas: number): number {
    const deploy = this.#deploy;
    if (deploy === undefined || deploy.phase === "finishing") return 1;
    return this.#isFresh(fingerprint) ? this.#plan(deploy, replicas).share : 1;
  }

  /** The number of the version that it runs; undefined when that is not remembered. */
  versionOf(fingerprint: Fingerprint | undefined): number | undefined {
    return fingerprint && versionOf(this.#ledger, fingerprint)?.number;
  }

  /** Whether an instance counts: up, and of the new version for long enough. */
  isWell({ id, phase, health, heldBack, fingerprint, readyAtMs }: InstanceView): boolean {
    if (phase !== "running" || health !== "up" || heldBack) return false;
    const deploy = this.#deploy;
    if (deploy === undefined || !goesForward(deploy) || !this.#isFresh(fingerprint)) return true;
    const nowMs = this.#ports.clock.monotonicMs();
    const sinceMs = Math.max(readyAtMs ?? nowMs, this.#upSinceMs.get(id) ?? nowMs);
    return nowMs - sinceMs >= deploy.settings.minimumHealthyMs;
  }

  /** A worker ejected an instance: only one that serves as the new version says something of it. */
  ejected({ phase, fingerprint }: InstanceView, cause: CauseName, detail: string): void {
    const deploy = this.#deploy;
    if (deploy === undefined || !goesForward(deploy) || !condemning.includes(cause)) return;
    if (phase !== "running" || !this.#isFresh(fingerprint)) return;
    this.#ejection = detail;
    this.#ports.changed();
  }

  /** Looks at the instances, and moves the deploy by what it sees. */
  review(views: readonly InstanceView[], replicas: number): void {
    this.#noteUp(views);
    const deploy = this.#deploy;
    if (deploy === undefined) return;
    for (const view of views) {
      const number = this.versionOf(view.fingerprint);
      if (number !== undefined) this.#at.set(view.ordinal, number);
    }
    const own = views.filter(({ ordinal }) => ordinal <= replicas);
    this.#allAreBack = own.every((view) => this.#isAsWanted(view, replicas));
    const watched = views.map(({ id, phase: at, fingerprint }) => {
      return { id, serving: at === "running", fresh: this.#isFresh(fingerprint) };
    });
    this.#errors.look(watched, this.#ports.traffic.counts(this.#name));
    const event = this.#eventOf(deploy, views, replicas);
    if (event !== undefined) this.#step(event);
    if (this.#deploy === undefined) return;
    this.#look ??= this.#ports.clock.after(lookMs, () => {
      this.#look = undefined;
      this.#ports.changed();
    });
  }

  /** The service is not in the file any more: its versions are nobody's. */
  forget(): void {
    if (this.#deploy !== undefined) {
      this.#step({ kind: "overtaken", cause: "the file does not name the service any more" });
    }
    this.#records.forget();
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#look?.[Symbol.dispose]();
  }

  // ---- what is to be ------------------------------------------------------------------------

  get #deploy(): Deploy | undefined {
    return underWay(this.#ledger);
  }

  #plan(deploy: Deploy, replicas: number): StepPlan {
    return stepPlan(deploy.settings, deploy.step, replicas);
  }

  #wanted(ordinal: number, replicas: number): number {
    const deploy = this.#deploy;
    if (deploy === undefined) return this.#ledger.inForce;
    const { from, to, phase } = deploy;
    if (phase === "rolling-back") return from;
    if (phase === "stopped") return this.#at.get(ordinal) ?? from;
    if (phase === "finishing" || ordinal > replicas) return to;
    return ordinal <= this.#plan(deploy, replicas).replaced ? to : from;
  }

  /** On the way back extra ones are kept, at the old version, where none of the others may miss. */
  #extraStays(deploy: Deploy, replicas: number): boolean {
    if (deploy.phase === "finishing") return false;
    if (deploy.phase !== "rolling-back") return true;
    return !this.#allAreBack && unavailableOf(deploy.settings, replicas) === 0;
  }

  #isFresh(fingerprint: Fingerprint | undefined): boolean {
    const deploy = this.#deploy;
    return deploy !== undefined && this.versionOf(fingerprint) === deploy.to;
  }

  // ---- what has come about ------------------------------------------------------------------

  #eventOf(
    deploy: Deploy,
    views: readonly InstanceView[],
    replicas: number,
  ): DeployEvent | undefined {
    const failed = goesForward(deploy) ? this.#failure(views) : undefined;
    if (failed !== undefined) return { kind: "failed", cause: failed };
    const done = views.filter((view) => this.#isAsWanted(view, replicas)).length;
    const over = this.#timeIsOver();
    if (deploy.phase === "holding") return over ? { kind: "time-over" } : undefined;
    if (deploy.phase === "stopped") return undefined;
    const surplus = views.some(({ ordinal }) => ordinal > replicas + this.extras(replicas).length);
    if (done === replicas + this.extras(replicas).length && !surplus) return { kind: "settled" };
    const progressed = done > this.#progress;
    this.#progress = done;
    if (progressed) return { kind: "progressed" };
    return over ? { kind: "time-over" } : undefined;
  }

  #isAsWanted(view: InstanceView, replicas: number): boolean {
    const { ordinal, fingerprint } = view;
    if (ordinal > replicas && !this.extras(replicas).includes(ordinal)) return false;
    return this.versionOf(fingerprint) === this.#wanted(ordinal, replicas) && this.isWell(view);
  }

  /** Why the new version has failed. */
  #failure(views: readonly InstanceView[]): string | undefined {
    const fresh = views.filter(({ fingerprint }) => this.#isFresh(fingerprint));
    const old = views.filter((view) => view.phase === "running" && !fresh.includes(view));
    for (const { id, failure } of fresh) {
      if (failure !== undefined) return `${id} failed: ${failure}`;
    }
    const nowMs = this.#ports.clock.monotonicMs();
    if (old.length > 0 && old.every(({ health }) => health === "down")) this.#allDownAtMs = nowMs;
    const down = fresh.find(({ phase, health }) => phase === "running" && health === "down");
    if (down !== undefined && nowMs - this.#allDownAtMs > recoverMs) {
      return `the checks of ${down.id} fail`;
    }
    return this.#ejection ?? this.#errors.verdict();
  }

  #timeIsOver(): boolean {
    const nowMs = this.#ports.clock.monotonicMs();
    const sleptMs = nowMs - this.#lookedAtMs - lookMs;
    this.#lookedAtMs = nowMs;
    if (this.#deadlineMs === undefined) return false;
    if (sleptMs > asleepMs) this.#deadlineMs += sleptMs;
    return nowMs >= this.#deadlineMs;
  }

  #noteUp(views: readonly InstanceView[]): void {
    const nowMs = this.#ports.clock.monotonicMs();
    const up = views.filter(({ phase, health }) => phase === "running" && health === "up");
    const ids = new Set(up.map(({ id }) => id));
    for (const id of this.#upSinceMs.keys()) if (!ids.has(id)) this.#upSinceMs.delete(id);
    for (const id of ids) if (!this.#upSinceMs.has(id)) this.#upSinceMs.set(id, nowMs);
  }

  // ---- steps and records --------------------------------------------------------------------

  #start(ledger: Ledger, to: number, settings: DeploySettings, by: string): void {
    const { clock } = this.#ports;
    const replaced = this.#deploy;
    const beganWallMs = clock.wallMs();
    const from = ledger.inForce;
    const start = { phase: "rolling", step: 0, beganWallMs, cause: "" } as const;
    const givenUp = replaced && `given up: ${by} deployed version ${to}`;
    const told = replaced === undefined ? ledger : withOutcome(ledger, replaced.to, givenUp ?? "");
    const changed = versionAt(ledger, to)?.changed ?? [];
    const what = changed.length === 0 ? "" : ` (${changed.join(", ")} changed)`;
    const way = `from version ${from} to version ${to}${what}`;
    const why = `${this.#name} goes ${way}: ${by} asked for it`;
    const next: Ledger = { ...told, deploy: { ...start, from, to, settings, by, why } };
    this.#records.mustKeepLedger(next);
    if (replaced !== undefined) {
      const sentence = `${this.#name}: the deploy of version ${replaced.to} is ${givenUp}`;
      this.#say("deploy.superseded", "info", sentence);
    }
    this.#ledger = next;
    this.#afresh(clock.monotonicMs() + settings.deadlineMs);
    this.#say("deploy.started", "info", why);
    this.#ports.changed();
  }

  #afresh(deadlineMs: number | undefined): void {
    this.#deadlineMs = deadlineMs;
    this.#lookedAtMs = this.#ports.clock.monotonicMs();
    this.#progress = 0;
    this.#allDownAtMs = Number.NEGATIVE_INFINITY;
    this.#errors = new ErrorWatch();
    this.#ejection = undefined;
  }

  #step(event: DeployEvent): void {
    const deploy = present(this.#deploy, "a deploy to step");
    const { clock } = this.#ports;
    const nowMs = clock.monotonicMs();
    const result = stepDeploy(deploy, event, {
      service: this.#name,
      nowMs,
      wallMs: clock.wallMs(),
      deadlineMs: this.#deadlineMs,
    });
    if (event.kind === "resumed") this.#afresh(result.deadlineMs);
    this.#deadlineMs = result.deadlineMs;
    this.#lookedAtMs = nowMs;
    if (result.deploy !== deploy) {
      const moved = result.deploy.phase !== deploy.phase || result.deploy.step !== deploy.step;
      this.#ledger = this.#after(result.deploy);
      if (moved) {
        this.#progress = 0;
        this.#allAreBack = false;
        this.#records.keepLedger(this.#ledger);
      }
    }
    if (result.said !== undefined) {
      this.#say(result.said.kind, result.said.level, result.said.sentence);
    }
    if (event.kind !== "progressed") this.#ports.changed();
  }

  /** The ledger with the deploy as it is now. */
  #after(deploy: Deploy): Ledger {
    const ledger = { ...this.#ledger, deploy };
    if (!isOver(deploy)) return ledger;
    this.#ejection = undefined;
    const told = withOutcome(ledger, deploy.to, deploy.why);
    return deploy.phase === "finished" ? inForce(told, deploy.to) : told;
  }

  #say(kind: string, level: "info" | "warning" | "error", sentence: string): void {
    this.#ports.events.record({ kind, level, sentence, service: this.#name });
  }

  /** Why what runs is not what the file says. */
  #differs(file: Fingerprint): string | undefined {
    if (this.#deploy !== undefined) return undefined;
    const current = currentVersion(this.#ledger);
    if (same(current.fingerprint, file)) return undefined;
    const named = versionOf(this.#ledger, file);
    const what = named === undefined ? "another version" : `version ${named.number}`;
    const why = named === undefined || named.outcome === "" ? "" : ` (${named.outcome})`;
    return (
      `${this.#name} stays at version ${current.number}, though the file says ${what}${why}; ` +
      `\`nines deploy ${this.#name}\` brings the file's.`
    );
  }

  #busy({ from, to, by }: Deploy): NinesError {
    const what = `${this.#name} goes from version ${from} to version ${to}, as ${by} asked`;
    return new NinesError("NINES_DEPLOY_UNDER_WAY", `${what}; one deploy at a time.`);
  }

  #wish(service: CommandService, how: VersionOrigin): Wish {
    const wallMs = this.#ports.clock.wallMs();
    return { fingerprint: fingerprintOf(service), how, by: "the file", wallMs };
  }

  #partsOf(number: number): StartParts {
    return this.#records.partsOf(number) ?? startPartsOf(this.#service);
  }

  /** Keeps the ledger, and what its new version is made of: that is the file's. */
  #keepVersion(number: number, service: CommandService): void {
    this.#records.keepParts(number, startPartsOf(service));
    this.#records.keepLedger(this.#ledger);
  }
}

// The dispatcher's slow, obvious twin: an object an instance, sets and filters, no slots, no
// caches. It says which instances may be chosen; the real one must choose among them. `play` drives
// both with the same commands and throws where they part.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BalanceAlgorithm,
  balanceAlgorithms,
  defaultDetection,
  type InstanceVerdict,
  instanceVerdicts,
  plainRule,
  plainService,
  type ServiceMode,
  type TableInstance,
  type TableService,
} from "../route/table.ts";
import type { createDispatcher } from "./create-dispatcher.ts";
import { ALL_BUSY, type Dispatcher, NO_INSTANCE, type Outcome, outcome } from "./dispatcher.ts";

const BASE_MS = 1000;
const MAX_MS = 8000;

interface Ejected {
  lengthMs: number;
  dueMs: number;
  sinceMs: number;
  probeMs: number;
  cause: "connect" | "broken" | "errors" | "verdict" | "flapping";
  held: boolean;
}

interface Known {
  table: TableInstance;
  ejected: Ejected | undefined;
  unansweredInRow: number;
  /**
   * Of the last ejection's end, and what the next one takes if it comes within a minute of that.
   */
  clearedMs: number;
  nextMs: number;
  taking: boolean;
  /** Control holds it back, and it is needed. */
  needed: boolean;
  /** Its coming is no return. */
  asked: boolean;
  /** Of all that was no person's wish: when it went or came. */
  changesMs: readonly number[];
  good: number;
  errorsInRow: number;
  peersGoodBefore: number;
  bad: number;
  peersBadBefore: number;
}

interface Attempt {
  readonly id: string;
  readonly slot: number;
  readonly beganMs: number;
}

const MINUTE_MS = 60_000;

class Twin {
  readonly known = new Map<string, Known>();
  readonly attempts: Attempt[] = [];
  listed = new Set<string>();
  controlAlive = true;
  service: TableService = { ...plainService, name: "web", instances: [] };
  readonly notices: string[] = [];

  /** Whether a client stays with it. */
  stays(id: string): number | "stays" {
    const isUsable = this.#isMember(id) && this.#isUsable(id);
    const isOwnUsable = [...this.listed].some(
      (each) => !this.#backup(each) && this.#isMember(each) && this.#isUsable(each),
    );
    if (!isUsable || (this.#backup(id) && isOwnUsable)) return NO_INSTANCE;
    return this.#busy(id) ? ALL_BUSY : "stays";
  }

  /** Ids that may be chosen, or why none. */
  allowed(nowMs: number, tried: ReadonlySet<string>, repeatable: boolean) {
    const members = [...this.listed].filter((id) => this.#isMember(id));
    const own = members.filter((id) => !this.#backup(id));
    const backups = members.filter((id) => this.#backup(id));
    const usable = (ids: string[]) => ids.filter((id) => this.#isUsable(id));
    const out = (ids: string[]) => ids.filter((id) => !this.#isUsable(id));
    const { panicRatio } = this.service.detection;
    const usableCount = usable(members).length;
    const isPanic = usableCount > 0 && usableCount <= panicRatio * members.length;
    const tried0 = isPanic ? this.#panicTiers(own, backups) : undefined;
    const isChoosable = (id: string) => {
      if (usableCount > 0) return false;
      const isEjected = this.#of(id).ejected !== undefined;
      return !(isEjected && this.service.mode === "primary-standby");
    };
    const tiers = tried0 ?? [
      usable(own),
      usable(backups),
      out(own).filter(isChoosable),
      out(backups).filter(isChoosable),
    ];
    const isUsableCrowd = (tiers[0]?.length ?? 0) > 0;
    if (tried.size === 0) {
      const isDue = (id: string) => {
        const { ejected } = this.#of(id);
        if (ejected === undefined) return false;
        const waitsMs = repeatable || !isUsableCrowd ? 0 : ejected.lengthMs;
        return nowMs >= ejected.dueMs + waitsMs;
      };
      const isLastResort = (id: string) =>
        (this.#backup(id) && isUsableCrowd) || (!this.#isOpen(id) && usableCount > 0);
      const probes = members.filter((id) => isDue(id) && !this.#busy(id) && !isLastResort(id));
      if (probes.length > 0) return new Set(probes);
    }
    for (const without of [tried, new Set<string>()]) {
      for (const tier of tiers) {
        const left = tier.filter((id) => !without.has(id));
        const free = left.filter((id) => !this.#busy(id));
        if (free.length > 0) return new Set(free);
        if (left.length > 0) return ALL_BUSY;
      }
    }
    return NO_INSTANCE;
  }

  #panicTiers(own: string[], backups: string[]): string[][] {
    const primary = this.service.mode === "primary-standby";
    const isOut = (id: string) => primary && this.#of(id).ejected !== undefined;
    const usable = backups.filter((id) => this.#isUsable(id));
    return [own.filter((id) => !isOut(id)), usable];
  }

  begin(id: string, slot: number, nowMs: number): void {
    this.attempts.push({ id, slot, beganMs: nowMs });
    const known = this.#of(id);
    const { ejected } = known;
    if (ejected === undefined || nowMs < ejected.dueMs) return;
    ejected.lengthMs = Math.min(2 * ejected.lengthMs, this.#maxMs);
    ejected.dueMs = nowMs + ejected.lengthMs;
    ejected.held = false;
    ejected.probeMs = nowMs;
    known.nextMs = Math.max(known.nextMs, ejected.lengthMs);
  }

  /** True: it is in traffic again. */
  head(attempt: Attempt, nowMs: number, good: boolean): boolean {
    const known = this.#of(attempt.id);
    const { ejected } = known;
    if (ejected === undefined || attempt.beganMs < ejected.sinceMs) return false;
    if (ejected.cause === "errors" && !good) return false;
    if (this.#isOpen(attempt.id) && this.listed.has(attempt.id) && this.#waits(known, nowMs, 0)) {
      this.#hold(known, ejected, nowMs);
      return false;
    }
    this.#pardon(known, nowMs);
    this.notices.push(`${attempt.id} readmitted`);
    this.#settle(known, nowMs, 0);
    return true;
  }

  /** Whether its return would be the fourth change of a minute, and it can be spared. */
  #waits({ table: { id }, asked, changesMs }: Known, nowMs: number, soonMs: number): boolean {
    const inMinute = changesMs.filter((atMs) => nowMs + soonMs < atMs + MINUTE_MS);
    return !asked && inMinute.length >= 2 && this.#isHalfUsable(id);
  }

  #isHalfUsable(without?: string): boolean {
    const usable = [...this.listed].filter((id) => id !== without && this.#isUsable(id));
    return 2 * usable.length >= this.listed.size;
  }

  #hold(known: Known, ejected: Ejected, nowMs: number): void {
    if (!ejected.held) this.notices.push(`${known.table.id} ejected`);
    ejected.held = true;
    ejected.probeMs = Infinity;
    ejected.sinceMs = nowMs;
    ejected.dueMs = (known.changesMs.at(-2) ?? 0) + MINUTE_MS;
  }

  #settle(known: Known, nowMs: number, soonMs: number): void {
    const { id, verdict } = known.table;
    const isUsable = this.#isUsable(id);
    if (isUsable === known.taking) return;
    if (!isUsable) {
      known.asked = !this.listed.has(id) || verdict === "draining";
    } else if (this.#waits(known, nowMs, soonMs)) {
      this.#eject(id, nowMs, "flapping");
      const { ejected } = known;
      assert.ok(ejected !== undefined);
      return this.#hold(known, ejected, nowMs);
    }
    known.taking = isUsable;
    if (!known.asked) known.changesMs = [...known.changesMs, nowMs];
    if (isUsable) known.asked = false;
    this.#endHolds(nowMs);
  }

  /** A hold is a luxury of those who have others. */
  #endHolds(nowMs: number): void {
    if (this.#isHalfUsable()) return;
    for (const { ejected } of this.known.values()) {
      if (ejected?.held !== true) continue;
      ejected.held = false;
      ejected.dueMs = nowMs;
    }
    for (const { id } of this.service.instances) {
      const known = this.#of(id);
      if (!this.#isHeldBack(known) || known.needed) continue;
      if (this.#isHalfUsable()) return;
      known.needed = true;
      this.notices.push(`${known.table.id} readmitted`);
      this.#settle(known, nowMs, 0);
    }
  }

  #isHeldBack({ table: { id, verdict } }: Known): boolean {
    const isPrimarys = this.service.mode === "primary-standby";
    return this.listed.has(id) && verdict === "standby" && !isPrimarys;
  }

  end(attempt: Attempt, nowMs: number, result: Outcome): void {
    this.attempts.splice(this.attempts.indexOf(attempt), 1);
    const known = this.#of(attempt.id);
    const { ejected } = known;
    if (ejected === undefined) this.#learn(attempt, nowMs, result);
    else this.#probed(attempt, ejected, nowMs, result);
    this.#forgetGone();
  }

  #learn(attempt: Attempt, nowMs: number, result: Outcome): void {
    const known = this.#of(attempt.id);
    if (result === outcome.abandoned || result === outcome.silent) return;
    if (result === outcome.answered || result === outcome.serverError) known.unansweredInRow = 0;
    if (result === outcome.answered) {
      known.good++;
      known.errorsInRow = 0;
      return;
    }
    if (attempt.beganMs < known.clearedMs) return;
    if (known.errorsInRow++ === 0) {
      known.peersGoodBefore = this.#peersGood(attempt.id);
      known.peersBadBefore = this.#peersBad(attempt.id);
    }
    known.bad++;
    if (result === outcome.timedOut) known.unansweredInRow++;
    if (result === outcome.connectFailed) this.#eject(attempt.id, nowMs, "connect");
    else if (result === outcome.reset) this.#ejectIfAllowed(attempt.id, nowMs, "broken");
    else if (result === outcome.timedOut && known.unansweredInRow >= 3) {
      this.#ejectIfAllowed(attempt.id, nowMs, "broken");
    } else this.#judgeErrors(attempt.id, nowMs);
  }

  #judgeErrors(id: string, nowMs: number): void {
    const { errorsInRow, peersGoodBefore, peersBadBefore } = this.#of(id);
    const { consecutiveErrors } = this.service.detection;
    if (errorsInRow < consecutiveErrors) return;
    const good = this.#peersGood(id) - peersGoodBefore;
    const bad = this.#peersBad(id) - peersBadBefore;
    const didPeersWell = good >= consecutiveErrors && good >= bad;
    const mayBackupDoBetter = good + bad === 0 && this.#isReplaced(id);
    if (didPeersWell || mayBackupDoBetter) {
      if (this.#ejectIfAllowed(id, nowMs, "errors")) return;
    }
    if (errorsInRow === consecutiveErrors) this.notices.push(`${id} errors`);
  }

  #probed(attempt: Attempt, ejected: Ejected, nowMs: number, result: Outcome): void {
    const isGood = result === outcome.answered;
    if (isGood || result === outcome.serverError) {
      if (this.head(attempt, nowMs, isGood) || isGood) return;
    }
    if (attempt.beganMs < ejected.probeMs) return;
    ejected.probeMs = Infinity;
    if (result === outcome.abandoned) {
      ejected.lengthMs = Math.max(ejected.lengthMs / 2, BASE_MS);
      ejected.dueMs = nowMs;
    } else {
      ejected.sinceMs = nowMs;
      ejected.dueMs = nowMs + ejected.lengthMs;
      this.notices.push(`${attempt.id} ejected`);
    }
  }

  update(service: TableService, nowMs: number): void {
    this.service = service;
    this.listed = new Set(service.instances.map((table) => table.id));
    const renewed: Known[] = [];
    for (const table of service.instances) {
      const before = this.known.get(table.id);
      const known = before ?? newlyKnown(table);
      const isRenewed = table.generation > known.table.generation;
      const turned = table.verdict !== known.table.verdict;
      known.table = table;
      known.needed = known.needed && table.verdict === "standby";
      this.known.set(table.id, known);
      if (isRenewed && known.ejected !== undefined) renewed.push(known);
      if (isRenewed) this.#pardon(known, nowMs);
      if (before === undefined || isRenewed || turned) this.#suspectIfDown(known, nowMs);
    }
    this.#settleGone(nowMs);
    for (const { id } of service.instances) this.#settle(this.#of(id), nowMs, 500);
    for (const { table } of renewed) {
      if (this.#isUsable(table.id)) this.notices.push(`${table.id} readmitted`);
    }
    this.#forgetGone();
  }

  #settleGone(nowMs: number): void {
    this.#endHolds(nowMs);
    for (const known of this.known.values()) {
      if (!this.#isUsable(known.table.id)) this.#settle(known, nowMs, 0);
    }
  }

  setControlAlive(alive: boolean, nowMs: number): void {
    if (alive === this.controlAlive) return;
    this.controlAlive = alive;
    for (const known of this.known.values()) {
      if (!alive) this.#suspectIfDown(known, nowMs);
      else if (known.ejected?.cause === "verdict") this.#pardon(known, nowMs);
    }
    this.#settleGone(nowMs);
  }

  ejectedIds(): string[] {
    return [...this.listed].filter((id) => this.#of(id).ejected !== undefined).sort();
  }

  #pardon(known: Known, nowMs: number): void {
    known.ejected = undefined;
    known.unansweredInRow = 0;
    known.errorsInRow = 0;
    known.clearedMs = nowMs;
  }

  #eject(id: string, nowMs: number, cause: Ejected["cause"]): void {
    const known = this.#of(id);
    const wantedMs = nowMs - known.clearedMs < MINUTE_MS ? known.nextMs : 0;
    const lengthMs = Math.min(Math.max(wantedMs, BASE_MS), this.#maxMs);
    const dueMs = nowMs + lengthMs;
    known.ejected = { lengthMs, dueMs, sinceMs: nowMs, probeMs: Infinity, cause, held: false };
    if (cause === "verdict" || cause === "flapping") return;
    known.nextMs = 2 * lengthMs;
    this.notices.push(`${id} ejected`);
    this.#settle(known, nowMs, 0);
  }

  #ejectIfAllowed(id: string, nowMs: number, cause: Ejected["cause"]): boolean {
    const members = [...this.listed].filter((each) => this.#isMember(each));
    const out = members.filter((each) => each !== id && !this.#isUsable(each)).length + 1;
    const outMax = this.service.detection.maxEjectedRatio * members.length;
    if (!this.#isReplaced(id) && out > outMax) return false;
    this.#eject(id, nowMs, cause);
    return true;
  }

  #isReplaced(id: string): boolean {
    return [...this.listed].some(
      (each) => this.listed.has(id) && this.#of(each).table.backupOf === id && this.#isUsable(each),
    );
  }

  #suspectIfDown(known: Known, nowMs: number): void {
    const { id, verdict } = known.table;
    const isSuspect = verdict === "down" && this.listed.has(id) && !this.controlAlive;
    if (isSuspect && known.ejected === undefined) this.#eject(id, nowMs, "verdict");
  }

  get #maxMs(): number {
    return this.service.mode === "primary-standby" ? BASE_MS : MAX_MS;
  }

  #isUsable(id: string): boolean {
    return this.listed.has(id) && this.#isOpen(id) && this.#of(id).ejected === undefined;
  }

  #isMember(id: string): boolean {
    const { verdict, backupOf } = this.#of(id).table;
    const isBackedUsable = backupOf !== undefined && this.listed.has(backupOf);
    if (isBackedUsable && this.#isUsable(backupOf)) return false;
    return this.listed.has(id) && (this.#isOpen(id) || verdict === "failing");
  }

  #isOpen(id: string): boolean {
    const { table, needed } = this.#of(id);
    const { verdict } = table;
    if (this.#isHeldBack(this.#of(id))) return needed;
    const isAlone = !this.controlAlive && this.service.mode !== "primary-standby";
    return verdict === "up" || (verdict === "down" && isAlone);
  }

  #peersGood(id: string): number {
    let sum = 0;
    for (const [other, { good }] of this.known) if (other !== id) sum += good;
    return sum + this.goodOfTheGone;
  }

  #peersBad(id: string): number {
    let sum = 0;
    for (const [other, { bad }] of this.known) if (other !== id) sum += bad;
    return sum + this.badOfTheGone;
  }

  /** Answers of instances that left the table count for those that stay. */
  goodOfTheGone = 0;
  badOfTheGone = 0;

  #backup(id: string): boolean {
    return this.#of(id).table.backup;
  }

  #busy(id: string): boolean {
    const active = this.attempts.filter((attempt) => attempt.id === id).length;
    const most = this.#of(id).table.maxConnections ?? this.service.maxConnections;
    return most > 0 && active >= most;
  }

  #of(id: string): Known {
    const known = this.known.get(id);
    assert.ok(known !== undefined, `${id} is known`);
    return known;
  }

  /** What left the table is remembered for as long as an attempt on it is under way. */
  #forgetGone(): void {
    for (const [id, { good, bad }] of this.known) {
      const active = this.attempts.some((attempt) => attempt.id === id);
      if (active || this.listed.has(id)) continue;
      this.goodOfTheGone += good;
      this.badOfTheGone += bad;
      this.known.delete(id);
    }
  }
}

function newlyKnown(table: TableInstance): Known {
  return {
    table,
    ejected: undefined,
    unansweredInRow: 0,
    clearedMs: -Infinity,
    nextMs: 0,
    taking: false,
    needed: false,
    asked: true,
    changesMs: [],
    good: 0,
    errorsInRow: 0,
    peersGoodBefore: 0,
    bad: 0,
    peersBadBefore: 0,
  };
}

export type Command =
  | {
      readonly kind: "request";
      readonly balance: BalanceAlgorithm;
      readonly triedBits: number;
      readonly repeatable: boolean;
    }
  | { readonly kind: "head" | "end"; readonly which: number; readonly result: Outcome }
  | { readonly kind: "pass"; readonly durationMs: number }
  | { readonly kind: "control"; readonly alive: boolean }
  | {
      readonly kind: "table";
      readonly maxConnections: number;
      readonly mode: ServiceMode;
      readonly maxEjectedRatio: number;
      readonly panicRatio: number;
      readonly zoned: boolean;
      readonly instances: readonly (TableInstance | undefined)[];
    };

const IDS = ["web-1", "web-2", "web-3", "web-4", "web-5"];

/** Long scripts: an instance must fail, be probed and fail again before some promises are met. */
export function commands(): fc.Arbitrary<readonly Command[]> {
  const balance = fc.constantFrom(...balanceAlgorithms);
  // A few ways to balance a script: more happens to each, and not every script fills every table.
  return fc.tuple(balance, balance, balance).chain((few) => commandsBy(few));
}

function commandsBy(few: readonly BalanceAlgorithm[]): fc.Arbitrary<readonly Command[]> {
  const balance = fc.constantFrom(...few);
  const result = fc.constantFrom(...Object.values(outcome));
  const which = fc.oneof(fc.constant(0), fc.nat(20));
  const request = fc.record({
    kind: fc.constant("request" as const),
    balance,
    triedBits: fc.oneof(fc.constant(0), fc.nat(31)),
    repeatable: fc.constantFrom(true, true, false),
  });
  const end = fc.record({
    kind: fc.constantFrom("end" as const, "end" as const, "head" as const),
    which,
    result,
  });
  const pass = fc.record({
    kind: fc.constant("pass" as const),
    durationMs: fc.oneof(fc.nat(50), fc.constantFrom(999, 1000, 2000, 4000, 30_000)),
  });
  const control = fc.record({ kind: fc.constant("control" as const), alive: fc.boolean() });
  const one = fc.oneof(
    { arbitrary: request, weight: 12 },
    { arbitrary: end, weight: 12 },
    { arbitrary: pass, weight: 4 },
    { arbitrary: control, weight: 1 },
    { arbitrary: table(), weight: 1 },
  );
  const rest = fc.array(one, { maxLength: 150, size: "max" });
  return fc.tuple(table(), rest).map(([first, others]) => [first, ...others]);
}

function table(): fc.Arbitrary<Command> {
  const instances = IDS.map((id, index) =>
    fc.option(
      fc.record({
        id: fc.constant(id),
        host: fc.constant("127.0.0.1"),
        port: fc.constant(9000 + index),
        weight: fc.integer({ min: 1, max: 3 }),
        backup: fc.constant(index >= 3),
        verdict: fc.constantFrom<InstanceVerdict>("up", "up", "up", ...instanceVerdicts),
        generation: fc.constantFrom(1, 1, 1, 2, 3),
        share: fc.constant(1),
        zone: fc.constantFrom("", "east", "west"),
        ...(index === 1 ? { maxConnections: fc.constantFrom(0, 1, 2) } : {}),
        ...(index === 2 ? { backupOf: fc.constantFrom("web-1", "web-9") } : {}),
      }),
      { nil: undefined },
    ),
  );
  return fc.record({
    kind: fc.constant("table" as const),
    maxConnections: fc.constantFrom(0, 0, 1, 3),
    mode: fc.constantFrom<ServiceMode>("active-active", "active-active", "primary-standby"),
    maxEjectedRatio: fc.constantFrom(0.5, 1),
    panicRatio: fc.constantFrom(0, 0, 0.5),
    zoned: fc.boolean(),
    instances: fc.tuple(...instances),
  });
}

function serviceOf(command: Extract<Command, { kind: "table" }>): TableService {
  const { maxConnections, mode, maxEjectedRatio, panicRatio } = command;
  const times = { ejectionBaseMs: BASE_MS, ejectionMaxMs: MAX_MS };
  const limits = { consecutiveErrors: 2, maxEjectedRatio, panicRatio };
  const detection = { ...defaultDetection, ...times, ...limits };
  const instances = command.instances.filter((each) => each !== undefined);
  const zones = command.zoned ? { zones: { name: "east", entering: 0, minimum: 2 } } : {};
  return { ...plainService, name: "web", instances, maxConnections, mode, detection, ...zones };
}

/** Plays the commands to a new dispatcher and to its twin; throws where they part. */
export function play(create: typeof createDispatcher, script: readonly Command[]): void {
  new Play(create).run(script);
}

class Play {
  readonly #twin = new Twin();
  readonly #notices: string[] = [];
  readonly #dispatcher: Dispatcher;
  readonly #slotOf = new Map<string, number>();
  #nowMs = 5000;
  #draws = 0;

  constructor(create: typeof createDispatcher) {
    const nothing = { ...plainService, name: "web", instances: [] };
    this.#dispatcher = create(nothing, this.#nowMs, {
      random: () => (this.#draws++ * 0.618) % 1,
      onEjection: ({ instance, kind }) => this.#notices.push(`${instance} ${kind}`),
    });
  }

  run(script: readonly Command[]): void {
    for (const command of script) {
      this.#step(command);
      this.#compare();
    }
  }

  #step(command: Command): void {
    const [twin, dispatcher, nowMs] = [this.#twin, this.#dispatcher, this.#nowMs];
    if (command.kind === "pass") {
      this.#nowMs += command.durationMs;
    } else if (command.kind === "control") {
      dispatcher.setControlAlive(command.alive, nowMs);
      twin.setControlAlive(command.alive, nowMs);
    } else if (command.kind === "table") {
      const service = serviceOf(command);
      dispatcher.update(service, nowMs);
      twin.update(service, nowMs);
    } else if (command.kind === "request") {
      this.#request(command.balance, command.triedBits, command.repeatable);
    } else {
      // 0 is the latest: often a probe.
      const attempt = twin.attempts.at(-1 - (command.which % Math.max(1, twin.attempts.length)));
      if (attempt === undefined) return;
      const latencyMs = nowMs - attempt.beganMs;
      if (command.kind === "head") {
        const good = command.result !== outcome.serverError;
        dispatcher.answering(attempt.slot, nowMs, latencyMs, -1, good);
        twin.head(attempt, nowMs, good);
      } else {
        dispatcher.finished(attempt.slot, nowMs, command.result, latencyMs, false);
        twin.end(attempt, nowMs, command.result);
      }
    }
  }

  #request(balance: BalanceAlgorithm, triedBits: number, repeatable: boolean): void {
    const triedIds = IDS.filter((id, bit) => (triedBits >> bit) & 1 && this.#slotOf.has(id));
    const tried = Int32Array.from(triedIds, (id) => this.#slotOf.get(id) ?? -1);
    const { length } = tried;
    for (const [id, { table }] of this.#twin.known) {
      const stays = this.#twin.stays(id);
      const where = this.#dispatcher.stay(table, this.#nowMs);
      if (stays !== "stays") assert.equal(where, stays);
      else assert.equal(this.#dispatcher.instance(where).id, id, "a client stays with its own");
    }
    const slot = this.#dispatcher.choose(
      plainRule(balance),
      this.#nowMs,
      7,
      tried,
      length,
      repeatable,
    );
    const allowed = this.#twin.allowed(this.#nowMs, new Set(triedIds), repeatable);
    if (typeof allowed === "number" || slot < 0) {
      assert.equal(slot, allowed);
      return;
    }
    const { id } = this.#dispatcher.instance(slot);
    assert.ok(allowed.has(id), `${id} is one of ${[...allowed].join(", ")}`);
    this.#slotOf.set(id, slot);
    this.#dispatcher.started(slot, this.#nowMs);
    this.#twin.begin(id, slot, this.#nowMs);
  }

  #compare(): void {
    for (const { slot, id } of this.#twin.attempts) {
      assert.equal(this.#dispatcher.instance(slot).id, id, "a slot under way keeps its instance");
    }
    for (const id of this.#slotOf.keys()) if (!this.#twin.known.has(id)) this.#slotOf.delete(id);
    assert.deepEqual([...this.#dispatcher.ejected(this.#nowMs)].sort(), this.#twin.ejectedIds());
    assert.deepEqual(this.#notices, this.#twin.notices);
  }
}

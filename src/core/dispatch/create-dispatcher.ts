// The dispatcher (dispatcher.ts): what the outcome of a request teaches, and what a table changes.
// Who takes the next one is asked of chooser.ts.
//
// Evidence comes in two kinds. A refused connection is certain and ejects at once. All else (broken
// connections, errors, silence) might be the request's fault or everybody's: it ejects only while
// no more than `maxEjectedRatio` of the instances are out, the candidate counted in.

import { Algorithms } from "../balance/algorithms.ts";
import type { LoadReport } from "../balance/load-report.ts";
import { LoadWeights } from "../balance/load-weights.ts";
import { alone, subsetParts, type WorkerPlace } from "../balance/subset.ts";
import { ZONES_MAX } from "../balance/zone-spill.ts";
import { assert } from "../base/assert.ts";
import { Outlier } from "../detect/outlier.ts";
import { StallDetector, UNANSWERED_MIN } from "../detect/stall.ts";
import { sayDuration } from "../base/duration.ts";
import { heldUntilMs } from "../guard/flap-damping.ts";
import { RETRY_SAVED_MS, RETRY_WINDOW_MS, RetryBudget } from "../guard/retry-budget.ts";
import {
  type BalanceRule,
  straightRamp,
  type TableInstance,
  type TableService,
} from "../route/table.ts";
import { Chooser } from "./chooser.ts";
import {
  type Dispatcher,
  type DispatcherOptions,
  type Ejection,
  NO_INSTANCE,
  type Outcome,
  outcome,
} from "./dispatcher.ts";
import {
  type CauseName,
  cause,
  Ejections,
  type EjectionTimes,
  UNANSWERED_MAX,
} from "./ejections.ts";
import { Presences } from "./presence.ts";
import {
  levelOf,
  limitOf,
  NOBODY as NO_STAND_IN,
  type Place,
  Slots,
  verdictCode,
} from "./slots.ts";
import { type Rules, Tiers } from "./tiers.ts";

export function createDispatcher(
  service: TableService,
  nowMs: number,
  options: DispatcherOptions,
): Dispatcher {
  return new ServiceDispatcher(service, nowMs, options);
}

/** Avoided for this long for its silence: it was away, and has come back. */
const ABSENCE_MS_MIN = 1_000;

class ServiceDispatcher implements Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #slots: Slots;
  readonly #ejections: Ejections;
  readonly #stall = new StallDetector();
  readonly #outlier = new Outlier();
  readonly #presences = new Presences();
  readonly #tiers: Tiers;
  readonly #algorithms: Algorithms;
  readonly #chooser: Chooser;
  readonly #retryBudget: RetryBudget;
  readonly #hedgeBudget: RetryBudget;
  readonly #loads: LoadWeights;
  readonly #setWeight = (slot: number, weight: number): void => {
    this.#tiers.take(slot);
    this.#slots.weight[slot] = weight;
    this.#tiers.touch(slot);
  };
  readonly #isOut = (slot: number): boolean =>
    this.#slots.listed[slot] === 0 || this.#ejections.isEjected(slot);
  readonly #zones = new Map<string, number>();
  #place = alone;
  #controlAlive = true;
  /** Some whom control holds back, and who are not needed yet. */
  #isAnyHeldBack = false;
  #service: TableService;

  constructor(service: TableService, nowMs: number, options: DispatcherOptions) {
    this.#options = options;
    this.#service = service;
    this.#ejections = new Ejections(ejectionTimes(service));
    this.#slots = new Slots((slot) => this.#lent(slot));
    this.#algorithms = new Algorithms(this.#slots, options.random);
    this.#loads = new LoadWeights(this.#slots);
    this.#tiers = new Tiers(
      this.#slots,
      this.#ejections,
      this.#stall,
      this.#rules,
      this.#algorithms,
    );
    this.#chooser = new Chooser({
      slots: this.#slots,
      ejections: this.#ejections,
      stall: this.#stall,
      tiers: this.#tiers,
      algorithms: this.#algorithms,
      random: options.random,
    });
    this.#retryBudget = new RetryBudget(nowMs, RETRY_SAVED_MS);
    // Silence keeps everybody waiting at once, and needs all that was saved.
    this.#hedgeBudget = new RetryBudget(nowMs, RETRY_WINDOW_MS);
    this.update(service, nowMs);
  }

  choose(
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
    repeatable: boolean,
  ): number {
    return this.#chooser.choose(rule, nowMs, key, tried, triedCount, repeatable);
  }

  chooseHedge(
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number {
    return this.#chooser.chooseHedge(rule, nowMs, key, tried, triedCount);
  }

  stay(instance: Place, nowMs: number): number {
    return this.#chooser.stay(instance, nowMs);
  }

  started(slot: number, nowMs: number): void {
    const active = this.#slots.active;
    active[slot] = (active[slot] as number) + 1;
    this.#tiers.loaded(slot, 1);
    if (this.#ejections.isEjected(slot)) this.#ejections.begin(slot, nowMs);
  }

  awaits(slot: number, nowMs: number): void {
    this.#stall.awaits(slot, nowMs);
  }

  answering(slot: number, nowMs: number, latencyMs: number, waitedMs: number, good: boolean): void {
    if (waitedMs >= 0) this.#heard(slot, nowMs, waitedMs);
    if (good) {
      this.#retryBudget.earn(nowMs);
      this.#algorithms.answered(slot, nowMs, latencyMs);
    }
    if (this.#ejections.isEjected(slot)) {
      this.#answeredWhileEjected(slot, nowMs, nowMs - latencyMs, good);
    }
  }

  finished(slot: number, nowMs: number, result: Outcome, latencyMs: number, awaits: boolean): void {
    const active = this.#slots.active;
    assert((active[slot] as number) > 0, "every finished attempt was started");
    active[slot] = (active[slot] as number) - 1;
    this.#algorithms.finished(slot, nowMs, latencyMs, isFailure(result));
    this.#tiers.loaded(slot, -1);
    if (awaits) {
      if (result === outcome.abandoned) this.#stall.left(slot);
      else this.#stall.unanswered(slot);
    }
    if (this.#ejections.isEjected(slot)) {
      this.#finishedWhileEjected(slot, nowMs, result, nowMs - latencyMs);
    } else {
      this.#learn(slot, nowMs, result, nowMs - latencyMs);
    }
    this.#release(slot);
  }

  scan(nowMs: number, lateByMs: number): void {
    const slots = this.#slots;
    if (!this.#service.detection.stall) return;
    if (this.#stall.scan(nowMs, lateByMs, slots.count)) this.#tiers.touchAll();
    this.#tiers.refresh(nowMs);
    const isAlone = this.#tiers.isAlone;
    for (let slot = 0; slot < slots.count; slot++) {
      if (this.#stall.awaiting[slot] === 0 || slots.listed[slot] === 0) continue;
      if (this.#ejections.isEjected(slot)) continue;
      if (this.#stall.isStalled(slot, nowMs) && this.#mayEject(slot, nowMs)) {
        this.#eject(slot, nowMs, "silence", this.#stallWords(slot, nowMs));
      } else if (this.#stall.isSuspect(slot, nowMs, isAlone)) {
        this.#stall.told[slot] = 1;
        this.#tell(slot, "silent", `is silent: ${this.#stallWords(slot, nowMs)}`);
      }
    }
  }

  quietUntilMs(nowMs: number, wasScanned: boolean): number {
    if (!this.#service.detection.stall) return Infinity;
    return this.#stall.quietUntilMs(nowMs, this.#slots.count, wasScanned, this.#isOut);
  }

  reported(slot: number, nowMs: number, report: LoadReport): void {
    this.#loads.reported(slot, nowMs, report);
  }

  tick(nowMs: number): void {
    if (this.#service.loadReports === true) this.#loads.tick(nowMs, this.#setWeight);
    const { successRate, failureRatio = 0 } = this.#service.detection;
    const outlying = this.#outlier.sweep(nowMs, this.#slots.count, failureRatio);
    for (const { slot, rate, isFailing } of outlying) {
      // It may have left since it answered.
      if (this.#slots.listed[slot] === 0) continue;
      if (!successRate && !isFailing) continue;
      if (this.#ejections.isEjected(slot) || !this.#mayEject(slot, nowMs)) continue;
      const percent = Math.floor(100 * rate);
      const compared = isFailing
        ? `and ${Math.ceil(100 * (1 - failureRatio))}% is too few`
        : "far fewer than its peers'";
      const words = `${percent}% of its answers were good, ${compared}`;
      this.#eject(slot, nowMs, "errors", words);
    }
  }

  get awaitingCount(): number {
    return this.#stall.awaitingInAll;
  }

  hedgeAfterMs(slot: number): number {
    // Control's checks found out what a worker that has not seen it answer yet cannot know.
    if (this.#tiers.isFailing(slot)) return 0;
    if (this.#stall.late[slot] === 0) return Infinity;
    return this.#stall.patienceMs(slot);
  }

  isLate(slot: number): boolean {
    return this.#stall.late[slot] === 1;
  }

  isDoubted(slot: number): boolean {
    const { consecutiveErrors } = this.#service.detection;
    return this.#ejections.isEjected(slot) || this.#outlier.isSuspect(slot, consecutiveErrors);
  }

  requestSeen(nowMs: number): void {
    this.#hedgeBudget.earn(nowMs);
  }

  takeRetry(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean {
    return this.#retryBudget.take(nowMs, budgetRatio, budgetPerSecond);
  }

  mayHedge(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean {
    return this.#hedgeBudget.allows(nowMs, budgetRatio, budgetPerSecond);
  }

  takeHedge(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean {
    return this.#hedgeBudget.take(nowMs, budgetRatio, budgetPerSecond);
  }

  instance(slot: number): { readonly id: string; readonly host: string; readonly port: number } {
    return this.#slots.instance(slot);
  }

  update(service: TableService, nowMs: number): void {
    const slots = this.#slots;
    // Who is out between two tables has been out, whether or not a request came meanwhile.
    this.#tiers.refresh(nowMs);
    this.#service = service;
    this.#ejections.times = ejectionTimes(service);
    this.#tiers.rules = this.#rules;
    // Nobody looks for silence any more: nobody is avoided for it.
    if (!service.detection.stall) this.#stall.late.fill(0);
    this.#zones.clear();
    if (service.zones !== undefined) this.#zones.set(service.zones.name, 0);
    slots.unlist();
    this.#isAnyHeldBack = false;
    const members: number[] = [];
    const readmitted: number[] = [];
    for (const instance of service.instances) {
      const found = slots.find(instance);
      const slot = found ?? slots.lend(instance);
      const before = slots.verdict[slot] as number;
      const renewed = instance.generation > (slots.generation[slot] as number);
      this.#list(slot, instance, members.length);
      members.push(slot);
      if (this.#tiers.isHeldBack(slot) && slots.needed[slot] === 0) this.#isAnyHeldBack = true;
      if (renewed && this.#ejections.isEjected(slot)) readmitted.push(slot);
      if (renewed) this.#renewed(slot, nowMs);
      const news = found === undefined || renewed || before !== slots.verdict[slot];
      if (news && !this.#controlAlive) this.#suspectIfDown(slot, nowMs);
    }
    this.#tiers.zones = this.#zones.size;
    if (service.subset !== undefined) this.#cutSubset(members, service.subset);
    this.#weigh(nowMs);
    slots.pair(service.instances);
    this.#settleGone(nowMs);
    for (const slot of members) this.#settle(slot, nowMs, true);
    for (const slot of readmitted) {
      if (this.#tiers.isUsable(slot)) this.#readmitted(slot, "it was checked anew");
    }
    for (let slot = 0; slot < slots.count; slot++) this.#release(slot);
    this.#tiers.refresh(nowMs);
  }

  standAt(place: WorkerPlace, nowMs: number): void {
    this.#place = place;
    if (this.#service.subset !== undefined) this.update(this.#service, nowMs);
  }

  /** Who of the first level is this worker's, and with what part of itself; priorities go on. */
  #cutSubset(members: readonly number[], size: number): void {
    const { level, share, tableWeight, zone } = this.#slots;
    const first = members.filter((slot) => level[slot] === 0);
    const weights = first.map((slot) => tableWeight[slot] as number);
    const parts = subsetParts(weights, size, this.#place);
    this.#tiers.subsetMembers = parts.reduce((count, part) => count + (part > 0 ? 1 : 0), 0);
    for (const [index, slot] of first.entries()) {
      const part = parts[index] as number;
      zone[slot] = part > 0 ? 0 : 1;
      if (part > 0) share[slot] = part * (share[slot] as number);
    }
  }

  /** Who is new in the table, or has another weight there, is measured with the others at once. */
  #weigh(nowMs: number): void {
    if (this.#service.loadReports === true) this.#loads.settle(nowMs, this.#setWeight);
    else {
      const { count, listed, weight, tableWeight } = this.#slots;
      for (let slot = 0; slot < count; slot++) {
        const own = tableWeight[slot] as number;
        if (listed[slot] === 1 && weight[slot] !== own) this.#setWeight(slot, own);
      }
    }
  }

  #list(slot: number, instance: TableInstance, order: number): void {
    const { tableWeight, level, limit } = this.#slots;
    const isMoved =
      tableWeight[slot] !== instance.weight ||
      level[slot] !== levelOf(instance) ||
      limit[slot] !== limitOf(instance);
    if (isMoved) this.#tiers.take(slot);
    const isElsewhere = this.#slots.order[slot] !== order;
    this.#slots.list(slot, instance, order);
    this.#slots.zone[slot] = this.#zoneOf(instance);
    if (isElsewhere) this.#algorithms.changed(slot);
  }

  /** By the order in which they are met in the table, behind the gateway's. */
  #zoneOf({ zone = "" }: TableInstance): number {
    if (this.#service.zones === undefined) return 0;
    const known = this.#zones.get(zone);
    if (known !== undefined) return known;
    const number = Math.min(this.#zones.size, ZONES_MAX - 1);
    if (number === this.#zones.size) this.#zones.set(zone, number);
    return number;
  }

  setControlAlive(alive: boolean, nowMs: number): void {
    if (alive === this.#controlAlive) return;
    this.#controlAlive = alive;
    this.#tiers.rules = this.#rules;
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (!alive) this.#suspectIfDown(slot, nowMs);
      else if (this.#ejections.isByVerdict(slot)) this.#forgive(slot, nowMs);
    }
    this.#settleGone(nowMs);
  }

  ejected(_nowMs: number): readonly string[] {
    return this.#idsOf((slot) => this.#ejections.isEjected(slot));
  }

  late(): readonly string[] {
    return this.#idsOf((slot) => this.#stall.late[slot] === 1);
  }

  #idsOf(holds: (slot: number) => boolean): readonly string[] {
    const ids: string[] = [];
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (this.#slots.listed[slot] === 1 && holds(slot)) ids.push(this.#slots.instance(slot).id);
    }
    return ids;
  }

  get #rules(): Rules {
    const { mode, detection, overProvision, slowStartMs, slowStartCurve, maxConnections } =
      this.#service;
    return {
      mode,
      panicRatio: detection.panicRatio,
      overProvision,
      zones: this.#service.zones,
      isSubset: this.#service.subset !== undefined,
      ramp: { lengthMs: slowStartMs, ...(slowStartCurve ?? straightRamp) },
      maxConnections,
      controlAlive: this.#controlAlive,
    };
  }

  // Learning.

  #learn(slot: number, nowMs: number, result: Outcome, beganMs: number): void {
    if (result === outcome.answered) {
      this.#loads.answered(slot);
      this.#ejections.answered(slot);
      this.#outlier.good(slot);
      return;
    }
    if (result === outcome.abandoned || result === outcome.silent) return;
    if (result === outcome.serverError) this.#ejections.answered(slot);
    if (!this.#ejections.isRecent(slot, beganMs)) return;
    this.#outlier.bad(slot);
    if (result === outcome.connectFailed) {
      this.#eject(slot, nowMs, "connect", "the connection failed");
    } else if (result === outcome.reset) {
      const words = "the connection broke before the answer's end";
      if (this.#mayEject(slot, nowMs)) this.#eject(slot, nowMs, "broken", words);
    } else if (result === outcome.timedOut && this.#ejections.unanswered(slot)) {
      const words = `${UNANSWERED_MAX} requests in a row went unanswered`;
      if (this.#mayEject(slot, nowMs)) this.#eject(slot, nowMs, "unanswered", words);
    } else {
      this.#judgeErrors(slot, nowMs);
    }
  }

  #judgeErrors(slot: number, nowMs: number): void {
    const { consecutiveErrors } = this.#service.detection;
    const run = this.#outlier.run[slot] as number;
    if (this.#outlier.isOutlier(slot, consecutiveErrors) && this.#mayEject(slot, nowMs)) {
      const good = this.#outlier.peersGoodInRun(slot);
      const words = `${run} errors in a row while its peers gave ${good} good answers`;
      this.#eject(slot, nowMs, "errors", words);
    } else if (this.#outlier.isUncompared(slot, consecutiveErrors) && this.#hasStandIn(slot)) {
      const words = `${run} errors in a row, and its backup may do better`;
      this.#eject(slot, nowMs, "errors", words);
    } else if (consecutiveErrors > 0 && run === consecutiveErrors) {
      this.#tell(slot, "errors", `answered ${run} requests in a row with errors`);
    }
  }

  /** Whether so many may be out, this one counted in. */
  #mayEject(candidate: number, nowMs: number): boolean {
    this.#tiers.refresh(nowMs);
    // Its backup takes its place: nobody is missing then.
    if (this.#hasStandIn(candidate)) return true;
    const { members, out } = this.#tiers;
    const isOutAlready = this.#tiers.isMember(candidate) && !this.#tiers.isUsable(candidate);
    const outThen = isOutAlready ? out : out + 1;
    return outThen <= this.#service.detection.maxEjectedRatio * members;
  }

  #hasStandIn(candidate: number): boolean {
    const standIn = this.#slots.standIn[candidate] as number;
    return standIn !== NO_STAND_IN && this.#tiers.isUsable(standIn);
  }

  #eject(slot: number, nowMs: number, why: CauseName, words: string): void {
    this.#ejections.eject(slot, nowMs, cause[why]);
    this.#tiers.touch(slot);
    this.#announceEjection(slot, why, words);
    this.#settle(slot, nowMs);
  }

  #finishedWhileEjected(slot: number, nowMs: number, result: Outcome, beganMs: number): void {
    if (result === outcome.answered || result === outcome.serverError) {
      const isGood = result === outcome.answered;
      if (this.#answeredWhileEjected(slot, nowMs, beganMs, isGood) || isGood) return;
    } else if (result === outcome.abandoned) {
      if (this.#ejections.probeAbandoned(slot, beganMs, nowMs)) this.#tiers.touch(slot);
      return;
    }
    if (!this.#ejections.probeFailed(slot, beganMs, nowMs)) return;
    this.#tiers.touch(slot);
    const { why, words } = probeFailure(result);
    this.#announceEjection(slot, why, words);
  }

  /** True when it is readmitted. An error disproves silence, and not errors. */
  #answeredWhileEjected(slot: number, nowMs: number, beganMs: number, isGood: boolean): boolean {
    if (!this.#ejections.readmits(slot, beganMs)) return false;
    if (!isGood && this.#ejections.causes[slot] === cause.errors) return false;
    if (this.#tiers.isOpen(slot) && this.#mustWait(slot, nowMs, false)) {
      this.#hold(slot, nowMs);
      return false;
    }
    this.#forgive(slot, nowMs);
    this.#readmitted(slot, "it answered a request");
    this.#settle(slot, nowMs);
    return true;
  }

  /** Control has seen it start anew, or pass its checks again: what was held against it is past. */
  #renewed(slot: number, nowMs: number): void {
    this.#forgive(slot, nowMs);
    this.#stall.forget(slot);
  }

  #readmitted(slot: number, why: string): void {
    this.#tell(slot, "readmitted", `readmitted: ${why}`);
  }

  #forgive(slot: number, nowMs: number): void {
    this.#ejections.clear(slot, nowMs);
    this.#tiers.touch(slot);
    this.#outlier.forget(slot);
  }

  // Coming and going.

  /**
   * The first byte of an answer. A silence of a second that it ends was an absence, and its end is
   * a return like any other; but where processors are short, everybody is silent now and then.
   */
  #heard(slot: number, nowMs: number, waitedMs: number): void {
    const silentMs = this.#stall.silenceMs(slot, nowMs);
    const unanswered = this.#stall.unansweredInRow(slot);
    if (!this.#stall.answered(slot, nowMs, waitedMs)) return;
    this.#tiers.touch(slot);
    if (silentMs < ABSENCE_MS_MIN || unanswered < UNANSWERED_MIN) return;
    if (!this.#presences.isTaking(slot) || !this.#stall.isOwn(silentMs)) return;
    this.#presences.left(slot, nowMs - silentMs, false);
    this.#settle(slot, nowMs);
  }

  /** Notes that it came or went; a return that is one too many ends in a hold. */
  #settle(slot: number, nowMs: number, isControls = false): void {
    const isUsable = this.#tiers.isUsable(slot);
    if (isUsable === this.#presences.isTaking(slot)) return;
    if (!isUsable) {
      const { listed, verdict } = this.#slots;
      const isAsked = listed[slot] === 0 || verdict[slot] === verdictCode.draining;
      this.#presences.left(slot, nowMs, isAsked);
      this.#endHoldsIfNeeded(nowMs);
    } else if (this.#mustWait(slot, nowMs, isControls)) {
      this.#ejections.eject(slot, nowMs, cause.flapping);
      this.#hold(slot, nowMs);
    } else {
      this.#presences.returned(slot, nowMs);
    }
  }

  /**
   * Those who go come first: who of the others may be spared depends on who is left. Whom control
   * holds back from now on, and who is needed at once, has not gone.
   */
  #settleGone(nowMs: number): void {
    this.#endHoldsIfNeeded(nowMs);
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (!this.#tiers.isUsable(slot)) this.#settle(slot, nowMs);
    }
  }

  /** A hold is a luxury of those who have others. */
  #mustWait(slot: number, nowMs: number, isControls: boolean): boolean {
    return this.#presences.flaps(slot, nowMs, isControls) && this.#isHalfUsable(nowMs, slot);
  }

  /** Whether half of all in the table take traffic without this one. */
  #isHalfUsable(nowMs: number, without: number): boolean {
    this.#tiers.refresh(nowMs);
    const { listed, usable } = this.#tiers;
    const isCounted = without !== NO_INSTANCE && this.#tiers.isUsable(without);
    return usable - (isCounted ? 1 : 0) >= Math.ceil(listed / 2);
  }

  #hold(slot: number, nowMs: number): void {
    this.#tiers.touch(slot);
    const untilMs = heldUntilMs(this.#presences.changes(slot));
    if (!this.#ejections.hold(slot, nowMs, untilMs)) return;
    const within = sayDuration(untilMs - nowMs);
    const words = `held back for ${within}: it came and went twice within a minute`;
    this.#tell(slot, "ejected", words, "flapping");
  }

  #endHoldsIfNeeded(nowMs: number): void {
    const isAnyHeld = this.#ejections.isAnyHeld || this.#isAnyHeldBack;
    if (!isAnyHeld || this.#isHalfUsable(nowMs, NO_INSTANCE)) return;
    this.#tiers.touchAll();
    if (this.#ejections.isAnyHeld) this.#ejections.endHolds(this.#slots.count, nowMs);
    if (this.#isAnyHeldBack) this.#takeHeldBack(nowMs);
  }

  /**
   * Control holds back by its own sight of the others: it may be gone, and what it reaches a worker
   * may not. They stay until control says otherwise, or they would come and go with the others.
   */
  #takeHeldBack(nowMs: number): void {
    const slots = this.#slots;
    for (const instance of this.#service.instances) {
      const slot = slots.find(instance);
      assert(slot !== undefined, "what is listed has its slot");
      if (!this.#tiers.isHeldBack(slot) || slots.needed[slot] === 1) continue;
      if (this.#isHalfUsable(nowMs, NO_INSTANCE)) return;
      slots.needed[slot] = 1;
      this.#tiers.touch(slot);
      this.#readmitted(slot, "it was held back, and too few others take traffic");
      this.#settle(slot, nowMs);
    }
    this.#isAnyHeldBack = false;
  }

  #suspectIfDown(slot: number, nowMs: number): void {
    const down = this.#slots.listed[slot] === 1 && this.#slots.verdict[slot] === verdictCode.down;
    if (!down || this.#ejections.isEjected(slot)) return;
    this.#ejections.eject(slot, nowMs, cause.verdict);
    this.#tiers.touch(slot);
  }

  #announceEjection(slot: number, why: CauseName, words: string): void {
    const time = sayDuration(this.#ejections.lengthMs[slot] as number);
    this.#tell(slot, "ejected", `ejected for ${time}: ${words}`, why);
  }

  #tell(slot: number, kind: Ejection["kind"], words: string, why?: CauseName): void {
    const { id } = this.#slots.instance(slot);
    const because = why === undefined ? {} : { cause: why };
    this.#options.onEjection({ instance: id, kind, sentence: `${id} ${words}`, ...because });
  }

  #stallWords(slot: number, nowMs: number): string {
    const count = this.#stall.unansweredInRow(slot);
    const silence = `${Math.round(this.#stall.silenceMs(slot, nowMs))} ms`;
    const peers = this.#stall.peersAnswered(slot);
    const requests = `${count} ${count === 1 ? "request" : "requests"}`;
    const compared = peers > 0 ? ` while its peers answered ${peers}` : "";
    return `${requests} unanswered for ${silence}${compared}`;
  }

  /** Who has left is no peer any more: its answers say nothing of those that stay. */
  #release(slot: number): void {
    if (!this.#slots.release(slot)) return;
    this.#stall.forget(slot);
    this.#outlier.forget(slot);
  }

  #lent(slot: number): void {
    const { capacity } = this.#slots;
    this.#ejections.grow(capacity);
    this.#stall.grow(capacity);
    this.#outlier.grow(capacity);
    this.#ejections.forget(slot);
    this.#stall.forget(slot);
    this.#outlier.forget(slot);
    this.#presences.forget(slot);
    this.#tiers.forget(slot);
    this.#algorithms.forget(slot);
    this.#loads.forget(slot, capacity);
  }
}

/** Whether the instance has failed, and was not only given up. */
function isFailure(result: Outcome): boolean {
  return result !== outcome.answered && result !== outcome.abandoned;
}

/** What the failed probe of an ejected instance says of it. */
function probeFailure(result: Outcome): { readonly why: CauseName; readonly words: string } {
  if (result === outcome.serverError) return { why: "errors", words: "it answered an error again" };
  if (result === outcome.connectFailed) return { why: "connect", words: "the connection failed" };
  if (result === outcome.reset) {
    return { why: "broken", words: "the connection broke before the answer's end" };
  }
  return { why: "unanswered", words: "the request that tried it went unanswered" };
}

/** A primary has no peers: while it is ejected everybody waits, so it is tried again each time. */
function ejectionTimes({ mode, detection }: TableService): EjectionTimes {
  const { ejectionBaseMs, ejectionMaxMs } = detection;
  const mostMs = mode === "primary-standby" ? ejectionBaseMs : ejectionMaxMs;
  return { ejectionBaseMs, ejectionMaxMs: mostMs };
}

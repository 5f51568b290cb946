// The dispatcher (dispatcher.ts): who may be chosen, in which order of preference.
//
// The instances that may get traffic at all lie in four tiers; the first tier that has somebody to
// offer decides, and within it the route's algorithm spreads:
//
//   0 usable   1 usable backups   2 ejected   3 ejected backups
//
// Tiers 2 and 3 are panic: reached only when nobody is usable. Before the tiers, an ejected
// instance whose time is over takes one request as its probe, but never one that failed elsewhere
// already: a retry deserves the best bet. Draining instances, and those that a living control calls
// down, lie in no tier. Busy is not gone: a tier whose instances are all at `maxConnections` makes
// the request wait rather than spill to backups.
//
// The tiers are rebuilt when a state changes, not when a request comes: the common request looks at
// one deadline and goes to its algorithm with the list as it lies.

import { algorithms } from "../balance/algorithms.ts";
import type { Balancer } from "../balance/balancer.ts";
import { assert } from "../base/assert.ts";
import { RetryBudget } from "../guard/retry-budget.ts";
import { type BalanceAlgorithm, balanceAlgorithms, type TableService } from "../route/table.ts";
import {
  ALL_BUSY,
  type Dispatcher,
  type DispatcherOptions,
  NO_INSTANCE,
  type Outcome,
  outcome,
} from "./dispatcher.ts";
import { Ejections, UNANSWERED_MAX } from "./ejections.ts";
import { Slots, verdictCode } from "./slots.ts";

export function createDispatcher(
  service: TableService,
  nowMs: number,
  options: DispatcherOptions,
): Dispatcher {
  return new ServiceDispatcher(service, nowMs, options);
}

interface Tier {
  /** Slots, ascending; the first `count` entries hold. */
  slots: Int32Array;
  count: number;
}

const USABLE = 0;
const USABLE_BACKUP = 1;
const EJECTED = 2;
const EJECTED_BACKUP = 3;

class ServiceDispatcher implements Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #slots: Slots;
  readonly #ejections: Ejections;
  readonly #balancers: Readonly<Record<BalanceAlgorithm, Balancer>>;
  readonly #budget: RetryBudget;
  readonly #tiers: readonly [Tier, Tier, Tier, Tier] = [tier(), tier(), tier(), tier()];
  readonly #scratch = tier();
  /** No probe is due before. */
  #nextDueMs = Infinity;
  #stale = true;
  #controlAlive = true;
  #maxConnections = 0;

  constructor(service: TableService, nowMs: number, options: DispatcherOptions) {
    this.#options = options;
    this.#ejections = new Ejections(options);
    this.#slots = new Slots((slot) => this.#lent(slot));
    this.#balancers = eachAlgorithm((name) => algorithms[name](options.random));
    this.#budget = new RetryBudget(nowMs);
    this.update(service, nowMs);
  }

  choose(
    balance: BalanceAlgorithm,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number {
    if (this.#stale) this.#rebuild();
    if (triedCount === 0 && nowMs >= this.#nextDueMs) {
      const due = this.#dueProbe(nowMs);
      if (due !== NO_INSTANCE) return due;
    }
    const balancer = this.#balancers[balance];
    const untried = this.#fromTiers(balancer, key, tried, triedCount);
    if (untried !== NO_INSTANCE || triedCount === 0) return untried;
    return this.#fromTiers(balancer, key, tried, 0);
  }

  started(slot: number, nowMs: number): void {
    const active = this.#slots.active;
    active[slot] = (active[slot] as number) + 1;
    if (!this.#ejections.isEjected(slot)) return;
    if (this.#ejections.begin(slot, nowMs)) this.#stale = true;
  }

  answering(slot: number, nowMs: number, latencyMs: number): void {
    if (this.#ejections.isEjected(slot)) this.#answeredWhileEjected(slot, nowMs - latencyMs);
  }

  finished(slot: number, nowMs: number, result: Outcome, latencyMs: number): void {
    const active = this.#slots.active;
    assert((active[slot] as number) > 0, "every finished attempt was started");
    active[slot] = (active[slot] as number) - 1;
    if (this.#ejections.isEjected(slot)) {
      this.#finishedWhileEjected(slot, nowMs, result, nowMs - latencyMs);
    } else if (result === outcome.answered || result === outcome.serverError) {
      this.#ejections.answered(slot);
    } else if (result !== outcome.abandoned) {
      this.#failed(slot, nowMs, result);
    }
    this.#slots.release(slot);
  }

  requestSeen(nowMs: number): void {
    this.#budget.requestSeen(nowMs);
  }

  takeRetry(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean {
    return this.#budget.take(nowMs, budgetRatio, budgetPerSecond);
  }

  instance(slot: number): { readonly id: string; readonly host: string; readonly port: number } {
    return this.#slots.instance(slot);
  }

  update(service: TableService, nowMs: number): void {
    const slots = this.#slots;
    this.#maxConnections = service.maxConnections;
    slots.listed.fill(0);
    for (const instance of service.instances) {
      const found = slots.find(instance);
      const slot = found ?? slots.lend(instance);
      const before = slots.verdict[slot] as number;
      const renewed = instance.generation > (slots.generation[slot] as number);
      slots.list(slot, instance);
      if (renewed) this.#renewed(slot);
      const news = found === undefined || renewed || before !== slots.verdict[slot];
      if (news && !this.#controlAlive) this.#suspectIfDown(slot, nowMs);
    }
    for (let slot = 0; slot < slots.count; slot++) slots.release(slot);
    this.#stale = true;
  }

  setControlAlive(alive: boolean, nowMs: number): void {
    if (alive === this.#controlAlive) return;
    this.#controlAlive = alive;
    this.#stale = true;
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (!alive) this.#suspectIfDown(slot, nowMs);
      else if (this.#ejections.byVerdict[slot] === 1) this.#ejections.clear(slot);
    }
  }

  ejected(_nowMs: number): readonly string[] {
    const ids: string[] = [];
    for (let slot = 0; slot < this.#slots.count; slot++) {
      if (this.#slots.listed[slot] === 1 && this.#ejections.isEjected(slot)) {
        ids.push(this.#slots.instance(slot).id);
      }
    }
    return ids;
  }

  // Choosing.

  /** The first tier that has a candidate outside the first `triedCount` of `tried`. */
  #fromTiers(balancer: Balancer, key: number, tried: Int32Array, triedCount: number): number {
    for (const candidates of this.#tiers) {
      if (candidates.count === 0) continue;
      const slot = this.#fromTier(candidates, balancer, key, tried, triedCount);
      if (slot !== NO_INSTANCE) return slot;
    }
    return NO_INSTANCE;
  }

  #fromTier(
    candidates: Tier,
    balancer: Balancer,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number {
    if (triedCount === 0 && this.#maxConnections === 0) {
      return balancer.choose(candidates.slots, candidates.count, this.#slots, key);
    }
    const free = this.#scratch;
    let busy = false;
    free.count = 0;
    for (let index = 0; index < candidates.count; index++) {
      const slot = candidates.slots[index] as number;
      if (includes(tried, triedCount, slot)) continue;
      if (this.#isBusy(slot)) busy = true;
      else free.slots[free.count++] = slot;
    }
    if (free.count > 0) return balancer.choose(free.slots, free.count, this.#slots, key);
    return busy ? ALL_BUSY : NO_INSTANCE;
  }

  /** An ejected instance that may have its probe now; a backup's only when backups are in use. */
  #dueProbe(nowMs: number): number {
    const own = this.#dueIn(this.#tiers[EJECTED], nowMs);
    if (own !== NO_INSTANCE || this.#tiers[USABLE].count > 0) return own;
    return this.#dueIn(this.#tiers[EJECTED_BACKUP], nowMs);
  }

  #dueIn(candidates: Tier, nowMs: number): number {
    for (let index = 0; index < candidates.count; index++) {
      const slot = candidates.slots[index] as number;
      if (nowMs >= (this.#ejections.dueMs[slot] as number) && !this.#isBusy(slot)) return slot;
    }
    return NO_INSTANCE;
  }

  #isBusy(slot: number): boolean {
    return this.#maxConnections > 0 && (this.#slots.active[slot] as number) >= this.#maxConnections;
  }

  #rebuild(): void {
    const slots = this.#slots;
    this.#nextDueMs = Infinity;
    for (const each of [...this.#tiers, this.#scratch]) {
      each.count = 0;
      if (each.slots.length < slots.capacity) each.slots = new Int32Array(slots.capacity);
    }
    for (let slot = 0; slot < slots.count; slot++) {
      if (!this.#mayTakeTraffic(slot)) continue;
      const ejected = this.#ejections.isEjected(slot);
      if (ejected)
        this.#nextDueMs = Math.min(this.#nextDueMs, this.#ejections.dueMs[slot] as number);
      const rank = (ejected ? EJECTED : USABLE) + (slots.backup[slot] === 1 ? USABLE_BACKUP : 0);
      const its = this.#tiers[rank] as Tier;
      its.slots[its.count++] = slot;
    }
    this.#stale = false;
  }

  #mayTakeTraffic(slot: number): boolean {
    if (this.#slots.listed[slot] === 0) return false;
    const verdict = this.#slots.verdict[slot];
    return verdict === verdictCode.up || (verdict === verdictCode.down && !this.#controlAlive);
  }

  // Learning.

  #failed(slot: number, nowMs: number, result: Outcome): void {
    if (result === outcome.timedOut && !this.#ejections.unanswered(slot)) return;
    this.#ejections.eject(slot, nowMs, false);
    this.#stale = true;
    this.#announceEjection(slot, result);
  }

  #finishedWhileEjected(slot: number, nowMs: number, result: Outcome, beganMs: number): void {
    if (result === outcome.answered || result === outcome.serverError) {
      this.#answeredWhileEjected(slot, beganMs);
    } else if (result === outcome.abandoned) {
      if (this.#ejections.probeAbandoned(slot, beganMs, nowMs)) this.#stale = true;
    } else if (this.#ejections.probeFailed(slot, beganMs, nowMs)) {
      this.#stale = true;
      this.#announceEjection(slot, result);
    }
  }

  #answeredWhileEjected(slot: number, beganMs: number): void {
    if (!this.#ejections.readmits(slot, beganMs)) return;
    this.#ejections.clear(slot);
    this.#stale = true;
    this.#announceReadmission(slot, "it answered a request");
  }

  /** Control has seen it start anew, or pass its checks again: what was held against it is past. */
  #renewed(slot: number): void {
    const wasEjected = this.#ejections.isEjected(slot);
    this.#ejections.clear(slot);
    if (wasEjected && this.#mayTakeTraffic(slot))
      this.#announceReadmission(slot, "it was checked anew");
  }

  #suspectIfDown(slot: number, nowMs: number): void {
    const down = this.#slots.listed[slot] === 1 && this.#slots.verdict[slot] === verdictCode.down;
    if (down && !this.#ejections.isEjected(slot)) this.#ejections.eject(slot, nowMs, true);
  }

  #announceReadmission(slot: number, cause: string): void {
    const id = this.#slots.instance(slot).id;
    this.#options.onEjection({
      instance: id,
      kind: "readmitted",
      sentence: `${id} readmitted: ${cause}`,
    });
  }

  #announceEjection(slot: number, result: Outcome): void {
    const id = this.#slots.instance(slot).id;
    const time = spoken(this.#ejections.lengthMs[slot] as number);
    this.#options.onEjection({
      instance: id,
      kind: "ejected",
      sentence: `${id} ejected for ${time}: ${failureWords(result)}`,
    });
  }

  #lent(slot: number): void {
    this.#ejections.grow(this.#slots.capacity);
    this.#ejections.clear(slot);
    for (const name of balanceAlgorithms) this.#balancers[name].forget(slot);
  }
}

function tier(): Tier {
  return { slots: new Int32Array(0), count: 0 };
}

function eachAlgorithm(
  create: (name: BalanceAlgorithm) => Balancer,
): Readonly<Record<BalanceAlgorithm, Balancer>> {
  return {
    "round-robin": create("round-robin"),
    random: create("random"),
    weighted: create("weighted"),
    "least-request": create("least-request"),
    "source-hash": create("source-hash"),
  };
}

function includes(tried: Int32Array, triedCount: number, slot: number): boolean {
  for (let index = 0; index < triedCount; index++) if (tried[index] === slot) return true;
  return false;
}

function failureWords(result: Outcome): string {
  if (result === outcome.connectFailed) return "the connection failed";
  if (result === outcome.reset) return "the connection broke before the answer's end";
  return `${UNANSWERED_MAX} requests in a row went unanswered`;
}

function spoken(durationMs: number): string {
  return durationMs < 1000 ? `${durationMs} ms` : `${durationMs / 1000} s`;
}

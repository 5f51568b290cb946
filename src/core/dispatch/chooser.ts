// Who takes this request: of those whom tiers.ts puts in order, one is chosen.
//
// Before the tiers, an ejected instance whose time is over takes one request as its probe, but
// never one that failed elsewhere already: a retry deserves the best bet. A request that may be
// sent again is preferred as the probe, since nobody is hurt when it fails; where none comes for as
// long again as the ejection was, any request will do. A late instance gets such a request now and
// then as well.
//
// Busy is not gone: a tier whose instances are all at `maxConnections` makes the request wait
// rather than spill to backups.
//
// Nothing is learned here: what becomes of a choice, the dispatcher hears (create-dispatcher.ts).

import { type Algorithms, hashes } from "../balance/algorithms.ts";
import { type Balancer, NOBODY } from "../balance/balancer.ts";
import { mixPair } from "../balance/hashing.ts";
import type { StallDetector } from "../detect/stall.ts";
import type { BalanceRule } from "../route/table.ts";
import { ALL_BUSY, type Dispatcher, NO_INSTANCE } from "./dispatcher.ts";
import type { Ejections } from "./ejections.ts";
import type { Place, Slots } from "./slots.ts";
import { lateOf, NEAR, type Tier, type Tiers, usableOf } from "./tiers.ts";

/**
 * A late instance gets a request that may be sent again this often, or once in its patience; less
 * often when it has been silent for longer than a stall usually takes to be found.
 */
const LATE_PROBE_MS_MIN = 50;
const LATE_PROBE_RARE_MS = 250;
const LATE_LONG_MS = 500;
/** So that a key's zone says nothing of its place there. */
const ZONE_SALT = 0x85ebca6b;
/** So many choices of who has a part of a share only are refused by lot for one request. */
const REFUSALS_MAX = 16;

/** What is known of the instances: a choice is made of it, and learns nothing. */
export interface Known {
  readonly slots: Slots;
  readonly ejections: Ejections;
  readonly stall: StallDetector;
  readonly tiers: Tiers;
  readonly algorithms: Algorithms;
  readonly random: () => number;
}

export class Chooser implements Pick<Dispatcher, "choose" | "chooseHedge" | "stay"> {
  readonly #slots: Slots;
  readonly #ejections: Ejections;
  readonly #stall: StallDetector;
  readonly #tiers: Tiers;
  readonly #algorithms: Algorithms;
  readonly #random: () => number;
  readonly #refused = new Int32Array(REFUSALS_MAX);
  #lateProbeDueMs = -Infinity;

  constructor({ slots, ejections, stall, tiers, algorithms, random }: Known) {
    this.#slots = slots;
    this.#ejections = ejections;
    this.#stall = stall;
    this.#tiers = tiers;
    this.#algorithms = algorithms;
    this.#random = random;
  }

  choose(
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
    repeatable: boolean,
  ): number {
    this.#tiers.refresh(nowMs);
    if (triedCount === 0) {
      const probed = this.#dueProbe(nowMs, repeatable);
      if (probed !== NO_INSTANCE) return probed;
    }
    const untried = this.#fromTiers(rule, nowMs, key, tried, triedCount);
    if (untried !== NO_INSTANCE || triedCount === 0) return untried;
    return this.#fromTiers(rule, nowMs, key, tried, 0);
  }

  chooseHedge(
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number {
    this.#tiers.refresh(nowMs);
    const near = this.#tiers.all[NEAR] as Tier;
    const nearby = this.#fromTier(near, rule, nowMs, key, tried, triedCount);
    if (nearby >= 0) return nearby;
    for (let level = 0; level < this.#tiers.levels; level++) {
      const tier = this.#tiers.all[usableOf(level)] as Tier;
      const slot = this.#fromTier(tier, rule, nowMs, key, tried, triedCount);
      if (slot >= 0) return slot;
    }
    return NO_INSTANCE;
  }

  stay(instance: Place, nowMs: number): number {
    this.#tiers.refresh(nowMs);
    const slot = this.#slots.find(instance);
    if (slot === undefined || !this.#tiers.takes(slot)) return NO_INSTANCE;
    return this.#tiers.isBusy(slot) || this.#stall.late[slot] === 1 ? ALL_BUSY : slot;
  }

  /** The first tier that has a candidate outside the first `triedCount` of `tried`. */
  #fromTiers(
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number {
    const { open, all } = this.#tiers;
    const level = this.#tiers.drawLevel(this.#random);
    if (level > 0) {
      for (const rank of [usableOf(level), lateOf(level)]) {
        const slot = this.#fromTier(all[rank] as Tier, rule, nowMs, key, tried, triedCount);
        if (slot >= 0) return slot;
      }
    }
    if (level === 0 && this.#tiers.isZoned) {
      const isNear = this.#lotOf(rule, key) < this.#tiers.nearShare;
      // Busy is gone here: who is at its limit has others beside it, in another zone.
      const first = isNear ? NEAR : usableOf(0);
      const second = isNear ? usableOf(0) : NEAR;
      const slot = this.#fromTier(all[first] as Tier, rule, nowMs, key, tried, triedCount);
      if (slot >= 0) return slot;
      const other = this.#fromTier(all[second] as Tier, rule, nowMs, key, tried, triedCount);
      if (other >= 0) return other;
    }
    for (const tier of open) {
      const slot = this.#fromTier(tier, rule, nowMs, key, tried, triedCount);
      if (slot !== NO_INSTANCE) return slot;
    }
    return NO_INSTANCE;
  }

  /** Which zone a request begins in: those that hash keep a key in one. */
  #lotOf({ algorithm }: BalanceRule, key: number): number {
    return hashes(algorithm) ? mixPair(key, ZONE_SALT) / 2 ** 32 : this.#random();
  }

  #fromTier(
    tier: Tier,
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number {
    if (tier.size === 0) return NO_INSTANCE;
    const { shut } = this.#slots;
    const balancer = this.#algorithms.of(rule.algorithm, this.#tiers.all);
    for (let index = 0; index < triedCount; index++) shut[tried[index] as number] = 1;
    const isPartial = nowMs < this.#tiers.partialUntilMs;
    const slot = isPartial
      ? this.#accepted(tier, balancer, rule, nowMs, key)
      : balancer.choose(tier, nowMs, key, rule.loadFactor);
    for (let index = 0; index < triedCount; index++) shut[tried[index] as number] = 0;
    if (slot !== NOBODY) return slot;
    return this.#isAnyBusy(tier, tried, triedCount) ? ALL_BUSY : NO_INSTANCE;
  }

  /** Whether somebody untried waits beside the tier. */
  #isAnyBusy(tier: Tier, tried: Int32Array, triedCount: number): boolean {
    let busy = tier.busy;
    for (let index = 0; index < triedCount && busy > 0; index++) {
      const slot = tried[index] as number;
      const isCounted = includes(tried, index, slot);
      if (!isCounted && this.#tiers.waitsBeside(slot, tier)) busy--;
    }
    return busy > 0;
  }

  /** A choice of who has a part of a share only is accepted as often as that; else the next. */
  #accepted(tier: Tier, balancer: Balancer, rule: BalanceRule, nowMs: number, key: number): number {
    const { shut } = this.#slots;
    let refusals = 0;
    let accepted = NOBODY;
    while (refusals < REFUSALS_MAX) {
      const slot = balancer.choose(tier, nowMs, key, rule.loadFactor);
      if (slot === NOBODY) break;
      accepted = slot;
      const share = this.#tiers.shareOf(slot, nowMs);
      if (share >= 1 || this.#random() < share) break;
      shut[slot] = 1;
      this.#refused[refusals++] = slot;
    }
    for (let index = 0; index < refusals; index++) shut[this.#refused[index] as number] = 0;
    return accepted;
  }

  /** Who may have its probe now; a backup, or who fails his checks, only when nobody is usable. */
  #dueProbe(nowMs: number, repeatable: boolean): number {
    const { all, levels } = this.#tiers;
    if (nowMs >= this.#tiers.nextDueMs) {
      const ejected = this.#dueOfEjected(nowMs, repeatable);
      if (ejected !== NO_INSTANCE) return ejected;
    }
    if (!repeatable || nowMs < this.#lateProbeDueMs) return NO_INSTANCE;
    for (let level = 0; level < levels; level++) {
      const late = all[lateOf(level)] as Tier;
      if (late.count > 0) return this.#lateProbe(late, nowMs);
    }
    return NO_INSTANCE;
  }

  #dueOfEjected(nowMs: number, repeatable: boolean): number {
    const { ejected, isAnyWell, isPanic } = this.#tiers;
    for (let index = 0; index < ejected.count; index++) {
      const slot = ejected.slots[index] as number;
      if ((this.#slots.level[slot] as number) > 0 && isAnyWell) continue;
      if (!isPanic && !this.#tiers.isOpen(slot)) continue;
      if (this.#isDue(slot, nowMs, repeatable) && !this.#tiers.isBusy(slot)) return slot;
    }
    this.#tiers.findNextDue();
    return NO_INSTANCE;
  }

  #isDue(slot: number, nowMs: number, repeatable: boolean): boolean {
    const dueMs = this.#ejections.dueMs[slot] as number;
    if (repeatable || !this.#tiers.isAnyWell) return nowMs >= dueMs;
    return nowMs >= dueMs + (this.#ejections.lengthMs[slot] as number);
  }

  /** One for all of them: they take turns. */
  #lateProbe(late: Tier, nowMs: number): number {
    const turn = Math.floor(this.#random() * late.count);
    const slot = late.slots[turn] as number;
    const patience = this.#stall.patienceMs(slot);
    // It is unknown (infinite) once its peers were replaced, and must not end the turns.
    const patienceMs = patience === Infinity ? 0 : patience;
    const isLong = this.#stall.silenceMs(slot, nowMs) >= LATE_LONG_MS;
    const againMs = Math.max(isLong ? LATE_PROBE_RARE_MS : LATE_PROBE_MS_MIN, patienceMs);
    this.#lateProbeDueMs = nowMs + againMs / late.count;
    return slot;
  }
}

function includes(tried: Int32Array, triedCount: number, slot: number): boolean {
  for (let index = 0; index < triedCount; index++) if (tried[index] === slot) return true;
  return false;
}

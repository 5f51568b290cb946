// Who may be chosen, in which order of preference.
//
//   0 usable   1 late   2 usable backups   3 out   4 backups that are out
//
// The first tier that has somebody to offer decides, and within it the route's algorithm spreads.
// *Late* is silent for longer than usual (core/detect/stall.ts): avoided, not condemned. *Out* is
// ejected, or failing its checks; it is tried in panic only, when nobody before it is left, or when
// no more than `panicRatio` of the instances are usable. In no tier: what drains, what control
// calls down or, with enough others, holds back, and who stands in for one that is usable itself.
//
// Of a service with one primary nobody but control names another: while its primary is ejected,
// requests wait for the next table, and one of them at a time finds out whether it is back.
//
// Rebuilt when a state changes, not when a request comes.

import type { StallDetector } from "../detect/stall.ts";
import type { ServiceMode } from "../route/table.ts";
import type { Ejections } from "./ejections.ts";
import { ABSENT, NOBODY, type Slots, verdictCode } from "./slots.ts";

export interface Tier {
  /** Slots, ascending; the first `count` entries hold. */
  slots: Int32Array;
  count: number;
}

export function emptyTier(): Tier {
  return { slots: new Int32Array(0), count: 0 };
}

export const rank = { usable: 0, late: 1, backup: 2, out: 3, outBackup: 4 } as const;

/** A ramp begins with this share. */
export const RAMP_SHARE_MIN = 0.1;

const unknown = 0;
const wasUsable = 1;
const wasNot = 2;

export interface Rules {
  readonly mode: ServiceMode;
  readonly panicRatio: number;
  readonly slowStartMs: number;
  readonly controlAlive: boolean;
}

export class Tiers {
  readonly all: readonly [Tier, Tier, Tier, Tier, Tier] = [
    emptyTier(),
    emptyTier(),
    emptyTier(),
    emptyTier(),
    emptyTier(),
  ];
  /** Those of `all` that requests may be sent to now: who is out only when nobody else is left. */
  open: readonly Tier[] = this.all;
  /** Ejected, and to be probed when its time has come. */
  readonly ejected = emptyTier();
  /** No probe is due before. */
  nextDueMs = Infinity;
  /** Until then somebody gets less than a full share. */
  partialUntilMs = -Infinity;
  readonly #wellOnes = this.all.slice(0, rank.out);
  readonly #slots: Slots;
  readonly #ejections: Ejections;
  readonly #stall: StallDetector;
  #before = new Uint8Array(16);
  #rampFromMs = new Float64Array(16).fill(-Infinity);
  rules: Rules;
  #isFirst = true;

  constructor(slots: Slots, ejections: Ejections, stall: StallDetector, rules: Rules) {
    this.rules = rules;
    this.#slots = slots;
    this.#ejections = ejections;
    this.#stall = stall;
  }

  /** Whether anybody who is no backup is usable, late or not. */
  get isAnyWell(): boolean {
    return this.all[rank.usable].count + this.all[rank.late].count > 0;
  }

  /** Whether nobody is usable, not even a backup. */
  get isPanic(): boolean {
    return this.open === this.all;
  }

  /** The slot is another instance's now. */
  forget(slot: number): void {
    const { capacity } = this.#slots;
    if (this.#before.length < capacity) {
      const [before, rampFromMs] = [this.#before, this.#rampFromMs];
      this.#before = new Uint8Array(capacity);
      this.#before.set(before);
      this.#rampFromMs = new Float64Array(capacity).fill(-Infinity);
      this.#rampFromMs.set(rampFromMs);
    }
    this.#before[slot] = unknown;
    this.#rampFromMs[slot] = -Infinity;
  }

  rebuild(nowMs: number): void {
    const slots = this.#slots;
    this.#clear();
    let usable = 0;
    let members = 0;
    for (let slot = 0; slot < slots.count; slot++) {
      if (slots.listed[slot] === 0) continue;
      this.#follow(slot, nowMs);
      if (!this.isMember(slot)) continue;
      members++;
      if (this.isUsable(slot)) usable++;
      this.#place(slot);
    }
    this.#isFirst = false;
    this.open = usable > 0 ? this.#wellOnes : this.all;
    if (usable > 0 && usable <= this.rules.panicRatio * members) this.#panic();
  }

  /** Whether it may get any traffic, as the table stands. */
  isMember(slot: number): boolean {
    const backed = this.#slots.backs[slot] as number;
    const standsIn = backed !== NOBODY && backed !== ABSENT;
    if (standsIn && this.isUsable(backed)) return false;
    return this.isOpen(slot) || this.isFailing(slot);
  }

  isUsable(slot: number): boolean {
    return this.isOpen(slot) && !this.#ejections.isEjected(slot);
  }

  /**
   * Whether control says so; or is gone, when what it called down may be up again; or holds back
   * whom too few others are left to spare.
   */
  isOpen(slot: number): boolean {
    const { listed, needed, verdict } = this.#slots;
    if (listed[slot] === 0) return false;
    if (verdict[slot] === verdictCode.up) return true;
    if (this.isHeldBack(slot)) return needed[slot] === 1;
    const { controlAlive, mode } = this.rules;
    return verdict[slot] === verdictCode.down && !controlAlive && mode !== "primary-standby";
  }

  /** Well, and held back by control for its flapping: no standby of a primary. */
  isHeldBack(slot: number): boolean {
    const { listed, verdict } = this.#slots;
    const isStandby = listed[slot] === 1 && verdict[slot] === verdictCode.standby;
    return isStandby && this.rules.mode !== "primary-standby";
  }

  isFailing(slot: number): boolean {
    return this.#slots.listed[slot] === 1 && this.#slots.verdict[slot] === verdictCode.failing;
  }

  /** Its part of what it would be given: below 1 for a canary, and while it ramps up. */
  shareOf(slot: number, nowMs: number): number {
    const share = this.#slots.share[slot] as number;
    return share * rampShare(nowMs - (this.#rampFromMs[slot] as number), this.rules.slowStartMs);
  }

  #clear(): void {
    this.nextDueMs = Infinity;
    this.partialUntilMs = -Infinity;
    for (const each of [...this.all, this.ejected]) {
      each.count = 0;
      if (each.slots.length < this.#slots.capacity) {
        each.slots = new Int32Array(this.#slots.capacity);
      }
    }
  }

  /**
   * Who turns usable after having been unusable ramps up; at a worker's first table nobody does.
   */
  #follow(slot: number, nowMs: number): void {
    const isUsable = this.isUsable(slot);
    const returns = isUsable && this.#before[slot] !== wasUsable && !this.#isFirst;
    if (returns) this.#rampFromMs[slot] = nowMs;
    this.#before[slot] = isUsable ? wasUsable : wasNot;
    const isCanary = (this.#slots.share[slot] as number) < 1;
    const rampedMs = (this.#rampFromMs[slot] as number) + this.rules.slowStartMs;
    this.partialUntilMs = Math.max(this.partialUntilMs, isCanary ? Infinity : rampedMs);
  }

  #place(slot: number): void {
    const isBackup = this.#slots.backup[slot] === 1;
    if (this.isUsable(slot)) {
      const isLate = this.#stall.late[slot] === 1;
      add(this.all[isBackup ? rank.backup : isLate ? rank.late : rank.usable], slot);
      return;
    }
    if (this.#ejections.isEjected(slot)) {
      this.nextDueMs = Math.min(this.nextDueMs, this.#ejections.dueMs[slot] as number);
      add(this.ejected, slot);
      if (this.rules.mode === "primary-standby") return;
    }
    add(this.all[isBackup ? rank.outBackup : rank.out], slot);
  }

  /** Too few are left to carry the traffic: better to try all than to break these as well. */
  #panic(): void {
    const [usable, late, , out] = this.all;
    for (const tier of [late, out]) {
      for (let index = 0; index < tier.count; index++) add(usable, tier.slots[index] as number);
      tier.count = 0;
    }
    usable.slots.subarray(0, usable.count).sort();
  }
}

/** 10% at first, all after `slowStartMs`, a straight line between (HAProxy's slowstart). */
export function rampShare(sinceMs: number, slowStartMs: number): number {
  if (sinceMs >= slowStartMs) return 1;
  return RAMP_SHARE_MIN + ((1 - RAMP_SHARE_MIN) * sinceMs) / slowStartMs;
}

function add(tier: Tier, slot: number): void {
  tier.slots[tier.count++] = slot;
}

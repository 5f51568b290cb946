// Who may be chosen, in which order of preference.
//
//   level 0: usable, late   level 1 (backups): usable, late   ...   out of level 0, of level 1, ...
//
// The first tier that has somebody to offer decides, and within it the route's algorithm spreads.
// *Late* is silent for longer than usual (core/detect/stall.ts): avoided, not condemned. *Out* is
// ejected, or failing its checks; it is tried in panic only, when nobody before it is left, or
// when no more than `panicRatio` of the instances are usable. In no tier: what drains, what
// control calls down, what it holds back while others are enough, and who stands in for one that
// is usable itself. Who is at its limit waits beside its tier until an attempt ends. With
// over-provisioning a request begins at the level that is drawn for it
// (core/balance/priority-load.ts), not always at 0. Where zones count, the usable of level 0 are in
// two tiers, near and elsewhere, and each request begins in one of the two
// (core/balance/zone-spill.ts); so it is where a worker has a subset (core/balance/subset.ts).
//
// Of a service with one primary nobody but control names another: while its primary is ejected,
// requests wait for the next table, and one of them at a time finds out whether it is back.
//
// Kept as states change, slot by slot: with 10,000 instances somebody always comes or goes. Only a
// table, panic and control's absence look at all of them.
//
// Invariant: after `refresh`, a slot is in the tier that #homeOf says, or waits beside it; and each
// algorithm has been told so.

import type { Algorithms } from "../balance/algorithms.ts";
import { type Candidates, NO_TIER } from "../balance/balancer.ts";
import { spreadOverLevels } from "../balance/priority-load.ts";
import { type Ramp, rampShare } from "../balance/slow-start.ts";
import { spillOverSubset } from "../balance/subset.ts";
import { spillOverZones, ZONES_MAX, type ZoneShares } from "../balance/zone-spill.ts";
import { assert } from "../base/assert.ts";
import { grown } from "../base/grown.ts";
import type { StallDetector } from "../detect/stall.ts";
import { LEVELS_MAX, type ServiceMode, type ZonePolicy } from "../route/table.ts";
import type { Ejections } from "./ejections.ts";
import { ABSENT, NOBODY, OF_SERVICE, type Slots, verdictCode } from "./slots.ts";

export const usableOf = (level: number): number => 2 * level;
export const lateOf = (level: number): number => 2 * level + 1;
const outOf = (level: number): number => 2 * LEVELS_MAX + level;
/** Usable, of level 0, and in the gateway's zone; `usableOf(0)` then has those of the others. */
export const NEAR = 3 * LEVELS_MAX;
const TIERS = NEAR + 1;

const unknown = 0;
const wasUsable = 1;
const wasNot = 2;

/** So many changes at once cost no less than a look at all. */
const TOUCHED_MAX = 256;

export interface Rules {
  readonly mode: ServiceMode;
  readonly panicRatio: number;
  readonly overProvision: number;
  readonly ramp: Ramp;
  readonly maxConnections: number;
  readonly controlAlive: boolean;
  readonly zones: ZonePolicy | undefined;
  /** Zone 0 is the worker's subset, and zone 1 all others. */
  readonly isSubset: boolean;
}

export class Tier implements Candidates {
  readonly rank: number;
  slots = new Int32Array(0);
  count = 0;
  /** Those of it that are at their limit, and wait beside it. */
  busy = 0;
  weight = 0;
  active = 0;

  constructor(rank: number) {
    this.rank = rank;
  }

  get size(): number {
    return this.count + this.busy;
  }

  add(slot: number): void {
    const { count } = this;
    if (count === this.slots.length) {
      this.slots = grown(this.slots, new Int32Array(Math.max(16, 2 * count)));
    }
    const index = this.#indexOf(slot);
    this.slots.copyWithin(index + 1, index, count);
    this.slots[index] = slot;
    this.count++;
  }

  remove(slot: number): void {
    const index = this.#indexOf(slot);
    assert(this.slots[index] === slot, "who leaves a tier is in it");
    this.slots.copyWithin(index, index + 1, this.count);
    this.count--;
  }

  /** Of the first one not below `slot`. */
  #indexOf(slot: number): number {
    let low = 0;
    let high = this.count;
    // Whoever is added last is mostly the highest.
    if (high > 0 && (this.slots[high - 1] as number) < slot) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.slots[middle] as number) < slot) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class Tiers {
  readonly all: readonly Tier[] = Array.from({ length: TIERS }, (_unused, rank) => new Tier(rank));
  /** Those of `all` that requests may be sent to now: who is out only when nobody else is left. */
  open: readonly Tier[] = [];
  /** How many levels `open` has; negative when who is out is in it. */
  #opened = 0;
  /** Ejected, and to be probed when its time has come. */
  readonly ejected = new Tier(NO_TIER);
  /** No probe is due before; it may be earlier than that of any. */
  nextDueMs = Infinity;
  /** Until then somebody gets less than a full share. */
  partialUntilMs = -Infinity;
  /** Of those in the table: how many there are, and are usable. */
  listed = 0;
  usable = 0;
  /** Priority levels that somebody is of: those below this number. */
  levels = 1;
  /** By level: who may get traffic as the table stands, and who of them is usable. */
  readonly #members = new Int32Array(LEVELS_MAX);
  readonly #well = new Int32Array(LEVELS_MAX);
  readonly #loads = { load: new Float64Array(LEVELS_MAX), panic: new Uint8Array(LEVELS_MAX) };
  /** How requests spread over the zones, and the usable of level 0 by zone. */
  readonly #spill: ZoneShares = { on: false, near: 1, taken: new Float64Array(ZONES_MAX).fill(1) };
  readonly #wellOfZone = new Int32Array(ZONES_MAX);
  /** Zones of the table; the first is the gateway's. */
  zones = 1;
  /** How many are in the worker's subset. */
  subsetMembers = 0;
  readonly #slots: Slots;
  readonly #ejections: Ejections;
  readonly #stall: StallDetector;
  readonly #algorithms: Algorithms;
  #before = new Uint8Array(16);
  #rampFromMs = new Float64Array(16).fill(-Infinity);
  /** By slot: the tier that it belongs to; what it was counted as. */
  #home = new Int8Array(16).fill(NO_TIER);
  #counted = new Uint8Array(16);
  #countedLevel = new Uint8Array(16);
  #countedZone = new Uint8Array(16);
  readonly #touched = new Int32Array(TOUCHED_MAX);
  #touchedCount = 0;
  #isStale = true;
  #isFirst = true;
  #rules: Rules;

  constructor(
    slots: Slots,
    ejections: Ejections,
    stall: StallDetector,
    rules: Rules,
    algorithms: Algorithms,
  ) {
    this.#rules = rules;
    this.#slots = slots;
    this.#ejections = ejections;
    this.#stall = stall;
    this.#algorithms = algorithms;
  }

  get rules(): Rules {
    return this.#rules;
  }

  set rules(rules: Rules) {
    const isLimitNew = rules.maxConnections !== this.#rules.maxConnections;
    if (isLimitNew) this.#empty();
    this.#rules = rules;
    this.touchAll();
  }

  /** Whether anybody who is no backup is usable, late or not. */
  get isAnyWell(): boolean {
    return this.sizeOfFirst > 0;
  }

  /** Whether nobody could be compared with anybody: one of the first level, at most. */
  get isAlone(): boolean {
    return this.sizeOfFirst <= 1;
  }

  private get sizeOfFirst(): number {
    return this.#tier(NEAR).size + this.#tier(usableOf(0)).size + this.#tier(lateOf(0)).size;
  }

  /** Whether requests of level 0 are spread over zones; and how many of them stay in ours. */
  get isZoned(): boolean {
    return this.#spill.on;
  }

  get nearShare(): number {
    return this.#spill.near;
  }

  /** Whether nobody is usable, not even a backup. */
  get isPanic(): boolean {
    return sum(this.#well) === 0;
  }

  /** Who may get traffic as the table stands, and how many of them are not usable. */
  get members(): number {
    return sum(this.#members);
  }

  get out(): number {
    return this.members - sum(this.#well);
  }

  #tier(rank: number): Tier {
    return this.all[rank] as Tier;
  }

  /** The slot is another instance's now. */
  forget(slot: number): void {
    const { capacity } = this.#slots;
    if (this.#before.length < capacity) {
      this.#before = grown(this.#before, new Uint8Array(capacity));
      this.#rampFromMs = grown(this.#rampFromMs, new Float64Array(capacity).fill(-Infinity));
      this.#home = grown(this.#home, new Int8Array(capacity).fill(NO_TIER));
      this.#counted = grown(this.#counted, new Uint8Array(capacity));
      this.#countedLevel = grown(this.#countedLevel, new Uint8Array(capacity));
      this.#countedZone = grown(this.#countedZone, new Uint8Array(capacity));
    }
    this.#before[slot] = unknown;
    this.#rampFromMs[slot] = -Infinity;
  }

  /** Something has changed of this slot: the next `refresh` looks at it. */
  touch(slot: number): void {
    if (this.#touchedCount === TOUCHED_MAX) this.touchAll();
    else this.#touched[this.#touchedCount++] = slot;
  }

  touchAll(): void {
    this.#isStale = true;
    this.#touchedCount = 0;
  }

  refresh(nowMs: number): void {
    if (this.#isStale) {
      this.#followAll(nowMs);
    } else if (this.#touchedCount > 0) {
      for (let index = 0; index < this.#touchedCount; index++) {
        this.#followWithStandIn(this.#touched[index] as number, nowMs);
      }
    } else {
      return;
    }
    this.#touchedCount = 0;
    this.#judge();
  }

  /** Its weight, level or limit is about to change: out of its tier until the next `refresh`. */
  take(slot: number): void {
    this.#move(slot, NO_TIER);
  }

  /** Whether it takes no more now. */
  isBusy(slot: number): boolean {
    const { active, limit } = this.#slots;
    const own = limit[slot] as number;
    const most = own === OF_SERVICE ? this.#rules.maxConnections : own;
    return most > 0 && (active[slot] as number) >= most;
  }

  /** An attempt on it began (1) or ended (-1): `active` says so already. */
  loaded(slot: number, change: 1 | -1): void {
    const home = this.#home[slot] as number;
    if (home === NO_TIER) return;
    const tier = this.#tier(home);
    if (this.#slots.rank[slot] === NO_TIER) {
      if (this.isBusy(slot)) return;
      tier.busy--;
      this.#enter(tier, slot);
      return;
    }
    tier.active += change;
    if (this.isBusy(slot)) {
      this.#leave(tier, slot);
      tier.busy++;
    } else {
      this.#algorithms.changed(slot);
    }
  }

  /** Whether the slot belongs to the tier and is at its limit. */
  waitsBeside(slot: number, { rank }: Tier): boolean {
    return this.#home[slot] === rank && this.#slots.rank[slot] === NO_TIER;
  }

  /** The level that a request begins at. */
  drawLevel(random: () => number): number {
    if (this.#rules.overProvision === 0 || this.levels === 1) return 0;
    let left = random() * 100;
    for (let level = 0; level < this.levels; level++) {
      left -= this.#loads.load[level] as number;
      if (left < 0) return level;
    }
    return 0;
  }

  /** Whether it is usable, and its level one that takes traffic now. */
  takes(slot: number): boolean {
    if (!this.isMember(slot) || !this.isUsable(slot)) return false;
    const level = this.#slots.level[slot] as number;
    if (this.#rules.overProvision > 0) return (this.#loads.load[level] as number) > 0;
    for (let before = 0; before < level; before++) {
      if ((this.#well[before] as number) > 0) return false;
    }
    return true;
  }

  /** Looked for when `nextDueMs` has passed and nobody was found due. */
  findNextDue(): void {
    const { slots, count } = this.ejected;
    this.nextDueMs = Infinity;
    for (let index = 0; index < count; index++) {
      const dueMs = this.#ejections.dueMs[slots[index] as number] as number;
      this.nextDueMs = Math.min(this.nextDueMs, dueMs);
    }
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

  /**
   * Its part of what it would be given: below 1 for a canary, at an end of a subset, while it ramps
   * up, and in a zone that has less to spare than another.
   */
  shareOf(slot: number, nowMs: number): number {
    const isFar = this.#spill.on && this.#home[slot] === usableOf(0);
    const taken = isFar ? (this.#spill.taken[this.#slots.zone[slot] as number] as number) : 1;
    const share = taken * (this.#slots.share[slot] as number);
    return share * rampShare(nowMs - (this.#rampFromMs[slot] as number), this.rules.ramp);
  }

  // Following.

  #followAll(nowMs: number): void {
    const { count, listed, level } = this.#slots;
    this.#isStale = false;
    this.nextDueMs = Infinity;
    this.partialUntilMs = -Infinity;
    this.levels = 1;
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 1) this.levels = Math.max(this.levels, (level[slot] as number) + 1);
    }
    for (let slot = 0; slot < count; slot++) this.#follow(slot, nowMs);
    // Before the first table there is nobody to follow.
    if (count > 0) this.#isFirst = false;
  }

  #followWithStandIn(slot: number, nowMs: number): void {
    this.#follow(slot, nowMs);
    const standIn = this.#slots.standIn[slot] as number;
    if (standIn !== NOBODY) this.#follow(standIn, nowMs);
  }

  #follow(slot: number, nowMs: number): void {
    const isListed = this.#slots.listed[slot] === 1;
    const isMember = isListed && this.isMember(slot);
    this.#ramp(slot, nowMs, isListed);
    this.#count(slot, isListed, isMember);
    const isEjected = isMember && this.#ejections.isEjected(slot);
    if (isEjected) {
      this.nextDueMs = Math.min(this.nextDueMs, this.#ejections.dueMs[slot] as number);
    }
    const wasEjected = ((this.#counted[slot] as number) & counted.ejected) !== 0;
    if (isEjected !== wasEjected) {
      this.#counted[slot] = (this.#counted[slot] as number) ^ counted.ejected;
      if (isEjected) this.ejected.add(slot);
      else this.ejected.remove(slot);
    }
    this.#move(slot, isMember ? this.#homeOf(slot) : NO_TIER);
  }

  /**
   * Who turns usable after having been unusable ramps up; at a worker's first table nobody does.
   */
  #ramp(slot: number, nowMs: number, isListed: boolean): void {
    if (!isListed) return;
    const isUsable = this.isUsable(slot);
    const returns = isUsable && this.#before[slot] !== wasUsable && !this.#isFirst;
    if (returns) this.#rampFromMs[slot] = nowMs;
    this.#before[slot] = isUsable ? wasUsable : wasNot;
    const isPartial = (this.#slots.share[slot] as number) < 1;
    const rampedMs = (this.#rampFromMs[slot] as number) + this.rules.ramp.lengthMs;
    this.partialUntilMs = Math.max(this.partialUntilMs, isPartial ? Infinity : rampedMs);
  }

  /** Takes back what it was counted as, and counts it as what it is. */
  #count(slot: number, isListed: boolean, isMember: boolean): void {
    const before = this.#counted[slot] as number;
    this.#add(before, this.#countedLevel[slot] as number, this.#countedZone[slot] as number, -1);
    const isUsable = isListed && this.isUsable(slot);
    const level = this.#slots.level[slot] as number;
    const now =
      (isListed ? counted.listed : 0) |
      (isUsable ? counted.usable : 0) |
      (isMember ? counted.member : 0);
    const zone = this.#slots.zone[slot] as number;
    this.#add(now, level, zone, 1);
    this.#countedZone[slot] = zone;
    this.#counted[slot] = now | (before & counted.ejected);
    this.#countedLevel[slot] = level;
  }

  #add(flags: number, level: number, zone: number, change: number): void {
    if ((flags & counted.listed) !== 0) this.listed += change;
    if ((flags & counted.usable) !== 0) this.usable += change;
    if ((flags & counted.member) === 0) return;
    this.#members[level] = (this.#members[level] as number) + change;
    if ((flags & counted.usable) === 0) return;
    this.#well[level] = (this.#well[level] as number) + change;
    if (level === 0) this.#wellOfZone[zone] = (this.#wellOfZone[zone] as number) + change;
  }

  /** Who panics, and so which tiers are open. */
  #judge(): void {
    const { panicRatio, overProvision } = this.#rules;
    const { panic } = this.#loads;
    const before = panicBits(panic);
    const wasZoned = this.#spill.on;
    const well = sum(this.#well);
    if (overProvision > 0) {
      spreadOverLevels(this.#well, this.#members, overProvision, panicRatio, this.#loads);
      if (well === 0) panic.fill(0);
    } else {
      panic.fill(0);
      panic[0] = well > 0 && well <= panicRatio * this.members ? 1 : 0;
    }
    this.#spillOver(panic[0] === 1);
    if (panicBits(panic) !== before || this.#spill.on !== wasZoned) {
      for (let slot = 0; slot < this.#slots.count; slot++) {
        if (this.#home[slot] !== NO_TIER || this.#ejections.isEjected(slot)) {
          this.#move(slot, this.isMember(slot) ? this.#homeOf(slot) : NO_TIER);
        }
      }
    }
    const opened = well > 0 ? this.levels : -this.levels;
    if (this.#opened === opened && this.#spill.on === wasZoned) return;
    this.#opened = opened;
    this.open = this.#openTiers(well > 0);
  }

  #spillOver(isPanic: boolean): void {
    const { zones, isSubset } = this.#rules;
    this.#spill.on = false;
    if (isPanic) return;
    if (isSubset) spillOverSubset(this.#wellOfZone, this.subsetMembers, this.#spill);
    if (zones === undefined || isSubset) return;
    spillOverZones(this.#wellOfZone, this.zones, zones.entering, zones.minimum, this.#spill);
    const isUneven = this.#spill.on && this.#spill.taken.some((taken) => taken < 1);
    if (isUneven) this.partialUntilMs = Infinity;
  }

  #openTiers(isAnyWell: boolean): readonly Tier[] {
    const wells = this.all.slice(0, 2 * this.levels);
    if (this.#spill.on) wells.unshift(this.#tier(NEAR));
    return isAnyWell ? wells : [...wells, ...this.all.slice(outOf(0), outOf(this.levels))];
  }

  /** Of a member. */
  #homeOf(slot: number): number {
    const level = this.#slots.level[slot] as number;
    const isPanic = this.#loads.panic[level] === 1;
    if (this.isUsable(slot)) {
      // Backups that carry nothing yet could not show that they answer again.
      const isLateTold = level === 0 || this.#rules.overProvision > 0;
      const isLate = isLateTold && this.#stall.late[slot] === 1;
      if (isLate && !isPanic) return lateOf(level);
      const isNear = this.#spill.on && level === 0 && this.#slots.zone[slot] === 0;
      return isNear ? NEAR : usableOf(level);
    }
    const isLeftAlone = this.#ejections.isEjected(slot) && this.rules.mode === "primary-standby";
    if (isLeftAlone) return NO_TIER;
    // Too few are left to carry the traffic: better to try all than to break these as well.
    return isPanic ? usableOf(level) : outOf(level);
  }

  // Moving.

  #move(slot: number, home: number): void {
    const before = this.#home[slot] as number;
    if (before === home) return;
    if (before !== NO_TIER) {
      const tier = this.#tier(before);
      if (this.#slots.rank[slot] === NO_TIER) tier.busy--;
      else this.#leave(tier, slot);
    }
    this.#home[slot] = home;
    if (home === NO_TIER) return;
    if (this.isBusy(slot)) this.#tier(home).busy++;
    else this.#enter(this.#tier(home), slot);
  }

  #enter(tier: Tier, slot: number): void {
    const { rank, weight, active } = this.#slots;
    tier.add(slot);
    tier.weight += weight[slot] as number;
    tier.active += active[slot] as number;
    rank[slot] = tier.rank;
    this.#algorithms.joined(slot, tier.rank);
  }

  #leave(tier: Tier, slot: number): void {
    const { rank, weight, active } = this.#slots;
    tier.remove(slot);
    tier.weight -= weight[slot] as number;
    tier.active -= active[slot] as number;
    rank[slot] = NO_TIER;
    this.#algorithms.left(slot, tier.rank);
  }

  #empty(): void {
    for (let slot = 0; slot < this.#slots.count; slot++) this.#move(slot, NO_TIER);
  }
}

/** What a slot was counted as. */
const counted = { listed: 1, usable: 2, member: 4, ejected: 8 } as const;

function sum(numbers: Int32Array): number {
  let total = 0;
  for (let index = 0; index < numbers.length; index++) total += numbers[index] as number;
  return total;
}

function panicBits(panic: Uint8Array): number {
  let bits = 0;
  for (let level = 0; level < panic.length; level++) bits |= (panic[level] as number) << level;
  return bits;
}

// One balancing algorithm: which of these instances next. Adding one is one file and one line in
// algorithms.ts.
//
// The caller (core/dispatch) has already decided who may be chosen; an algorithm only spreads. It
// works on slots, small integers that index flat arrays. Who may be chosen comes as tiers, sets of
// slots that change one slot at a time, and an algorithm is told of each change: so it keeps what
// it needs (a heap, a queue) instead of looking at all candidates for each request.
//
// What it may cost, with 10,000 instances of which a tenth change each second: `choose`, `changed`,
// `joined` and `left` together less than 2 us a request. None of them allocates, but to grow.
//
// Rejected: candidates as an array per request. Every algorithm is a few lines then, and takes
// 50 to 500 us with 10,000 of them.

/** No candidate is left. */
export const NOBODY = -1;
/** In no tier: it cannot be chosen now. */
export const NO_TIER = -1;

/** Instances of equal preference that can be chosen now. */
export interface Candidates {
  /** Which tier it is: what `rank` says of its slots. */
  readonly rank: number;
  /** Slots, ascending; the first `count` entries hold. */
  readonly slots: Int32Array;
  readonly count: number;
  /** Sums over the slots in it: weights, and attempts under way. */
  readonly weight: number;
  readonly active: number;
}

/** What an algorithm may know of the instances, by slot. Arrays are replaced when they grow. */
export interface SlotView {
  /** One more than the highest slot. */
  readonly count: number;
  readonly capacity: number;
  /** Attempts under way. */
  readonly active: Int32Array;
  /** 1 to 256: the table's, or what load reports make of it. */
  readonly weight: Int32Array;
  /** The table's: where keys lead does not follow the load. */
  readonly tableWeight: Int32Array;
  /** A hash of the instance's id: the same in every worker and after every restart. */
  readonly identity: Uint32Array;
  /** Its place in the table, from 0. */
  readonly order: Int32Array;
  /** 1 while the instance is in the table, whether or not it can be chosen. */
  readonly listed: Uint8Array;
  /** The rank of the tier that it is in, or NO_TIER. */
  readonly rank: Int8Array;
  /** 1: not for this request, which has tried it. */
  readonly shut: Uint8Array;
  /** Of `listed`, `tableWeight` and `identity`: another one after every table. */
  readonly version: number;
}

export abstract class Balancer {
  protected readonly view: SlotView;
  /** In [0, 1). */
  protected readonly random: () => number;

  constructor(view: SlotView, random: () => number) {
    this.view = view;
    this.random = random;
  }

  /**
   * A slot of the tier that is not shut, or NOBODY. `key` is a 32-bit hash of what the route
   * hashes. With a `loadFactor` above 0 an algorithm that hashes gives nobody more than so many
   * times the mean load.
   */
  abstract choose(tier: Candidates, nowMs: number, key: number, loadFactor: number): number;

  /** The slot is in the tier of this rank from now on. */
  joined(_slot: number, _rank: number): void {}
  left(_slot: number, _rank: number): void {}
  /** Its weight, or the number of its attempts, is another. */
  changed(_slot: number): void {}
  /** An answer's head has come. */
  answered(_slot: number, _nowMs: number, _latencyMs: number): void {}
  /** An attempt has ended; before `changed`. `failed`: through the instance. */
  finished(_slot: number, _nowMs: number, _latencyMs: number, _failed: boolean): void {}
  /** The slot belongs to another instance now: what is remembered of it no longer holds. */
  forget(_slot: number): void {}

  /** Whether it can be chosen for this request. */
  protected isFree(slot: number, rank: number): boolean {
    return this.view.rank[slot] === rank && this.view.shut[slot] === 0;
  }
}

export type CreateBalancer = (view: SlotView, random: () => number) => Balancer;

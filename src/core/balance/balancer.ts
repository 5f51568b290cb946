// One balancing algorithm: which of these instances next. Adding one is one file and
// one line in algorithms.ts.
//
// The caller (core/dispatch) has already decided who may be chosen; an algorithm only spreads. It
// works on slots, small integers that index flat arrays, and allocates nothing in `choose`.

/** What an algorithm may know of the instances, by slot. Arrays are replaced when they grow. */
export interface SlotView {
  /** Attempts under way. */
  readonly active: Int32Array;
  /** 1 to 256. */
  readonly weight: Int32Array;
  /** A hash of the instance's id: the same in every worker and after every restart. */
  readonly identity: Uint32Array;
}

export interface Balancer {
  /**
   * One of the first `count` entries of `candidates`, which are slots in ascending order. `count`
   * is at least 1. `key` is a 32-bit hash of the client's address.
   */
  choose(candidates: Int32Array, count: number, view: SlotView, key: number): number;
  /** The slot belongs to another instance now: what is remembered of it no longer holds. */
  forget(slot: number): void;
}

export type CreateBalancer = (random: () => number) => Balancer;

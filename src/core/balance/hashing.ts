// What the algorithms that hash have in common: a mixing function, and whom a key may not lead to.
//
// An instance that cannot be chosen now (ejected, busy, tried) keeps its place in the ring or
// table: its keys pass over it and come back with it, and nobody else's move. Only a table that
// lists other instances, or other weights, changes the places.
//
// Bounded load (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016;
// HAProxy's hash-balance-factor): with c > 1 nobody has more than c times its part of all attempts
// under way, rounded up. A key that leads to somebody at that bound goes on as if he were not
// there.

import { Balancer, type Candidates, NOBODY } from "./balancer.ts";

export abstract class Hashing extends Balancer {
  /** Attempts under way of which nobody has more, for each unit of weight. */
  #most = Infinity;

  choose(tier: Candidates, _nowMs: number, key: number, loadFactor: number): number {
    if (tier.count === 0) return NOBODY;
    this.#most = loadFactor > 0 ? (loadFactor * (tier.active + 1)) / tier.weight : Infinity;
    const slot = this.find(tier, key);
    // All others were tried or are at the bound: better one above the bound than none.
    if (slot !== NOBODY || loadFactor === 0) return slot;
    this.#most = Infinity;
    return this.find(tier, key);
  }

  /** The first one that the key leads to and that is open, or NOBODY. */
  protected abstract find(tier: Candidates, key: number): number;

  protected isOpen(slot: number, rank: number): boolean {
    if (!this.isFree(slot, rank)) return false;
    if (this.#most === Infinity) return true;
    const { active, weight } = this.view;
    return (active[slot] as number) < Math.ceil(this.#most * (weight[slot] as number));
  }
}

/** 32 bits: Murmur3's finalizer (Austin Appleby). */
export function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** 32 bits from the pair: mixed twice, so that neither shows. */
export function mixPair(one: number, other: number): number {
  return mix(mix(one) ^ other);
}

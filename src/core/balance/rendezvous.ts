// Rendezvous hashing: every instance draws a number from the hash of its name and the key, the
// highest wins (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996).
//
// When one leaves, only its own keys move, and they spread over all others; when one comes, it
// takes only its share. Weights after Schindelhauer and Schomaker (2005): the smallest -ln(u) /
// weight instead of the largest u. A look at all is short for a hundred instances and takes 100 us
// for 10,000. So above FLAT_MAX in the table they are in groups by their name's hash: first the
// groups draw, each with the weight of its listed members, then the members of the one that wins
// (Wang and Ravishankar's hierarchies, 2009). That costs two looks at a hundred. Who cannot be
// chosen for a while still counts in its group's weight, so only its own keys move, to its group;
// when the table loses one, its group weighs less, and up to as many other keys leave the group:
// at most twice what must move, as with Maglev's table.
//
// A logarithm is taken only where it could win: -ln(u) >= 1 - u.

import { type Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";
import { Hashing, mix, mixPair } from "./hashing.ts";

export function createRendezvous(view: SlotView, random: () => number): Balancer {
  return new Rendezvous(view, random);
}

const FLAT_MAX = 128;
/** So few of many are left that it is no matter where their keys were before. */
const FLAT_TIER_MAX = 32;
const GROUP_BITS = 7;
const GROUPS = 1 << GROUP_BITS;
/** So that a group does not draw what a member draws. */
const GROUP_SALT = 0x9e3779b9;

class Rendezvous extends Hashing {
  #version = -1;
  #listed = 0;
  /** Listed slots by group: those of group g from `#start[g]` up to `#start[g + 1]`. */
  #members = new Int32Array(0);
  readonly #start = new Int32Array(GROUPS + 1);
  readonly #weight = new Float64Array(GROUPS);

  protected find(tier: Candidates, key: number): number {
    if (this.#version !== this.view.version) this.#follow();
    if (this.#listed <= FLAT_MAX || tier.count <= FLAT_TIER_MAX) {
      return this.#closest(tier.slots, 0, tier.count, tier.rank, key);
    }
    let passed = -1;
    for (;;) {
      const group = this.#nextGroup(key, passed);
      if (group === NOBODY) return NOBODY;
      const [from, to] = [this.#start[group] as number, this.#start[group + 1] as number];
      const slot = this.#closest(this.#members, from, to, tier.rank, key);
      if (slot !== NOBODY) return slot;
      passed = groupScore(key, group, this.#weight[group] as number);
    }
  }

  /** The group with the smallest score above `passed`. */
  #nextGroup(key: number, passed: number): number {
    const mixed = mix(key);
    let best = NOBODY;
    let bestScore = Infinity;
    for (let group = 0; group < GROUPS; group++) {
      const weight = this.#weight[group] as number;
      if (weight === 0) continue;
      // mixPair(key, …), its first half done once.
      const above = aboveDraw(mix(mixed ^ group ^ GROUP_SALT));
      if (above >= bestScore * weight) continue;
      const score = scoreOf(above, weight);
      if (score <= passed || score >= bestScore) continue;
      best = group;
      bestScore = score;
    }
    return best;
  }

  /** Of the open ones in that part of `slots` the one with the smallest score. */
  #closest(slots: Int32Array, from: number, to: number, rank: number, key: number): number {
    const { identity, weight: weights } = this.view;
    const mixed = mix(key);
    let best = NOBODY;
    let bestScore = Infinity;
    for (let index = from; index < to; index++) {
      const slot = slots[index] as number;
      const weight = weights[slot] as number;
      const above = aboveDraw(mix(mixed ^ (identity[slot] as number)));
      if (above >= bestScore * weight || !this.isOpen(slot, rank)) continue;
      const score = scoreOf(above, weight);
      if (score >= bestScore) continue;
      best = slot;
      bestScore = score;
    }
    return best;
  }

  #follow(): void {
    const { count, capacity, listed, weight, identity, version } = this.view;
    this.#version = version;
    if (this.#members.length < capacity) this.#members = new Int32Array(capacity);
    const start = this.#start.fill(0);
    this.#weight.fill(0);
    this.#listed = 0;
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      const group = groupOf(identity[slot] as number);
      this.#listed++;
      start[group + 1] = (start[group + 1] as number) + 1;
      this.#weight[group] = (this.#weight[group] as number) + (weight[slot] as number);
    }
    for (let group = 0; group < GROUPS; group++) {
      start[group + 1] = (start[group + 1] as number) + (start[group] as number);
    }
    const next = start.slice();
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      const group = groupOf(identity[slot] as number);
      const index = next[group] as number;
      next[group] = index + 1;
      this.#members[index] = slot;
    }
  }
}

/** FNV-1a's high bits depend on its last characters least: names that end in numbers are mixed. */
function groupOf(identity: number): number {
  return mixPair(identity, GROUP_SALT) >>> (32 - GROUP_BITS);
}

/** 1 - u of a draw u: no logarithm, and never more than -ln(u). */
function aboveDraw(drawn: number): number {
  return (drawn + 0.5) / 2 ** 32;
}

/** -ln(u) / weight. */
function scoreOf(above: number, weight: number): number {
  return -Math.log1p(-above) / weight;
}

function groupScore(key: number, group: number, weight: number): number {
  return scoreOf(aboveDraw(mixPair(key, group ^ GROUP_SALT)), weight);
}

// Rendezvous hashing: every instance draws a number from the hash of its name and the key, the
// highest wins (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996).
//
// When one leaves, only its own keys move, and they spread over all others; when one comes, it
// takes only its share. Weights after Schindelhauer and Schomaker (2005): the smallest
// -ln(u) / weight instead of the largest u. A look at all is short for a hundred instances and
// takes 100 us for 10,000. So above FLAT_MAX in the table they are in 512 cells of 32 groups by
// their name's hash: first the groups draw, each with the weight of its listed members, then the
// cells of the one that wins, then the members (Wang and Ravishankar's hierarchies, 2009): some 70
// draws. Who cannot be chosen for a while still counts in those weights, so only its own keys move,
// within its cell; when the table loses one, its cell and group weigh less, and up to as many other
// keys leave each: at most three times what must move.
//
// A logarithm is taken only where it could win: -ln(u) >= 1 - u.

import { type Balancer, type Candidates, NO_TIER, NOBODY, type SlotView } from "./balancer.ts";
import { Hashing, mix, mixPair } from "./hashing.ts";

export function createRendezvous(view: SlotView, random: () => number): Balancer {
  return new Rendezvous(view, random);
}

const FLAT_MAX = 128;
/** So few of many are left that it is no matter where their keys were before. */
const FLAT_TIER_MAX = 32;
const GROUP_BITS = 5;
const CELL_BITS = 9;
const GROUPS = 1 << GROUP_BITS;
const CELLS = 1 << CELL_BITS;
const CELLS_OF_GROUP = CELLS / GROUPS;
/** So that no group or cell draws what a member draws; cells draw by the key's complement. */
const PART_SALT = 0x9e3779b9;

class Rendezvous extends Hashing {
  #version = -1;
  #listed = 0;
  /** Listed slots by cell: those of cell c from `#start[c]` up to `#start[c + 1]`. */
  #members = new Int32Array(0);
  /** Of the same: side by side, for a look at a whole cell. */
  #identities = new Uint32Array(0);
  #weights = new Int32Array(0);
  readonly #start = new Int32Array(CELLS + 1);
  readonly #groupWeight = new Float64Array(GROUPS);
  readonly #cellWeight = new Float64Array(CELLS);

  protected find(tier: Candidates, key: number): number {
    if (this.#version !== this.view.version) this.#follow();
    if (this.#listed <= FLAT_MAX || tier.count <= FLAT_TIER_MAX) {
      return this.#closest(tier, key);
    }
    let passed = -1;
    for (;;) {
      const group = this.#next(this.#groupWeight, 0, GROUPS, key, passed);
      if (group === NOBODY) return NOBODY;
      const slot = this.#inGroup(group, tier.rank, key);
      if (slot !== NOBODY) return slot;
      passed = partScore(key, group, this.#groupWeight[group] as number);
    }
  }

  #inGroup(group: number, rank: number, key: number): number {
    const from = group * CELLS_OF_GROUP;
    let passed = -1;
    for (;;) {
      const cell = this.#next(this.#cellWeight, from, from + CELLS_OF_GROUP, ~key, passed);
      if (cell === NOBODY) return NOBODY;
      const slot = this.#inCell(cell, rank, key);
      if (slot !== NOBODY) return slot;
      passed = partScore(~key, cell, this.#cellWeight[cell] as number);
    }
  }

  /** Of those groups or cells the one with the smallest score above `passed`. */
  #next(weights: Float64Array, from: number, to: number, key: number, passed: number): number {
    const mixed = mix(key);
    let best = NOBODY;
    let bestScore = Infinity;
    for (let part = from; part < to; part++) {
      const weight = weights[part] as number;
      if (weight === 0) continue;
      // mixPair(key, …), its first half done once.
      const above = aboveDraw(mix(mixed ^ part ^ PART_SALT));
      if (above >= bestScore * weight) continue;
      const score = scoreOf(above, weight);
      if (score <= passed || score >= bestScore) continue;
      best = part;
      bestScore = score;
    }
    return best;
  }

  /** Of the open ones of a cell the one with the smallest score. */
  #inCell(cell: number, rank: number, key: number): number {
    // Nearly always the closest of all is open, and nothing else of the others need be read.
    const closest = this.#closestIn(cell, NO_TIER, key);
    if (closest === NOBODY || this.isOpen(closest, rank)) return closest;
    return this.#closestIn(cell, rank, key);
  }

  /** Of those of a cell that are open in the tier; of all of them where `rank` is NO_TIER. */
  #closestIn(cell: number, rank: number, key: number): number {
    const identities = this.#identities;
    const weights = this.#weights;
    const to = this.#start[cell + 1] as number;
    const mixed = mix(key);
    let best = NOBODY;
    let bestScore = Infinity;
    for (let index = this.#start[cell] as number; index < to; index++) {
      const weight = weights[index] as number;
      const above = aboveDraw(mix(mixed ^ (identities[index] as number)));
      if (above >= bestScore * weight) continue;
      const slot = this.#members[index] as number;
      if (rank !== NO_TIER && !this.isOpen(slot, rank)) continue;
      const score = scoreOf(above, weight);
      if (score >= bestScore) continue;
      best = slot;
      bestScore = score;
    }
    return best;
  }

  /** Of the open ones of a tier. */
  #closest({ slots, count, rank }: Candidates, key: number): number {
    const { identity, tableWeight: weights } = this.view;
    const mixed = mix(key);
    let best = NOBODY;
    let bestScore = Infinity;
    for (let index = 0; index < count; index++) {
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
    const { count, capacity, listed, tableWeight: weight, identity, version } = this.view;
    this.#version = version;
    if (this.#members.length < capacity) {
      this.#members = new Int32Array(capacity);
      this.#identities = new Uint32Array(capacity);
      this.#weights = new Int32Array(capacity);
    }
    const start = this.#start.fill(0);
    this.#groupWeight.fill(0);
    this.#cellWeight.fill(0);
    this.#listed = 0;
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      const cell = cellOf(identity[slot] as number);
      const group = Math.floor(cell / CELLS_OF_GROUP);
      const own = weight[slot] as number;
      this.#listed++;
      start[cell + 1] = (start[cell + 1] as number) + 1;
      this.#cellWeight[cell] = (this.#cellWeight[cell] as number) + own;
      this.#groupWeight[group] = (this.#groupWeight[group] as number) + own;
    }
    for (let cell = 0; cell < CELLS; cell++) {
      start[cell + 1] = (start[cell + 1] as number) + (start[cell] as number);
    }
    const next = start.slice();
    for (let slot = 0; slot < count; slot++) {
      if (listed[slot] === 0) continue;
      const cell = cellOf(identity[slot] as number);
      const index = next[cell] as number;
      next[cell] = index + 1;
      this.#members[index] = slot;
      this.#identities[index] = identity[slot] as number;
      this.#weights[index] = weight[slot] as number;
    }
  }
}

/** FNV-1a's high bits depend on its last characters least: names that end in numbers are mixed. */
function cellOf(identity: number): number {
  return mixPair(identity, PART_SALT) >>> (32 - CELL_BITS);
}

/** 1 - u of a draw u: no logarithm, and never more than -ln(u). */
function aboveDraw(drawn: number): number {
  return (drawn + 0.5) * 2 ** -32;
}

/** -ln(u) / weight. */
function scoreOf(above: number, weight: number): number {
  return -Math.log1p(-above) / weight;
}

function partScore(key: number, part: number, weight: number): number {
  return scoreOf(aboveDraw(mixPair(key, part ^ PART_SALT)), weight);
}

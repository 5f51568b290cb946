// Maglev hashing: a table of 65,537 entries, filled by the instances in turn, each by its own
// permutation; a key's entry names its instance.
//
// Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), with
// Envoy's weights: an instance takes its turn whenever its weight has added up to that of the
// heaviest. Everybody gets its part to within an entry or two, more even than a ring, and a look-up
// is one read. When the table of instances changes some keys move that need not, about as many as
// have to.
//
// Who cannot be chosen for a while keeps its entries: its keys are hashed again until they meet
// somebody who can, so they spread over all and nobody else's move. (Maglev itself builds anew.)
// Building takes some milliseconds: so it goes on beside the choices, 64 turns with each and with
// each millisecond since the last one, and the former table serves until the new one is whole, or
// for as long as it leads to anybody. So a newcomer waits for a second or two, or at little traffic
// for some ten requests, and no request for more than a fraction of a millisecond.

import { grown } from "../base/grown.ts";
import { type Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";
import { Hashing, mix, mixPair } from "./hashing.ts";

export function createMaglev(view: SlotView, random: () => number): Balancer {
  return new Maglev(view, random);
}

/** A prime, so that every step goes through all entries. */
const ENTRIES = 65_537;
/** With each choice, and with each millisecond between two. */
const TURNS_EACH = 64;
const TURNS_MAX = 8192;
const GOLDEN = 0x9e3779b9;
/** Hashed so often in vain, a key goes on entry by entry. */
const TRIES_MAX = 64;

class Maglev extends Hashing {
  #version = -1;
  #entries = new Int32Array(ENTRIES).fill(NOBODY);
  /** By slot, as of `#entries`: a slot that was lent anew since is not whom they mean. */
  #identity: Uint32Array = new Uint32Array(0);
  #filling: Filling | undefined;
  #builtMs = 0;

  override choose(tier: Candidates, nowMs: number, key: number, loadFactor: number): number {
    if (this.#version === -1) {
      this.#build(Infinity);
    } else if (this.#version !== this.view.version || this.#filling !== undefined) {
      const sinceMs = this.#filling === undefined ? 0 : nowMs - this.#builtMs;
      this.#build(Math.min(TURNS_EACH * (1 + sinceMs), TURNS_MAX));
    }
    this.#builtMs = nowMs;
    return super.choose(tier, nowMs, key, loadFactor);
  }

  protected find(tier: Candidates, key: number): number {
    let index = mix(key) % ENTRIES;
    for (let again = 1; again <= TRIES_MAX; again++) {
      const slot = this.#entries[index] as number;
      if (this.#means(slot) && this.isOpen(slot, tier.rank)) return slot;
      index = mixPair(key, again * GOLDEN) % ENTRIES;
    }
    for (let passed = 0; passed < ENTRIES; passed++) {
      const slot = this.#entries[index] as number;
      if (this.#means(slot) && this.isOpen(slot, tier.rank)) return slot;
      index = index + 1 === ENTRIES ? 0 : index + 1;
    }
    if (this.#filling === undefined) return this.#anyOpen(tier);
    // All that the former table knows are gone: it spreads nothing any more.
    this.#build(Infinity);
    return this.find(tier, key);
  }

  #means(slot: number): boolean {
    return slot !== NOBODY && this.#identity[slot] === this.view.identity[slot];
  }

  /** More instances than entries, or one so new that no entry is its own. */
  #anyOpen({ slots, count, rank }: Candidates): number {
    for (let index = 0; index < count; index++) {
      const slot = slots[index] as number;
      if (this.isOpen(slot, rank)) return slot;
    }
    return NOBODY;
  }

  #build(turnsMax: number): void {
    if (this.#filling === undefined) {
      this.#filling = new Filling(this.view);
      this.#version = this.view.version;
    }
    if (!this.#filling.step(turnsMax)) return;
    this.#entries = this.#filling.entries;
    this.#identity = this.#filling.identity;
    this.#filling = undefined;
  }
}

/** A table that is being filled, for the instances that were listed when it began. */
class Filling {
  readonly entries = new Int32Array(ENTRIES).fill(NOBODY);
  /** By slot. */
  readonly identity: Uint32Array;
  /** By turn: in order of identity, whatever slots a worker has given them. */
  readonly #slots: Int32Array;
  readonly #weight: Float64Array;
  readonly #step: Float64Array;
  readonly #next: Float64Array;
  readonly #heaviest: number;
  #turn = 0;
  #left = ENTRIES;

  constructor(view: SlotView) {
    const { count, listed, tableWeight: weight, identity } = view;
    this.identity = grown(identity, new Uint32Array(identity.length));
    const slots: number[] = [];
    for (let slot = 0; slot < count; slot++) if (listed[slot] === 1) slots.push(slot);
    const drawOf = (slot: number): number => identity[slot] as number;
    this.#slots = Int32Array.from(slots).sort((one, other) => drawOf(one) - drawOf(other));
    this.#weight = Float64Array.from(this.#slots, (slot) => weight[slot] as number);
    this.#heaviest = this.#weight.reduce((most, each) => Math.max(most, each), 0);
    this.#next = Float64Array.from(this.#slots, (slot) => mix(drawOf(slot)) % ENTRIES);
    this.#step = Float64Array.from(
      this.#slots,
      (slot) => (mixPair(drawOf(slot), GOLDEN) % (ENTRIES - 1)) + 1,
    );
    this.#earned = this.#weight.slice();
  }

  /** What each has towards its next turn. */
  readonly #earned: Float64Array;

  /** Goes through so many turns; true when the table is whole. */
  step(turnsMax: number): boolean {
    const { length } = this.#slots;
    if (length === 0) return true;
    for (let turns = 0; turns < turnsMax && this.#left > 0; turns++) {
      const turn = this.#turn;
      this.#turn = turn + 1 === length ? 0 : turn + 1;
      const earned = this.#earned[turn] as number;
      if (earned >= this.#heaviest) {
        this.#takeNext(turn);
        this.#earned[turn] = earned - this.#heaviest + (this.#weight[turn] as number);
      } else {
        this.#earned[turn] = earned + (this.#weight[turn] as number);
      }
    }
    return this.#left === 0;
  }

  /** The first entry of its permutation that nobody has. */
  #takeNext(turn: number): void {
    const step = this.#step[turn] as number;
    let index = this.#next[turn] as number;
    while (this.entries[index] !== NOBODY) index = (index + step) % ENTRIES;
    this.entries[index] = this.#slots[turn] as number;
    this.#next[turn] = (index + step) % ENTRIES;
    this.#left--;
  }
}

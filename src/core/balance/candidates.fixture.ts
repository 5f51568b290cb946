// A tier and what an algorithm knows of it, for tests that speak to an algorithm alone.

import { createPrng, fnv1a32 } from "../base/prng.ts";
import type { BalanceAlgorithm } from "../route/table.ts";
import { algorithms } from "./algorithms.ts";
import { type Balancer, NO_TIER, NOBODY, type SlotView } from "./balancer.ts";

export class World {
  readonly balancer: Balancer;
  readonly view: {
    -readonly [Key in keyof SlotView]: SlotView[Key];
  };
  readonly tier = { rank: 0, slots: new Int32Array(0), count: 0, weight: 0, active: 0 };
  nowMs = 0;
  readonly #in = new Set<number>();

  /** All are in the table, and in the tier. */
  constructor(algorithm: BalanceAlgorithm, weights: readonly number[], seed = 1) {
    const random = createPrng(seed);
    const { length } = weights;
    this.view = {
      count: length,
      capacity: length,
      active: new Int32Array(length),
      weight: Int32Array.from(weights),
      tableWeight: new Int32Array(length),
      identity: Uint32Array.from(weights, (_weight, slot) => fnv1a32(`web-${slot + 1}`)),
      order: Int32Array.from(weights, (_weight, slot) => slot),
      listed: new Uint8Array(length).fill(1),
      rank: new Int8Array(length).fill(NO_TIER),
      shut: new Uint8Array(length),
      version: 1,
    };
    // Nothing is reported here.
    this.view.tableWeight = this.view.weight;
    this.balancer = algorithms[algorithm](this.view, () => random.ratio());
    for (const slot of weights.keys()) this.balancer.forget(slot);
    for (const slot of weights.keys()) this.join(slot);
  }

  get candidates(): readonly number[] {
    return [...this.#in].sort((one, other) => one - other);
  }

  join(slot: number): void {
    if (this.#in.has(slot)) return;
    this.#in.add(slot);
    this.view.rank[slot] = 0;
    this.#count();
    this.balancer.joined(slot, 0);
  }

  leave(slot: number): void {
    if (!this.#in.delete(slot)) return;
    this.view.rank[slot] = NO_TIER;
    this.#count();
    this.balancer.left(slot, 0);
  }

  #count(): void {
    const { candidates, view } = this;
    const sum = (numbers: Int32Array) =>
      candidates.reduce((total, slot) => total + (numbers[slot] ?? 0), 0);
    this.tier.slots = Int32Array.from([...candidates, 999]);
    this.tier.count = candidates.length;
    this.tier.weight = sum(view.weight);
    this.tier.active = sum(view.active);
  }

  /** The tier is what it is without these. */
  only(slots: readonly number[]): void {
    for (const slot of this.view.active.keys()) {
      if (slots.includes(slot)) this.join(slot);
      else this.leave(slot);
    }
  }

  choose(key = 0, tried: readonly number[] = [], loadFactor = 0): number {
    for (const slot of tried) this.view.shut[slot] = 1;
    const slot = this.balancer.choose(this.tier, this.nowMs, key, loadFactor);
    for (const shut of tried) this.view.shut[shut] = 0;
    return slot;
  }

  start(slot: number): void {
    this.#load(slot, 1);
  }

  end(slot: number, latencyMs: number, failed = false): void {
    if (!failed) this.balancer.answered(slot, this.nowMs, latencyMs);
    this.balancer.finished(slot, this.nowMs, latencyMs, failed);
    this.#load(slot, -1);
  }

  #load(slot: number, change: number): void {
    this.view.active[slot] = (this.view.active[slot] ?? 0) + change;
    if (this.view.rank[slot] === NO_TIER) return;
    this.tier.active += change;
    this.balancer.changed(slot);
  }

  /** Writes all loads at once. */
  setActive(active: readonly number[]): void {
    this.view.active.set(active);
    this.#count();
    for (const slot of active.keys()) this.balancer.changed(slot);
  }

  /** Choices by slot; none may be NOBODY. */
  counts(choices: number): number[] {
    const counts = this.view.active.reduce<number[]>((all) => [...all, 0], []);
    for (let choice = 0; choice < choices; choice++) {
      const slot = this.choose();
      if (slot === NOBODY) throw new Error("somebody can be chosen");
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    return counts;
  }
}

export function everySlot(count: number): number[] {
  return Array.from({ length: count }, (_unused, slot) => slot);
}

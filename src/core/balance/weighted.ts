// Smooth weighted round robin: in every `sum of weights` choices each instance gets exactly its
// weight, and a heavy one's turns lie apart instead of in a row.
//
// nginx's algorithm (Igor Sysoev, commit 52327e0627f4, 2012): everybody earns its weight, the
// richest is chosen and pays the whole round. For weights 5, 1, 1: a a b a c a a. Earnings of an
// instance that cannot be chosen stand still. One pass over the candidates, as in nginx: 10,000
// cost some 80 us. Rejected: earliest deadline first on a heap (Envoy): O(log n), but it must be
// rebuilt whenever the candidates change, and bursts when new ones enter.

import type { Balancer, SlotView } from "./balancer.ts";

export function createWeighted(_random: () => number): Balancer {
  return new Weighted();
}

class Weighted implements Balancer {
  /** What each slot has earned and not yet spent. Among constant candidates it adds up to zero. */
  #earned = new Float64Array(16);

  choose(candidates: Int32Array, count: number, view: SlotView, _key: number): number {
    if (view.weight.length > this.#earned.length) this.#grow(view.weight.length);
    const earned = this.#earned;
    let richest = -1;
    let most = -Infinity;
    let round = 0;
    for (let index = 0; index < count; index++) {
      const slot = candidates[index] as number;
      const weight = view.weight[slot] as number;
      round += weight;
      const purse = (earned[slot] as number) + weight;
      earned[slot] = purse;
      if (purse > most) {
        most = purse;
        richest = slot;
      }
    }
    earned[richest] = most - round;
    return richest;
  }

  forget(slot: number): void {
    if (slot < this.#earned.length) this.#earned[slot] = 0;
  }

  #grow(length: number): void {
    const earned = new Float64Array(length);
    earned.set(this.#earned);
    this.#earned = earned;
  }
}

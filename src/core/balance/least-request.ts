// Least request: the instance with the fewest attempts under way for its weight, counting the one
// to come: the smallest (active + 1) / weight. Equals take turns, so that an idle service is spread
// too.
//
// Slow instances gather attempts and are asked less: it needs no clock to notice slowness.
// HAProxy's leastconn and nginx's least_conn; the "+ 1" is Envoy's w / (active + 1), which lets
// weight count among idle instances. Known trap: an instance that fails fast looks idle and draws
// everything; ejection (core/dispatch) is the answer. One pass over the candidates, 10,000 cost
// some 50 us; choosing the better of two random ones is O(1) and nearly as good, and was rejected
// for small services, where "nearly" is visible.

import type { Balancer, SlotView } from "./balancer.ts";
import { NOBODY_YET, nextIndex } from "./round-robin.ts";

export function createLeastRequest(random: () => number): Balancer {
  return new LeastRequest(random);
}

class LeastRequest implements Balancer {
  /** The scan begins after the slot chosen last: of equals, the first one found is next in turn. */
  #last = NOBODY_YET;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(candidates: Int32Array, count: number, view: SlotView, _key: number): number {
    let index = nextIndex(candidates, count, this.#last, this.#random);
    let best = candidates[index] as number;
    let bestLoad = (view.active[best] as number) + 1;
    let bestWeight = view.weight[best] as number;
    for (let step = 1; step < count; step++) {
      index = index + 1 === count ? 0 : index + 1;
      const slot = candidates[index] as number;
      const load = (view.active[slot] as number) + 1;
      const weight = view.weight[slot] as number;
      // load / weight < bestLoad / bestWeight, without the rounding of a division.
      if (load * bestWeight < bestLoad * weight) {
        best = slot;
        bestLoad = load;
        bestWeight = weight;
      }
    }
    this.#last = best;
    return best;
  }

  forget(_slot: number): void {}
}

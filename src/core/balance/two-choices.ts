// Two choices: of two drawn by lot, the better one.
//
// The longest of n queues is ln ln n instead of ln n / ln ln n long (Azar, Broder, Karlin and
// Upfal, "Balanced Allocations", 1994; Mitzenmacher 2001), for two draws whatever n is. Whoever
// else draws at the same time draws others: unlike "the least of all", many workers that see the
// same do not all send to the same. What is better is the rule's own: the load here (`p2c`), the
// expected time in peak-ewma.ts.

import { Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";
import { drawFree, freeFrom } from "./random.ts";

export function createP2c(view: SlotView, random: () => number): Balancer {
  return new LeastLoadedOfTwo(view, random);
}

export abstract class BetterOfTwo extends Balancer {
  choose(tier: Candidates, nowMs: number): number {
    const { slots, count } = tier;
    const { shut } = this.view;
    const index = drawFree(tier, shut, this.random);
    if (index === NOBODY) return NOBODY;
    const first = slots[index] as number;
    if (count === 1) return first;
    // From one of the others on: of two, it is always the other one.
    const from = (index + 1 + Math.floor(this.random() * (count - 1))) % count;
    const second = slots[freeFrom(tier, shut, from)] as number;
    return this.cost(second, nowMs) < this.cost(first, nowMs) ? second : first;
  }

  /** What one more attempt costs there. */
  protected abstract cost(slot: number, nowMs: number): number;
}

class LeastLoadedOfTwo extends BetterOfTwo {
  protected cost(slot: number): number {
    const { active, weight } = this.view;
    return ((active[slot] as number) + 1) / (weight[slot] as number);
  }
}

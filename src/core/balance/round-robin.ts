// Round robin: the next instance in the circle after the last one chosen, whatever its weight.
//
// The place in the circle is the slot chosen last, not a counter: when instances come, go or were
// tried already, the circle goes on from there and nobody is skipped twice (a counter modulo a
// changing length favours some). The first place is drawn by lot, or every worker of a gateway
// would begin with the same instance. A place is good whoever has it.
//
// Invariant: while the candidates stay the same, no two of them differ by more than one choice.

import { Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";
import { freeFrom } from "./random.ts";

export function createRoundRobin(view: SlotView, random: () => number): Balancer {
  return new RoundRobin(view, random);
}

class RoundRobin extends Balancer {
  /** By rank: tiers take turns with each other, and each goes on where it was. */
  readonly #last: number[] = [];

  choose(tier: Candidates): number {
    if (tier.count === 0) return NOBODY;
    const last = this.#last[tier.rank];
    const isFirst = last === undefined;
    const from = isFirst ? Math.floor(this.random() * tier.count) : indexAfter(tier, last);
    const index = freeFrom(tier, this.view.shut, from);
    if (index === NOBODY) return NOBODY;
    const slot = tier.slots[index] as number;
    this.#last[tier.rank] = slot;
    return slot;
  }
}

/** Index of the first candidate beyond the slot `last`; of the lowest when there is none. */
function indexAfter({ slots, count }: Candidates, last: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((slots[middle] as number) > last) high = middle;
    else low = middle + 1;
  }
  return low === count ? 0 : low;
}

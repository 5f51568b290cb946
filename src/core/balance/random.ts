// Random: each instance is as likely as the next, whatever its weight.
//
// Stateless, so many workers that know nothing of each other spread as well as one. The longest of
// n queues grows as ln n / ln ln n (Mitzenmacher, "The Power of Two Choices", 2001): least-request
// is better wherever counting is possible.

import { Balancer, type Candidates, NOBODY, type SlotView } from "./balancer.ts";

export function createRandom(view: SlotView, random: () => number): Balancer {
  return new RandomChoice(view, random);
}

class RandomChoice extends Balancer {
  choose(tier: Candidates): number {
    const index = drawFree(tier, this.view.shut, this.random);
    return index === NOBODY ? NOBODY : (tier.slots[index] as number);
  }
}

/** After so many shut ones in a row the next free one of the circle has to do. */
const DRAWS_MAX = 8;

/** The index of one by lot of those that are not shut, or NOBODY. */
export function drawFree(tier: Candidates, shut: Uint8Array, random: () => number): number {
  const { slots, count } = tier;
  if (count === 0) return NOBODY;
  let index = 0;
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    index = Math.floor(random() * count);
    const slot = slots[index] as number;
    if (shut[slot] === 0) return index;
  }
  return freeFrom(tier, shut, index);
}

/** The index of the first that is not shut in the circle that begins at `from`, or NOBODY. */
export function freeFrom({ slots, count }: Candidates, shut: Uint8Array, from: number): number {
  for (let step = 0, index = from; step < count; step++) {
    const slot = slots[index] as number;
    if (shut[slot] === 0) return index;
    index = index + 1 === count ? 0 : index + 1;
  }
  return NOBODY;
}

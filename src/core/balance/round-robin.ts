// Round robin: the next instance in the circle after the last one chosen, whatever its weight.
//
// The place in the circle is the slot chosen last, not a counter: when instances come, go or were
// tried already, the circle goes on from there and nobody is skipped twice (a counter modulo a
// changing length favours some). The first place is drawn by lot, or every worker of a gateway
// would begin with the same instance.
//
// Invariant: while the candidates stay the same, no two of them differ by more than one choice.

import type { Balancer, SlotView } from "./balancer.ts";

export function createRoundRobin(random: () => number): Balancer {
  return new RoundRobin(random);
}

class RoundRobin implements Balancer {
  readonly #random: () => number;
  #last = NOBODY_YET;

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(candidates: Int32Array, count: number, _view: SlotView, _key: number): number {
    const index = nextIndex(candidates, count, this.#last, this.#random);
    this.#last = candidates[index] as number;
    return this.#last;
  }

  /** A place in the circle is good whoever has it. */
  forget(_slot: number): void {}
}

export const NOBODY_YET = -1;

/** Index of the candidate after the slot chosen `last` in the circle; by lot when there is none. */
export function nextIndex(
  candidates: Int32Array,
  count: number,
  last: number,
  random: () => number,
): number {
  if (last === NOBODY_YET) return Math.floor(random() * count);
  // Binary search for the first one beyond `last`: candidates ascend.
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((candidates[middle] as number) > last) high = middle;
    else low = middle + 1;
  }
  return low === count ? 0 : low;
}

// First: the first instance of the table that is not at its limit.
//
// HAProxy's `first` (doc/configuration.txt, `balance first`): the fewest possible instances carry
// the traffic, so that the others can be switched off. It needs `maxConnections`: who reaches it is
// no candidate until an attempt ends. Without a limit the first one gets everything, and the others
// are its backups.

import type { Balancer, SlotView } from "./balancer.ts";
import { LeastOf } from "./least-heap.ts";

export function createFirst(view: SlotView, random: () => number): Balancer {
  return new First(view, random);
}

class First extends LeastOf {
  protected loadOf(slot: number): number {
    return this.view.order[slot] as number;
  }
}

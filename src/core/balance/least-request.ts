// Least request: the instance with the fewest attempts under way for its weight, counting the one
// to come: the smallest (active + 1) / weight. Equals take turns, so that an idle service is spread
// too.
//
// Slow instances gather attempts and are asked less: it needs no clock to notice slowness.
// HAProxy's leastconn and nginx's least_conn; the "+ 1" is Envoy's w / (active + 1), which lets
// weight count among idle instances. `active` counts from the choice on, so requests that wait for
// their connection count as HAProxy's queued ones do. Envoy itself draws two where weights are
// equal, for fear of a pass over all; a heap (least-heap.ts) makes the pass unnecessary.
//
// Who fails fast looks idle: least-loaded.ts is the answer to that.

import type { Balancer, SlotView } from "./balancer.ts";
import { LeastLoaded } from "./least-loaded.ts";

export function createLeastRequest(view: SlotView, random: () => number): Balancer {
  return new LeastRequest(view, random);
}

class LeastRequest extends LeastLoaded {
  protected loadOf(slot: number): number {
    return this.attempts(slot) / (this.view.weight[slot] as number);
  }
}

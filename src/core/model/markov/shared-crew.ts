// A repair crew shared by several kinds of machine: the chain with which solvers are tried.
//
// A state says how many of each kind are down. Every kind fails at a rate of its own; the crew
// shares itself out among what is down, so that no kind is independent of another and there is no
// product form. Every state has at least as many transitions as there are kinds. States are
// numbered in a shuffled order, so that nothing is near the diagonal and no order of sweeps is
// lucky.

import { createPrng } from "../../base/prng.ts";
import { type Chain, type Transition, chainOf } from "./chain.ts";

export function sharedCrew(machines: readonly number[], crew: number, failureRatio: number): Chain {
  const strides: number[] = [];
  let size = 1;
  for (const count of machines) {
    strides.push(size);
    size *= count + 1;
  }
  const order = shuffled(size);
  const transitions: Transition[] = [];
  for (let state = 0; state < size; state++) {
    const down = machines.map(
      (count, kind) => Math.floor(state / (strides[kind] as number)) % (count + 1),
    );
    const allDown = down.reduce((sum, count) => sum + count, 0);
    for (const [kind, count] of machines.entries()) {
      const [stride, isDown] = [strides[kind] as number, down[kind] as number];
      const to = (other: number, rate: number) =>
        transitions.push({ from: order[state] as number, to: order[other] as number, rate });
      const repairRate = 1 + 0.3 * ((kind * 7) % 5);
      if (isDown < count) to(state + stride, (count - isDown) * (1 + 0.7 * kind) * failureRatio);
      if (isDown > 0) to(state - stride, (repairRate * Math.min(crew, allDown) * isDown) / allDown);
    }
  }
  return chainOf(size, transitions);
}

/** A permutation; 0 (nothing down) and the last state (everything down) stay where they are. */
function shuffled(size: number): Int32Array {
  const order = Int32Array.from({ length: size }, (_, at) => at);
  const random = createPrng(7);
  for (let at = size - 2; at > 1; at--) {
    const other = 1 + random.below(at);
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return order;
}

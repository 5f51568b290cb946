// How long until a chain first gets somewhere: mean time to failure, to data loss, to an outage.
//
// Lead every final state straight back to the start: that chain has a steady state, ends once in
// 1 / (flow into the final states), and spends its time between two ends as it does before the
// first one (the renewal argument; Trivedi 8.5). So mean times come from the same solvers as
// steady states, without a subtraction, and a mean time of 10^12 hours keeps its digits, where
// (-Q)^-1 1 has lost them.

import { NinesError } from "../../base/errors.ts";
import { requireCount } from "../checks.ts";
import { type Chain, type Transition, chainOf, reachable, transposed } from "./chain.ts";
import { steadyState } from "./steady-state.ts";

export interface Absorption {
  /** From the start until the first final state; 0 when the start is one. */
  readonly meanTime: number;
  /** Of it, the time spent in each state of the chain. */
  readonly occupancy: Float64Array;
}

/**
 * The mean time from a state until the first of the final ones. What these lead to does not
 * matter.
 */
export function meanTimeToAbsorption(
  chain: Chain,
  options: { readonly start: number; readonly final: Iterable<number> },
): Absorption {
  const start = requireCount(options.start, "the start state", 0, chain.size - 1);
  const final = new Uint8Array(chain.size);
  for (const state of options.final) {
    final[requireCount(state, "a final state", 0, chain.size - 1)] = 1;
  }
  const occupancy = new Float64Array(chain.size);
  if (final[start] === 1) return { meanTime: 0, occupancy };
  const { states, restarted, endRates } = restart(chain, start, final);
  const { probabilities } = steadyState(restarted);
  let flow = 0;
  for (const [at, rate] of endRates.entries()) flow += rate * (probabilities[at] as number);
  for (const [at, state] of states.entries())
    occupancy[state] = (probabilities[at] as number) / flow;
  return { meanTime: 1 / flow, occupancy };
}

/** The states met before an end, with every end replaced by a return to the start. */
function restart(chain: Chain, start: number, final: Uint8Array) {
  const all: Transition[] = [];
  for (let from = 0; from < chain.size; from++) {
    if (final[from] === 1) continue;
    for (
      let at = chain.rows.start[from] as number;
      at < (chain.rows.start[from + 1] as number);
      at++
    ) {
      all.push({ from, to: chain.rows.column[at] as number, rate: chain.rows.value[at] as number });
    }
  }
  const { states, number } = statesMet(chain, start, final, all);
  const endRates = new Float64Array(states.length);
  const kept: Transition[] = [];
  for (const { from, to, rate } of all) {
    const origin = number[from] as number;
    if (origin === -1) continue;
    const ends = final[to] === 1;
    if (ends) endRates[origin] = (endRates[origin] as number) + rate;
    const target = ends ? (number[start] as number) : (number[to] as number);
    if (target !== origin) kept.push({ from: origin, to: target, rate });
  }
  const nameOf = (at: number) => chain.nameOf(states[at] as number);
  return { states, restarted: chainOf(states.length, kept, nameOf), endRates };
}

function statesMet(chain: Chain, start: number, final: Uint8Array, all: readonly Transition[]) {
  const { size, nameOf } = chain;
  const { rows } = chainOf(size, all);
  const met = reachable(size, rows, [start]);
  const ends = [...final.keys()].filter((state) => final[state] === 1);
  const ending = reachable(size, transposed(size, rows), ends);
  const states = [...met.keys()].filter((state) => met[state] === 1 && final[state] === 0);
  const stuck = states.find((state) => ending[state] === 0);
  if (stuck !== undefined) {
    const why = `from ${nameOf(start)} the chain can come to ${nameOf(stuck)}, and from there to no final state`;
    throw new NinesError("NINES_MODEL_NEVER_ENDS", why);
  }
  const number = new Int32Array(size).fill(-1);
  for (const [at, state] of states.entries()) number[state] = at;
  return { states, number };
}

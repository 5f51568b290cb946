// One life of a chain, drawn at random: the time it spends in each state until an end.
//
// For what the exact solvers do not answer (the spread of a year's downtime, the worst of a
// thousand years), and as their brute-force twin in the tests. Gillespie's direct method: the
// time in a state is exponential with its exit rate, the next state in proportion to the rates.

import type { Random } from "../../base/prng.ts";
import { requireCount, requirePositive, requireSize } from "../checks.ts";
import type { Chain } from "../markov/chain.ts";

export interface Life {
  readonly time: number;
  /** Time spent in each state. */
  readonly occupancy: Float64Array;
  /** The state at the end. */
  readonly state: number;
}

const movesMax = 100_000_000;

/** Until `time` is over or a state for which `until` holds is entered. */
export function liveThrough(
  chain: Chain,
  random: Random,
  options: {
    readonly start: number;
    readonly time: number;
    readonly until?: (state: number) => boolean;
  },
): Life {
  let state = requireCount(options.start, "the start state", 0, chain.size - 1);
  const end = requirePositive(options.time, "the time");
  const occupancy = new Float64Array(chain.size);
  let now = 0;
  for (let moves = 0; options.until?.(state) !== true; moves++) {
    requireSize(moves, movesMax, "the moves of one life");
    const rate = chain.exitRate[state] as number;
    const stay = rate === 0 ? Infinity : -Math.log1p(-random.ratio()) / rate;
    const spent = Math.min(stay, end - now);
    occupancy[state] = (occupancy[state] as number) + spent;
    now += spent;
    if (spent < stay) break;
    state = nextState(chain, state, random.ratio() * rate);
  }
  return { time: now, occupancy, state };
}

function nextState({ rows }: Chain, state: number, drawn: number): number {
  const last = (rows.start[state + 1] as number) - 1;
  let rest = drawn;
  for (let at = rows.start[state] as number; at < last; at++) {
    rest -= rows.value[at] as number;
    if (rest < 0) return rows.column[at] as number;
  }
  return rows.column[last] as number;
}

// A chain seen from outside: how much of the time it is down, how often it goes down, and for how
// long.
//
// This is what a model above needs of a model below (hierarchical composition, as in SHARPE): a
// part with these two rates has exactly the chain's unavailability and frequency of failures, and
// only the shapes of its up and down times are simplified to exponential ones. A tree above is
// therefore exact when the parts are independent; a chain above is an approximation.

import { NinesError } from "../../base/errors.ts";
import type { Chain } from "./chain.ts";
import { type SteadyState, steadyState } from "./steady-state.ts";

export interface UpAndDown {
  readonly unavailability: number;
  /** How often the chain goes down, per unit of time. */
  readonly failureFrequency: number;
  readonly meanUpTime: number;
  readonly meanDownTime: number;
  /** 1 / meanUpTime and 1 / meanDownTime: the rates of an equivalent part. */
  readonly failureRate: number;
  readonly repairRate: number;
}

/** In the long run; `isUp` says which states count as up. */
export function upAndDown(
  chain: Chain,
  isUp: (state: number) => boolean,
  solved: SteadyState = steadyState(chain),
): UpAndDown {
  let [up, down, frequency] = [0, 0, 0];
  for (let state = 0; state < chain.size; state++) {
    const probability = solved.probabilities[state] as number;
    if (!isUp(state)) {
      down += probability;
      continue;
    }
    up += probability;
    const last = chain.rows.start[state + 1] as number;
    for (let at = chain.rows.start[state] as number; at < last; at++) {
      if (isUp(chain.rows.column[at] as number)) continue;
      frequency += probability * (chain.rows.value[at] as number);
    }
  }
  if (up === 0 || down === 0) {
    const all = up === 0 ? "down" : "up";
    throw new NinesError(
      "NINES_MODEL_INPUT",
      `every state counts as ${all}: the model says nothing`,
    );
  }
  return {
    unavailability: down / (up + down),
    failureFrequency: frequency,
    meanUpTime: up / frequency,
    meanDownTime: down / frequency,
    failureRate: frequency / up,
    repairRate: frequency / down,
  };
}

// The long-run probability of each state of a chain.
//
// Small chains are solved by elimination, exact to the last digits; large ones by iteration on
// several levels, with the remaining imbalance measured. A chain must lead back from every state
// to every other: where it does not, some state is left for ever, and what a steady state would
// say (0 % or 100 % up) depends on the end and not on the service. The message names the state.

import { NinesError } from "../../base/errors.ts";
import { requireInside } from "../checks.ts";
import { type Chain, reachable, transposed } from "./chain.ts";
import { eliminate } from "./gth.ts";
import { iterate } from "./multilevel.ts";

/** Elimination takes 8 n^2 bytes and up to n^3 / 3 steps: 32 MB and seconds. */
const directStatesMax = 2_000;
const cyclesMax = 500;

export interface SteadyState {
  /** By state; they sum to 1. */
  readonly probabilities: Float64Array;
  readonly method: "elimination" | "multilevel";
  /** The largest |inflow - outflow| of any state: the residual of pi Q = 0. */
  readonly residual: number;
  /** The largest |inflow - outflow| / outflow, which says how exact unlikely states are. */
  readonly imbalance: number;
}

export function steadyState(
  chain: Chain,
  options: {
    /** The default is elimination up to 2,000 states. */
    readonly method?: SteadyState["method"];
    /** The relative imbalance at which an iteration is done; 1e-12 by default. */
    readonly tolerance?: number;
  } = {},
): SteadyState {
  const tolerance = requireInside(options.tolerance ?? 1e-12, "the tolerance");
  requireRecovery(chain);
  const byDefault = chain.size <= directStatesMax ? "elimination" : "multilevel";
  const method = options.method ?? byDefault;
  const weights =
    method === "elimination" ? eliminate(chain) : iterate(chain, tolerance, cyclesMax).weights;
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const probabilities = weights.map((weight) => weight / sum);
  return { probabilities, method, ...imbalances(chain, probabilities) };
}

function requireRecovery(chain: Chain): void {
  const { size, rows, nameOf } = chain;
  const forth = reachable(size, rows, [0]);
  const back = reachable(size, transposed(size, rows), [0]);
  const lost = back.indexOf(0);
  const never = forth.indexOf(0);
  if (lost !== -1) {
    throw new NinesError(
      "NINES_MODEL_NEVER_RECOVERS",
      `from ${nameOf(lost)} the chain never comes back to ${nameOf(0)}`,
    );
  }
  if (never !== -1) {
    throw new NinesError(
      "NINES_MODEL_NEVER_RECOVERS",
      `from ${nameOf(0)} the chain never comes to ${nameOf(never)}`,
    );
  }
}

function imbalances(chain: Chain, probabilities: Float64Array) {
  const incoming = transposed(chain.size, chain.rows);
  let residual = 0;
  let imbalance = 0;
  for (let state = 0; state < chain.size; state++) {
    let inflow = 0;
    const last = incoming.start[state + 1] as number;
    for (let at = incoming.start[state] as number; at < last; at++) {
      inflow +=
        (probabilities[incoming.column[at] as number] as number) * (incoming.value[at] as number);
    }
    const outflow = (probabilities[state] as number) * (chain.exitRate[state] as number);
    if (outflow === 0) continue; // a chain of one state, or a probability below 1e-308
    residual = Math.max(residual, Math.abs(inflow - outflow));
    imbalance = Math.max(imbalance, Math.abs(inflow - outflow) / outflow);
  }
  return { residual, imbalance };
}

// The steady state by elimination without a subtraction.
//
// Grassmann, Taksar and Heyman 1985: states are taken out one by one, and whoever led to one now
// leads to where it led; what remains is the same chain watched only while in the states that are
// left. The diagonal is the sum of the others, so nothing is ever subtracted and each probability
// is exact to about n x 1e-16 *relative*, however far apart the rates: 1e-12 beside 1 keeps its
// digits (O'Cinneide 1993). n^3 / 3 steps at worst; 8 n^2 bytes.

import type { Chain } from "./chain.ts";

/** Probabilities up to a factor, the largest of them 1. The chain is irreducible. */
export function eliminate(chain: Chain): Float64Array {
  const size = chain.size;
  const rates = dense(chain);
  const leaving = new Float64Array(size);
  for (let out = size - 1; out > 0; out--) {
    leaving[out] = eliminateState(rates, size, out);
  }
  const weights = new Float64Array(size);
  weights[0] = 1;
  let largest = 1;
  for (let state = 1; state < size; state++) {
    let inflow = 0;
    for (let from = 0; from < state; from++) {
      inflow += (weights[from] as number) * (rates[from * size + state] as number);
    }
    weights[state] = inflow / (leaving[state] as number);
    // A weight may outgrow a double on the way to states that are far likelier: scale as it goes.
    if ((weights[state] as number) > 1e200) {
      for (let done = 0; done <= state; done++) weights[done] = (weights[done] as number) * 1e-200;
    }
    largest = Math.max(largest, weights[state] as number);
  }
  return weights;
}

/** Joins whoever leads to a state with where it leads; the rate at which it is left. */
function eliminateState(rates: Float64Array, size: number, out: number): number {
  const row = rates.subarray(out * size, out * size + out);
  let leaving = 0;
  for (const rate of row) leaving += rate;
  for (let from = 0; from < out; from++) {
    const into = rates[from * size + out] as number;
    if (into === 0) continue;
    const share = into / leaving;
    const base = from * size; // its own column gathers what comes back, and is never read
    for (let to = 0; to < out; to++) {
      rates[base + to] = (rates[base + to] as number) + share * (row[to] as number);
    }
  }
  return leaving;
}

function dense({ size, rows }: Chain): Float64Array {
  const rates = new Float64Array(size * size);
  for (let from = 0; from < size; from++) {
    const last = rows.start[from + 1] as number;
    for (let at = rows.start[from] as number; at < last; at++) {
      rates[from * size + (rows.column[at] as number)] = rows.value[at] as number;
    }
  }
  return rates;
}

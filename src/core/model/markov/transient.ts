// Where a chain is after a time, and how long it has been in each state on the way.
//
// Uniformisation (Jensen 1953): let every state be left at the same rate, some of the moves
// leading nowhere; the number of moves is then Poisson and what they do is a matrix power, so the
// answer is a sum of positive terms. The Poisson weights start at their largest and are
// normalised by their sum, so neither e^-m nor m^k / k! is ever formed (the idea of Fox and Glynn
// 1988). The number of terms is about rate x time: a chain that repairs in seconds and is asked
// about a year needs 10^7 of them. Small stiff chains therefore go by squaring: a short time by
// uniformisation, then e^(2Qt) = (e^(Qt))^2, matrices of probabilities that stay positive. Both
// error terms are below 1e-10.

import { NinesError } from "../../base/errors.ts";
import { requireCount, requireNotNegative } from "../checks.ts";
import type { Chain } from "./chain.ts";

export interface Transient {
  /** Of each state at the end of the time. */
  readonly probabilities: Float64Array;
  /** The expected time spent in each state until then; they sum to the time. */
  readonly occupancy: Float64Array;
}

/** Multiplications that uniformisation may take: seconds. */
const workMax = 2e9;
/** Squaring takes n^3 a step, so it is for small chains, and for them from here on. */
const squaringStatesMax = 200;
const smallWorkMax = 2e6;
const truncation = 1e-14;

/** From the start state, after `time`. */
export function transient(
  chain: Chain,
  options: { readonly start: number; readonly time: number },
): Transient {
  const start = requireCount(options.start, "the start state", 0, chain.size - 1);
  const time = requireNotNegative(options.time, "the time");
  // A little above the fastest exit, so that every state has some moves that lead nowhere.
  const uniformRate = 1.02 * chain.exitRate.reduce((most, rate) => Math.max(most, rate), 0);
  const moves = uniformRate * time;
  const work = moves * (chain.rows.column.length + chain.size);
  const small = chain.size <= squaringStatesMax;
  if (work <= (small ? smallWorkMax : workMax)) {
    return uniformise(chain, unit(chain.size, start), time, uniformRate);
  }
  if (small) return bySquaring(chain, start, time, uniformRate);
  throw new NinesError(
    "NINES_MODEL_TOO_LARGE",
    `the chain of ${chain.size} states makes about ${moves.toExponential(1)} moves in the time; ask for its steady state, or lump it to ${squaringStatesMax} states`,
  );
}

function unit(size: number, at: number): Float64Array {
  const vector = new Float64Array(size);
  vector[at] = 1;
  return vector;
}

function uniformise(chain: Chain, start: Float64Array, time: number, rate: number): Transient {
  const { first, weights } = poissonWeights(rate * time);
  const probabilities = new Float64Array(chain.size);
  const occupancy = new Float64Array(chain.size);
  let current = start;
  // Weight that is still to come: the state after k moves lasts until the next, if there is one.
  let remaining = 1;
  for (let moves = 0; moves < first + weights.length; moves++) {
    const weight = moves < first ? 0 : (weights[moves - first] as number);
    remaining = Math.max(0, remaining - weight);
    const lasting = rate === 0 ? time : remaining / rate;
    for (let state = 0; state < chain.size; state++) {
      const here = current[state] as number;
      probabilities[state] = (probabilities[state] as number) + weight * here;
      occupancy[state] = (occupancy[state] as number) + lasting * here;
    }
    current = move(chain, current, rate);
  }
  return { probabilities, occupancy };
}

/** One move of the uniformised chain. */
function move({ size, rows, exitRate }: Chain, from: Float64Array, rate: number): Float64Array {
  const to = new Float64Array(size);
  for (let state = 0; state < size; state++) {
    const here = from[state] as number;
    if (here === 0) continue;
    to[state] =
      (to[state] as number) + here * (1 - (rate === 0 ? 0 : (exitRate[state] as number) / rate));
    const last = rows.start[state + 1] as number;
    for (let at = rows.start[state] as number; at < last; at++) {
      const target = rows.column[at] as number;
      to[target] = (to[target] as number) + (here * (rows.value[at] as number)) / rate;
    }
  }
  return to;
}

/** The Poisson probabilities with this mean that matter, from the count `first` upwards. */
export function poissonWeights(mean: number): {
  readonly first: number;
  readonly weights: Float64Array;
} {
  const mode = Math.floor(mean);
  const below: number[] = [];
  for (let count = mode, weight = 1; count > 0; count--) {
    weight *= count / mean;
    if (weight < truncation) break;
    below.push(weight);
  }
  const above: number[] = [1];
  for (let count = mode + 1, weight = 1; ; count++) {
    weight *= mean / count;
    if (weight < truncation) break;
    above.push(weight);
  }
  const weights = Float64Array.from([...below.reverse(), ...above]);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { first: mode - below.length, weights: weights.map((weight) => weight / sum) };
}

function bySquaring(chain: Chain, start: number, time: number, rate: number): Transient {
  const size = chain.size;
  const doublings = Math.max(0, Math.ceil(Math.log2(rate * time)));
  const short = time / 2 ** doublings;
  let after = new Float64Array(size * size);
  let during = new Float64Array(size * size);
  for (let state = 0; state < size; state++) {
    const { probabilities, occupancy } = uniformise(chain, unit(size, state), short, rate);
    after.set(probabilities, state * size);
    during.set(occupancy, state * size);
  }
  for (let step = 0; step < doublings; step++) {
    const later = multiply(after, during, size);
    during = during.map((spent, at) => spent + (later[at] as number));
    after = multiply(after, after, size);
    // Squaring doubles any error of a row's sum, and the sums are known.
    scaleRows(after, size, 1);
    scaleRows(during, size, short * 2 ** (step + 1));
  }
  return {
    probabilities: after.slice(start * size, (start + 1) * size),
    occupancy: during.slice(start * size, (start + 1) * size),
  };
}

function scaleRows(matrix: Float64Array, size: number, sum: number): void {
  for (let row = 0; row < size; row++) {
    const values = matrix.subarray(row * size, (row + 1) * size);
    const factor = sum / values.reduce((total, value) => total + value, 0);
    for (let column = 0; column < size; column++) {
      values[column] = (values[column] as number) * factor;
    }
  }
}

function multiply(a: Float64Array, b: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const product = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let inner = 0; inner < size; inner++) {
      const factor = a[row * size + inner] as number;
      if (factor === 0) continue;
      for (let column = 0; column < size; column++) {
        const at = row * size + column;
        product[at] = (product[at] as number) + factor * (b[inner * size + column] as number);
      }
    }
  }
  return product;
}

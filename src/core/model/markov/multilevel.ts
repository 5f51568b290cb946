// The steady state of large chains by Gauss-Seidel sweeps on several levels.
//
// A sweep sets each state's probability to what its neighbours say it must be. It mends quickly
// what is wrong between neighbours and hardly at all what is wrong between far ends, and a repair
// crew that is a thousand times faster than the failures makes ends very far. So states are
// joined in pairs that flow most into each other, twice, and the same is done on the chain of
// groups, whose rates are the members' weighted by the present estimate, down to a chain small
// enough to be solved by elimination; its answer rescales the groups. Horton and Leutenegger
// 1994; a chain of groups is a chain again, and nothing is subtracted on the way, so unlikely
// states keep their relative digits.
//
// It is not proven to converge for every chain, so the result is measured and not trusted: the
// largest relative imbalance |inflow - outflow| / outflow of any state, or
// NINES_MODEL_NOT_CONVERGED. Rejected: plain Gauss-Seidel and SOR (thousands of sweeps on stiff
// chains, and SOR needs its factor guessed), Krylov methods (signs, so no relative digits).

import { NinesError } from "../../base/errors.ts";
import { type Chain, type Rows, rowSums, transposed } from "./chain.ts";
import { eliminate } from "./gth.ts";

const coarsest = 250;
const sweepsPerVisit = 3;
/** Two rounds of pairing a level. */
const pairingRounds = 2;

interface Level {
  readonly size: number;
  readonly rows: Rows;
  readonly incoming: Rows;
  readonly exitRate: Float64Array;
  readonly weights: Float64Array;
  /** The group of each state; undefined on the coarsest level. */
  readonly group: Int32Array | undefined;
  readonly groups: number;
}

export interface Iterated {
  readonly weights: Float64Array;
  readonly cycles: number;
  readonly imbalance: number;
}

/** Weights of an irreducible chain, balanced in each state to `tolerance`, relative. */
export function iterate(chain: Chain, tolerance: number, cyclesMax: number): Iterated {
  const finest = levelOf(chain.size, chain.rows, new Float64Array(chain.size).fill(1 / chain.size));
  let imbalance = Infinity;
  for (let cycle = 1; cycle <= cyclesMax; cycle++) {
    visit(finest);
    imbalance = imbalanceOf(finest);
    if (imbalance <= tolerance) return { weights: finest.weights, cycles: cycle, imbalance };
  }
  throw new NinesError(
    "NINES_MODEL_NOT_CONVERGED",
    `after ${cyclesMax} cycles a state's inflow and outflow still differ by ${imbalance.toExponential(1)} of it, and ${tolerance} was asked for`,
  );
}

function levelOf(size: number, rows: Rows, weights: Float64Array): Level {
  const shape = {
    size,
    rows,
    incoming: transposed(size, rows),
    exitRate: rowSums(size, rows),
    weights,
  };
  if (size <= coarsest) return { ...shape, group: undefined, groups: 0 };
  const { group, groups } = pairUp(shape);
  return { ...shape, group, groups };
}

function visit(level: Level): void {
  if (level.group === undefined) {
    const chain = { size: level.size, rows: level.rows, exitRate: level.exitRate, nameOf: String };
    rescale(level.weights, eliminate(chain));
    return;
  }
  for (let round = 0; round < sweepsPerVisit; round++) sweep(level, round % 2 === 0);
  const grouped = sumByGroup(level.weights, level.group, level.groups);
  const below = levelOf(level.groups, groupRows(level, level.group, grouped), grouped.slice());
  visit(below);
  for (let state = 0; state < level.size; state++) {
    const group = level.group[state] as number;
    const factor = (below.weights[group] as number) / (grouped[group] as number);
    level.weights[state] = (level.weights[state] as number) * factor;
  }
  for (let round = 0; round < sweepsPerVisit; round++) sweep(level, round % 2 === 1);
  normalise(level.weights);
}

/** Each state's probability from its neighbours', in one direction through the states. */
function sweep({ size, incoming, exitRate, weights }: Level, forward: boolean): void {
  for (let step = 0; step < size; step++) {
    const state = forward ? step : size - 1 - step;
    let inflow = 0;
    const last = incoming.start[state + 1] as number;
    for (let at = incoming.start[state] as number; at < last; at++) {
      inflow += (weights[incoming.column[at] as number] as number) * (incoming.value[at] as number);
    }
    weights[state] = inflow / (exitRate[state] as number);
  }
}

function imbalanceOf({ size, incoming, exitRate, weights }: Level): number {
  let largest = 0;
  for (let state = 0; state < size; state++) {
    let inflow = 0;
    const last = incoming.start[state + 1] as number;
    for (let at = incoming.start[state] as number; at < last; at++) {
      inflow += (weights[incoming.column[at] as number] as number) * (incoming.value[at] as number);
    }
    const outflow = (weights[state] as number) * (exitRate[state] as number);
    largest = Math.max(largest, Math.abs(inflow - outflow) / outflow);
  }
  return largest;
}

/** Groups of up to 2^rounds states, each joined with the free neighbour it flows into most. */
function pairUp(level: Omit<Level, "group" | "groups">): { group: Int32Array; groups: number } {
  let group = Int32Array.from({ length: level.size }, (_, state) => state);
  let groups = level.size;
  let { rows } = level;
  for (let round = 0; round < pairingRounds; round++) {
    const pairs = pair(groups, rows);
    group = group.map((before) => pairs.group[before] as number);
    groups = pairs.groups;
    if (round + 1 < pairingRounds) {
      const even = new Float64Array(level.size).fill(1);
      const counted = sumByGroup(even, group, groups);
      rows = groupRows({ ...level, weights: even }, group, counted);
    }
  }
  return { group, groups };
}

/** Pairs by the rate at which one turns into the other and back, relative to leaving at all. */
function pair(size: number, rows: Rows): { group: Int32Array; groups: number } {
  const incoming = transposed(size, rows);
  const group = new Int32Array(size).fill(-1);
  const strength = new Float64Array(size);
  let groups = 0;
  for (let state = 0; state < size; state++) {
    if (group[state] !== -1) continue;
    let best = -1;
    for (const { start, column, value } of [rows, incoming]) {
      const last = start[state + 1] as number;
      for (let at = start[state] as number; at < last; at++) {
        const other = column[at] as number;
        if (group[other] !== -1 || other === state) continue;
        strength[other] = (strength[other] as number) + (value[at] as number);
        if (best === -1 || (strength[other] as number) > (strength[best] as number)) best = other;
      }
    }
    for (const { start, column } of [rows, incoming]) {
      const last = start[state + 1] as number;
      for (let at = start[state] as number; at < last; at++) strength[column[at] as number] = 0;
    }
    group[state] = groups;
    if (best !== -1) group[best] = groups;
    groups++;
  }
  return { group, groups };
}

function sumByGroup(values: Float64Array, group: Int32Array, groups: number): Float64Array {
  const sums = new Float64Array(groups);
  for (let state = 0; state < values.length; state++) {
    const at = group[state] as number;
    sums[at] = (sums[at] as number) + (values[state] as number);
  }
  return sums;
}

/**
 * The rates between groups: the members' rates, weighted by how likely each member is in its
 * group.
 */
function groupRows(
  { size, rows, weights }: Pick<Level, "size" | "rows" | "weights">,
  group: Int32Array,
  grouped: Float64Array,
): Rows {
  const groups = grouped.length;
  const members = membersOf(size, group, groups);
  const start = new Int32Array(groups + 1);
  const column = new Int32Array(rows.column.length);
  const value = new Float64Array(rows.column.length);
  const place = new Int32Array(groups).fill(-1);
  let kept = 0;
  for (let from = 0; from < groups; from++) {
    const begin = kept;
    for (let m = members.start[from] as number; m < (members.start[from + 1] as number); m++) {
      const state = members.column[m] as number;
      const share = (weights[state] as number) / (grouped[from] as number);
      const last = rows.start[state + 1] as number;
      for (let at = rows.start[state] as number; at < last; at++) {
        const to = group[rows.column[at] as number] as number;
        if (to === from) continue;
        const flow = share * (rows.value[at] as number);
        const known = place[to] as number;
        if (known >= begin) value[known] = (value[known] as number) + flow;
        else {
          place[to] = kept;
          column[kept] = to;
          value[kept++] = flow;
        }
      }
    }
    start[from + 1] = kept;
  }
  return { start, column: column.slice(0, kept), value: value.slice(0, kept) };
}

function membersOf(
  size: number,
  group: Int32Array,
  groups: number,
): Pick<Rows, "start" | "column"> {
  const start = new Int32Array(groups + 1);
  for (const at of group) start[at + 1] = (start[at + 1] as number) + 1;
  for (let at = 0; at < groups; at++)
    start[at + 1] = (start[at + 1] as number) + (start[at] as number);
  const end = start.slice();
  const column = new Int32Array(size);
  for (let state = 0; state < size; state++) {
    const to = group[state] as number;
    column[end[to] as number] = state;
    end[to] = (end[to] as number) + 1;
  }
  return { start, column };
}

/** Replaces weights by others, keeping their sum: groups above are scaled against it. */
function rescale(weights: Float64Array, others: Float64Array): void {
  weights.set(others);
  normalise(weights);
}

function normalise(weights: Float64Array): void {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  for (let state = 0; state < weights.length; state++) {
    weights[state] = (weights[state] as number) / sum;
  }
}

// A continuous-time Markov chain: states, and the rates at which one turns into another.
//
// Sparse, by row, in typed arrays: 100,000 states with 15 transitions each are 20 MB. Built from
// a list of transitions, or explored from a first state by a function that gives each state's
// transitions, so that the model is a rule and not a table. Rates must be positive: a rate of
// zero is a transition that is not there, and is said so.

import { NinesError } from "../../base/errors.ts";
import { requireCount, requireRate, requireSize } from "../checks.ts";

export interface Transition {
  readonly from: number;
  readonly to: number;
  readonly rate: number;
}

/** Rows of a sparse matrix: the entries of row i are those from start[i] to before start[i + 1]. */
export interface Rows {
  readonly start: Int32Array;
  readonly column: Int32Array;
  readonly value: Float64Array;
}

export interface Chain {
  readonly size: number;
  /** What each state can turn into; no state twice, and never itself. */
  readonly rows: Rows;
  /** The rate at which each state is left. */
  readonly exitRate: Float64Array;
  /** For messages. */
  readonly nameOf: (state: number) => string;
}

const statesMax = 2_000_000;
const transitionsMax = 40_000_000;

/** A chain of states 0 to size - 1. Transitions between the same two states add up. */
export function chainOf(
  size: number,
  transitions: Iterable<Transition>,
  nameOf: (state: number) => string = (state) => `state ${state}`,
): Chain {
  requireCount(size, "the number of states", 1);
  requireSize(size, statesMax, "the number of states");
  const list = [...transitions];
  requireSize(list.length, transitionsMax, "the number of transitions");
  for (const { from, to, rate } of list) {
    requireCount(from, "a transition's origin", 0, size - 1);
    requireCount(to, "a transition's target", 0, size - 1);
    const what = `the rate from ${nameOf(from)} to ${nameOf(to)}`;
    requireRate(rate, what);
    if (from === to) throw new NinesError("NINES_MODEL_INPUT", `${what} leads nowhere`);
  }
  const rows = rowsOf(size, list);
  return { size, rows, exitRate: rowSums(size, rows), nameOf };
}

/** A chain between named states, in the order in which they are first met. */
export function chainOfNames(
  transitions: Iterable<{ readonly from: string; readonly to: string; readonly rate: number }>,
): { readonly chain: Chain; readonly states: readonly string[] } {
  const numbers = new Map<string, number>();
  const number = (name: string) => {
    const known = numbers.get(name) ?? numbers.size;
    numbers.set(name, known);
    return known;
  };
  const list = Array.from(transitions, ({ from, to, rate }) => ({
    from: number(from),
    to: number(to),
    rate,
  }));
  const states = [...numbers.keys()];
  return { chain: chainOf(states.length, list, (state) => states[state] ?? ""), states };
}

/** The chain of all states that can be reached from the first, which is state 0. */
export function exploreChain<State>(options: {
  readonly first: State;
  /** Equal for equal states. */
  readonly key: (state: State) => string;
  readonly next: (state: State) => Iterable<{ readonly to: State; readonly rate: number }>;
  /** A larger model ends with NINES_MODEL_TOO_LARGE. */
  readonly statesMax?: number;
}): { readonly chain: Chain; readonly states: readonly State[] } {
  const max = requireCount(options.statesMax ?? 500_000, "statesMax", 1, statesMax);
  const states: State[] = [options.first];
  const numbers = new Map([[options.key(options.first), 0]]);
  const transitions: Transition[] = [];
  for (let from = 0; from < states.length; from++) {
    for (const { to: state, rate } of options.next(states[from] as State)) {
      const key = options.key(state);
      let to = numbers.get(key);
      if (to === undefined) {
        to = states.length;
        requireSize(to + 1, max, "the number of states");
        numbers.set(key, to);
        states.push(state);
      }
      transitions.push({ from, to, rate });
    }
  }
  const nameOf = (state: number) => options.key(states[state] as State);
  return { chain: chainOf(states.length, transitions, nameOf), states };
}

/** Rows from entries in any order; entries of the same place add up. */
export function rowsOf(size: number, entries: readonly Transition[]): Rows {
  const start = new Int32Array(size + 1);
  for (const { from } of entries) start[from + 1] = (start[from + 1] as number) + 1;
  for (let row = 0; row < size; row++) {
    start[row + 1] = (start[row + 1] as number) + (start[row] as number);
  }
  const column = new Int32Array(entries.length);
  const value = new Float64Array(entries.length);
  const end = start.slice();
  for (const { from, to, rate } of entries) {
    const at = end[from] as number;
    end[from] = at + 1;
    column[at] = to;
    value[at] = rate;
  }
  return merged(size, { start, column, value });
}

/** The same rows with entries of the same column added up. */
function merged(size: number, rows: Rows): Rows {
  const start = new Int32Array(size + 1);
  const { column, value } = rows;
  const place = new Int32Array(size).fill(-1);
  let kept = 0;
  for (let row = 0; row < size; row++) {
    const begin = kept;
    const end = rows.start[row + 1] as number;
    for (let at = rows.start[row] as number; at < end; at++) {
      const target = column[at] as number;
      const known = place[target] as number;
      if (known >= begin) value[known] = (value[known] as number) + (value[at] as number);
      else {
        place[target] = kept;
        column[kept] = target;
        value[kept] = value[at] as number;
        kept++;
      }
    }
    start[row + 1] = kept;
  }
  return { start, column: column.slice(0, kept), value: value.slice(0, kept) };
}

/** Columns as rows: who leads to a state, and at what rate. */
export function transposed(size: number, rows: Rows): Rows {
  const start = new Int32Array(size + 1);
  for (const target of rows.column) start[target + 1] = (start[target + 1] as number) + 1;
  for (let row = 0; row < size; row++) {
    start[row + 1] = (start[row + 1] as number) + (start[row] as number);
  }
  const end = start.slice();
  const column = new Int32Array(rows.column.length);
  const value = new Float64Array(rows.column.length);
  for (let row = 0; row < size; row++) {
    const last = rows.start[row + 1] as number;
    for (let at = rows.start[row] as number; at < last; at++) {
      const target = rows.column[at] as number;
      const to = end[target] as number;
      end[target] = to + 1;
      column[to] = row;
      value[to] = rows.value[at] as number;
    }
  }
  return { start, column, value };
}

export function rowSums(size: number, rows: Rows): Float64Array {
  const sums = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    let sum = 0;
    for (let at = rows.start[row] as number; at < (rows.start[row + 1] as number); at++) {
      sum += rows.value[at] as number;
    }
    sums[row] = sum;
  }
  return sums;
}

/** The states that can be reached, as 1 in an array, from the given ones. */
export function reachable(size: number, rows: Rows, from: Iterable<number>): Uint8Array {
  const found = new Uint8Array(size);
  const open: number[] = [];
  for (const state of from) {
    found[state] = 1;
    open.push(state);
  }
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const last = rows.start[state + 1] as number;
    for (let at = rows.start[state] as number; at < last; at++) {
      const target = rows.column[at] as number;
      if (found[target] === 1) continue;
      found[target] = 1;
      open.push(target);
    }
  }
  return found;
}

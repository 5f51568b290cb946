// Binary decision diagrams: a yes-or-no function of many events, each path through which is
// disjoint from every other, so that its probability is a sum and no inclusion-exclusion is
// needed.
//
// Bryant 1986: nodes (variable, low, high), ordered by variable, each made once. A node is a
// number, and its children are smaller numbers, so every question is one loop upwards and never a
// recursion. Also kept here are families of sets in the same nodes, zero-suppressed (Minato
// 1993): there a path is a set of the events at which it turns high. Rejected: complement edges,
// which halve the nodes and double what has to be thought of. Bounded: 2^20 nodes, then
// NINES_MODEL_TOO_LARGE.

import { requireSize } from "../checks.ts";

/** A node; equal functions are equal numbers. */
export type Diagram = number;
export const FALSE: Diagram = 0;
export const TRUE: Diagram = 1;

const nodeBits = 20;
const nodesMax = 2 ** nodeBits;
const leafVariable = 2 ** 12 - 1;

type Operation = 0 | 1 | 2 | 3;
const AND: Operation = 0;
const OR: Operation = 1;
const XOR: Operation = 2;
const WITHOUT: Operation = 3;

export class Diagrams {
  readonly #variable: number[] = [leafVariable, leafVariable];
  readonly #low: number[] = [FALSE, TRUE];
  readonly #high: number[] = [FALSE, TRUE];
  readonly #unique = new Map<number, Diagram>();
  readonly #results = new Map<number, Diagram>();
  readonly #minimal = new Map<Diagram, Diagram>();

  /** The function that is true when this variable is. */
  variable(variable: number): Diagram {
    return this.#node(variable, FALSE, TRUE);
  }

  and(a: Diagram, b: Diagram): Diagram {
    return this.#apply(AND, a, b);
  }

  or(a: Diagram, b: Diagram): Diagram {
    return this.#apply(OR, a, b);
  }

  not(a: Diagram): Diagram {
    return this.#apply(XOR, a, TRUE);
  }

  /** How many nodes there are, of all functions. */
  get size(): number {
    return this.#variable.length;
  }

  /** The probability that the function is true, when the variables are independent. */
  probability(top: Diagram, probabilities: ArrayLike<number>): number {
    return this.#values(top, probabilities)[top] as number;
  }

  /** The derivative of the probability by each variable's: P(given true) - P(given false). */
  sensitivities(top: Diagram, probabilities: ArrayLike<number>): Float64Array {
    const values = this.#values(top, probabilities);
    const sensitivities = new Float64Array(probabilities.length);
    const reached = new Float64Array(top + 1);
    reached[top] = 1;
    for (let node = top; node > TRUE; node--) {
      const weight = reached[node] as number;
      if (weight === 0) continue;
      const { variable, low, high } = this.#parts(node);
      const q = probabilities[variable] as number;
      reached[low] = (reached[low] as number) + weight * (1 - q);
      reached[high] = (reached[high] as number) + weight * q;
      const change = (values[high] as number) - (values[low] as number);
      sensitivities[variable] = (sensitivities[variable] as number) + weight * change;
    }
    return sensitivities;
  }

  /** The minimal sets of variables that make a function without `not` true (Rauzy 1993). */
  minimalSets(top: Diagram): Diagram {
    if (top <= TRUE) return top;
    const known = this.#minimal.get(top);
    if (known !== undefined) return known;
    const { variable, low, high } = this.#parts(top);
    const withoutIt = this.minimalSets(low);
    // A set with the variable is minimal unless the function is true without it as well.
    const withIt = this.#apply(WITHOUT, this.minimalSets(high), withoutIt);
    const sets = withIt === FALSE ? withoutIt : this.#node(variable, withoutIt, withIt);
    this.#minimal.set(top, sets);
    return sets;
  }

  /** Folds a family of sets: `none` for no set, `empty` for the empty one, `join` at each event. */
  foldSets<T>(
    family: Diagram,
    none: T,
    empty: T,
    join: (v: number, without: T, withIt: T) => T,
  ): T {
    const folded: T[] = [none, empty];
    for (const node of this.#below(family)) {
      const { variable, low, high } = this.#parts(node);
      folded[node] = join(variable, folded[low] as T, folded[high] as T);
    }
    return folded[family] as T;
  }

  /** The sets of a family one by one, smaller variables first. */
  *sets(family: Diagram, begun: readonly number[] = []): Generator<readonly number[]> {
    if (family === TRUE) yield begun;
    if (family <= TRUE) return;
    const { variable, low, high } = this.#parts(family);
    yield* this.sets(high, [...begun, variable]);
    yield* this.sets(low, begun);
  }

  #values(top: Diagram, probabilities: ArrayLike<number>): Float64Array {
    const values = new Float64Array(top + 2);
    values[TRUE] = 1;
    for (const node of this.#below(top)) {
      const { variable, low, high } = this.#parts(node);
      const q = probabilities[variable] as number;
      values[node] = q * (values[high] as number) + (1 - q) * (values[low] as number);
    }
    return values;
  }

  /** The inner nodes that a node can lead to, itself included, children first. */
  #below(top: Diagram): readonly Diagram[] {
    const found = new Uint8Array(top + 1);
    found[top] = 1;
    const nodes: Diagram[] = [];
    for (let node = top; node > TRUE; node--) {
      if (found[node] === 0) continue;
      nodes.push(node);
      const { low, high } = this.#parts(node);
      found[low] = 1;
      found[high] = 1;
    }
    return nodes.reverse();
  }

  #parts(node: Diagram): {
    readonly variable: number;
    readonly low: Diagram;
    readonly high: Diagram;
  } {
    return {
      variable: this.#variable[node] as number,
      low: this.#low[node] as number,
      high: this.#high[node] as number,
    };
  }

  #node(variable: number, low: Diagram, high: Diagram): Diagram {
    const key = (variable * nodesMax + low) * nodesMax + high;
    const known = this.#unique.get(key);
    if (known !== undefined) return known;
    const node = this.#variable.length;
    requireSize(node + 1, nodesMax, "the nodes of the decision diagram");
    this.#variable.push(variable);
    this.#low.push(low);
    this.#high.push(high);
    this.#unique.set(key, node);
    return node;
  }

  #apply(operation: Operation, a: Diagram, b: Diagram): Diagram {
    const known = trivial(operation, a, b);
    if (known !== undefined) return known;
    // The operation, and both nodes: 42 bits, exact in a double.
    const swap = operation !== WITHOUT && a > b;
    const key = (operation * nodesMax + (swap ? b : a)) * nodesMax + (swap ? a : b);
    const kept = this.#results.get(key);
    if (kept !== undefined) return kept;
    const result = operation === WITHOUT ? this.#without(a, b) : this.#shannon(operation, a, b);
    this.#results.set(key, result);
    return result;
  }

  /** Both sides given that the first variable is false, and given that it is true. */
  #shannon(operation: Operation, a: Diagram, b: Diagram): Diagram {
    const [left, right] = [this.#parts(a), this.#parts(b)];
    const variable = Math.min(left.variable, right.variable);
    const [aLow, aHigh] = left.variable === variable ? [left.low, left.high] : [a, a];
    const [bLow, bHigh] = right.variable === variable ? [right.low, right.high] : [b, b];
    const low = this.#apply(operation, aLow, bLow);
    const high = this.#apply(operation, aHigh, bHigh);
    return low === high ? low : this.#node(variable, low, high);
  }

  /** The sets of a that hold no set of b as a part. */
  #without(a: Diagram, b: Diagram): Diagram {
    const [left, right] = [this.#parts(a), this.#parts(b)];
    // Sets of b with a variable that a does not have are part of none of a's.
    if (left.variable > right.variable) return this.#apply(WITHOUT, a, right.low);
    const low = this.#apply(WITHOUT, left.low, b);
    const against = this.#apply(WITHOUT, left.high, b);
    const same = left.variable === right.variable;
    const high = same ? this.#apply(WITHOUT, against, right.high) : against;
    return high === FALSE ? low : this.#node(left.variable, low, high);
  }
}

/** Results that need no look at the nodes. */
function trivial(operation: Operation, a: Diagram, b: Diagram): Diagram | undefined {
  switch (operation) {
    case 0:
      if (a === FALSE || b === FALSE) return FALSE;
      if (a === TRUE || a === b) return b;
      return b === TRUE ? a : undefined;
    case 1:
      if (a === TRUE || b === TRUE) return TRUE;
      if (a === FALSE || a === b) return b;
      return b === FALSE ? a : undefined;
    case 2:
      if (a === b) return FALSE;
      if (a === FALSE) return b;
      return b === FALSE ? a : undefined;
    case 3:
      if (a === FALSE || b === TRUE || a === b) return FALSE;
      return b === FALSE || a === TRUE ? a : undefined;
  }
}

// Fault trees: how the failures of parts become the failure of the whole, as a value.
//
// A tree is written with `event`, `and`, `or`, `atLeast` and `not`. The same event or gate may be
// used in several places: that is what trees are for, and multiplying the gates' probabilities
// would be wrong there. Events are the same by their name, gates by being the same object. Every
// question about a tree goes through its decision diagram (bdd.ts), which is exact however much
// is shared.

import { NinesError } from "../../base/errors.ts";
import { requireCount, requireProbability, requireSize } from "../checks.ts";
import { Diagrams, FALSE, TRUE, type Diagram } from "./bdd.ts";

export interface BasicEvent {
  readonly kind: "event";
  readonly name: string;
  /** That the part has failed: its unavailability, or the probability of failing on demand. */
  readonly probability: number;
}

export interface Gate {
  readonly kind: "and" | "or" | "not" | "atLeast";
  /** How many inputs must have failed, for `atLeast`. */
  readonly count: number;
  readonly inputs: readonly Tree[];
}

/** An event that has happened (true) or cannot (false): a house event. */
export interface Constant {
  readonly kind: "constant";
  readonly value: boolean;
}

export type Tree = BasicEvent | Gate | Constant;

/** A part's failure. */
export function event(name: string, probability: number): BasicEvent {
  requireProbability(probability, `the probability of ${name}`);
  return { kind: "event", name, probability };
}

/** Fails when all inputs have failed: redundancy. */
export function and(...inputs: readonly Tree[]): Gate {
  return gate("and", inputs.length, inputs);
}

/** Fails when any input has failed: all are needed. */
export function or(...inputs: readonly Tree[]): Gate {
  return gate("or", 1, inputs);
}

/** Fails when at least `count` inputs have failed: k of n are needed where count = n - k + 1. */
export function atLeast(count: number, ...inputs: readonly Tree[]): Gate {
  requireCount(count, "the count of an atLeast gate", 1, inputs.length);
  return gate("atLeast", count, inputs);
}

/** True when the input has not failed; for event trees and conditions. */
export function not(input: Tree): Gate {
  return gate("not", 1, [input]);
}

export function constant(value: boolean): Constant {
  return { kind: "constant", value };
}

function gate(kind: Gate["kind"], count: number, inputs: readonly Tree[]): Gate {
  requireCount(inputs.length, `the number of inputs of an ${kind} gate`, 1);
  return { kind, count, inputs };
}

/** Several trees as diagrams over the same events. */
export interface Compiled {
  readonly diagrams: Diagrams;
  readonly tops: readonly Diagram[];
  /** By variable, in the order in which a walk from the first tree's top meets them. */
  readonly events: readonly BasicEvent[];
  readonly probabilities: Float64Array;
  /** Whether failures alone can bring the top about: no `not` anywhere. */
  readonly coherent: boolean;
}

/** Variables, and depth: a walk's recursion stays far from the stack's end. */
const eventsMax = 2_000;
const depthMax = 500;

export function compile(...trees: readonly Tree[]): Compiled {
  const compiler = new Compiler();
  const order = trees.map((tree) => compiler.collect(tree, 0));
  const events = [...compiler.events.values()];
  requireSize(events.length, eventsMax, "the number of events");
  return {
    diagrams: compiler.diagrams,
    tops: trees.map((tree) => compiler.build(tree)),
    events,
    probabilities: Float64Array.from(events, ({ probability }) => probability),
    coherent: order.every((coherent) => coherent),
  };
}

class Compiler {
  readonly diagrams = new Diagrams();
  readonly events = new Map<string, BasicEvent>();
  readonly #variables = new Map<string, number>();
  readonly #coherent = new Map<Tree, boolean>();
  readonly #built = new Map<Tree, Diagram>();

  /** Numbers the events depth first, which keeps together what belongs together. */
  collect(tree: Tree, depth: number): boolean {
    requireSize(depth, depthMax, "the depth of the tree");
    const known = this.#coherent.get(tree);
    if (known !== undefined) return known;
    let coherent = true;
    if (tree.kind === "event") this.#collectEvent(tree);
    else if (tree.kind !== "constant") {
      const inputs = tree.inputs.map((input) => this.collect(input, depth + 1));
      coherent = tree.kind !== "not" && inputs.every((input) => input);
    }
    this.#coherent.set(tree, coherent);
    return coherent;
  }

  #collectEvent(found: BasicEvent): void {
    const known = this.events.get(found.name);
    if (known === undefined) {
      this.#variables.set(found.name, this.events.size);
      this.events.set(found.name, found);
    } else if (known.probability !== found.probability) {
      throw new NinesError(
        "NINES_MODEL_INPUT",
        `${found.name} has two probabilities, ${known.probability} and ${found.probability}`,
      );
    }
  }

  build(tree: Tree): Diagram {
    const known = this.#built.get(tree);
    if (known !== undefined) return known;
    const built = this.#buildNew(tree);
    this.#built.set(tree, built);
    return built;
  }

  #buildNew(tree: Tree): Diagram {
    if (tree.kind === "constant") return tree.value ? TRUE : FALSE;
    if (tree.kind === "event") {
      return this.diagrams.variable(this.#variables.get(tree.name) as number);
    }
    const inputs = tree.inputs.map((input) => this.build(input));
    // From the last input, whose variables are the deepest: each step adds on top and rebuilds
    // nothing.
    switch (tree.kind) {
      case "and":
        return inputs.reduceRight((all, input) => this.diagrams.and(input, all), TRUE);
      case "or":
        return inputs.reduceRight((any, input) => this.diagrams.or(input, any), FALSE);
      case "not":
        return this.diagrams.not(inputs[0] as Diagram);
      case "atLeast":
        return this.#threshold(tree.count, inputs);
    }
  }

  /** atLeast[j] of the inputs gone through; each further input is either the j-th or not needed. */
  #threshold(count: number, inputs: readonly Diagram[]): Diagram {
    const reached: Diagram[] = [TRUE, ...Array.from({ length: count }, () => FALSE)];
    for (const input of inputs.toReversed()) {
      for (let j = count; j > 0; j--) {
        const withIt = this.diagrams.and(input, reached[j - 1] as Diagram);
        reached[j] = this.diagrams.or(reached[j] as Diagram, withIt);
      }
    }
    return reached[count] as Diagram;
  }
}

/** The exact probability that the tree's top fails. Shared events are counted once. */
export function topProbability(tree: Tree): number {
  const { diagrams, tops, probabilities } = compile(tree);
  return diagrams.probability(tops[0] as Diagram, probabilities);
}

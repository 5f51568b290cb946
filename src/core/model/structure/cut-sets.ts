// Minimal cut sets: the smallest sets of failures that bring the top down, and the bounds made of
// them.
//
// Found as a family of sets on the decision diagram (Rauzy 1993) and counted there before any is
// written out, so a tree with 10^15 of them says so instead of filling the memory. The rare-event
// sum and the upper bound are given because other tools print them; the exact probability is
// `topProbability`, and the sum can exceed 1.

import { NinesError } from "../../base/errors.ts";
import { requireCount, requireSize } from "../checks.ts";
import type { Diagram } from "./bdd.ts";
import { type Tree, compile } from "./fault-tree.ts";

export interface CutSet {
  readonly events: readonly string[];
  /** That all its events happen. */
  readonly probability: number;
}

export interface CutSets {
  /** Likeliest first. */
  readonly sets: readonly CutSet[];
  /** How many sets have 0, 1, 2, ... events. */
  readonly byOrder: readonly number[];
  /** The sum of the sets' probabilities: at least the exact value, and possibly above 1. */
  readonly rareEventSum: number;
  /**
   * 1 - product(1 - probability of a set): between the exact value and the sum (Esary, Proschan).
   */
  readonly upperBound: number;
}

/** The minimal cut sets of a tree without `not`. Fails before it would list more than `setsMax`. */
export function minimalCutSets(tree: Tree, options: { readonly setsMax?: number } = {}): CutSets {
  const setsMax = requireCount(options.setsMax ?? 100_000, "setsMax", 1);
  const { diagrams, tops, events, probabilities, coherent } = compile(tree);
  if (!coherent) {
    const why = "a tree with `not` has prime implicants and no minimal cut sets";
    throw new NinesError("NINES_MODEL_INPUT", why);
  }
  const family = diagrams.minimalSets(tops[0] as Diagram);
  const byOrder = diagrams.foldSets<readonly number[]>(family, [], [1], (_, without, withIt) =>
    addOrders(without, [0, ...withIt]),
  );
  requireSize(
    byOrder.reduce((sum, count) => sum + count, 0),
    setsMax,
    "the number of cut sets",
  );
  const sets = Array.from(
    diagrams.sets(family),
    (variables): CutSet => ({
      events: variables.map((variable) => events[variable]?.name ?? ""),
      probability: variables.reduce((product, v) => product * (probabilities[v] as number), 1),
    }),
  );
  sets.sort((a, b) => b.probability - a.probability);
  let logNone = 0;
  for (const { probability } of sets) logNone += Math.log1p(-probability);
  return {
    sets,
    byOrder,
    rareEventSum: sets.reduce((sum, { probability }) => sum + probability, 0),
    upperBound: -Math.expm1(logNone),
  };
}

function addOrders(a: readonly number[], b: readonly number[]): readonly number[] {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return long.map((count, order) => count + (short[order] ?? 0));
}

// Event trees: what follows from one beginning, by which safeguards work and which fail.
//
// The safeguards are fault trees, and may share events: a computer that does not notice a leak
// fails to close both valves. Multiplying the branches' probabilities is wrong then, so each path
// is the conjunction of its branches as one decision diagram. The paths are disjoint and their
// frequencies sum to the beginning's. Source: Andrews and Dunnett, Event-tree analysis using
// binary decision diagrams, IEEE Transactions on Reliability 49 (2000).

import { NinesError } from "../../base/errors.ts";
import { requireNotNegative } from "../checks.ts";
import { type Diagram, type Diagrams, TRUE } from "./bdd.ts";
import { type Tree, compile } from "./fault-tree.ts";

/** A branch on whether a safeguard works; a string is the name of an outcome. */
export interface Fork {
  /** A name of `safeguards`. */
  readonly on: string;
  readonly works: EventTree;
  readonly fails: EventTree;
}

export type EventTree = Fork | string;

export interface Outcome {
  readonly name: string;
  /** Of this outcome, over all paths that end in it: per the same time as the beginning. */
  readonly frequency: number;
}

/** The frequency of each outcome, in the order in which the tree names them first. */
export function eventTreeOutcomes(options: {
  /** How often it begins; 1 gives probabilities. */
  readonly frequency: number;
  readonly safeguards: Readonly<Record<string, Tree>>;
  readonly tree: EventTree;
}): readonly Outcome[] {
  const frequency = requireNotNegative(options.frequency, "the frequency of the beginning");
  const names = Object.keys(options.safeguards);
  const { diagrams, tops, probabilities } = compile(...Object.values(options.safeguards));
  const failing = new Map(names.map((name, at) => [name, tops[at] as Diagram]));
  const outcomes = new Map<string, number>();
  for (const { name, path } of pathsOf(options.tree, TRUE, diagrams, failing)) {
    const probability = diagrams.probability(path, probabilities);
    outcomes.set(name, (outcomes.get(name) ?? 0) + frequency * probability);
  }
  return Array.from(outcomes, ([name, value]) => ({ name, frequency: value }));
}

function* pathsOf(
  tree: EventTree,
  path: Diagram,
  diagrams: Diagrams,
  failing: ReadonlyMap<string, Diagram>,
): Generator<{ readonly name: string; readonly path: Diagram }> {
  if (typeof tree === "string") {
    yield { name: tree, path };
    return;
  }
  const fails = failing.get(tree.on);
  if (fails === undefined) {
    throw new NinesError(
      "NINES_MODEL_INPUT",
      `the event tree forks on ${tree.on}, which is no safeguard`,
    );
  }
  yield* pathsOf(tree.works, diagrams.and(path, diagrams.not(fails)), diagrams, failing);
  yield* pathsOf(tree.fails, diagrams.and(path, fails), diagrams, failing);
}

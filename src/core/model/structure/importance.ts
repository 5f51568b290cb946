// Which part matters: five measures of it, each an answer to another question.
//
// | measure | question | formula |
// |---|---|---|
// | birnbaum | what is a change of this part's unavailability worth? | P(failed) - P(working) |
// | criticality | is this part the cause, given that the top is down? | birnbaum q / P |
// | diagnostic | has this part failed, given that the top is down? | q P(failed) / P |
// | achievement (RAW) | how much worse without this part? | P(failed) / P |
// | reduction (RRW) | how much better if it never failed? | P / P(working) |
//
// P(failed) and P(working) are computed anew for each event rather than from the derivative:
// where a part is all of the risk, P - q birnbaum would be a difference of equal numbers.
// O(events x nodes). Source: NUREG/CR-3385; names as SCRAM's, whose test values are the golden
// ones.

import type { Diagram } from "./bdd.ts";
import { type Tree, compile } from "./fault-tree.ts";

export interface Importance {
  readonly event: string;
  readonly birnbaum: number;
  readonly criticality: number;
  readonly diagnostic: number;
  readonly riskAchievementWorth: number;
  /** Infinite where the top cannot fail without this event. */
  readonly riskReductionWorth: number;
}

/**
 * The importance of each event of a tree, most critical first; all zero where the top cannot
 * fail.
 */
export function importances(tree: Tree): readonly Importance[] {
  const { diagrams, tops, events, probabilities } = compile(tree);
  const top = tops[0] as Diagram;
  const total = diagrams.probability(top, probabilities);
  const sensitivities = diagrams.sensitivities(top, probabilities);
  const given = (variable: number, value: number) =>
    diagrams.probability(top, probabilities.with(variable, value));
  const measured = events.map(({ name, probability: q }, variable): Importance => {
    const birnbaum = sensitivities[variable] as number;
    if (total === 0) return { ...nothing, event: name, birnbaum };
    const failed = given(variable, 1);
    return {
      event: name,
      birnbaum,
      criticality: (birnbaum * q) / total,
      diagnostic: (q * failed) / total,
      riskAchievementWorth: failed / total,
      riskReductionWorth: total / given(variable, 0),
    };
  });
  return measured.sort((a, b) => b.criticality - a.criticality);
}

const nothing = { criticality: 0, diagnostic: 0, riskAchievementWorth: 0, riskReductionWorth: 0 };

// The weights of one service's instances as the routing table has them: whole numbers from 1 to
// 256, out of what the file says, an operator's word, and an agent's percentage.
//
// 75% of a weight of 1 is no whole number, and 1 is what the file says by default. So where a
// percentage may come, all weights of the service are multiplied alike: by 100, or by as much as
// the largest of them leaves room for. Only their relation counts. The factor follows from the
// file and the operator's words, not from an agent's: one that speaks each second changes its own
// weight, and no one else's. What it says above 256 of them is cut off, as in HAProxy.
//
// Rejected: HAProxy's cut to a whole number (75% of weight 1 is 0 there: the server drains), and
// the share of a canary, which a rule that hashes would keep with a lot for each request.

export const WEIGHT_MAX = 256;
const FACTOR_MAX = 100;

/** What an operator wants: a number, or percent of the file's. */
export type WeightWord = { readonly weight: number } | { readonly percent: number };

export interface Weighed {
  /** The file's. */
  readonly weight: number;
  readonly operator: WeightWord | undefined;
  /** Of its agent; undefined where it has none. */
  readonly agentPercent: number | undefined;
}

/** In units of the file. An operator's word stands above the agent's. */
export function weightOf({ weight, operator, agentPercent = 100 }: Weighed): number {
  if (operator === undefined) return (weight * agentPercent) / 100;
  return "weight" in operator ? operator.weight : (weight * operator.percent) / 100;
}

/** In units of the table. */
export function tableWeights(all: readonly Weighed[]): readonly number[] {
  const factor = factorOf(all);
  return all.map((one) => Math.min(WEIGHT_MAX, Math.max(1, Math.round(weightOf(one) * factor))));
}

function factorOf(all: readonly Weighed[]): number {
  if (all.every((one) => isWhole(one))) return 1;
  const largest = all.reduce((most, one) => Math.max(most, steadyOf(one)), 1);
  return Math.max(1, Math.min(FACTOR_MAX, Math.floor(WEIGHT_MAX / largest)));
}

function isWhole({ operator, agentPercent }: Weighed): boolean {
  return agentPercent === undefined && (operator === undefined || "weight" in operator);
}

/** Without what its agent says. */
function steadyOf({ weight, operator }: Weighed): number {
  return weightOf({ weight, operator, agentPercent: 100 });
}

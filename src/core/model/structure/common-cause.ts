// Common causes: what makes redundant parts fail together, and redundancy worth less than it
// looks.
//
// A group of m like parts gets one event for every subset that fails together; a part fails when
// any subset with it does. The four models differ in how the total probability Q is shared out
// among the subset sizes k, where Q_k is the probability of one particular subset of k:
//
// | model | factors | Q_k |
// |---|---|---|
// | beta | beta | (1 - beta) Q for k = 1, beta Q for k = m, else 0 |
// | mgl | beta, gamma, ... = rho_2, rho_3, ... | rho_2..rho_k (1 - rho_(k+1)) Q / C(m-1, k-1) |
// | alpha | alpha_1 .. alpha_m | k alpha_k / (sum of j alpha_j) Q / C(m-1, k-1) |
// | phi | phi_1 .. phi_m, summing to 1 | phi_k Q |
//
// Source: NUREG/CR-4780 and Mosleh 1991 (beta, multiple Greek letters; alpha for tests of all
// parts at once; `staggered` is alpha_k Q / C(m-1, k-1), for parts tested in turn), Open-PSA
// model exchange format (phi). A missing beta is the usual lie: independent parts are a claim,
// and it is written here as beta = 0.

import { NinesError } from "../../base/errors.ts";
import { requireCount, requireProbability, requireSize } from "../checks.ts";
import { type BasicEvent, type Tree, event, or } from "./fault-tree.ts";

export type CommonCause =
  | { readonly model: "beta"; readonly beta: number }
  /** Factors from level 2 upwards; those left out are 0. */
  | { readonly model: "mgl"; readonly factors: readonly number[] }
  /** Factors from level 1 upwards; those left out are 0. */
  | { readonly model: "alpha"; readonly factors: readonly number[]; readonly staggered?: boolean }
  | { readonly model: "phi"; readonly factors: readonly number[] };

/** Subsets double with each member. */
const membersMax = 12;

/**
 * The probability of each subset size, from 1 to m: how likely it is that one particular subset of
 * that size fails together, and alone.
 */
export function commonCauseProbabilities(
  members: number,
  probability: number,
  cause: CommonCause,
): readonly number[] {
  requireCount(members, "the members of a common cause group", 2);
  requireSize(members, membersMax, "the members of a common cause group");
  requireProbability(probability, "the probability of a member");
  const shares = sharesOf(members, cause);
  return shares.map((share) => share * probability);
}

function sharesOf(members: number, cause: CommonCause): readonly number[] {
  const sizes = Array.from({ length: members }, (_, at) => at + 1);
  const subsets = (size: number) => choose(members - 1, size - 1);
  if (cause.model === "beta") {
    const beta = requireProbability(cause.beta, "beta");
    return sizes.map((size) => (size === 1 ? 1 - beta : size === members ? beta : 0));
  }
  const factors = cause.factors.map((factor) =>
    requireProbability(factor, `a factor of ${cause.model}`),
  );
  requireCount(
    factors.length,
    `the factors of ${cause.model}`,
    1,
    cause.model === "mgl" ? members - 1 : members,
  );
  const factor = (size: number) => factors[size - 1] ?? 0;
  if (cause.model === "mgl") {
    const letters = [1, ...factors];
    return sizes.map((size) => {
      const reached = letters.slice(0, size).reduce((product, letter) => product * letter, 1);
      return size > letters.length ? 0 : (reached * (1 - (letters[size] ?? 0))) / subsets(size);
    });
  }
  const total = factors.reduce((sum, value) => sum + value, 0);
  if (Math.abs(total - 1) > 1e-9) {
    throw new NinesError(
      "NINES_MODEL_INPUT",
      `the factors of ${cause.model} sum to ${total}, not 1`,
    );
  }
  if (cause.model === "phi") return sizes.map(factor);
  if (cause.staggered === true) return sizes.map((size) => factor(size) / subsets(size));
  const weights = sizes.reduce((sum, size) => sum + size * factor(size), 0);
  return sizes.map((size) => (size * factor(size)) / weights / subsets(size));
}

/**
 * A group's members as trees to use where the parts stood: each fails by itself or together with
 * any others. Names of joint events list the members: "[pump1 pump2]".
 */
export function commonCauseGroup(
  members: readonly string[],
  probability: number,
  cause: CommonCause,
): readonly Tree[] {
  const bySize = commonCauseProbabilities(members.length, probability, cause);
  const inputs: BasicEvent[][] = members.map(() => []);
  for (let subset = 1; subset < 2 ** members.length; subset++) {
    const within = members.map((_, member) => (subset & (1 << member)) !== 0);
    const names = members.filter((_, member) => within[member]);
    const together = bySize[names.length - 1] as number;
    if (together === 0) continue;
    const joint = event(`[${names.join(" ")}]`, together);
    for (const [member, isWithin] of within.entries()) if (isWithin) inputs[member]?.push(joint);
  }
  return inputs.map((causes) => (causes.length === 0 ? event("[never]", 0) : or(...causes)));
}

function choose(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = (ways * (n - k + i)) / i;
  return ways;
}

// A primary and those that stand by: how much of the time traffic is between two of them.
//
// Here the order matters. A primary fails, and until that is seen and a standby is promoted nobody
// serves, although standbys are well; a standby may fail meanwhile, and nobody misses it. A Markov
// chain over (what the primary does, how many standbys are well), with every time exponential:
//
//   serving ── fails as cause i ──> failed as i ── seen and moved ──> serving, one standby fewer
//                                      └── no standby is well ──> vacant ── one mended ──> serving
//
// The time in `vacant` is not counted here: all instances are lost then, which the level above
// counts exactly. A failed primary is mended as a standby would be. Source: Trivedi, 8.4;
// imperfect coverage is a cause whose failures take long to be seen.

import { exploreChain } from "../model/markov/chain.ts";
import { steadyState } from "../model/markov/steady-state.ts";

export interface PrimaryOptions {
  readonly standbys: number;
  /** Of one instance: how often, and how long until seen and until mended. */
  readonly failures: readonly {
    readonly perHour: number;
    readonly detectMs: number;
    readonly recoverMs: number;
  }[];
  readonly transferMs: number;
}

const msPerHour = 3_600_000;

interface State {
  /** Index of the cause by which the primary has failed. */
  readonly phase: "serving" | "vacant" | number;
  readonly standbys: number;
}

/** The fraction of time in which the primary has failed, nobody has taken over, and one could. */
export function betweenPrimaries({ standbys, failures, transferMs }: PrimaryOptions): number {
  const happening = failures.filter(({ perHour }) => perHour > 0);
  if (standbys === 0 || happening.length === 0) return 0;
  const { chain, states } = exploreChain<State>({
    first: { phase: "serving", standbys },
    key: ({ phase, standbys: well }) => `${phase}, ${well} stand by`,
    next: (state) => transitions(state, { standbys, failures: happening, transferMs }),
  });
  const { probabilities } = steadyState(chain);
  return states.reduce((sum, { phase, standbys: well }, at) => {
    const counts = typeof phase === "number" && well > 0;
    return counts ? sum + (probabilities[at] as number) : sum;
  }, 0);
}

function* transitions(
  { phase, standbys: well }: State,
  { standbys: all, failures, transferMs }: PrimaryOptions,
): Generator<{ readonly to: State; readonly rate: number }> {
  const perHour = failures.reduce((sum, one) => sum + one.perHour, 0);
  const awayMs = (one: PrimaryOptions["failures"][number]) => one.detectMs + one.recoverMs;
  const meanAwayMs = failures.reduce((sum, one) => sum + one.perHour * awayMs(one), 0) / perHour;
  const mended = msPerHour / meanAwayMs;
  if (phase === "vacant") {
    yield { to: { phase: "serving", standbys: 0 }, rate: (all + 1) * mended };
    return;
  }
  if (well > 0) yield { to: { phase, standbys: well - 1 }, rate: well * perHour };
  if (well < all) yield { to: { phase, standbys: well + 1 }, rate: (all - well) * mended };
  if (phase === "serving") {
    for (const [index, one] of failures.entries()) {
      yield { to: { phase: index, standbys: well }, rate: one.perHour };
    }
    return;
  }
  const { detectMs } = failures[phase] as PrimaryOptions["failures"][number];
  const to: State =
    well > 0 ? { phase: "serving", standbys: well - 1 } : { phase: "vacant", standbys: 0 };
  yield { to, rate: msPerHour / (detectMs + transferMs) };
}

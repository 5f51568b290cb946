// `nines/model`: how available a thing will be, from how its parts fail and are repaired; how
// long requests will wait; and what a record of failures says about rates. Pure functions of
// their arguments with no clock, no file and no chance of their own. docs/reference/model.md has
// each formula.
//
// Conventions: probabilities of failure and fractions of time *down* go in and come out, so that
// nines are not lost to rounding. Times are in any one unit, rates per that unit. What is out of
// range throws a NinesError: NINES_MODEL_INPUT, _DATA, _NEVER_RECOVERS, _NEVER_ENDS, _TOO_LARGE,
// _NOT_CONVERGED.

export { NinesError } from "../core/base/errors.ts";
export { type Random, createPrng } from "../core/base/prng.ts";
export * from "../core/model/availability.ts";
export * from "../core/model/structure/redundancy.ts";
export {
  type BasicEvent,
  type Constant,
  type Gate,
  type Tree,
  and,
  atLeast,
  constant,
  event,
  not,
  or,
  topProbability,
} from "../core/model/structure/fault-tree.ts";
export * from "../core/model/structure/cut-sets.ts";
export * from "../core/model/structure/importance.ts";
export * from "../core/model/structure/common-cause.ts";
export * from "../core/model/structure/event-tree.ts";
export {
  type Chain,
  type Transition,
  chainOf,
  chainOfNames,
  exploreChain,
} from "../core/model/markov/chain.ts";
export * from "../core/model/markov/steady-state.ts";
export { type Transient, transient } from "../core/model/markov/transient.ts";
export * from "../core/model/markov/absorption.ts";
export * from "../core/model/markov/up-and-down.ts";
export * from "../core/model/markov/redundant-service.ts";
export * from "../core/model/queueing/erlang.ts";
export * from "../core/model/queueing/stations.ts";
export * from "../core/model/queueing/jackson.ts";
export * from "../core/model/queueing/closed.ts";
export * from "../core/model/reliability/poisson.ts";
export * from "../core/model/reliability/weibull.ts";
export * from "../core/model/reliability/trend.ts";
export * from "../core/model/reliability/replacement.ts";
export * from "../core/model/montecarlo/estimate.ts";
export * from "../core/model/montecarlo/trajectory.ts";

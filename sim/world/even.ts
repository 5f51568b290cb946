// Chance that does not vary, for what comes back again and again.
//
// A run that passes over a month of health checks must not have drawn their jitter: the numbers
// would be other ones afterwards than in a run that did not. So in the long runs of sim/years what
// recurs is even: checks begin exactly an interval apart, wires take their mean time. What happens
// once (a start, a backoff, a fault) is drawn as ever.

import type { Random } from "../../src/core/base/prng.ts";

/** Always the middle. */
export const even: Random = {
  ratio: () => 0.5,
  below: (bound) => Math.floor(bound / 2),
  bits: () => 2 ** 30,
  stream: () => even,
};

/** The same chance, but for the streams of these names. */
export function evenIn(random: Random, names: readonly string[]): Random {
  return {
    ratio: () => random.ratio(),
    below: (bound) => random.below(bound),
    bits: () => random.bits(),
    stream: (name) => (names.includes(name) ? even : random.stream(name)),
  };
}

// When to replace or restart something that wears out, before it fails by itself.
//
// Age replacement (Barlow and Proschan 1965): replace at age T at `plannedCost`, or on failure at
// `failureCost`. The cost per time is [planned R(T) + failure (1 - R(T))] / integral of R up to
// T; at the best T, hazard(T) x that integral - (1 - R(T)) = planned / (failure - planned). For a
// Weibull lifetime with shape above 1 the left side grows from 0 without end, so there is one
// such T; with shape 1 or below what is old is no worse than what is new, and replacing early
// only costs. The integral is an incomplete gamma function. Costs may be minutes of downtime:
// that is rejuvenation by restarts.

import { requirePositive } from "../checks.ts";
import { solveIncreasing } from "../numeric/solve.ts";
import { gamma, incompleteGamma } from "../numeric/special.ts";
import { type Weibull, weibullHazard, weibullMean, weibullSurvival } from "./weibull.ts";

export interface Replacement {
  /** Infinite where it should run until it fails. */
  readonly age: number;
  /** Per unit of time, at that age. */
  readonly costRate: number;
  /** Per unit of time, when only failures are replaced. */
  readonly costRateWithout: number;
}

/** The age at which to replace, and what that costs per unit of time. */
export function ageReplacement(options: {
  readonly lifetime: Weibull;
  readonly plannedCost: number;
  readonly failureCost: number;
}): Replacement {
  const { lifetime } = options;
  const planned = requirePositive(options.plannedCost, "the cost of a planned replacement");
  const failure = requirePositive(options.failureCost, "the cost of a failure");
  const costRateWithout = failure / weibullMean(lifetime);
  if (lifetime.shape <= 1 || failure <= planned) {
    return { age: Infinity, costRate: costRateWithout, costRateWithout };
  }
  const wanted = planned / (failure - planned);
  const gain = (age: number) => {
    const failed = 1 - weibullSurvival(lifetime, age);
    return weibullHazard(lifetime, age) * meanAge(lifetime, age) - failed - wanted;
  };
  const age = solveIncreasing(gain, lifetime.scale);
  return { age, costRate: costRateAt(options, age), costRateWithout };
}

/** The cost per unit of time of replacing at an age. */
export function costRateAt(
  options: {
    readonly lifetime: Weibull;
    readonly plannedCost: number;
    readonly failureCost: number;
  },
  age: number,
): number {
  const { lifetime, plannedCost, failureCost } = options;
  const survival = weibullSurvival(lifetime, requirePositive(age, "the age"));
  return (plannedCost * survival + failureCost * (1 - survival)) / meanAge(lifetime, age);
}

/** The mean age at which one is replaced, planned or failed: the integral of R up to the age. */
function meanAge({ shape, scale }: Weibull, age: number): number {
  const { lower } = incompleteGamma(1 / shape, (age / scale) ** shape);
  return (scale / shape) * gamma(1 / shape) * lower;
}

// Lifetimes that wear out or settle in: the Weibull distribution, and its fit to times some of
// which are only "still running".
//
// shape 1 is a constant rate, above 1 wears out, below 1 dies young. R(t) = exp(-(t /
// scale)^shape). The fit is maximum likelihood: for a given shape the best scale is known, and
// what remains is one equation in the shape whose left side only grows, so it has one root and a
// bracket finds it. The intervals are from the observed information, on the logarithms (Meeker
// and Escobar 8.4).

import { NinesError } from "../../base/errors.ts";
import { requireInside, requireNotNegative, requirePositive, requireSize } from "../checks.ts";
import { normalQuantile } from "../numeric/quantiles.ts";
import { solveIncreasing } from "../numeric/solve.ts";
import { gamma } from "../numeric/special.ts";

export interface Weibull {
  readonly shape: number;
  /** The time by which 63.2 % have failed. */
  readonly scale: number;
}

function requireWeibull({ shape, scale }: Weibull): void {
  requirePositive(shape, "the shape");
  requirePositive(scale, "the scale");
}

/** The probability of no failure until `time`. */
export function weibullSurvival(weibull: Weibull, time: number): number {
  requireWeibull(weibull);
  return Math.exp(-((requireNotNegative(time, "the time") / weibull.scale) ** weibull.shape));
}

/** The rate at which what has lived until `time` fails. */
export function weibullHazard(weibull: Weibull, time: number): number {
  requireWeibull(weibull);
  const age = requireNotNegative(time, "the time") / weibull.scale;
  return (weibull.shape / weibull.scale) * age ** (weibull.shape - 1);
}

export function weibullMean(weibull: Weibull): number {
  requireWeibull(weibull);
  return weibull.scale * gamma(1 + 1 / weibull.shape);
}

export function weibullStandardDeviation(weibull: Weibull): number {
  const mean = weibullMean(weibull);
  return Math.sqrt(weibull.scale ** 2 * gamma(1 + 2 / weibull.shape) - mean ** 2);
}

export interface WeibullFit extends Weibull {
  readonly shapeLower: number;
  readonly shapeUpper: number;
  readonly scaleLower: number;
  readonly scaleUpper: number;
  readonly logLikelihood: number;
  /** Akaike's criterion, to compare with other distributions: smaller is better. */
  readonly aic: number;
}

const timesMax = 1_000_000;

/** From times of failures, and ages of what had not failed when watching ended. */
export function fitWeibull(options: {
  readonly failures: readonly number[];
  readonly censored?: readonly number[];
  /** Of each interval; 0.95 by default. */
  readonly confidence?: number;
}): WeibullFit {
  const { failures, censored = [] } = options;
  const z = normalQuantile((1 + requireInside(options.confidence ?? 0.95, "the confidence")) / 2);
  const times = [...failures, ...censored];
  requireSize(times.length, timesMax, "the number of times");
  for (const time of times) requirePositive(time, "a time");
  const longest = times.reduce((most, time) => Math.max(most, time), 0);
  if (failures.length < 2 || failures.every((time) => time === longest)) {
    throw new NinesError(
      "NINES_MODEL_DATA",
      `${failures.length} failures do not tell a shape: it takes two at different times`,
    );
  }
  // In units of the longest time, so that no power overflows.
  const logs = times.map((time) => Math.log(time / longest));
  const logFailures = logs.slice(0, failures.length);
  const meanLog = logFailures.reduce((sum, log) => sum + log, 0) / failures.length;
  const powers = (shape: number) => powerSums(logs, shape);
  const shape = solveIncreasing((value) => {
    const [sum, weighted] = powers(value);
    return weighted / sum - 1 / value - meanLog;
  }, 1);
  const [sum, weighted, twice] = powers(shape);
  const r = failures.length;
  const scale = longest * (sum / r) ** (1 / shape);
  const logScale = Math.log(sum / r) / shape;
  const logLikelihood =
    r * Math.log(shape / longest) - r * shape * logScale + (shape - 1) * meanLog * r - r;
  // Observed information of (ln scale, ln shape), where sum(x^shape) / scale^shape = r.
  const first = weighted / (sum / r) - r * logScale;
  const second = (twice - 2 * logScale * weighted + logScale ** 2 * sum) / (sum / r);
  const information = [shape ** 2 * r, -(shape ** 2) * first, r + shape ** 2 * second] as const;
  const determinant = information[0] * information[2] - information[1] ** 2;
  const shapeFactor = Math.exp(z * Math.sqrt(information[0] / determinant));
  const scaleFactor = Math.exp(z * Math.sqrt(information[2] / determinant));
  return {
    shape,
    scale,
    shapeLower: shape / shapeFactor,
    shapeUpper: shape * shapeFactor,
    scaleLower: scale / scaleFactor,
    scaleUpper: scale * scaleFactor,
    logLikelihood,
    aic: 4 - 2 * logLikelihood,
  };
}

/** Sums of x^shape, x^shape ln x and x^shape (ln x)^2. */
function powerSums(logs: readonly number[], shape: number): readonly [number, number, number] {
  let [sum, weighted, twice] = [0, 0, 0];
  for (const log of logs) {
    const power = Math.exp(shape * log);
    sum += power;
    weighted += power * log;
    twice += power * log * log;
  }
  return [sum, weighted, twice];
}

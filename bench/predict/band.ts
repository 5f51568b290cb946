// Whether what was measured is what simulation says, and how closely simulation says it.
//
// Each simulated life gives one value of a figure, and so does the measured one. If they come from
// the same distribution, the next value lies within mean +- t s sqrt(1 + 1/n) of n others with the
// probability that t is chosen for: a prediction interval, not one of the mean. Several figures are
// judged at once, so each is given its part of the error (Bonferroni): jointly they all lie within
// their bands with 99 %, whatever hangs together. What differs by factors is judged by its
// logarithm, with a value added that is too small to matter: it may be 0.

import { studentQuantile } from "../../src/core/model/numeric/quantiles.ts";

const jointConfidence = 0.99;

export interface Band {
  readonly expected: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * Where the next value lies, one of `figures` that are judged together; by logarithms where what is
 * too small to matter is said.
 */
export function bandOf(values: readonly number[], figures: number, tooSmall?: number): Band {
  if (values.length < 3) throw new Error(`${values.length} simulated values make no band`);
  const scale = (value: number) => (tooSmall === undefined ? value : Math.log(value + tooSmall));
  const back = (value: number) =>
    tooSmall === undefined ? value : Math.max(0, Math.exp(value) - tooSmall);
  const scaled = values.map(scale);
  const count = scaled.length;
  const mean = scaled.reduce((sum, value) => sum + value, 0) / count;
  const squares = scaled.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const t = studentQuantile(1 - (1 - jointConfidence) / (2 * figures), count - 1);
  const reach = t * Math.sqrt((squares / (count - 1)) * (1 + 1 / count));
  return { expected: back(mean), lower: back(mean - reach), upper: back(mean + reach) };
}

export function isWithin(value: number, { lower, upper }: Band): boolean {
  return value >= lower && value <= upper;
}

/** Half of the band's width, as a share of what is expected. */
export function halfWidthRatio({ expected, lower, upper }: Band): number {
  return (upper - lower) / 2 / expected;
}

// Estimates by repeated chance, with how far off they may be.
//
// A number from a simulation without an interval is a rumour. Probabilities get the exact
// interval of Clopper and Pearson, which holds for none and for all; means get Student's. What-if
// questions are asked with common random numbers: trial i of both variants draws from the same
// stream, so most of the noise is the same in both and cancels in the difference. Rare events
// (below about 10 / trials) belong to the exact models. Every trial has a stream of its own,
// named by its number, so trials can be repeated alone and adding one changes no other.

import { NinesError } from "../../base/errors.ts";
import { type Random, createPrng } from "../../base/prng.ts";
import { requireCount, requireInside } from "../checks.ts";
import { betaQuantile, studentQuantile } from "../numeric/quantiles.ts";

export interface TrialOptions {
  readonly trials: number;
  readonly seed: number;
  /** 0.95 by default. */
  readonly confidence?: number;
}

export interface Estimate {
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
  readonly trials: number;
}

const trialsMax = 1_000_000_000;

function* trialsOf(options: TrialOptions): Generator<Random> {
  requireCount(options.trials, "the number of trials", 2, trialsMax);
  const random = createPrng(options.seed);
  for (let trial = 0; trial < options.trials; trial++) yield random.stream(`trial ${trial}`);
}

/** How often a trial comes out true. */
export function estimateProbability(
  options: TrialOptions,
  trial: (random: Random) => boolean,
): Estimate {
  let hits = 0;
  for (const random of trialsOf(options)) if (trial(random)) hits++;
  return { ...proportion(hits, options.trials, options.confidence), trials: options.trials };
}

/** The share that `hits` of `trials` say, with the exact interval of Clopper and Pearson. */
export function proportion(
  hits: number,
  trials: number,
  confidence = 0.95,
): { readonly value: number; readonly lower: number; readonly upper: number } {
  requireCount(trials, "the number of trials", 1, trialsMax);
  requireCount(hits, "the number of hits", 0, trials);
  const tail = (1 - requireInside(confidence, "the confidence")) / 2;
  return {
    value: hits / trials,
    lower: hits === 0 ? 0 : betaQuantile(tail, hits, trials - hits + 1),
    upper: hits === trials ? 1 : betaQuantile(1 - tail, hits + 1, trials - hits),
  };
}

/** The mean of what trials return. */
export function estimateMean(options: TrialOptions, trial: (random: Random) => number): Estimate {
  const moments = new Moments();
  for (const random of trialsOf(options)) moments.add(trial(random));
  return moments.estimate(options.confidence ?? 0.95);
}

export interface Comparison {
  readonly before: Estimate;
  readonly after: Estimate;
  /** after - before, with the interval of the paired differences. */
  readonly difference: Estimate;
  /** The variance with separate random numbers / with common ones: how many times fewer trials. */
  readonly varianceRatio: number;
}

/** What a change changes: both variants see the same chance in each trial. */
export function compareMeans(
  options: TrialOptions,
  before: (random: Random) => number,
  after: (random: Random) => number,
): Comparison {
  const [first, second, change] = [new Moments(), new Moments(), new Moments()];
  const random = createPrng(options.seed);
  for (
    let trial = 0;
    trial < requireCount(options.trials, "the number of trials", 2, trialsMax);
    trial++
  ) {
    const a = before(random.stream(`trial ${trial}`));
    const b = after(random.stream(`trial ${trial}`));
    first.add(a);
    second.add(b);
    change.add(b - a);
  }
  const confidence = options.confidence ?? 0.95;
  return {
    before: first.estimate(confidence),
    after: second.estimate(confidence),
    difference: change.estimate(confidence),
    varianceRatio: (first.variance + second.variance) / change.variance,
  };
}

/** Mean and variance in one pass (Welford 1962). */
class Moments {
  #count = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    if (!Number.isFinite(value))
      throw new NinesError("NINES_MODEL_INPUT", `a trial returned ${value}`);
    this.#count++;
    const change = value - this.#mean;
    this.#mean += change / this.#count;
    this.#squares += change * (value - this.#mean);
  }

  get variance(): number {
    return this.#squares / (this.#count - 1);
  }

  estimate(confidence: number): Estimate {
    const t = studentQuantile(
      (1 + requireInside(confidence, "the confidence")) / 2,
      this.#count - 1,
    );
    const reach = t * Math.sqrt(this.variance / this.#count);
    return {
      value: this.#mean,
      lower: this.#mean - reach,
      upper: this.#mean + reach,
      trials: this.#count,
    };
  }
}

// Quantiles of more values than are kept: a reservoir (Vitter's algorithm R) in which each value
// that was ever added is with the same chance.

import type { Random } from "../../src/core/base/prng.ts";

export interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly most: number;
}

const keptMax = 10_000;

export class Sample {
  readonly #random: Random;
  readonly #kept: number[] = [];
  #count = 0;
  #sum = 0;
  #most = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    this.#most = Math.max(this.#most, value);
    if (this.#kept.length < keptMax) return void this.#kept.push(value);
    const place = this.#random.below(this.#count);
    if (place < keptMax) this.#kept[place] = value;
  }

  /** Undefined when nothing was added. */
  spread(): Spread | undefined {
    if (this.#count === 0) return undefined;
    const sorted = this.#kept.toSorted((a, b) => a - b);
    const at = (ratio: number): number => sorted[Math.ceil(ratio * sorted.length) - 1] ?? 0;
    const [p50, p90, p99] = [at(0.5), at(0.9), at(0.99)];
    return { count: this.#count, mean: this.#sum / this.#count, p50, p90, p99, most: this.#most };
  }
}

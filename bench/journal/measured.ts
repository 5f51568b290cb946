// What one contender did in one stretch of time, and the latencies that it took.

export interface Measured {
  readonly recordsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const SAMPLES_MAX = 1024 * 1024;

/** Bounded: the first million latencies of a stretch, in memory that is there before it begins. */
export class Latencies {
  readonly #samplesMs = new Float64Array(SAMPLES_MAX);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(latencyMs: number): void {
    if (this.#count < SAMPLES_MAX) this.#samplesMs[this.#count++] = latencyMs;
  }

  clear(): void {
    this.#count = 0;
  }

  measured(records: number, elapsedMs: number): Measured {
    const sorted = this.#samplesMs.subarray(0, this.#count).sort();
    const at = (share: number): number => (sorted[Math.floor(sorted.length * share)] ?? NaN) * 1000;
    return { recordsPerSecond: records / (elapsedMs / 1000), p50Us: at(0.5), p99Us: at(0.99) };
  }
}

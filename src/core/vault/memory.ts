// Memory that threads share, used again and again.
//
// The engine collects shared memory late: a restore that takes new memory for each chunk grows to a
// gigabyte. So who has done with some gives it back, and the next one gets it, with whatever is
// still in it. Sizes are three times a power of two, for what comes here is mostly about a power of
// two, a little less or more, and so fits into each other's places; what is not used of them never
// becomes real. Large ones begin at a page, for devices; small ones do not, since each that does
// takes address space for thousands.

import { alignedBytes } from "../base/aligned-memory.ts";
import { assert } from "../base/assert.ts";

const smallBytesLeast = 3 * 1_024;
const smallBytesMax = 16 * smallBytesLeast;
const largeBytesLeast = 3 * 65_536;
/** A spare of up to so many times the size will do. */
const looseRatio = 4;
/** More than this is left to the engine. */
const keptBytesMax = 128 * 1_048_576;

/** Zeros that threads can share. */
export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** Where somebody wants bytes to be put: memory of this length, whatever is in it. */
export type Allocate = (length: number) => Uint8Array;

export class MemoryPool {
  readonly #spares = new Map<number, Uint8Array[]>();
  #keptBytes = 0;

  readonly take: Allocate = (length) => {
    const size = roundedUp(length);
    for (let fit = size; fit <= looseRatio * size; fit *= 2) {
      const spare = this.#spares.get(fit)?.pop();
      if (spare === undefined) continue;
      this.#keptBytes -= fit;
      return spare.subarray(0, length);
    }
    const made = size <= smallBytesMax ? sharedBytes(size) : alignedBytes(size);
    return made.subarray(0, length);
  };

  /** Nobody reads or writes `bytes`, which came from `take`, any more. */
  give(bytes: Uint8Array): void {
    const whole = new Uint8Array(bytes.buffer);
    const size = whole.length;
    assert(size === roundedUp(size), "what comes back was taken here");
    if (this.#keptBytes + size > keptBytesMax) return;
    this.#keptBytes += size;
    const spares = this.#spares.get(size);
    if (spares === undefined) this.#spares.set(size, [whole]);
    else spares.push(whole);
  }

  /** Memory for as long as this runs. */
  async lend<T>(run: (loan: Loan) => Promise<T>): Promise<T> {
    const loan = new Loan(this);
    try {
      return await run(loan);
    } finally {
      loan.end();
    }
  }
}

/**
 * What one piece of work has taken, to be given back together. A loan that never ends is left to
 * the engine: for memory that somebody may still read or write, such as a call that was given up.
 */
export class Loan {
  readonly #pool: MemoryPool;
  #taken: Uint8Array[] = [];

  constructor(pool: MemoryPool) {
    this.#pool = pool;
  }

  readonly take: Allocate = (length) => {
    const bytes = this.#pool.take(length);
    this.#taken.push(bytes);
    return bytes;
  };

  /** What was taken, for another loan to add to its own: this one has nothing more. */
  handOver(): readonly Uint8Array[] {
    const taken = this.#taken;
    this.#taken = [];
    return taken;
  }

  add(taken: readonly Uint8Array[]): void {
    this.#taken.push(...taken);
  }

  end(): void {
    for (const bytes of this.handOver()) this.#pool.give(bytes);
  }
}

function roundedUp(length: number): number {
  const least = length > smallBytesMax ? largeBytesLeast : smallBytesLeast;
  return least * 2 ** Math.ceil(Math.log2(Math.max(1, length / least)));
}

// Where a file is cut into chunks: where its content says so, not where its bytes happen to lie.
//
// Intuition: slide a hash over the bytes and cut where its upper bits are zero. An insertion moves
// all bytes behind it, but the hash soon sees the same bytes as before and cuts at the same places,
// so that all chunks but one or two are known already. The gear hash (Ddelta, 2014) shifts by one
// bit a byte, so that what it knows is the last 32 bytes; normalised as in FastCDC (Xia and others,
// 2016): before the wanted length a cut needs two zeros more than average, after it two fewer,
// which keeps lengths near it. The table is made of a secret of the vault, so that the lengths of
// chunks do not tell which known file this is.
//
// Rejected: cuts at fixed places (an insertion makes all new), Rabin's fingerprints (two tables and
// twice the work for each byte).

import { assert } from "../base/assert.ts";
import { createGearKernel, type GearKernel } from "./gear-kernel.ts";

export interface ChunkSizes {
  readonly minBytes: number;
  /** A power of two; lengths come near it. */
  readonly averageBytes: number;
  readonly maxBytes: number;
}

/** As in restic, to which it is compared: 512 KiB to 8 MiB around 1 MiB, and a tighter spread. */
export const defaultChunkSizes: ChunkSizes = {
  minBytes: 256 * 1024,
  averageBytes: 1024 * 1024,
  maxBytes: 4 * 1024 * 1024,
};

export const gearSeedBytes = 1_024;
/** The most that a chunk of any vault may hold. */
export const chunkBytesMax = 16 * 1_048_576;
const normalisation = 2;

export class Chunker {
  readonly sizes: ChunkSizes;
  readonly #kernel: GearKernel;
  readonly #early: number;
  readonly #late: number;

  /** `seed`: 1 KiB, unpredictable to others and the same for one vault for ever. */
  constructor(seed: Uint8Array, sizes: ChunkSizes) {
    const { minBytes, averageBytes, maxBytes } = sizes;
    assert(seed.length === gearSeedBytes, "a word for each byte");
    assert(minBytes >= 1 && minBytes < averageBytes && averageBytes < maxBytes, "sizes grow");
    assert(maxBytes <= chunkBytesMax, "a chunk is within the format's bound");
    const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
    this.sizes = sizes;
    const gear = Int32Array.from({ length: 256 }, (_, byte) => view.getInt32(4 * byte, true));
    this.#kernel = createGearKernel(gear);
    const bits = Math.round(Math.log2(averageBytes));
    this.#early = upperBits(bits + normalisation);
    this.#late = upperBits(Math.max(1, bits - normalisation));
  }

  /**
   * Where the chunk that begins at `start` ends. `end` is where the bytes end: the end of the file,
   * or at least `maxBytes` after `start`.
   */
  cut(bytes: Uint8Array, start: number, end: number): number {
    const { minBytes, averageBytes, maxBytes } = this.sizes;
    const last = Math.min(end, start + maxBytes);
    const middle = Math.min(last, start + averageBytes);
    if (last <= start + minBytes) return last;
    this.#kernel.reset();
    return (
      this.#kernel.find(bytes, start + minBytes, middle, this.#early) ??
      this.#kernel.find(bytes, middle, last, this.#late) ??
      last
    );
  }
}

function upperBits(count: number): number {
  return -1 << (32 - Math.min(31, count));
}

// A stripe: k data shards and the m parity shards that belong to them, in one memory.
//
// Intuition: any k of the k + m shards give back all others (maximum distance separable). Parity
// shards are sums of data shards with coefficients from GF(2^8) (field.ts, matrix.ts); what is lost
// is found by solving for it.
//
// Three codecs, named in whatever describes the shards, since each makes other parity:
// - `rs-vand`: Reed-Solomon byte by byte, the bytes of Backblaze's and klauspost's libraries.
// - `rs-xor`: Reed-Solomon on bit planes (xor-kernel.ts), Cauchy coefficients; two to three times
//   as fast, and readable by nobody else. What is left after the last whole 128 bytes is done byte
//   by byte with the same coefficients.
// - `xor`: one parity shard, the plain xor of the others, as in RAID 5.
//
// Data lie in the memory that the kernels work on from the start: copying them there would cost as
// much as the arithmetic. So a stripe offers its shards as views to read files into. Shards begin
// an odd number of cache lines apart from a power of two: otherwise all of them meet in one set of
// the cache (10 to 45 % slower). Devices that write into memory themselves ask for multiples of 512
// there, which leaves eight places in a page for all shards and costs a tenth: on demand alone.
//
// Bounded: a stripe takes (k + m) x shardBytes, and 16 KiB more for each parity shard. Rejected:
// shards of different lengths (pad the last one, and keep the true length where the shards are
// described), more than 255 shards (the field has no more elements; two stripes do it).

import { assert } from "../base/assert.ts";
import { NinesError } from "../base/errors.ts";
import { cauchy, type Matrix, recovery, vandermonde } from "./matrix.ts";
import { multiplyBytes } from "./plain.ts";
import {
  type Checksum,
  checksumScratchBytes,
  createChecksum,
  type PlaceWords,
} from "./checksum.ts";
import { createPlaneKernel, planeScratchBytes } from "./plane-kernel.ts";
import {
  bestSwizzle,
  createSwizzleKernel,
  type Kernel,
  type SwizzleKind,
  swizzleScratchBytes,
} from "./swizzle-kernel.ts";
import { type WasmMemory, webAssembly } from "../base/web-assembly.ts";
import { createXorKernel } from "./xor-kernel.ts";

export const erasureCodecs = ["rs-vand", "rs-xor", "xor"] as const;
export type ErasureCodec = (typeof erasureCodecs)[number];

export const shardsMax = 255;
export const shardBytesMax = 256 * 1_048_576;

export interface StripeOptions {
  readonly codec: ErasureCodec;
  /** k: 1 to 254. */
  readonly dataShards: number;
  /** m: 1 to 255 - k; 1 for `xor`. */
  readonly parityShards: number;
  /** The most that a shard can hold, 1 byte to 256 MiB; all of them in at most 2 GiB. */
  readonly shardBytes: number;
  /** Shards begin at multiples of 512, as devices want memory for direct calls. Default: false. */
  readonly aligned?: boolean;
  /** For tests and benches: how `rs-vand` multiplies. Default: the best there is. */
  readonly kernel?: KernelKind;
}

const pageBytes = 65_536;
const cacheLineBytes = 64;
const sectorBytes = 512;
const memoryBytesMax = 2 ** 31;
/** Parity is compared, and changes are carried over, in pieces of this size. */
const windowBytes = 16_384;

export class Stripe {
  readonly codec: ErasureCodec;
  readonly dataShards: number;
  readonly parityShards: number;
  readonly shardBytes: number;
  /** The shards, data first. Written by you and by `encode` and `reconstruct`. */
  readonly shards: readonly Uint8Array<ArrayBuffer>[];
  readonly #memory: WasmMemory;
  readonly #addresses: readonly number[];
  readonly #windows: readonly Uint8Array[];
  readonly #parityRows: Matrix;
  readonly #kernel: Kernel;
  /** For the one matrix that is multiplied again and again. */
  readonly #encoder: Kernel;
  readonly #checksum: ReturnType<typeof createChecksum>;

  /**
   * Throws NINES_ERASURE_GEOMETRY for numbers outside the ranges above. Costs O((k + m) k^2), and
   * the memory.
   */
  constructor(options: StripeOptions) {
    const { codec, dataShards, parityShards, shardBytes, aligned = false } = options;
    checkGeometry(options);
    this.codec = codec;
    this.dataShards = dataShards;
    this.parityShards = parityShards;
    this.shardBytes = shardBytes;
    const stride = strideOf(shardBytes, aligned);
    const count = dataShards + parityShards;
    const checksumAt = roundUp(swizzleScratchBytes, sectorBytes);
    const planesAt = checksumAt + roundUp(checksumScratchBytes, sectorBytes);
    const firstWindow = planesAt + roundUp(planeScratchBytes, sectorBytes);
    const first = firstWindow + parityShards * windowBytes;
    const pages = Math.ceil((first + count * stride) / pageBytes);
    this.#memory = allocate(pages);
    this.#addresses = Array.from({ length: count }, (_, shard) => first + shard * stride);
    this.shards = this.#addresses.map((at) => this.#view(at, shardBytes));
    this.#windows = Array.from({ length: parityShards }, (_, row) =>
      this.#view(firstWindow + row * windowBytes, windowBytes),
    );
    this.#parityRows = (codec === "rs-vand" ? vandermonde : cauchy)(dataShards, parityShards);
    const kernels = codec === "rs-vand" ? bytesKernels : planesKernels;
    [this.#encoder, this.#kernel] = kernels(this.#memory, planesAt, options.kernel);
    this.#checksum = createChecksum(this.#memory, checksumAt);
  }

  /** Makes the parity of the first `length` bytes of the data shards. O(k m length). */
  encode(length: number = this.shardBytes): void {
    this.#checkLength(length);
    const { data, parity } = this.#all();
    this.#multiply(this.#encoder, this.#parityRows, data, parity, length);
  }

  /** The parity shards (numbers from k on) that do not belong to the data. Changes nothing. */
  verify(length: number = this.shardBytes): readonly number[] {
    this.#checkLength(length);
    const wrong = new Set<number>();
    const { data, parity } = this.#all();
    for (let from = 0; from < length; from += windowBytes) {
      const bytes = Math.min(windowBytes, length - from);
      const isLast = from + bytes === length;
      // Whole groups before the last piece: only the end of the shards is done byte by byte.
      assert(isLast || bytes % this.#encoder.stepBytes === 0, "pieces are whole steps");
      const shifted = data.map((place) => shift(place, from));
      const windows = this.#windows.map(placeOf);
      this.#multiply(this.#encoder, this.#parityRows, shifted, windows, bytes);
      for (const [row, place] of parity.entries()) {
        const expected = this.#windows[row] as Uint8Array;
        if (!same(expected, place.bytes.subarray(from, from + bytes))) {
          wrong.add(this.dataShards + row);
        }
      }
    }
    return [...wrong].sort((a, b) => a - b);
  }

  /**
   * Makes the shards `lost` anew from the others, in the first `length` bytes. Throws
   * NINES_ERASURE_LOST when they are more than m. O(k |lost| length); a pattern of losses that is
   * new costs O(k^3) before, and with `rs-xor` up to 50 ms for each 16 shards, kept for the next.
   */
  reconstruct(lost: readonly number[], length: number = this.shardBytes): void {
    this.#checkLength(length);
    const wanted = [...new Set(lost)].sort((a, b) => a - b);
    const count = this.shards.length;
    assert(
      wanted.every((shard) => Number.isInteger(shard) && shard >= 0 && shard < count),
      "what is lost is a shard of the stripe",
    );
    if (wanted.length === 0) return;
    if (wanted.length > this.parityShards) {
      const what = `${wanted.length} of ${count} shards are lost, ${this.parityShards} may be`;
      throw new NinesError("NINES_ERASURE_LOST", `${what}: ${wanted.join(", ")}.`);
    }
    const left = this.shards.flatMap((_, shard) => (wanted.includes(shard) ? [] : [shard]));
    const from = left.slice(0, this.dataShards);
    const rows = recovery(this.#parityRows, from, wanted);
    assert(rows !== undefined, "any k shards give back all");
    this.#multiply(this.#kernel, rows, this.#places(from), this.#places(wanted), length);
  }

  /**
   * Writes `bytes` into a data shard at `offset`, and carries the change over to all parity shards:
   * as good as encoding anew what `encode(length)` encoded. O(m |bytes|).
   */
  update(shard: number, offset: number, bytes: Uint8Array, length: number = this.shardBytes): void {
    this.#checkLength(length);
    assert(shard >= 0 && shard < this.dataShards, "a data shard is updated");
    assert(offset >= 0 && offset + bytes.length <= length, "an update lies within the shard");
    const rows = this.#parityRows.map((row) => row.slice(shard, shard + 1));
    const place = this.#places([shard])[0] as Place;
    const { parity } = this.#all();
    const { stepBytes } = this.#kernel;
    const end = offset + bytes.length;
    // Changes are carried over in whole groups, as they are encoded: a plane lies across its group.
    const firstStep = offset - (offset % stepBytes);
    for (let from = firstStep; from < end; from += windowBytes) {
      const size = Math.min(windowBytes, Math.min(roundUp(end, stepBytes), length) - from);
      const change = this.#windows[0] as Uint8Array;
      change.fill(0, 0, size);
      for (let at = Math.max(from, offset); at < Math.min(from + size, end); at++) {
        const before = place.bytes[at] as number;
        const after = bytes[at - offset] as number;
        change[at - from] = before ^ after;
        place.bytes[at] = after;
      }
      const shifted = parity.map((each) => shift(each, from));
      this.#multiply(this.#kernel, rows, [placeOf(change)], shifted, size, true);
    }
  }

  /**
   * 64 bits of the first `length` bytes of a shard, whole multiples of 128, and of where it belongs
   * (up to 32 words): against decay, not against forgery.
   */
  checksum(shard: number, length: number, place: PlaceWords): Checksum {
    this.#checkLength(length);
    return this.#checksum(this.#addresses[shard] as number, length, place);
  }

  #multiply(
    kernel: Kernel,
    rows: Matrix,
    inputs: readonly Place[],
    outputs: readonly Place[],
    length: number,
    accumulate = false,
  ): void {
    const addresses = (places: readonly Place[]) => places.map(({ address }) => address);
    kernel.run(rows, addresses(inputs), addresses(outputs), length, accumulate);
    const done = length - (length % kernel.stepBytes);
    if (done === length) return;
    const views = (places: readonly Place[]) => places.map(({ bytes }) => bytes);
    multiplyBytes(rows, views(inputs), views(outputs), [done, length], accumulate);
  }

  #all(): { readonly data: readonly Place[]; readonly parity: readonly Place[] } {
    const places = this.shards.map(placeOf);
    return { data: places.slice(0, this.dataShards), parity: places.slice(this.dataShards) };
  }

  #places(shards: readonly number[]): readonly Place[] {
    return shards.map((shard) => placeOf(this.shards[shard] as Uint8Array));
  }

  #view(address: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory.buffer, address, length);
  }

  #checkLength(length: number): void {
    assert(
      Number.isInteger(length) && length >= 0 && length <= this.shardBytes,
      "a length is within the shards",
    );
  }
}

/** Bytes of the stripe's memory, and where they begin. */
interface Place {
  readonly address: number;
  readonly bytes: Uint8Array;
}

function placeOf(bytes: Uint8Array): Place {
  return { address: bytes.byteOffset, bytes };
}

function shift({ address, bytes }: Place, by: number): Place {
  return { address: address + by, bytes: bytes.subarray(by) };
}

/** Both begin at whole words; the bytes after the last whole word are compared by themselves. */
function same(expected: Uint8Array, found: Uint8Array): boolean {
  const words = found.length >> 2;
  const a = new Int32Array(expected.buffer, expected.byteOffset, words);
  const b = new Int32Array(found.buffer, found.byteOffset, words);
  for (let at = 0; at < words; at++) if (a[at] !== b[at]) return false;
  for (let at = 4 * words; at < found.length; at++) if (found[at] !== expected[at]) return false;
  return true;
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** An odd number of sectors or cache lines beyond a multiple of 4 KiB, and the shard fits. */
function strideOf(shardBytes: number, aligned: boolean): number {
  return roundUp(shardBytes, 4096) + (aligned ? sectorBytes : 5 * cacheLineBytes);
}

type KernelKind = SwizzleKind | "planes";
type Kernels = readonly [encoder: Kernel, any: Kernel];

function bytesKernels(memory: WasmMemory, planesAt: number, kind?: KernelKind): Kernels {
  const isPlanes = kind === "planes";
  const any = createSwizzleKernel(memory, 0, isPlanes ? "strict" : kind);
  if (isPlanes || (kind === undefined && bestSwizzle() === "strict")) {
    return [createPlaneKernel(memory, planesAt, any, isPlanes), any];
  }
  return [any, any];
}

function planesKernels(memory: WasmMemory): Kernels {
  const kernel = createXorKernel(memory);
  return [kernel, kernel];
}

function allocate(pages: number): WasmMemory {
  try {
    return new webAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    const what = `There is no memory of ${pages * 64} KiB for a stripe.`;
    throw new NinesError("NINES_ERASURE_MEMORY", what, { cause });
  }
}

function checkGeometry({ codec, dataShards, parityShards, shardBytes }: StripeOptions): void {
  const isCount = (value: number, most: number) =>
    Number.isInteger(value) && value >= 1 && value <= most;
  const refuse = (what: string): never => {
    throw new NinesError("NINES_ERASURE_GEOMETRY", what);
  };
  if (!erasureCodecs.includes(codec)) {
    refuse(`"${codec}" is no codec: there are ${erasureCodecs.join(", ")}.`);
  }
  if (!isCount(dataShards, shardsMax) || !isCount(parityShards, shardsMax)) {
    refuse(`${dataShards} data and ${parityShards} parity shards: each is a number from 1 on.`);
  }
  if (dataShards + parityShards > shardsMax) {
    refuse(`${dataShards} + ${parityShards} shards: a stripe has ${shardsMax} at most.`);
  }
  if (codec === "xor" && parityShards !== 1) {
    refuse(`${parityShards} parity shards by xor: there is one; take rs-xor for more.`);
  }
  if (!isCount(shardBytes, shardBytesMax)) {
    refuse(`A shard of ${shardBytes} bytes: it has 1 byte to 256 MiB.`);
  }
  if ((dataShards + parityShards) * strideOf(shardBytes, true) > memoryBytesMax - 2 ** 24) {
    refuse(`${dataShards + parityShards} shards of ${shardBytes} bytes are over 2 GiB.`);
  }
}

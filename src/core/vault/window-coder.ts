// The bytes of an object's shards: parity made and undone, and a sum of each shard, a window of
// them at a time.
//
// A few pieces of 64 KiB are copied into a stripe's memory, which so stays in the processor's
// cache, and while they are there everything is done with them. Windows are whole groups of the
// codec, so that the shards are those that one large stripe would have made.
//
// A shard's sum is the checksum of its last window (core/erasure/checksum.ts), begun with the
// window's number and length and with the sum of the window before: 64 bits that tell rot and say
// nothing of forgery, as no hash without a key does. What an object holds is authenticated where it
// is encrypted, and the sums of parity are held against those that it should have.
//
// Rejected: SHA-256 (a third of all the work of a backup, and forged as easily by whoever can write
// a shard), the whole object in one stripe (a copy through memory, and half as much again of it).

import { present } from "../base/assert.ts";
import { type WasmMemory, webAssembly } from "../base/web-assembly.ts";
import { type Checksum, createChecksum, type PlaceWords } from "../erasure/checksum.ts";
import { Stripe } from "../erasure/stripe.ts";
import { type Geometry, sumBytes } from "./shard.ts";

/** A multiple of what every codec works in. */
const windowBytes = 65_536;
const pageBytes = 65_536;

export class WindowCoder {
  readonly #stripe: Stripe;

  constructor(geometry: Geometry) {
    this.#stripe = new Stripe({ ...geometry, shardBytes: windowBytes });
  }

  /** Fills `parity`, if there is any; the sums of all shards that there should be, data first. */
  encode(data: readonly Uint8Array[], parity: readonly Uint8Array[]): readonly Uint8Array[] {
    const sums = this.#stripe.shards.map(() => new Sum());
    const shardBytes = present(data[0], "there is data").length;
    for (let from = 0; from < shardBytes; from += windowBytes) {
      const length = this.#fill(data, from, shardBytes);
      this.#stripe.encode(length);
      for (const [row, bytes] of parity.entries()) this.#take(data.length + row, bytes, from);
      for (const [shard, sum] of sums.entries()) {
        sum.add(length, (place) => this.#stripe.checksum(shard, length, place));
      }
    }
    return sums.map((sum) => sum.bytes());
  }

  /** Fills those of the missing shards that are in `made` from the others. */
  reconstruct(
    shards: readonly (Uint8Array | undefined)[],
    made: ReadonlyMap<number, Uint8Array>,
    shardBytes: number,
  ): void {
    const missing = [...shards.keys()].filter((shard) => shards[shard] === undefined);
    for (let from = 0; from < shardBytes; from += windowBytes) {
      const length = this.#fill(shards, from, shardBytes);
      this.#stripe.reconstruct(missing, length);
      for (const [shard, bytes] of made) this.#take(shard, bytes, from);
    }
  }

  /** A window of the shards into the stripe; how long it is. */
  #fill(shards: readonly (Uint8Array | undefined)[], from: number, shardBytes: number): number {
    const length = Math.min(windowBytes, shardBytes - from);
    for (const [shard, bytes] of shards.entries()) {
      if (bytes !== undefined) this.#shard(shard).set(bytes.subarray(from, from + length));
    }
    return length;
  }

  #take(shard: number, into: Uint8Array, from: number): void {
    const length = Math.min(windowBytes, into.length - from);
    into.set(this.#shard(shard).subarray(0, length), from);
  }

  #shard(shard: number): Uint8Array {
    return this.#stripe.shards[shard] as Uint8Array;
  }
}

/** The sum of one shard by itself. */
export class ShardSummer {
  readonly #window: Uint8Array;
  readonly #checksum: ReturnType<typeof createChecksum>;

  constructor() {
    const memory: WasmMemory = new webAssembly.Memory({ initial: 2, maximum: 2 });
    this.#window = new Uint8Array(memory.buffer, pageBytes, windowBytes);
    this.#checksum = createChecksum(memory, 0);
  }

  sum(shard: Uint8Array): Uint8Array {
    const sum = new Sum();
    for (let from = 0; from < shard.length; from += windowBytes) {
      const length = Math.min(windowBytes, shard.length - from);
      this.#window.set(shard.subarray(from, from + length));
      sum.add(length, (place) => this.#checksum(pageBytes, length, place));
    }
    return sum.bytes();
  }
}

class Sum {
  #last: Checksum = [0, 0];
  #windows = 0;

  /** `checksum`: of the window, as what belongs to this place. */
  add(length: number, checksum: (place: PlaceWords) => Checksum): void {
    this.#last = checksum([this.#windows++, length, ...this.#last]);
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(sumBytes);
    const view = new DataView(bytes.buffer);
    for (const [at, word] of this.#last.entries()) view.setUint32(4 * at, word, true);
    return bytes;
  }
}

// An object's bytes to its shards and back: the stripe of core/erasure with the shards' headers.
//
// Objects are coded window by window: a few pieces of 64 KiB are copied into a stripe's memory,
// which so stays in the processor's cache, and parity is copied out. Windows are whole groups of
// the codec, so that the shards are those that one large stripe would have made. Data shards are
// views of the object itself; only parity, and what is made anew, is new memory.
//
// Rejected: the whole object in one stripe (a copy through memory, half as much again of it for
// each object under way, and one object at a time).

import { assert, present } from "../base/assert.ts";
import { Stripe } from "../erasure/stripe.ts";
import type { VaultCrypto } from "./crypto.ts";
import { type Allocate, sharedBytes } from "./memory.ts";
import type { ObjectId, ObjectKind } from "./names.ts";
import { type Geometry, shardBytesOf, type ShardHeader, writeShardHeader } from "./shard.ts";

export interface ObjectName {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  readonly vault: string;
}

type Shards = ReadonlyMap<number, Uint8Array>;

/** A multiple of what every codec works in. */
const windowBytes = 65_536;

export class ObjectCoder {
  readonly geometry: Geometry;
  readonly #crypto: VaultCrypto;
  readonly #stripe: Stripe;

  constructor(crypto: VaultCrypto, geometry: Geometry) {
    this.geometry = geometry;
    this.#crypto = crypto;
    this.#stripe = new Stripe({ ...geometry, shardBytes: windowBytes });
  }

  /**
   * The pieces of each shard: its header and its bytes, which are views of `object` or lie in
   * memory from `allocate`.
   */
  encode(
    name: ObjectName,
    object: Uint8Array,
    allocate: Allocate,
  ): Promise<readonly (readonly Uint8Array[])[]> {
    const { dataShards, parityShards } = this.geometry;
    const shardBytes = shardBytesOf(object.length, dataShards);
    const data = Array.from({ length: dataShards }, (_, shard) =>
      padded(object.subarray(shard * shardBytes, (shard + 1) * shardBytes), shardBytes, allocate),
    );
    const parity = Array.from({ length: parityShards }, () => allocate(shardBytes));
    for (let from = 0; from < shardBytes; from += windowBytes) {
      const length = this.#fill(data, from, shardBytes);
      this.#stripe.encode(length);
      for (const [row, bytes] of parity.entries()) this.#take(dataShards + row, bytes, from);
    }
    return this.#withHeaders(name, object.length, [...data, ...parity]);
  }

  /** The object, from the shards that are there: k of them at least. */
  decode(header: ShardHeader, shards: Shards): ObjectBytes {
    const data = Array.from({ length: header.dataShards }, (_, shard) => shard);
    return new ObjectBytes(header, this.#complete(header, shards, data));
  }

  /** The pieces of all shards again, from those that are there. */
  recode(header: ShardHeader, shards: Shards): Promise<readonly (readonly Uint8Array[])[]> {
    const all = Array.from({ length: countOf(header) }, (_, shard) => shard);
    return this.#withHeaders(header, header.objectBytes, this.#complete(header, shards, all));
  }

  /** Parity shards that do not belong to the data shards, all of which are given. */
  inconsistent(header: ShardHeader, shards: Shards): readonly number[] {
    const { shardBytes } = header;
    const all = this.#complete(
      header,
      shards,
      [...shards.keys()].sort((a, b) => a - b),
    );
    assert(all.length === countOf(header), "all shards are given");
    const wrong = new Set<number>();
    for (let from = 0; from < shardBytes; from += windowBytes) {
      const length = this.#fill(all, from, shardBytes);
      for (const shard of this.#stripe.verify(length)) wrong.add(shard);
    }
    return [...wrong].sort((a, b) => a - b);
  }

  /** The wanted shards, those that are not there made from the others. */
  #complete(header: ShardHeader, shards: Shards, wanted: readonly number[]): readonly Uint8Array[] {
    const { dataShards, shardBytes } = header;
    assert(shards.size >= dataShards, "as many shards as there are data shards");
    const made = new Map(
      wanted.flatMap((shard) => (shards.has(shard) ? [] : [[shard, sharedBytes(shardBytes)]])),
    );
    const all = Array.from({ length: countOf(header) }, (_, shard) => shards.get(shard));
    const missing = [...all.keys()].filter((shard) => all[shard] === undefined);
    for (let from = 0; made.size > 0 && from < shardBytes; from += windowBytes) {
      const length = this.#fill(all, from, shardBytes);
      this.#stripe.reconstruct(missing, length);
      for (const [shard, bytes] of made) this.#take(shard, bytes, from);
    }
    return wanted.map((shard) => present(made.get(shard) ?? all[shard], "there or made"));
  }

  /** A window of the shards into the stripe; how long it is. */
  #fill(shards: readonly (Uint8Array | undefined)[], from: number, shardBytes: number): number {
    const length = Math.min(windowBytes, shardBytes - from);
    for (const [shard, bytes] of shards.entries()) {
      if (bytes === undefined) continue;
      (this.#stripe.shards[shard] as Uint8Array).set(bytes.subarray(from, from + length));
    }
    return length;
  }

  #take(shard: number, into: Uint8Array, from: number): void {
    const length = Math.min(windowBytes, into.length - from);
    into.set((this.#stripe.shards[shard] as Uint8Array).subarray(0, length), from);
  }

  async #withHeaders(
    { kind, id, vault }: ObjectName,
    objectBytes: number,
    shards: readonly Uint8Array[],
  ): Promise<readonly (readonly Uint8Array[])[]> {
    const sha256 = (...all: readonly Uint8Array[]) => this.#crypto.sha256(...all);
    const hashes = await Promise.all(shards.map((bytes) => this.#crypto.bulk.sha256(bytes)));
    return shards.map((bytes, shard) => {
      const hash = present(hashes[shard], "a hash for each shard");
      const shardBytes = bytes.length;
      const about = { ...this.geometry, kind, id, vault, shard, objectBytes, shardBytes, hash };
      return [writeShardHeader(about, sha256), bytes];
    });
  }
}

/** An object that lies in its data shards. */
export class ObjectBytes {
  readonly length: number;
  readonly #shards: readonly Uint8Array[];
  readonly #shardBytes: number;

  constructor({ objectBytes, shardBytes }: ShardHeader, shards: readonly Uint8Array[]) {
    this.length = objectBytes;
    this.#shards = shards;
    this.#shardBytes = shardBytes;
  }

  /** A view where the bytes lie within one shard, else a copy in memory from `allocate`. */
  slice(start: number, end: number, allocate: Allocate = sharedBytes): Uint8Array {
    assert(start >= 0 && start <= end && end <= this.length, "a slice lies within the object");
    const first = Math.floor(start / this.#shardBytes);
    const from = start - first * this.#shardBytes;
    const length = end - start;
    if (length <= this.#shardBytes - from) {
      return (this.#shards[first] ?? new Uint8Array(0)).subarray(from, from + length);
    }
    const copy = allocate(length);
    let done = 0;
    for (let shard = first; done < length; shard++) {
      const at = shard === first ? from : 0;
      const part = present(this.#shards[shard], "a slice ends with the object");
      const taken = part.subarray(at, at + length - done);
      copy.set(taken, done);
      done += taken.length;
    }
    return copy;
  }

  all(): Uint8Array {
    return this.slice(0, this.length);
  }
}

function countOf({ dataShards, parityShards }: Geometry): number {
  return dataShards + parityShards;
}

/** The last data shards of an object end with zeros. */
function padded(bytes: Uint8Array, length: number, allocate: Allocate): Uint8Array {
  if (bytes.length === length) return bytes;
  const whole = allocate(length);
  whole.set(bytes);
  return whole.fill(0, bytes.length);
}

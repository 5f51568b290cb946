// An object's bytes to its shards and back: the stripe of core/erasure with the shards' headers.
//
// Works in one stripe's memory, made once for the largest object: what `encode` returns are views
// that the next call overwrites. Small objects use the beginning of the same memory.

import { assert } from "../base/assert.ts";
import { Stripe } from "../erasure/stripe.ts";
import type { VaultCrypto } from "./crypto.ts";
import type { ObjectId, ObjectKind } from "./names.ts";
import { type Geometry, shardBytesOf, type ShardHeader, writeShardHeader } from "./shard.ts";

export interface ObjectName {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  readonly vault: string;
}

export class ObjectCoder {
  readonly geometry: Geometry;
  readonly #crypto: VaultCrypto;
  #stripe: Stripe;

  constructor(crypto: VaultCrypto, geometry: Geometry, objectBytes: number) {
    this.geometry = geometry;
    this.#crypto = crypto;
    const shardBytes = shardBytesOf(objectBytes, geometry.dataShards);
    this.#stripe = new Stripe({ ...geometry, shardBytes });
  }

  /** The pieces of each shard: its header and a view of its bytes. */
  encode(name: ObjectName, pieces: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
    const objectBytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const { dataShards } = this.geometry;
    const shardBytes = shardBytesOf(objectBytes, dataShards);
    const stripe = this.#stripeFor(shardBytes);
    this.#lay(pieces, shardBytes);
    stripe.encode(shardBytes);
    return this.#withHeaders(name, objectBytes, shardBytes);
  }

  /** The object, from the shards that are there: k of them at least. */
  decode(header: ShardHeader, shards: ReadonlyMap<number, Uint8Array>): Uint8Array {
    const { dataShards } = header;
    const isWhole = Array.from({ length: dataShards }, (_, at) => at).every((at) => shards.has(at));
    if (isWhole) return gather(header, (shard) => shards.get(shard) as Uint8Array);
    this.#load(header, shards);
    return gather(header, (shard) => this.#stripe.shards[shard] as Uint8Array);
  }

  /** The pieces of all shards again, from those that are there. */
  recode(
    header: ShardHeader,
    shards: ReadonlyMap<number, Uint8Array>,
  ): readonly (readonly Uint8Array[])[] {
    this.#load(header, shards);
    return this.#withHeaders(header, header.objectBytes, header.shardBytes);
  }

  /** Parity shards that do not belong to the data shards, all of which are given. */
  inconsistent(header: ShardHeader, shards: ReadonlyMap<number, Uint8Array>): readonly number[] {
    this.#load(header, shards);
    return this.#stripe.verify(header.shardBytes);
  }

  #load(header: ShardHeader, shards: ReadonlyMap<number, Uint8Array>): void {
    const { dataShards, parityShards, shardBytes } = header;
    assert(shards.size >= dataShards, "as many shards as there are data shards");
    const stripe = this.#stripeFor(shardBytes);
    const missing: number[] = [];
    for (let shard = 0; shard < dataShards + parityShards; shard++) {
      const bytes = shards.get(shard);
      if (bytes === undefined) missing.push(shard);
      else (stripe.shards[shard] as Uint8Array).set(bytes);
    }
    stripe.reconstruct(missing, shardBytes);
  }

  #lay(pieces: readonly Uint8Array[], shardBytes: number): void {
    const { shards, dataShards } = this.#stripe;
    let shard = 0;
    let at = 0;
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) {
        const length = Math.min(shardBytes - at, piece.length - done);
        (shards[shard] as Uint8Array).set(piece.subarray(done, done + length), at);
        done += length;
        at += length;
        if (at < shardBytes) continue;
        shard++;
        at = 0;
      }
    }
    for (; shard < dataShards; shard++, at = 0) {
      (shards[shard] as Uint8Array).fill(0, at, shardBytes);
    }
  }

  #withHeaders(
    { kind, id, vault }: ObjectName,
    objectBytes: number,
    shardBytes: number,
  ): readonly (readonly Uint8Array[])[] {
    const sha256 = (...all: readonly Uint8Array[]) => this.#crypto.sha256(...all);
    return this.#stripe.shards.map((memory, shard) => {
      const bytes = memory.subarray(0, shardBytes);
      const hash = sha256(bytes);
      const about = { ...this.geometry, kind, id, vault, shard, objectBytes, shardBytes, hash };
      return [writeShardHeader(about, sha256), bytes];
    });
  }

  #stripeFor(shardBytes: number): Stripe {
    if (shardBytes > this.#stripe.shardBytes) {
      this.#stripe = new Stripe({ ...this.geometry, shardBytes });
    }
    return this.#stripe;
  }
}

function gather(
  { objectBytes, shardBytes, dataShards }: ShardHeader,
  bytesOfShard: (shard: number) => Uint8Array,
): Uint8Array {
  const object = new Uint8Array(objectBytes);
  for (let shard = 0; shard < dataShards && shard * shardBytes < objectBytes; shard++) {
    const length = Math.min(shardBytes, objectBytes - shard * shardBytes);
    object.set(bytesOfShard(shard).subarray(0, length), shard * shardBytes);
  }
  return object;
}

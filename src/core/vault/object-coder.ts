// An object's bytes to its shards and back: what window-coder.ts makes, with the shards' headers.
//
// Data shards are views of the object itself; only parity, and what is made anew, is new memory.

import { assert, present } from "../base/assert.ts";
import type { VaultCrypto } from "./crypto.ts";
import { type Allocate, sharedBytes } from "./memory.ts";
import type { ObjectId, ObjectKind } from "./names.ts";
import {
  type Geometry,
  type ObjectLengths,
  shardBytesOf,
  shardHeaderBytes,
  type ShardHeader,
  writeShardHeader,
} from "./shard.ts";
import { sameBytes } from "./wire.ts";
import { WindowCoder } from "./window-coder.ts";

export interface ObjectName {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  readonly vault: string;
}

type Shards = ReadonlyMap<number, Uint8Array>;

export class ObjectCoder {
  readonly geometry: Geometry;
  readonly #crypto: VaultCrypto;
  /** For what is lost, which is rare. */
  #windows: WindowCoder | undefined;

  constructor(crypto: VaultCrypto, geometry: Geometry) {
    this.geometry = geometry;
    this.#crypto = crypto;
  }

  /**
   * The pieces of each shard: its header and its bytes, which are views of `object` or lie in
   * memory from `allocate`. `room`: memory that `object` begins, and that is otherwise free.
   */
  async encode(
    name: ObjectName,
    object: Uint8Array,
    allocate: Allocate,
    room: Uint8Array = object,
  ): Promise<readonly (readonly Uint8Array[])[]> {
    const { dataShards, parityShards } = this.geometry;
    const shardBytes = shardBytesOf(object.length, dataShards);
    const isRoomy = room.length >= dataShards * shardBytes;
    const whole = isRoomy ? room.fill(0, object.length, dataShards * shardBytes) : object;
    const data = Array.from({ length: dataShards }, (_, shard) =>
      padded(whole.subarray(shard * shardBytes, (shard + 1) * shardBytes), shardBytes, allocate),
    );
    const parity = Array.from({ length: parityShards }, () => shardMemory(shardBytes, allocate));
    const sums = await this.#crypto.bulk.encode(this.geometry, data, parity);
    return this.#withHeaders(name, object.length, [...data, ...parity], sums);
  }

  /** The object, from those shards that are there: the first k of them are used. */
  decode(header: ShardHeader, shards: Shards, allocate: Allocate = sharedBytes): ObjectBytes {
    const data = Array.from({ length: header.dataShards }, (_, shard) => shard);
    return new ObjectBytes(header, this.#complete(header, shards, data, allocate));
  }

  /** The pieces of all shards again, from those that are there. */
  async recode(header: ShardHeader, shards: Shards): Promise<readonly (readonly Uint8Array[])[]> {
    const count = header.dataShards + header.parityShards;
    const all = Array.from({ length: count }, (_, shard) => shard);
    const whole = this.#complete(header, shards, all, sharedBytes);
    const sums = await Promise.all(whole.map((bytes) => this.#crypto.bulk.sum(bytes)));
    return this.#withHeaders(header, header.objectBytes, whole, sums);
  }

  /** The sums of all shards that there should be, for these data shards. */
  sums(data: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return this.#crypto.bulk.encode(this.geometry, data, []);
  }

  /** Shards that are not what these data make, by their sums. */
  async inconsistent(
    data: readonly Uint8Array[],
    headers: ReadonlyMap<number, ShardHeader>,
  ): Promise<readonly number[]> {
    const sums = await this.sums(data);
    return [...headers].flatMap(([shard, { sum }]) =>
      sameBytes(present(sums[shard], "a sum for each shard"), sum) ? [] : [shard],
    );
  }

  /** The wanted shards, those that are not there made from the others. */
  #complete(
    header: ShardHeader,
    shards: Shards,
    wanted: readonly number[],
    allocate: Allocate,
  ): readonly Uint8Array[] {
    const { dataShards, parityShards, shardBytes } = header;
    assert(shards.size >= dataShards, "as many shards as there are data shards");
    const made = new Map(
      wanted.flatMap((shard) => (shards.has(shard) ? [] : [[shard, allocate(shardBytes)]])),
    );
    const count = dataShards + parityShards;
    const all = Array.from({ length: count }, (_, shard) => shards.get(shard));
    if (made.size > 0) {
      this.#windows ??= new WindowCoder(this.geometry);
      this.#windows.reconstruct(all, made, shardBytes);
    }
    return wanted.map((shard) => present(made.get(shard) ?? all[shard], "there or made"));
  }

  #withHeaders(
    { kind, id, vault }: ObjectName,
    objectBytes: number,
    shards: readonly Uint8Array[],
    sums: readonly Uint8Array[],
  ): readonly (readonly Uint8Array[])[] {
    const sha256 = (...all: readonly Uint8Array[]) => this.#crypto.sha256(...all);
    return shards.map((bytes, shard) => {
      const sum = present(sums[shard], "a sum for each shard");
      const shardBytes = bytes.length;
      const about = { ...this.geometry, kind, id, vault, shard, objectBytes, shardBytes, sum };
      return [writeShardHeader(about, sha256), bytes];
    });
  }
}

/** One coder for each geometry: what it takes to make lost shards is made once. */
export class ObjectCoders {
  readonly #crypto: VaultCrypto;
  readonly #coders = new Map<string, ObjectCoder>();

  constructor(crypto: VaultCrypto) {
    this.#crypto = crypto;
  }

  of({ codec, dataShards, parityShards }: Geometry): ObjectCoder {
    const key = `${codec} ${dataShards} ${parityShards}`;
    const known = this.#coders.get(key);
    if (known !== undefined) return known;
    const coder = new ObjectCoder(this.#crypto, { codec, dataShards, parityShards });
    this.#coders.set(key, coder);
    return coder;
  }
}

/** An object that lies in its data shards. */
export class ObjectBytes {
  readonly length: number;
  readonly shards: readonly Uint8Array[];
  readonly #shardBytes: number;

  constructor({ objectBytes, shardBytes }: ObjectLengths, shards: readonly Uint8Array[]) {
    this.length = objectBytes;
    this.shards = shards;
    this.#shardBytes = shardBytes;
  }

  /** A view where the bytes lie within one shard, else a copy in memory from `allocate`. */
  slice(start: number, end: number, allocate: Allocate = sharedBytes): Uint8Array {
    assert(start >= 0 && start <= end && end <= this.length, "a slice lies within the object");
    const first = Math.floor(start / this.#shardBytes);
    const from = start - first * this.#shardBytes;
    const length = end - start;
    if (length <= this.#shardBytes - from) {
      return (this.shards[first] ?? new Uint8Array(0)).subarray(from, from + length);
    }
    const copy = allocate(length);
    let done = 0;
    for (let shard = first; done < length; shard++) {
      const at = shard === first ? from : 0;
      const part = present(this.shards[shard], "a slice ends with the object");
      const taken = part.subarray(at, at + length - done);
      copy.set(taken, done);
      done += taken.length;
    }
    return copy;
  }

  get lengths(): ObjectLengths {
    return { objectBytes: this.length, shardBytes: this.#shardBytes };
  }

  all(): Uint8Array {
    return this.slice(0, this.length);
  }
}

/** The last data shards of an object end with zeros. */
function padded(bytes: Uint8Array, length: number, allocate: Allocate): Uint8Array {
  if (bytes.length === length) return bytes;
  const whole = allocate(length);
  whole.set(bytes);
  return whole.fill(0, bytes.length);
}

/**
 * Memory for so many bytes that go behind a shard's header: within a block of memory they lie as
 * they will in a block of the file, and so the device takes them from there.
 */
function shardMemory(length: number, allocate: Allocate): Uint8Array {
  return allocate(shardHeaderBytes + length).subarray(shardHeaderBytes);
}

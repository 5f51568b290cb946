// Shards as they are found on targets: one by its place, or of one object as many as are wanted.
//
// A shard is good when its header is whole and says what its name says, when it is as long as the
// header says, and when its sum is that of its bytes. Only the sum looks at every byte: who makes
// the sums of a whole object at once anyhow reads unsummed.
//
// A target that does not answer in time, or that nobody reaches, is away from then on, for as long
// as the vault is open: others are read, and nothing there is lost. One that refuses a file is not.

import { present } from "../../core/base/assert.ts";
import { Loan, MemoryPool } from "../../core/vault/memory.ts";
import { shardName } from "../../core/vault/names.ts";
import {
  areOfOneObject,
  readShardHeader,
  shardFileBytesMax,
  shardHeaderBytes,
  type ShardHeader,
} from "../../core/vault/shard.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import { targetErrorKind } from "../../ports/target.ts";
import { type Catalog, leaveOut, messageOf } from "./catalog.ts";
import type { CatalogObject, ShardPlace } from "./catalog-object.ts";
import type { VaultWorld } from "./world.ts";

export interface GoodShard {
  readonly place: ShardPlace;
  readonly header: ShardHeader;
  readonly bytes: Uint8Array;
  /** Header and bytes, as they lie there. */
  readonly whole: Uint8Array;
}

/** A shard as it was read, or what is wrong with it. */
export type FoundShard =
  | GoodShard
  | { readonly place: ShardPlace; readonly wrong: string; readonly header?: never };

export interface Gathered {
  /** Of one object, by their numbers, which ascend. */
  readonly good: ReadonlyMap<number, GoodShard>;
  /** Of any of the good ones. */
  readonly header: ShardHeader | undefined;
  /** Where something else lies. */
  readonly bad: readonly ShardPlace[];
  /** "shard 2 on disk-b: it is rotten": of those that were wanted and are not good. */
  readonly wrong: readonly string[];
  /** Whether some with right sums are of another object. */
  readonly isDivided: boolean;
  /** How many more lie on targets that do not answer, or may lie on some that were not listed. */
  readonly away: number;
}

export class ShardReader {
  readonly catalog: Catalog;
  /** For shards, and nothing that is not encrypted. */
  readonly memory = new MemoryPool();
  readonly #vault: string;
  readonly #world: VaultWorld;
  /** Also of what was not good, or read once more. */
  bytesRead = 0;

  constructor(vault: string, catalog: Catalog, world: VaultWorld) {
    this.#vault = vault;
    this.catalog = catalog;
    this.#world = world;
  }

  /** So many different good shards of an object, or as many as there are, and what is wrong. */
  async gather(object: CatalogObject, wanted: number, loan: Loan): Promise<Gathered> {
    const found = new Map<number, GoodShard>();
    let good: ReadonlyMap<number, GoodShard> = found;
    const bad = new Map<ShardPlace, string>();
    const wrong: string[] = [];
    let [away, unseen] = [0, 0];
    const count = object.dataShards + object.parityShards;
    const byShard = Array.from({ length: count }, (_, shard) =>
      object.places.filter((each) => each.shard === shard),
    );
    for (let from = 0; from < count && good.size < wanted; ) {
      const round = byShard.slice(from, from + wanted - good.size);
      const read = await Promise.all(round.map((places) => this.#firstGood(places, bad, loan)));
      for (const [at, shard] of read.entries()) {
        const number = from + at;
        if (shard !== undefined) {
          found.set(number, shard);
          continue;
        }
        const places = byShard[number] ?? [];
        wrong.push(...this.#whyWrong(number, places, bad));
        if (places.some(({ target }) => this.catalog.unreachable.has(target))) away++;
        else if (places.length === 0) unseen++;
      }
      good = mostOfOneObject(found);
      from += round.length;
    }
    for (const [number, { place }] of found) {
      if (good.has(number)) continue;
      wrong.push(`shard ${number} on ${place.target.name} is of another object`);
      bad.set(place, "it is of another object");
    }
    away += Math.min(unseen, this.catalog.mayBeAway(count));
    const header = good.values().next().value?.header;
    const isDivided = good.size < found.size;
    return { good, header, bad: [...bad.keys()], wrong, isDivided, away };
  }

  async read(place: ShardPlace, loan: Loan): Promise<FoundShard> {
    const found = await this.readUnsummed(place, loan);
    if (found.header === undefined) return found;
    const sum = await this.#world.crypto.bulk.sum(found.bytes);
    return sameBytes(sum, found.header.sum) ? found : { place, wrong: "it is rotten" };
  }

  /** A shard by its name, header and length; its bytes may be rotten. */
  async readUnsummed(place: ShardPlace, loan: Loan): Promise<FoundShard> {
    const { crypto, events } = this.#world;
    const sha256 = (...pieces: readonly Uint8Array[]) => crypto.sha256(...pieces);
    let whole: Uint8Array;
    try {
      // A read that was given up may still be under way: its memory is nobody's again.
      const own = new Loan(this.memory);
      whole = await place.target.read(shardName(place), 0, shardFileBytesMax, own.take);
      loan.add(own.handOver());
      this.bytesRead += whole.length;
    } catch (error) {
      const wrong = messageOf(error);
      const kind = targetErrorKind(error);
      if (kind === "timeout" || kind === "unreachable")
        leaveOut(this.catalog, events, place.target, wrong);
      return { place, wrong };
    }
    const header = readShardHeader(whole, sha256);
    if (typeof header === "string") return { place, wrong: `its header is ${header}` };
    const isNamed =
      header.id === place.id &&
      header.kind === place.kind &&
      header.shard === place.shard &&
      header.dataShards === place.dataShards &&
      header.parityShards === place.parityShards &&
      header.vault === this.#vault;
    if (!isNamed) return { place, wrong: "it is another shard than its name says" };
    const bytes = whole.subarray(shardHeaderBytes);
    if (bytes.length !== header.shardBytes) {
      return { place, wrong: `it has ${bytes.length} bytes of ${header.shardBytes}` };
    }
    return { place, header, bytes, whole };
  }

  async #firstGood(
    places: readonly ShardPlace[],
    bad: Map<ShardPlace, string>,
    loan: Loan,
  ): Promise<GoodShard | undefined> {
    for (const place of places) {
      const found = await this.read(place, loan);
      if (found.header !== undefined) return found;
      if (!this.catalog.unreachable.has(place.target)) bad.set(place, found.wrong);
    }
    return undefined;
  }

  #whyWrong(
    shard: number,
    places: readonly ShardPlace[],
    bad: ReadonlyMap<ShardPlace, string>,
  ): readonly string[] {
    if (places.length === 0) return [`shard ${shard} is missing`];
    return places.map((place) => {
      const where = `shard ${shard} on ${place.target.name}`;
      if (this.catalog.unreachable.has(place.target)) return `${where} is away`;
      return `${where}: ${present(bad.get(place), "what is wrong with what was read")}`;
    });
  }
}

/** Of shards with right sums, as many as belong to one object by their headers. */
function mostOfOneObject(found: ReadonlyMap<number, GoodShard>): ReadonlyMap<number, GoodShard> {
  let most: ReadonlyMap<number, GoodShard> = new Map();
  for (const { header } of found.values()) {
    const isOne = (each: GoodShard) => areOfOneObject(header, each.header);
    const group = new Map([...found].filter(([, each]) => isOne(each)));
    if (group.size > most.size) most = group;
    if (2 * most.size >= found.size) break;
  }
  return most;
}

export function bytesOfAll(
  shards: ReadonlyMap<number, GoodShard>,
): ReadonlyMap<number, Uint8Array> {
  return new Map([...shards].map(([shard, { bytes }]) => [shard, bytes]));
}

export function placesOf(shards: ReadonlyMap<number, GoodShard>): readonly ShardPlace[] {
  return [...shards.values()].map(({ place }) => place);
}

// What the shards of one object are found to be, and what may be made anew from which of them.
// Nothing is written here.
//
// There are three witnesses. A shard's own sum says that it is as it was written, parity that the
// shards belong together, and who can open the object that it is what was sealed. Whoever can write
// a shard gives it a sum that is right: that some were made up is seen by parity alone, and which,
// by opening what the others make. Where parity objects and nobody can open, nothing may be made
// anew: from a lie, what is right would go.
//
// Almost always every shard is there and right. So the first way to look is the cheap one for that,
// and whatever it meets, all shards are gathered and judged together.

import { NinesError } from "../../core/base/errors.ts";
import type { Loan } from "../../core/vault/memory.ts";
import type { ObjectId, ObjectKind } from "../../core/vault/names.ts";
import type { ObjectBytes, ObjectCoders } from "../../core/vault/object-coder.ts";
import { otherReadings } from "../../core/vault/readings.ts";
import { areOfOneObject, type ShardHeader } from "../../core/vault/shard.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import { messageOf } from "./catalog.ts";
import type { CatalogObject, ShardPlace } from "./catalog-object.ts";
import {
  bytesOfAll,
  type FoundShard,
  type Gathered,
  type GoodShard,
  type ShardReader,
} from "./shard-reader.ts";

/** Of an object of which shards were made up: all ways to read one of 10 + 4. */
const looksMax = 1_000;

export interface Examination {
  /** "shard 2 on disk-b: it is rotten": one for each shard that is not there and right. */
  readonly wrong: readonly string[];
  /** Shards made anew. */
  readonly mended: number;
  /** It cannot be read any more, or is not what it should be. */
  readonly lost: boolean;
  /** It cannot be read until targets that do not answer are back. */
  readonly away: boolean;
}

/** Good shards of an object, enough to read it and to make the others anew. */
export interface Remains {
  readonly header: ShardHeader;
  readonly good: ReadonlyMap<number, GoodShard>;
  /** Where what is not good lies. */
  readonly bad: readonly ShardPlace[];
}

export interface Finding extends Examination {
  /** Without these nothing may be done about it. */
  readonly remains?: Remains;
  /** Whether targets contradict one another. */
  readonly isContested: boolean;
}

/** What somebody who can open an object says of its bytes; "unknown": nobody here can. */
export type Verdict = "right" | "unknown" | { readonly forged: string };

/**
 * Judges an object's bytes, which are there as long as this takes. `isStrange`: whether targets
 * contradict one another, or parity says that a shard was made up, which is found meanwhile.
 */
export type Look = (
  kind: ObjectKind,
  id: ObjectId,
  bytes: ObjectBytes,
  isStrange: () => Promise<boolean>,
) => Promise<Verdict>;

export const noLook: Look = async () => "unknown";

/** Of bytes that are right if they can be opened. */
export function verdictOf(open: () => unknown): Verdict {
  try {
    open();
    return "right";
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    return error.code === "NINES_VAULT_DAMAGED" ? { forged: messageOf(error) } : "unknown";
  }
}

export class Examiner {
  readonly #shards: ShardReader;
  readonly #coders: ObjectCoders;

  constructor(shards: ShardReader, coders: ObjectCoders) {
    this.#shards = shards;
    this.#coders = coders;
  }

  /**
   * An object of which every shard is there and right, or undefined. Parity is read beside the
   * data, mostly from the device while those come from the kernel's cache, and for its sum alone:
   * only data stay in memory. All sums are made at once, from the data.
   */
  async glance(object: CatalogObject, loan: Loan, look: Look): Promise<Examination | undefined> {
    const { dataShards, parityShards } = object;
    const { catalog, memory } = this.#shards;
    if (object.isContested) return undefined;
    const ordered = catalog.placesHere(object).toSorted((a, b) => a.shard - b.shard);
    const isAll = ordered.length === dataShards + parityShards;
    if (!isAll || ordered.some(({ shard }, at) => shard !== at)) return undefined;
    const [data, parity] = [ordered.slice(0, dataShards), ordered.slice(dataShards)];
    const reading = Promise.all(
      parity.map((each) => memory.lend((own) => this.#shards.read(each, own))),
    );
    const found = Promise.all(data.map((each) => this.#shards.readUnsummed(each, loan)));
    const looking = found.then((shards) => this.#lookAt(object, shards, reading, look));
    await Promise.allSettled([looking, reading]);
    return looking;
  }

  /** `reading`: the parity shards, which need not be there before the data are looked at. */
  async #lookAt(
    { kind, id }: CatalogObject,
    data: readonly FoundShard[],
    reading: Promise<readonly FoundShard[]>,
    look: Look,
  ): Promise<Examination | undefined> {
    const header = data[0]?.header;
    const isOne = (shard: FoundShard): shard is GoodShard =>
      header !== undefined && shard.header !== undefined && areOfOneObject(header, shard.header);
    if (header === undefined || !data.every(isOne)) return undefined;
    const coder = this.#coders.of(header);
    const bytes = coder.decode(header, bytesOfAll(new Map(data.entries())));
    const comparing = Promise.all([coder.sums(bytes.shards), reading]).then(([sums, parity]) =>
      [...data, ...parity].every((shard) => isOne(shard) && hasSum(shard, sums)),
    );
    const looking = look(kind, id, bytes, async () => !(await comparing));
    const [isWhole, verdict] = await bothEnded(comparing, looking);
    if (!isWhole || typeof verdict === "object") return undefined;
    return { wrong: [], mended: 0, lost: false, away: false };
  }

  /**
   * All shards together, however few there are. What remains is in memory of `loan`. `ways`: in how
   * many others the object is read when it cannot be opened as it is.
   */
  async judge(
    object: CatalogObject,
    loan: Loan,
    look: Look,
    ways: number = looksMax,
  ): Promise<Finding> {
    const { dataShards, parityShards } = object;
    const gathered = await this.#shards.gather(object, dataShards + parityShards, loan);
    const { good, header, bad, wrong, isDivided, away } = gathered;
    const isContested = object.isContested || isDivided;
    const found = { wrong, mended: 0, lost: false, away: false, isContested };
    const unread = (isLost: boolean) => ({ ...found, lost: isLost, away: !isLost });
    if (header === undefined || good.size < dataShards) {
      return unread(good.size + away < dataShards);
    }
    const strangers = await this.#strangers(object, { ...gathered, header }, look, ways);
    if (strangers === undefined) {
      const why = "its shards do not belong together, and nobody can tell which were made up";
      return { ...found, wrong: [why] };
    }
    // What is away might tell.
    if ("forged" in strangers) return { ...unread(away === 0), wrong: [strangers.forged] };
    const left = [...strangers].map(([shard, why]) => `shard ${shard} ${why}`);
    const belonging = new Map([...good].filter(([shard]) => !strangers.has(shard)));
    const { catalog } = this.#shards;
    const strange = catalog.placesHere(object).filter(({ shard }) => strangers.has(shard));
    const spoilt = [...bad, ...strange, ...catalog.here(object.strays)];
    const remains = { header, good: belonging, bad: spoilt };
    return { ...found, wrong: [...wrong, ...left], remains };
  }

  /**
   * Of shards with right sums, those that do not belong to the others, each with why: "forged" when
   * what was sealed cannot be told from them, undefined when nobody can open it who could tell.
   */
  async #strangers(
    object: CatalogObject,
    { good, header, isDivided }: Gathered & { readonly header: ShardHeader },
    look: Look,
    ways: number,
  ): Promise<ReadonlyMap<number, string> | { readonly forged: string } | undefined> {
    const coder = this.#coders.of(header);
    const bytes = coder.decode(header, bytesOfAll(good));
    const isTold = good.size > object.dataShards && look !== noLook;
    const comparing = isTold
      ? coder.inconsistent(bytes.shards, headersOfAll(good))
      : Promise.resolve([]);
    const isStrange = async () => object.isContested || isDivided || (await comparing).length > 0;
    const looking = look(object.kind, object.id, bytes, isStrange);
    const [strange, verdict] = await bothEnded(comparing, looking);
    if (typeof verdict === "object") {
      // Where all belong together, any of them make the same.
      const madeUp =
        strange.length === 0 ? "" : await this.#madeUp(object, header, good, look, ways);
      if (typeof madeUp === "string") return { forged: `${verdict.forged}${madeUp}` };
      const where = (shard: number) => `on ${good.get(shard)?.place.target.name} was made up`;
      return new Map(madeUp.map((shard) => [shard, where(shard)]));
    }
    const isDoubtful = isDivided || object.strays.length > 0 || strange.length > 0;
    if (isDoubtful && verdict === "unknown") return undefined;
    return new Map(strange.map((shard) => [shard, "does not belong to the others"]));
  }

  /** The shards without which the others make what was sealed, or why nobody can tell. */
  async #madeUp(
    { kind, id, dataShards }: CatalogObject,
    header: ShardHeader,
    good: ReadonlyMap<number, GoodShard>,
    look: Look,
    ways: number,
  ): Promise<readonly number[] | string> {
    const coder = this.#coders.of(header);
    const headers = headersOfAll(good);
    const all = [...bytesOfAll(good)];
    let looks = 0;
    for (const shards of otherReadings([...good.keys()], dataShards)) {
      if (looks++ === ways) return `; what it was is not found in ${ways} ways to read it`;
      const some = new Map(all.filter(([shard]) => shards.includes(shard)));
      const madeUp = await this.#shards.memory.lend(async (loan) => {
        const bytes = coder.decode(header, some, loan.take);
        const verdict = await look(kind, id, bytes, async () => true);
        return verdict === "right" ? coder.inconsistent(bytes.shards, headers) : undefined;
      });
      if (madeUp !== undefined) return madeUp;
    }
    return `, whichever ${dataShards} of its shards it is read from`;
  }
}

/** Both; where one fails, once the other has ended as well, which may still read the bytes. */
async function bothEnded<A, B>(one: Promise<A>, other: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

function hasSum({ header, place }: GoodShard, sums: readonly Uint8Array[]): boolean {
  const sum = sums[place.shard];
  return sum !== undefined && sameBytes(header.sum, sum);
}

function headersOfAll(shards: ReadonlyMap<number, GoodShard>): ReadonlyMap<number, ShardHeader> {
  return new Map([...shards].map(([shard, { header }]) => [shard, header]));
}

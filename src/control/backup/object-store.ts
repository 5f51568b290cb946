// Objects over targets: put, read with repair, examine, remove.
//
// A put counts when enough shards are durable: all of them when the world is well; while targets
// are away, one more than it takes to read, or with one parity shard as many as it takes: a thin
// backup is better than none. What is missing is said, and made good by the scrub. A target that
// refuses is not asked again in this run, so that a dead one costs one timeout and not one for each
// object.
//
// A read asks for as many shards as it takes, checks each against its hash, goes on to others for
// those that are missing or rotten, and then mends the object at once: first the new shard,
// durable, then the rotten one is taken away. So nothing is ever worse than before, at any point of
// a crash. Every mend is one event with what was wrong. A target that does not answer in time is
// away from then on, for as long as the vault is open: others are read, and nothing there is lost.

import { NinesError } from "../../core/base/errors.ts";
import {
  type ObjectId,
  type ObjectKind,
  shardName,
  type ShardName,
} from "../../core/vault/names.ts";
import { Loan, MemoryPool } from "../../core/vault/memory.ts";
import { type ObjectBytes, ObjectCoder } from "../../core/vault/object-coder.ts";
import { place, rank } from "../../core/vault/placement.ts";
import { otherReadings } from "../../core/vault/readings.ts";
import {
  areOfOneObject,
  type Geometry,
  readShardHeader,
  shardFileBytesMax,
  shardHeaderBytes,
  type ShardHeader,
} from "../../core/vault/shard.ts";
import { sameBytes } from "../../core/vault/wire.ts";
import { type Target, targetErrorKind } from "../../ports/target.ts";
import {
  type Catalog,
  type CatalogObject,
  leaveOut,
  messageOf,
  type ShardPlace,
} from "./catalog.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

const isMissing = " is missing";
const isAway = " is away";

/** Of an object of which shards were made up: all ways to read one of 10 + 4. */
const looksMax = 1_000;

/** A shard as it was read: its bytes, or what is wrong with it. */
interface FoundShard {
  readonly place: ShardPlace;
  readonly header?: ShardHeader;
  readonly bytes?: Uint8Array;
  readonly wrong?: string;
}

interface Gathered {
  readonly good: Map<number, FoundShard>;
  readonly bad: FoundShard[];
  readonly wrong: string[];
  /** How many more lie on targets that do not answer, or may lie on some that were not listed. */
  readonly away: number;
}

export interface Examination {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  readonly bytesRead: number;
  /** "shard 2 on disk-b is rotten": one for each shard that is not there and right. */
  readonly wrong: readonly string[];
  /** Shards made anew. */
  readonly mended: number;
  /** It cannot be read any more, or is not what it should be. */
  readonly lost: boolean;
  /** It cannot be read until targets that do not answer are back. */
  readonly away: boolean;
}

/** What somebody who can open an object says of its bytes; "unknown": nobody here can. */
export type Verdict = "right" | "unknown" | { readonly forged: string };

/**
 * Judges an object's bytes, which are there as long as this takes. `isStrange`: whether parity says
 * that one of the shards was made up, which is found meanwhile.
 */
export type Look = (
  kind: ObjectKind,
  id: ObjectId,
  bytes: ObjectBytes,
  isStrange: () => Promise<boolean>,
) => Promise<Verdict>;

const noLook: Look = async () => "unknown";

export class ObjectStore {
  readonly vault: string;
  readonly catalog: Catalog;
  /** For shards, and nothing that is not encrypted. */
  readonly memory = new MemoryPool();
  readonly #world: VaultWorld;
  readonly #settings: VaultSettings;
  readonly #coders = new Map<string, ObjectCoder>();
  readonly #refused = new Map<Target, string>();
  /** Objects that could not be made whole again now: they are not tried again at each read. */
  readonly #unmended = new Set<ObjectId>();
  readonly #examined = new Map<ObjectId, Promise<Examination>>();
  mendedShards = 0;
  degradedObjects = 0;

  constructor(vault: string, catalog: Catalog, world: VaultWorld, settings: VaultSettings) {
    this.vault = vault;
    this.catalog = catalog;
    this.#world = world;
    this.#settings = settings;
  }

  /** Targets that refused something, each with why. */
  get refused(): ReadonlyMap<Target, string> {
    return this.#refused;
  }

  /**
   * Puts an object whole. Whether nobody reads `bytes` any more, so that their memory may be used
   * again: a put that was given up may still be under way. `room`: memory that `bytes` begin, and
   * that is otherwise free. Throws NINES_VAULT_TARGETS when too few targets have taken a shard.
   */
  async put(
    kind: ObjectKind,
    id: ObjectId,
    bytes: Uint8Array,
    room: Uint8Array = bytes,
  ): Promise<boolean> {
    const { geometry } = this.#settings;
    const loan = new Loan(this.memory);
    const refusedBefore = this.#refused.size;
    const name = { kind, id, vault: this.vault };
    const shards = await this.#coderFor(geometry).encode(name, bytes, loan.take, room);
    const ranked = [...rank(id, this.#takers(), this.#rules(geometry))];
    const spare = ranked.splice(shards.length);
    const written = await Promise.all(
      shards.map((shard, number) => {
        const name = { kind, id, ...geometry, shard: number, attempt: 0 };
        return this.#putShard(name, shard, ranked[number], spare);
      }),
    );
    // Whatever failed meanwhile has been refused meanwhile: a target that was before is not asked.
    const isOver = this.#refused.size === refusedBefore;
    if (isOver) loan.end();
    const durable = written.filter(Boolean).length;
    const least = geometry.dataShards + (geometry.parityShards > 1 ? 1 : 0);
    if (durable < shards.length) this.degradedObjects++;
    if (durable >= least) return isOver;
    const why = [...this.#refused].map(([{ name }, reason]) => `${name}: ${reason}`).join("; ");
    const what = `${durable} of ${shards.length} shards of ${kind} ${id} could be written, ${least}`;
    const because = why === "" ? "there are too few targets" : why;
    throw new NinesError("NINES_VAULT_TARGETS", `${what} must be: ${because}.`);
  }

  /**
   * The object's bytes, until the loan ends. Mends it on the way. Throws NINES_VAULT_LOST, and
   * NINES_VAULT_TARGETS while what it takes is away.
   */
  async read(
    kind: ObjectKind,
    id: ObjectId,
    loan: Loan = new Loan(this.memory),
  ): Promise<ObjectBytes> {
    const object = this.catalog.find(kind, id);
    if (object === undefined) throw lostError(kind, id, ["no target has any of it"]);
    const { good, wrong, away } = await this.#gather(object, object.dataShards, loan);
    const header = good.values().next().value?.header;
    if (header === undefined || good.size < object.dataShards) {
      const isLost = good.size + away < object.dataShards;
      throw isLost ? lostError(kind, id, wrong) : awayError(kind, id, wrong);
    }
    const bytes = this.#coderFor(header).decode(header, bytesOfAll(good));
    const isWhole = wrong.length === 0;
    if (!isWhole && !this.#unmended.has(id)) await this.examine(kind, id);
    return bytes;
  }

  /**
   * One data shard of an object of so many bytes, until the loan ends. Undefined when it is not
   * there and right: then the object must be read, which mends it.
   */
  async readShard(
    object: CatalogObject,
    objectBytes: number,
    shard: number,
    loan: Loan,
  ): Promise<Uint8Array | undefined> {
    for (const each of object.places) {
      if (each.shard !== shard) continue;
      const { header, bytes } = await this.#readShard(each, loan);
      const isOfIt = header?.dataShards === object.dataShards;
      if (isOfIt && header?.objectBytes === objectBytes) return bytes;
    }
    return undefined;
  }

  /**
   * What `open` makes of an object's bytes. Where it throws NINES_VAULT_DAMAGED shards may have been
   * made up: these are found by what can be opened, and made anew.
   */
  async open<T>(kind: ObjectKind, id: ObjectId, open: (bytes: Uint8Array) => T): Promise<T> {
    try {
      return open((await this.read(kind, id)).all());
    } catch (error) {
      if (!(error instanceof NinesError) || error.code !== "NINES_VAULT_DAMAGED") throw error;
      const look: Look = async (_, __, bytes) => verdictOf(() => open(bytes.all()));
      const { mended } = await this.examine(kind, id, look);
      if (mended === 0) throw error;
      return open((await this.read(kind, id)).all());
    }
  }

  /** Reads every shard, and makes anew what is missing or wrong; `look`s at what they hold. */
  examine(kind: ObjectKind, id: ObjectId, look: Look = noLook): Promise<Examination> {
    // Two readers may find the same fault; it is mended once.
    const underWay = this.#examined.get(id);
    if (underWay !== undefined) return underWay;
    const examination = this.#examine(kind, id, look).finally(() => this.#examined.delete(id));
    this.#examined.set(id, examination);
    return examination;
  }

  async #examine(kind: ObjectKind, id: ObjectId, look: Look): Promise<Examination> {
    const object = this.catalog.find(kind, id);
    if (object === undefined) {
      const wrong = ["no target has any of it"];
      return { kind, id, bytesRead: 0, wrong, mended: 0, lost: true, away: false };
    }
    const whole = await this.#lent((loan) => this.#glance(object, loan, look));
    return whole ?? this.#lent((loan) => this.#examineShards(object, loan, look));
  }

  async #lent<T>(run: (loan: Loan) => Promise<T>): Promise<T> {
    const loan = new Loan(this.memory);
    try {
      return await run(loan);
    } finally {
      loan.end();
    }
  }

  /**
   * The object as it almost always is, every shard there and right. Undefined where it is not: then
   * all shards are looked at together. Parity is read beside the data, mostly from the device while
   * those come from the kernel's cache, and for its sum alone: only data stay in memory. All sums
   * are made at once, from the data.
   */
  async #glance(object: CatalogObject, loan: Loan, look: Look): Promise<Examination | undefined> {
    const { dataShards, parityShards, places } = object;
    const ordered = places.toSorted((a, b) => a.shard - b.shard);
    const { unreachable } = this.catalog;
    const isAll = ordered.every(
      ({ shard, target }, at) => shard === at && !unreachable.has(target),
    );
    if (!isAll || ordered.length !== dataShards + parityShards) return undefined;
    const [data, parity] = [ordered.slice(0, dataShards), ordered.slice(dataShards)];
    const reading = Promise.all(
      parity.map((each) => this.#lent((own) => this.#readShard(each, own))),
    );
    const found = Promise.all(data.map((each) => this.#readUnsummed(each, loan)));
    const looking = found.then((shards) => this.#lookAt(object, shards, reading, look));
    await Promise.allSettled([looking, reading]);
    return looking;
  }

  /** `reading`: the parity shards, which need not be there before the data are looked at. */
  async #lookAt(
    { kind, id, dataShards, parityShards }: CatalogObject,
    data: readonly FoundShard[],
    reading: Promise<readonly FoundShard[]>,
    look: Look,
  ): Promise<Examination | undefined> {
    const header = data[0]?.header;
    const isOne = (shard: FoundShard) =>
      header !== undefined && shard.header !== undefined && areOfOneObject(header, shard.header);
    if (header === undefined || !data.every(isOne)) return undefined;
    const coder = this.#coderFor(header);
    const bytes = coder.decode(header, bytesOfAll(new Map(data.entries())));
    const comparing = Promise.all([coder.sums(bytes.shards), reading]).then(([sums, parity]) =>
      [...data, ...parity].every((shard) => isOne(shard) && hasSum(shard, sums)),
    );
    const looking = look(kind, id, bytes, async () => !(await comparing));
    const [isWhole, verdict] = await Promise.all([comparing, looking]);
    if (!isWhole || typeof verdict === "object") return undefined;
    const bytesRead = (dataShards + parityShards) * header.shardBytes;
    return { kind, id, bytesRead, wrong: [], mended: 0, lost: false, away: false };
  }

  async #examineShards(object: CatalogObject, loan: Loan, look: Look): Promise<Examination> {
    const { kind, id } = object;
    const count = object.dataShards + object.parityShards;
    const { good, wrong, bad, away } = await this.#gather(object, count, loan);
    const bytesRead = [...good.values()].reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    const found = { kind, id, bytesRead, away: false };
    const header = good.values().next().value?.header;
    if (header === undefined || good.size < object.dataShards) {
      const isLost = good.size + away < object.dataShards;
      return { ...found, wrong, mended: 0, lost: isLost, away: !isLost };
    }
    const coder = this.#coderFor(header);
    const leave = (shard: number, why: string) => {
      wrong.push(`shard ${shard} ${why}`);
      bad.push(good.get(shard) as FoundShard);
      good.delete(shard);
    };
    // Sums are right one by one; that they belong together only parity tells.
    const headers = headersOfAll(good);
    const bytes = coder.decode(header, bytesOfAll(good));
    const isTold = good.size > object.dataShards && look !== noLook;
    const comparing = isTold ? coder.inconsistent(bytes.shards, headers) : Promise.resolve([]);
    const isStrange = async () => (await comparing).length > 0;
    const looking = look(kind, id, bytes, isStrange);
    const [strange, verdict] = await Promise.all([comparing, looking]);
    if (verdict === "right") {
      for (const shard of strange) leave(shard, "does not belong to the others");
    } else if (verdict === "unknown") {
      // Made anew from a lie, what is right would go.
      const why = "its shards do not belong together, and nobody can tell which were made up";
      if (strange.length > 0) return { ...found, wrong: [why], mended: 0, lost: false };
    } else {
      const madeUp = await this.#madeUp(object, header, good, look);
      if (typeof madeUp === "string") {
        // What is away might tell.
        const [isLost, why] = [away === 0, `${verdict.forged}${madeUp}`];
        return { ...found, wrong: [why], mended: 0, lost: isLost, away: !isLost };
      }
      for (const shard of madeUp) {
        leave(shard, `on ${good.get(shard)?.place.target.name} was made up`);
      }
    }
    if (wrong.length === 0) {
      // Damaged shards beside good ones: left by a mend that was cut off, or that might not remove.
      await this.#discard(bad);
      return { ...found, wrong, mended: 0, lost: false };
    }
    const mended = await this.#mend(object, header, good, bad);
    this.#say(kind, id, wrong, mended, count - good.size);
    return { ...found, wrong, mended, lost: false };
  }

  /** The shards without which the others make what was sealed, or why nobody can tell. */
  async #madeUp(
    { kind, id, dataShards }: CatalogObject,
    header: ShardHeader,
    good: ReadonlyMap<number, FoundShard>,
    look: Look,
  ): Promise<readonly number[] | string> {
    const coder = this.#coderFor(header);
    const headers = headersOfAll(good);
    const asRead = coder.decode(header, bytesOfAll(good)).shards;
    // Where all belong together, any of them make the same.
    if ((await coder.inconsistent(asRead, headers)).length === 0) return "";
    let looks = 0;
    for (const shards of otherReadings([...good.keys()].sort(ascending), dataShards)) {
      if (looks++ === looksMax) return `; what it was is not found in ${looksMax} ways to read it`;
      const loan = new Loan(this.memory);
      try {
        const some = bytesOfAll(
          new Map(shards.map((shard) => [shard, good.get(shard) as FoundShard])),
        );
        const bytes = coder.decode(header, some, loan.take);
        const verdict = await look(kind, id, bytes, async () => true);
        if (verdict === "right") return await coder.inconsistent(bytes.shards, headers);
      } finally {
        loan.end();
      }
    }
    return `, whichever ${dataShards} of its shards it is read from`;
  }

  /** Removes all of an object from the targets that can be reached. */
  async remove(kind: ObjectKind, id: ObjectId): Promise<readonly string[]> {
    const failures: string[] = [];
    for (const shard of this.catalog.find(kind, id)?.places ?? []) {
      try {
        await this.removeShard(shard);
      } catch (error) {
        failures.push(`${shard.target.name}: ${messageOf(error)}`);
      }
    }
    return failures;
  }

  /**
   * Removes what a newer record stands for, or leaves it whole: where it may not be removed from
   * one target, it would only be short of shards for ever.
   */
  async supersede(kind: ObjectKind, id: ObjectId): Promise<void> {
    const places = this.catalog.find(kind, id)?.places ?? [];
    if (!places.some(({ target }) => target.isAppendOnly)) await this.remove(kind, id);
  }

  /** Of these targets, or of all, the names of those that were not listed. */
  unseen(names?: readonly string[]): readonly string[] {
    const { unreachable } = this.catalog;
    const all = this.#world.targets.map(({ name }) => name);
    const seen = this.#world.targets.filter((each) => !unreachable.has(each));
    return (names ?? all).filter((name) => !seen.some((each) => each.name === name));
  }

  async removeShard(shard: ShardPlace): Promise<void> {
    await shard.target.remove(shardName(shard));
    this.catalog.remove(shard);
  }

  /**
   * Moves an object's shards to where they should lie: first the copy, then the original goes.
   * How many were moved. What lies on targets that are away stays there until they are back.
   */
  async settle(kind: ObjectKind, id: ObjectId): Promise<number> {
    const object = this.catalog.find(kind, id);
    if (object === undefined) return 0;
    const here = this.catalog.placesHere(object);
    const present = new Map(here.map(({ shard, target }) => [shard, target.name]));
    const wanted = place(id, this.#takers(), this.#rules(object), present);
    let moved = 0;
    for (const [shard, target] of wanted) {
      const held = here.filter((each) => each.shard === shard);
      if (held.length === 0) continue;
      if (held.some((each) => each.target === target)) {
        const spare = held.filter((each) => each.target !== target && !each.target.isAppendOnly);
        await this.#discard(spare.map((at) => ({ place: at })));
        continue;
      }
      // What cannot be taken away from there would only be there twice.
      if (held.some((each) => each.target.isAppendOnly)) continue;
      if (await this.#move(object, held, target)) moved++;
    }
    return moved;
  }

  async #move(
    object: CatalogObject,
    held: readonly ShardPlace[],
    target: Target,
  ): Promise<boolean> {
    for (const from of held) {
      const found = await this.#readShard(from, new Loan(this.memory));
      if (found.header === undefined || found.bytes === undefined) continue;
      const whole = await from.target.read(shardName(from), 0, shardFileBytesMax);
      const name = { ...from, attempt: nextAttempt(object) };
      if (!(await this.#putShard(name, [whole], target, []))) return false;
      await this.#discard(held.map((at) => ({ place: at })));
      return true;
    }
    return false;
  }

  async #putShard(
    name: ShardName,
    pieces: readonly Uint8Array[],
    wanted: Target | undefined,
    spare: Target[],
  ): Promise<boolean> {
    const { kind, id, dataShards, parityShards, shard, attempt } = name;
    const clean = { kind, id, dataShards, parityShards, shard, attempt };
    let target = wanted ?? spare.shift();
    for (; target !== undefined; target = spare.shift()) {
      if (this.#refused.has(target)) continue;
      try {
        await target.put(shardName(clean), pieces);
        this.catalog.add({ ...clean, target });
        return true;
      } catch (error) {
        this.#refuse(target, messageOf(error));
      }
    }
    return false;
  }

  #refuse(target: Target, why: string): void {
    if (this.#refused.has(target)) return;
    this.#refused.set(target, why);
    const sentence = `Target ${target.name} takes nothing in this run: ${why}.`;
    this.#world.events.record({ kind: "target.refused", level: "warning", sentence });
  }

  /** So many different good shards of an object, or as many as there are, and what is wrong. */
  async #gather(object: CatalogObject, wanted: number, loan: Loan): Promise<Gathered> {
    const good = new Map<number, FoundShard>();
    const bad: FoundShard[] = [];
    const wrong: string[] = [];
    let [away, unseen] = [0, 0];
    const count = object.dataShards + object.parityShards;
    const byShard = Array.from({ length: count }, (_, shard) =>
      object.places.filter((each) => each.shard === shard),
    );
    for (let from = 0; from < count && good.size < wanted; ) {
      const round = byShard.slice(from, from + wanted - good.size);
      const found = await Promise.all(
        round.map((places) => this.#readFirstGood(places, bad, loan)),
      );
      for (const [at, shard] of found.entries()) {
        const number = from + at;
        const first = good.values().next().value?.header;
        if (shard?.header === undefined) {
          const places = byShard[number] ?? [];
          wrong.push(...whyWrong(number, places, bad, this.catalog));
          if (places.some(({ target }) => this.catalog.unreachable.has(target))) away++;
          else if (places.length === 0) unseen++;
        } else if (first !== undefined && !areOfOneObject(first, shard.header)) {
          wrong.push(`shard ${number} on ${shard.place.target.name} is of another object`);
          bad.push(shard);
        } else {
          good.set(number, shard);
        }
      }
      from += round.length;
    }
    return { good, bad, wrong, away: away + Math.min(unseen, this.#mayBeAway(count)) };
  }

  /** Whether an object of which nothing is seen may be whole on targets that were not listed. */
  get mayHideObjects(): boolean {
    const { dataShards, parityShards } = this.#settings.geometry;
    return this.#mayBeAway(dataShards + parityShards) >= dataShards;
  }

  /** How many of an object's shards may lie on targets that were not listed. */
  #mayBeAway(shards: number): number {
    const { targets } = this.#world;
    return this.catalog.unreachable.size * Math.ceil(shards / Math.max(1, targets.length));
  }

  async #readFirstGood(
    places: readonly ShardPlace[],
    bad: FoundShard[],
    loan: Loan,
  ): Promise<FoundShard | undefined> {
    for (const shard of places) {
      const found = await this.#readShard(shard, loan);
      if (found.wrong === undefined) return found;
      if (!this.catalog.unreachable.has(shard.target)) bad.push(found);
    }
    return undefined;
  }

  async #readShard(shard: ShardPlace, loan: Loan): Promise<FoundShard> {
    const found = await this.#readUnsummed(shard, loan);
    if (found.header === undefined || found.bytes === undefined) return found;
    const sum = await this.#world.crypto.bulk.sum(found.bytes);
    return sameBytes(sum, found.header.sum) ? found : { place: shard, wrong: "it is rotten" };
  }

  /** A shard by its name, header and length; its bytes may be rotten. */
  async #readUnsummed(shard: ShardPlace, loan: Loan): Promise<FoundShard> {
    const { crypto } = this.#world;
    const sha256 = (...pieces: readonly Uint8Array[]) => crypto.sha256(...pieces);
    let whole: Uint8Array;
    try {
      // A read that was given up may still be under way: its memory is nobody's again.
      const own = new Loan(this.memory);
      whole = await shard.target.read(shardName(shard), 0, shardFileBytesMax, own.take);
      loan.add(own.handOver());
    } catch (error) {
      const wrong = messageOf(error);
      const isSilent = targetErrorKind(error) === "timeout";
      if (isSilent) leaveOut(this.catalog, this.#world.events, shard.target, wrong);
      return { place: shard, wrong };
    }
    const header = readShardHeader(whole, sha256);
    if (typeof header === "string") return { place: shard, wrong: `its header is ${header}` };
    const isNamed =
      header.id === shard.id &&
      header.kind === shard.kind &&
      header.shard === shard.shard &&
      header.dataShards === shard.dataShards &&
      header.parityShards === shard.parityShards &&
      header.vault === this.vault;
    if (!isNamed) return { place: shard, wrong: "it is another shard than its name says" };
    const bytes = whole.subarray(shardHeaderBytes);
    if (bytes.length !== header.shardBytes) {
      return { place: shard, wrong: `it has ${bytes.length} bytes of ${header.shardBytes}` };
    }
    return { place: shard, header, bytes };
  }

  /** Makes the shards that are not good anew, then takes away what is bad. How many were made. */
  async #mend(
    object: CatalogObject,
    header: ShardHeader,
    good: ReadonlyMap<number, FoundShard>,
    bad: readonly FoundShard[],
  ): Promise<number> {
    const pieces = await this.#coderFor(header).recode(header, bytesOfAll(good));
    const present = new Map([...good].map(([shard, { place: at }]) => [shard, at.target.name]));
    const wanted = place(object.id, this.#takers(), this.#rules(object), present);
    const attempt = nextAttempt(object);
    let mended = 0;
    for (const [shard, shardPieces] of pieces.entries()) {
      const target = wanted.get(shard);
      if (good.has(shard) || target === undefined) continue;
      const { kind, id, dataShards, parityShards } = object;
      const name = { kind, id, dataShards, parityShards, shard, attempt };
      if (!(await this.#putShard(name, shardPieces, target, []))) continue;
      mended++;
      await this.#discard(bad.filter(({ place: at }) => at.shard === shard));
    }
    this.mendedShards += mended;
    if (good.size + mended < pieces.length) this.#unmended.add(object.id);
    return mended;
  }

  /** What is bad or spare goes once there is better; a target that keeps it does no harm. */
  async #discard(bad: readonly Pick<FoundShard, "place">[]): Promise<void> {
    for (const { place: at } of bad) {
      try {
        await this.removeShard(at);
      } catch (error) {
        // Who may only add is as good as before.
        if (targetErrorKind(error) !== "not-allowed") this.#refuse(at.target, messageOf(error));
      }
    }
  }

  #say(
    kind: ObjectKind,
    id: ObjectId,
    wrong: readonly string[],
    mended: number,
    missing: number,
  ): void {
    const isOnlyAway = wrong.every((each) => each.endsWith(isMissing) || each.endsWith(isAway));
    // Which targets are away has been said; one line an object is no news.
    if (mended === 0 && isOnlyAway && this.catalog.unreachable.size > 0) return;
    const why = wrong.join("; ");
    const done =
      mended === missing
        ? `mended: ${mended} made anew from the others`
        : `degraded: ${mended} of ${missing} could be made anew`;
    this.#world.events.record({
      kind: mended === missing ? "vault.mended" : "vault.degraded",
      level: "warning",
      sentence: `The ${kind} ${id} is ${done}, since ${why}.`,
    });
  }

  #takers(): readonly Target[] {
    return this.#world.targets.filter(
      (target) =>
        !this.#refused.has(target) &&
        !this.catalog.unreachable.has(target) &&
        !this.#settings.retiring.includes(target.name),
    );
  }

  #rules({ dataShards, parityShards }: Pick<Geometry, "dataShards" | "parityShards">): {
    readonly shards: number;
    readonly shareDomains: boolean;
  } {
    return { shards: dataShards + parityShards, shareDomains: this.#settings.shareDomains };
  }

  #coderFor({ codec, dataShards, parityShards }: Geometry): ObjectCoder {
    const key = `${codec} ${dataShards} ${parityShards}`;
    const known = this.#coders.get(key);
    if (known !== undefined) return known;
    const coder = new ObjectCoder(this.#world.crypto, { codec, dataShards, parityShards });
    this.#coders.set(key, coder);
    return coder;
  }
}

function hasSum({ header, place }: FoundShard, sums: readonly Uint8Array[]): boolean {
  const sum = sums[place.shard];
  return header !== undefined && sum !== undefined && sameBytes(header.sum, sum);
}

function bytesOfAll(shards: ReadonlyMap<number, FoundShard>): ReadonlyMap<number, Uint8Array> {
  return new Map([...shards].map(([shard, { bytes }]) => [shard, bytes as Uint8Array]));
}

/** Of bytes that are right if they can be opened. */
export function verdictOf(open: () => unknown): Verdict {
  try {
    open();
    return "right";
  } catch (error) {
    if (!(error instanceof NinesError)) throw error;
    return error.code === "NINES_VAULT_DAMAGED" ? { forged: error.message } : "unknown";
  }
}

function headersOfAll(shards: ReadonlyMap<number, FoundShard>): ReadonlyMap<number, ShardHeader> {
  return new Map([...shards].map(([shard, { header }]) => [shard, header as ShardHeader]));
}

function ascending(a: number, b: number): number {
  return a - b;
}

function nextAttempt(object: CatalogObject): number {
  return 1 + Math.max(0, ...object.places.map(({ attempt }) => attempt));
}

function whyWrong(
  shard: number,
  places: readonly ShardPlace[],
  bad: readonly FoundShard[],
  { unreachable }: Catalog,
): readonly string[] {
  if (places.length === 0) return [`shard ${shard}${isMissing}`];
  return places.map((at) => {
    if (unreachable.has(at.target)) return `shard ${shard} on ${at.target.name}${isAway}`;
    const found = bad.find((each) => each.place === at);
    return `shard ${shard} on ${at.target.name}: ${found?.wrong ?? "unknown"}`;
  });
}

function lostError(kind: ObjectKind, id: ObjectId, wrong: readonly string[]): NinesError {
  return new NinesError("NINES_VAULT_LOST", `The ${kind} ${id} is lost: ${wrong.join("; ")}.`);
}

function awayError(kind: ObjectKind, id: ObjectId, wrong: readonly string[]): NinesError {
  const what = `The ${kind} ${id} cannot be read until targets are back: ${wrong.join("; ")}.`;
  return new NinesError("NINES_VAULT_TARGETS", what);
}

// Objects over targets: put, read with repair, examine, move, remove.
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
// a crash. Every mend is one event with what was wrong. How shards are read, and away, is said in
// shard-reader.ts, and what they are found to be in examination.ts.

import { sayCount } from "../../core/base/count.ts";
import { NinesError } from "../../core/base/errors.ts";
import { Loan, type MemoryPool } from "../../core/vault/memory.ts";
import {
  type ObjectId,
  type ObjectKind,
  shardName,
  type ShardName,
} from "../../core/vault/names.ts";
import { type ObjectBytes, ObjectCoders } from "../../core/vault/object-coder.ts";
import { place, rank } from "../../core/vault/placement.ts";
import type { Geometry } from "../../core/vault/shard.ts";
import { type Target, targetErrorKind } from "../../ports/target.ts";
import { type Catalog, messageOf } from "./catalog.ts";
import {
  allPlaces,
  type CatalogObject,
  doubts,
  isAlike,
  type ShardPlace,
} from "./catalog-object.ts";
import {
  type Examination,
  Examiner,
  type Finding,
  type Look,
  noLook,
  type Remains,
  verdictOf,
} from "./examination.ts";
import { bytesOfAll, placesOf, ShardReader } from "./shard-reader.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

const noneOfIt = ["no target has any of it"];
/** Of an object that targets contradict one another about: all but two of 13 left out. */
const doubtsMax = 91;

export class ObjectStore {
  readonly catalog: Catalog;
  /** For shards, and nothing that is not encrypted. */
  readonly memory: MemoryPool;
  readonly #vault: string;
  readonly #world: VaultWorld;
  readonly #settings: VaultSettings;
  readonly #coders: ObjectCoders;
  readonly #shards: ShardReader;
  readonly #examiner: Examiner;
  readonly #refused = new Map<Target, string>();
  /** Objects that could not be made whole again now: they are not tried again at each read. */
  readonly #unmended = new Set<ObjectId>();
  readonly #examined = new Map<ObjectId, Promise<Examination>>();
  mendedShards = 0;
  degradedObjects = 0;

  constructor(vault: string, catalog: Catalog, world: VaultWorld, settings: VaultSettings) {
    this.#vault = vault;
    this.catalog = catalog;
    this.#world = world;
    this.#settings = settings;
    this.#coders = new ObjectCoders(world.crypto);
    this.#shards = new ShardReader(vault, catalog, world);
    this.#examiner = new Examiner(this.#shards, this.#coders);
    this.memory = this.#shards.memory;
  }

  /** From targets, in all. */
  get bytesRead(): number {
    return this.#shards.bytesRead;
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
    const name = { kind, id, vault: this.#vault };
    const shards = await this.#coders.of(geometry).encode(name, bytes, loan.take, room);
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
    if (object === undefined) throw lostError(kind, id, noneOfIt);
    const { dataShards } = object;
    const { good, header, wrong, away } = await this.#shards.gather(object, dataShards, loan);
    if (header === undefined || good.size < dataShards) {
      const isLost = good.size + away < dataShards;
      throw isLost ? lostError(kind, id, wrong) : awayError(kind, id, wrong);
    }
    const bytes = this.#coders.of(header).decode(header, bytesOfAll(good));
    if (wrong.length > 0 && !this.#unmended.has(id)) await this.examine(kind, id);
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
      const found = await this.#shards.read(each, loan);
      if (found.header === undefined) continue;
      const { dataShards, objectBytes: length } = found.header;
      if (dataShards === object.dataShards && length === objectBytes) return found.bytes;
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
      if (!(error instanceof NinesError) || !this.#mayBeMadeUp(error, kind, id)) throw error;
      const look: Look = async (_, __, bytes) => verdictOf(() => open(bytes.all()));
      const { lost, away } = await this.examine(kind, id, look);
      if (lost || away) throw error;
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
      return { wrong: noneOfIt, mended: 0, lost: true, away: false };
    }
    const whole = await this.memory.lend((loan) => this.#examiner.glance(object, loan, look));
    if (whole !== undefined) return whole;
    const found = await this.#judge(object, look);
    if (!found.lost || !found.isContested) return found;
    let views = 0;
    for (const doubted of doubts(object)) {
      if (views++ === doubtsMax) break;
      const again = await this.#judge(doubted, look, 0);
      if (!again.lost && !again.away) return again;
    }
    return found;
  }

  #judge(object: CatalogObject, look: Look, ways?: number): Promise<Omit<Finding, "remains">> {
    return this.memory.lend(async (loan) => {
      const { remains, ...found } = await this.#examiner.judge(object, loan, look, ways);
      if (remains === undefined) return found;
      return { ...found, mended: await this.#mend(object, remains, found.wrong) };
    });
  }

  /** Whether what an object's bytes are not, others of its shards may make. */
  #mayBeMadeUp({ code }: NinesError, kind: ObjectKind, id: ObjectId): boolean {
    if (code === "NINES_VAULT_DAMAGED") return true;
    return code === "NINES_VAULT_LOST" && this.catalog.find(kind, id)?.isContested === true;
  }

  /** Removes all of an object from the targets that can be reached. */
  async remove(kind: ObjectKind, id: ObjectId): Promise<readonly string[]> {
    const failures: string[] = [];
    const object = this.catalog.find(kind, id);
    for (const shard of object === undefined ? [] : allPlaces(object)) {
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

  /** Whether an object of which nothing is seen may be whole on targets that were not listed. */
  get mayHideObjects(): boolean {
    const { dataShards, parityShards } = this.#settings.geometry;
    return this.catalog.mayBeAway(dataShards + parityShards) >= dataShards;
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
    const wanted = this.#whereTo(object, here);
    let moved = 0;
    for (const [shard, target] of wanted) {
      const held = here.filter((each) => each.shard === shard);
      if (held.length === 0) continue;
      if (held.some((each) => each.target === target)) {
        const spare = held.filter((each) => each.target !== target && !each.target.isAppendOnly);
        const kept = held.filter((each) => each.target === target);
        if (spare.length === 0) continue;
        // What stays may be what one that is spare was made for.
        if (await this.#isOneGood(kept)) await this.#discard(spare);
        else if (await this.#move(object, spare, target)) moved++;
        continue;
      }
      // What cannot be taken away from there would only be there twice.
      if (held.some((each) => each.target.isAppendOnly)) continue;
      if (await this.#move(object, held, target)) moved++;
    }
    return moved;
  }

  async #isOneGood(places: readonly ShardPlace[]): Promise<boolean> {
    for (const place of places) {
      const { header } = await this.memory.lend((loan) => this.#shards.read(place, loan));
      if (header !== undefined) return true;
    }
    return false;
  }

  async #move(
    object: CatalogObject,
    held: readonly ShardPlace[],
    target: Target,
  ): Promise<boolean> {
    for (const from of held) {
      const loan = new Loan(this.memory);
      const found = await this.#shards.read(from, loan);
      if (found.header === undefined) {
        loan.end();
        continue;
      }
      const name = { ...from, attempt: nextAttempt(object) };
      // What was looked at is what is put: read anew it might be rotten.
      if (!(await this.#putShard(name, [found.whole], target, []))) return false;
      // A put that failed may still be under way, and keeps its memory.
      loan.end();
      await this.#discard(held);
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

  /** Makes the shards that are not good anew, then takes away what is bad. How many were made. */
  async #mend(
    object: CatalogObject,
    { header, good, bad }: Remains,
    wrong: readonly string[],
  ): Promise<number> {
    if (wrong.length === 0) {
      // Damaged shards beside good ones: left by a mend that was cut off, or that might not remove.
      this.#sayStrays(object, await this.#discard(bad));
      return 0;
    }
    const pieces = await this.#coders.of(header).recode(header, bytesOfAll(good));
    const wanted = this.#whereTo(object, placesOf(good));
    const attempt = nextAttempt(object);
    const made = new Set<number>();
    for (const [shard, shardPieces] of pieces.entries()) {
      const target = wanted.get(shard);
      if (good.has(shard) || target === undefined) continue;
      const name = { ...object, shard, attempt };
      if (!(await this.#putShard(name, shardPieces, target, []))) continue;
      made.add(shard);
    }
    const isBetter = ({ shard }: ShardPlace) => good.has(shard) || made.has(shard);
    const worse = bad.filter((at) => !isAlike(at, object) || isBetter(at));
    this.#sayStrays(object, await this.#discard(worse));
    const mended = made.size;
    this.mendedShards += mended;
    const missing = pieces.length - good.size;
    if (mended < missing) this.#unmended.add(object.id);
    const isOnlyAway = bad.every(({ shard }) => good.has(shard));
    // Which targets are away has been said; one line an object is no news.
    if (mended === 0 && isOnlyAway && this.catalog.unreachable.size > 0) return mended;
    const done =
      mended === missing
        ? `mended: ${mended} made anew from the others`
        : `degraded: ${mended} of ${missing} could be made anew`;
    this.#world.events.record({
      kind: mended === missing ? "vault.mended" : "vault.degraded",
      level: "warning",
      sentence: `The ${object.kind} ${object.id} is ${done}, since ${wrong.join("; ")}.`,
    });
    return mended;
  }

  /** What some target said beside what is right. */
  #sayStrays({ kind, id, strays }: CatalogObject, gone: readonly ShardPlace[]): void {
    const those = gone.filter((at) => strays.includes(at));
    if (those.length === 0) return;
    const names = [...new Set(those.map(({ target }) => target.name))].join(", ");
    const what = `${sayCount(those.length, "shard")} on ${names} that did not belong to it`;
    this.#world.events.record({
      kind: "vault.mended",
      level: "warning",
      sentence: `The ${kind} ${id} is rid of ${what}.`,
    });
  }

  /**
   * What is bad or spare goes once there is better, and is not read again: a target that keeps it
   * does no harm. Those that went.
   */
  async #discard(places: readonly ShardPlace[]): Promise<readonly ShardPlace[]> {
    const gone: ShardPlace[] = [];
    for (const at of places) {
      try {
        await this.removeShard(at);
        gone.push(at);
      } catch (error) {
        this.catalog.distrust(at);
        // Who may only add is as good as before.
        if (targetErrorKind(error) !== "not-allowed") this.#refuse(at.target, messageOf(error));
      }
    }
    return gone;
  }

  /** Where an object's shards should lie, and those that are there stay when they may. */
  #whereTo(object: CatalogObject, there: readonly ShardPlace[]): ReadonlyMap<number, Target> {
    // Of several the first.
    const present = new Map(there.toReversed().map(({ shard, target }) => [shard, target.name]));
    return place(object.id, this.#takers(), this.#rules(object), present);
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
}

function nextAttempt(object: CatalogObject): number {
  return 1 + Math.max(0, ...allPlaces(object).map(({ attempt }) => attempt));
}

function lostError(kind: ObjectKind, id: ObjectId, wrong: readonly string[]): NinesError {
  return new NinesError("NINES_VAULT_LOST", `The ${kind} ${id} is lost: ${wrong.join("; ")}.`);
}

function awayError(kind: ObjectKind, id: ObjectId, wrong: readonly string[]): NinesError {
  const what = `The ${kind} ${id} cannot be read until targets are back: ${wrong.join("; ")}.`;
  return new NinesError("NINES_VAULT_TARGETS", what);
}

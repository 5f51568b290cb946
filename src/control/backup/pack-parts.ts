// Parts of packs in memory: read once for all who need them now, kept for who comes next, and
// never more of them than a bound.
//
// A part is one data shard of a pack; where a shard is not listed or not right it is the whole
// pack, whose reading mends it. In memory at a time, in use or kept, are three parts (of folders,
// of small files and of a large one) or, where they are small, more up to `bytesMax`. Only who is
// alone gets what it needs however much that is. Who holds something takes more only where there
// is room at once, and lets go of all before it waits: so nobody waits for somebody who waits.
//
// Rejected: a limit for each batch of files, which eight batches, each with packs of its own,
// exceed eight times.

import { present } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { IndexedPack } from "../../core/vault/chunk-index.ts";
import { Loan } from "../../core/vault/memory.ts";
import type { ObjectId } from "../../core/vault/names.ts";
import type { PackedChunk } from "../../core/vault/pack.ts";
import { shardBytesOf } from "../../core/vault/shard.ts";
import type { CatalogObject } from "./catalog-object.ts";
import { Limit } from "./crew.ts";
import type { Vault } from "./vault.ts";

/** As many in any case. */
const partsLeast = 3;
export const partBytesMax = 16 * 1_048_576;
/** A part counts as so much at least, so that there are never very many. */
const partBytesLeast = 131_072;
/** What could not be read is tried again after this: its target may be back. */
const againMs = 10_000;

/** Bytes of a pack that stay where they are until they are released. */
export interface Holding {
  /** In their places; those that nobody asked for are not there. */
  readonly shards: readonly Uint8Array[];
  readonly shardBytes: number;
  readonly release: () => void;
}

interface Part {
  readonly key: string;
  readonly bytes: number;
  /** Undefined where it is one shard, and that is not right. */
  readonly shards: Promise<readonly Uint8Array[] | undefined>;
  /** The part's memory: it goes back when it is not kept and nobody uses it any more. */
  readonly loan: Loan;
  /** Those who hold it, and its read while that is under way. */
  users: number;
  failedAtMs?: number;
}

/** Data shards of a pack that somebody needs. */
interface Wanted {
  readonly pack: IndexedPack;
  readonly object: CatalogObject | undefined;
  readonly shardBytes: number;
  readonly shards: readonly number[];
  /** Those that are not in memory cannot be read one by one. */
  readonly isWhole: boolean;
}

type Take = (wanted: Wanted) => Promise<readonly Part[] | undefined>;

export class PackParts {
  readonly #vault: Vault;
  readonly #bytesMax: number;
  /** The last used last. */
  readonly #parts = new Map<string, Part>();
  #bytes = 0;
  #users = 0;
  /** One waits for room, and the others for their turn to. */
  readonly #turn = new Limit(1);
  #wake: (() => void) | undefined;

  constructor(vault: Vault, bytesMax: number) {
    this.#vault = vault;
    this.#bytesMax = bytesMax;
  }

  /** Waits until there is room, and so is for who holds nothing. Throws NINES_VAULT_LOST. */
  async hold(pack: IndexedPack, chunk: PackedChunk): Promise<Holding> {
    const take: Take = async (wanted) => this.#take(wanted) ?? this.#takeInTurn(wanted);
    return present(await this.#hold(this.#wanted(pack, chunk), take), "there was room");
  }

  /** Undefined where there is no room now. */
  holdNow(pack: IndexedPack, chunk: PackedChunk): Promise<Holding | undefined> {
    return this.#hold(this.#wanted(pack, chunk), async (wanted) => this.#take(wanted));
  }

  #wanted(pack: IndexedPack, { offset, sealedBytes }: PackedChunk): Wanted {
    const object = this.#vault.catalog.find("pack", pack.id);
    const shardBytes = shardBytesOf(pack.packBytes, object?.dataShards ?? 1);
    const shards: number[] = [];
    const end = offset + sealedBytes;
    for (let at = Math.floor(offset / shardBytes); at * shardBytes < end; at++) shards.push(at);
    const isWhole = object === undefined || !areDataListed(object);
    return { pack, object, shardBytes, shards, isWhole };
  }

  async #hold(wanted: Wanted, take: Take): Promise<Holding | undefined> {
    const parts = await take(wanted);
    if (parts === undefined) return undefined;
    const release = () => this.#release(parts);
    try {
      const read = await Promise.all(parts.map(({ shards }) => shards));
      if (read.every((each) => each !== undefined)) {
        const shards = Object.assign([], ...read) as readonly Uint8Array[];
        return { shards, shardBytes: wanted.shardBytes, release };
      }
    } catch (error) {
      release();
      throw error;
    }
    release();
    return this.#hold({ ...wanted, isWhole: true }, take);
  }

  async #takeInTurn(wanted: Wanted): Promise<readonly Part[]> {
    await this.#turn.take(1);
    try {
      for (;;) {
        const parts = this.#take(wanted, true);
        if (parts !== undefined) return parts;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = undefined;
      this.#turn.give(1);
    }
  }

  /** All or nothing, and nothing new before whoever waits. */
  #take(wanted: Wanted, isNext = false): readonly Part[] | undefined {
    const { pack, shards, isWhole, shardBytes } = wanted;
    const isAlone = this.#users === 0;
    const parts: Part[] = [];
    const missing: number[] = [];
    for (const shard of shards) {
      const part = this.#find(pack.id, shard);
      if (part === undefined) missing.push(shard);
      else parts.push(this.#use(part));
    }
    if (missing.length === 0) return parts;
    const count = isWhole ? 1 : missing.length;
    const bytes = Math.max(partBytesLeast, isWhole ? pack.packBytes : shardBytes);
    const mayTake = isNext || this.#wake === undefined;
    if (!mayTake || !this.#makeRoom(count, count * bytes, isAlone)) {
      this.#release(parts);
      return undefined;
    }
    for (const shard of missing.slice(0, count)) {
      parts.push(this.#use(this.#begin(wanted, shard, bytes)));
    }
    return parts;
  }

  #find(id: ObjectId, shard: number): Part | undefined {
    const part = this.#parts.get(`${id} ${shard}`) ?? this.#parts.get(id);
    const { failedAtMs } = part ?? {};
    if (part === undefined || failedAtMs === undefined) return part;
    if (this.#vault.world.clock.monotonicMs() - failedAtMs < againMs) return part;
    this.#drop(part);
    return undefined;
  }

  #use(part: Part): Part {
    part.users++;
    this.#users++;
    this.#parts.delete(part.key);
    this.#parts.set(part.key, part);
    return part;
  }

  /** What is only kept makes way, unless that is not enough. */
  #makeRoom(count: number, bytes: number, isAlone: boolean): boolean {
    const idle = [...this.#parts.values()].filter(({ users }) => users === 0);
    const isRoom = (parts: number, freed: number) =>
      this.#parts.size - parts + count <= partsLeast ||
      this.#bytes - freed + bytes <= this.#bytesMax;
    const idleBytes = idle.reduce((sum, part) => sum + part.bytes, 0);
    if (!isAlone && !isRoom(idle.length, idleBytes)) return false;
    for (const part of idle) {
      if (isRoom(0, 0)) break;
      this.#drop(part);
    }
    return true;
  }

  #begin(wanted: Wanted, shard: number, bytes: number): Part {
    const { pack, object, isWhole } = wanted;
    const loan = new Loan(this.#vault.store.memory);
    const one = isWhole || object === undefined ? undefined : { object, shard };
    const shards = this.#read(wanted, one, loan);
    const key = one === undefined ? pack.id : `${pack.id} ${shard}`;
    const part = this.#use({ key, bytes, shards, loan, users: 0 });
    this.#bytes += bytes;
    shards.then(
      (read) => {
        if (read === undefined) this.#drop(part);
        this.#release([part]);
      },
      () => {
        part.failedAtMs = this.#vault.world.clock.monotonicMs();
        this.#release([part]);
      },
    );
    return part;
  }

  async #read(
    { pack: { id, packBytes }, shardBytes }: Wanted,
    one: { readonly object: CatalogObject; readonly shard: number } | undefined,
    loan: Loan,
  ): Promise<readonly Uint8Array[] | undefined> {
    const { store } = this.#vault;
    if (one === undefined) {
      const { shards, lengths } = await store.read("pack", id, loan);
      if (lengths.objectBytes === packBytes && lengths.shardBytes === shardBytes) return shards;
      const what = `The pack ${id} has ${lengths.objectBytes} bytes in ${shards.length} shards`;
      throw new NinesError("NINES_VAULT_DAMAGED", `${what}, and its table is of ${packBytes}.`);
    }
    const bytes = await store.readShard(one.object, packBytes, one.shard, loan);
    if (bytes === undefined) return undefined;
    const shards: Uint8Array[] = [];
    shards[one.shard] = bytes;
    return shards;
  }

  #release(parts: readonly Part[]): void {
    for (const part of parts) {
      part.users--;
      this.#users--;
      if (part.users === 0 && this.#parts.get(part.key) !== part) this.#free(part);
    }
    this.#wake?.();
  }

  /** Nobody new uses it. */
  #drop(part: Part): void {
    if (this.#parts.get(part.key) !== part) return;
    this.#parts.delete(part.key);
    if (part.users === 0) this.#free(part);
  }

  #free({ bytes, loan }: Part): void {
    this.#bytes -= bytes;
    loan.end();
  }
}

function areDataListed({ dataShards, places }: CatalogObject): boolean {
  const listed = new Set(places.map(({ shard }) => shard));
  for (let shard = 0; shard < dataShards; shard++) if (!listed.has(shard)) return false;
  return true;
}

// Reading what a snapshot holds: chunks, content, folders.
//
// Chunks that a file needs lie mostly one after the other in few packs, so whole data shards of
// packs are read and the last few are kept; the pack itself is read where one of its shards is not
// right, which mends it. Each chunk is authenticated as it is opened: what comes out of here is
// what went in, or an error that says what is lost.

import { NinesError } from "../../core/base/errors.ts";
import type { ChunkPlace, IndexedPack } from "../../core/vault/chunk-index.ts";
import { ObjectSealer } from "../../core/vault/keys.ts";
import type { SealedChunk } from "../../core/vault/crypto.ts";
import { Loan, sharedBytes } from "../../core/vault/memory.ts";
import type { ObjectId } from "../../core/vault/names.ts";
import { ObjectBytes } from "../../core/vault/object-coder.ts";
import { type PackedChunk, sealedChunk } from "../../core/vault/pack.ts";
import { shardBytesOf } from "../../core/vault/shard.ts";
import {
  type Content,
  EntryParser,
  listSegmentsMax,
  readSegments,
  type Segment,
  type TreeEntry,
} from "../../core/vault/tree.ts";
import { ByteReader, hexOf } from "../../core/vault/wire.ts";
import type { CatalogObject } from "./catalog.ts";
import type { Vault } from "./vault.ts";

/** Beside those in use: of folders, of small files and of a large one at least, and these bytes. */
const partsKept = 3;
const keptBytesMax = 8 * 1_048_576;
/** Of packs, so that their keys are derived once. */
const sealersMax = 64;
/** What could not be read is tried again after this: its target may be back. */
const againMs = 10_000;

/** A chunk whose bytes stay where they are until it is released. */
export interface HeldChunk {
  readonly chunk: SealedChunk;
  /** They stay as well, whole, however short the chunk is. */
  readonly parts: readonly PackPart[];
  readonly release: () => void;
}

/** Of a pack, in memory: the same object for all chunks that lie in it. */
export interface PackPart {
  readonly bytes: number;
}

interface OneShard {
  readonly object: CatalogObject;
  readonly shard: number;
}

/** One of the pack's data shards or, where one is not listed or not right, all of them. */
interface HeldPart extends PackPart {
  readonly key: string;
  /** In their places; the others are not there. */
  readonly shards: Promise<readonly Uint8Array[]>;
  bytes: number;
  /** The part's memory: it goes back when it is not kept and nobody uses it any more. */
  readonly loan: Loan;
  users: number;
  failedAtMs?: number;
}

export class VaultReader {
  readonly #vault: Vault;
  /** The last used last. */
  readonly #parts = new Map<string, HeldPart>();
  readonly #sealers = new Map<ObjectId, ObjectSealer>();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /**
   * A chunk by its name. Throws NINES_VAULT_LOST, NINES_VAULT_DAMAGED, and NINES_VAULT_ERASED for
   * what belonged to an erased subject.
   */
  async chunk(name: Uint8Array): Promise<Uint8Array> {
    const held = await this.sealed(name);
    try {
      const plain = sharedBytes(held.chunk.plainBytes);
      if (await this.#vault.world.crypto.bulk.open(held.chunk, plain)) return plain;
    } finally {
      held.release();
    }
    throw this.wrong(name);
  }

  /** The same, sealed: whoever opens it says whether it was what its table says. */
  async sealed(name: Uint8Array): Promise<HeldChunk> {
    const { pack, chunk } = this.#find(name);
    const domain = this.#vault.keys.find(pack.domainId);
    if (domain === undefined) {
      const what = `The pack ${pack.id} was sealed with a key that is destroyed.`;
      throw new NinesError("NINES_VAULT_ERASED", what);
    }
    if (chunk.offset + chunk.sealedBytes > pack.packBytes) throw this.wrong(name);
    let sealer = this.#sealers.get(pack.id);
    if (sealer === undefined) {
      sealer = new ObjectSealer(this.#vault.world.crypto, domain, pack.id);
      if (this.#sealers.size === sealersMax) this.#sealers.clear();
      this.#sealers.set(pack.id, sealer);
    }
    const { bytes, parts, release } = await this.#bytesOf(pack, chunk);
    return { chunk: sealedChunk(sealer, chunk, bytes), parts, release };
  }

  /** A chunk is not what its pack's table says. */
  wrong(name: Uint8Array): NinesError {
    // A pack that was found to be lost meanwhile is in no index any more.
    const place = this.#vault.index.find(name);
    const pack = place === undefined ? "a lost pack" : `pack ${place.pack.id}`;
    const what = `The chunk ${hexOf(name)} of ${pack} is not what its table says.`;
    return new NinesError("NINES_VAULT_DAMAGED", what);
  }

  /** The chunks and holes of a content, in order. */
  async *segments(content: Content): AsyncGenerator<Segment> {
    for (const segment of content.segments) {
      if (content.depth === 0 || segment.kind === "hole") yield segment;
      else yield* this.segments(await this.list(segment.name, content.depth - 1));
    }
  }

  /** The list of segments that a chunk holds. */
  async list(name: Uint8Array, depth: number): Promise<Content> {
    const reader = new ByteReader(await this.chunk(name), "a list of chunks");
    const segments = readSegments(reader, listSegmentsMax);
    reader.end();
    return { bytes: segments.reduce((sum, { length }) => sum + length, 0), depth, segments };
  }

  /** The entries of a folder, sorted by name. */
  async *entries(folder: Content): AsyncGenerator<TreeEntry> {
    const parser = new EntryParser();
    for await (const segment of this.segments(folder)) {
      if (segment.kind === "hole") continue;
      yield* parser.push(await this.chunk(segment.name));
    }
    parser.end();
  }

  #find(name: Uint8Array): ChunkPlace {
    const found = this.#vault.index.find(name);
    if (found !== undefined) return found;
    const what = `The chunk ${hexOf(name)} is in no pack that can be read.`;
    throw new NinesError("NINES_VAULT_LOST", what);
  }

  async #bytesOf(
    pack: IndexedPack,
    { offset, sealedBytes }: PackedChunk,
  ): Promise<Omit<HeldChunk, "chunk"> & { readonly bytes: Uint8Array }> {
    const end = offset + sealedBytes;
    const object = this.#vault.catalog.find("pack", pack.id);
    const shardBytes = shardBytesOf(pack.packBytes, object?.dataShards ?? 1);
    const held: HeldPart[] = [];
    const loan = new Loan(this.#vault.store.memory);
    const release = () => {
      loan.end();
      for (const part of held) this.#release(part);
    };
    try {
      for (let shard = Math.floor(offset / shardBytes); shard * shardBytes < end; shard++) {
        held.push(this.#hold(pack, object, shard));
      }
      const parts = await Promise.all(held.map(({ shards }) => shards));
      const shards = Object.assign([], ...parts) as readonly Uint8Array[];
      const whole = new ObjectBytes({ objectBytes: pack.packBytes, shardBytes }, shards);
      return { bytes: whole.slice(offset, end, loan.take), parts: held, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #hold(pack: IndexedPack, object: CatalogObject | undefined, shard: number): HeldPart {
    const own = `${pack.id} ${shard}`;
    const known = this.#parts.get(own) ?? this.#parts.get(pack.id);
    const part = known === undefined || this.#isStale(known) ? undefined : known;
    const isWhole = part === undefined && (object === undefined || !areDataListed(object));
    const one = object === undefined || isWhole ? undefined : { object, shard };
    const held = part ?? this.#begin(isWhole ? pack.id : own, pack, one);
    held.users++;
    // The last used is the last.
    this.#parts.delete(held.key);
    this.#parts.set(held.key, held);
    return held;
  }

  #isStale({ failedAtMs }: HeldPart): boolean {
    return (
      failedAtMs !== undefined && this.#vault.world.clock.monotonicMs() - failedAtMs >= againMs
    );
  }

  #begin(key: string, pack: IndexedPack, one: OneShard | undefined): HeldPart {
    const loan = new Loan(this.#vault.store.memory);
    const bytes = pack.packBytes / (one?.object.dataShards ?? 1);
    const shards = this.#read(pack, one, loan);
    const part: HeldPart = { key, shards, bytes, loan, users: 0 };
    shards.then(
      (read) => {
        part.bytes = read.reduce((sum, { length }) => sum + length, 0);
      },
      () => {
        part.failedAtMs = this.#vault.world.clock.monotonicMs();
      },
    );
    return part;
  }

  #release(part: HeldPart): void {
    part.users--;
    if (part.users === 0 && this.#parts.get(part.key) !== part) part.loan.end();
    let keptBytes = [...this.#parts.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { key, users, bytes, loan } of this.#parts.values()) {
      if (this.#parts.size <= partsKept || keptBytes <= keptBytesMax) return;
      if (users > 0) continue;
      this.#parts.delete(key);
      keptBytes -= bytes;
      loan.end();
    }
  }

  async #read(
    { id, packBytes }: IndexedPack,
    one: OneShard | undefined,
    loan: Loan,
  ): Promise<readonly Uint8Array[]> {
    const { store } = this.#vault;
    const bytes = one && (await store.readShard(one.object, packBytes, one.shard, loan));
    if (one === undefined || bytes === undefined)
      return (await store.read("pack", id, loan)).shards;
    const shards: Uint8Array[] = [];
    shards[one.shard] = bytes;
    return shards;
  }
}

function areDataListed({ dataShards, places }: CatalogObject): boolean {
  const listed = new Set(places.map(({ shard }) => shard));
  for (let shard = 0; shard < dataShards; shard++) if (!listed.has(shard)) return false;
  return true;
}

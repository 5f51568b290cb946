// Reading what a snapshot holds: chunks, content, folders.
//
// Chunks that a file needs lie mostly one after the other in few packs, so whole data shards of
// packs are read, and kept for a while (pack-parts.ts). Each chunk is authenticated as it is
// opened: what comes out of here is what went in, or an error that says what is lost.

import { NinesError } from "../../core/base/errors.ts";
import type { ChunkPlace } from "../../core/vault/chunk-index.ts";
import { type Domain, ObjectSealer } from "../../core/vault/keys.ts";
import type { SealedChunk } from "../../core/vault/crypto.ts";
import { Loan, sharedBytes } from "../../core/vault/memory.ts";
import type { ObjectId } from "../../core/vault/names.ts";
import { ObjectBytes } from "../../core/vault/object-coder.ts";
import { sealedChunk } from "../../core/vault/pack.ts";
import {
  type Content,
  EntryParser,
  listSegmentsMax,
  readSegments,
  type Segment,
  type TreeEntry,
} from "../../core/vault/tree.ts";
import { ByteReader, hexOf } from "../../core/vault/wire.ts";
import { type Holding, PackParts, partBytesMax } from "./pack-parts.ts";
import type { Vault } from "./vault.ts";

/** Of packs, so that their keys are derived once. */
const sealersMax = 64;

/** A chunk whose bytes stay where they are until it is released. */
export interface HeldChunk {
  readonly chunk: SealedChunk;
  readonly release: () => void;
}

interface FoundChunk extends ChunkPlace {
  readonly domain: Domain;
}

export class VaultReader {
  readonly #vault: Vault;
  readonly #parts: PackParts;
  readonly #sealers = new Map<ObjectId, ObjectSealer>();

  /** `bytesMax`: of packs, in memory at a time. */
  constructor(vault: Vault, bytesMax: number = partBytesMax) {
    this.#vault = vault;
    this.#parts = new PackParts(vault, bytesMax);
  }

  /**
   * A chunk by its name. Throws NINES_VAULT_LOST, NINES_VAULT_TARGETS for what may be back with
   * targets that are away, NINES_VAULT_DAMAGED, and NINES_VAULT_ERASED for what belonged to an
   * erased subject.
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
    const found = this.#find(name);
    return this.#held(found, await this.#parts.hold(found.pack, found.chunk));
  }

  /** The same for who holds others: undefined where it would have to wait for room. */
  async sealedNow(name: Uint8Array): Promise<HeldChunk | undefined> {
    const found = this.#find(name);
    const holding = await this.#parts.holdNow(found.pack, found.chunk);
    return holding && this.#held(found, holding);
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

  #find(name: Uint8Array): FoundChunk {
    const { index, keys, catalog } = this.#vault;
    const found = index.find(name);
    if (found === undefined) {
      const what = `The chunk ${hexOf(name)} is in no pack that can be read`;
      throw catalog.lack(what, this.#vault.isAway(name));
    }
    const { pack, chunk } = found;
    const domain = keys.find(pack.domainId);
    if (domain === undefined) {
      if (!keys.isErasedDomain(pack.domainId)) throw keys.lack(`The key of pack ${pack.id}`);
      const what = `The pack ${pack.id} was sealed with a key that is destroyed.`;
      throw new NinesError("NINES_VAULT_ERASED", what);
    }
    if (chunk.offset + chunk.sealedBytes > pack.packBytes) throw this.wrong(name);
    return { ...found, domain };
  }

  #held({ pack, chunk, domain }: FoundChunk, holding: Holding): HeldChunk {
    const loan = new Loan(this.#vault.store.memory);
    const release = () => {
      loan.end();
      holding.release();
    };
    try {
      const { shards, shardBytes } = holding;
      const whole = new ObjectBytes({ objectBytes: pack.packBytes, shardBytes }, shards);
      const end = chunk.offset + chunk.sealedBytes;
      const bytes = whole.slice(chunk.offset, end, loan.take);
      return { chunk: sealedChunk(this.#sealerOf(pack.id, domain), chunk, bytes), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #sealerOf(pack: ObjectId, domain: Domain): ObjectSealer {
    const known = this.#sealers.get(pack);
    if (known !== undefined) return known;
    const sealer = new ObjectSealer(this.#vault.world.crypto, domain, pack);
    if (this.#sealers.size === sealersMax) this.#sealers.clear();
    this.#sealers.set(pack, sealer);
    return sealer;
  }
}

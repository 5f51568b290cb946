// Reading what a snapshot holds: chunks, content, folders.
//
// Chunks that a file needs lie mostly one after the other in few packs, so whole packs are read and
// the last few are kept. Each chunk is authenticated as it is opened: what comes out of here is
// what went in, or an error that says what is lost.

import { NinesError } from "../../core/base/errors.ts";
import type { ChunkPlace } from "../../core/vault/chunk-index.ts";
import { ObjectSealer } from "../../core/vault/keys.ts";
import type { ObjectId } from "../../core/vault/names.ts";
import { openChunk } from "../../core/vault/pack.ts";
import {
  type Content,
  EntryParser,
  listSegmentsMax,
  readSegments,
  type Segment,
  type TreeEntry,
} from "../../core/vault/tree.ts";
import { ByteReader, hexOf } from "../../core/vault/wire.ts";
import type { Vault } from "./vault.ts";

const packsKept = 4;

interface OpenPack {
  readonly bytes: Uint8Array;
  readonly sealer: ObjectSealer;
}

export class VaultReader {
  readonly #vault: Vault;
  /** The last used last. */
  readonly #packs = new Map<ObjectId, Promise<OpenPack>>();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /**
   * A chunk by its name. Throws NINES_VAULT_LOST, NINES_VAULT_DAMAGED, and NINES_VAULT_ERASED for
   * what belonged to an erased subject.
   */
  async chunk(name: Uint8Array): Promise<Uint8Array> {
    const found = this.#vault.index.find(name);
    if (found === undefined) {
      const what = `The chunk ${hexOf(name)} is in no pack that can be read.`;
      throw new NinesError("NINES_VAULT_LOST", what);
    }
    const { bytes, sealer } = await this.#pack(found);
    return this.#open(found, bytes, sealer);
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

  async #open(
    { pack, chunk }: ChunkPlace,
    bytes: Uint8Array,
    sealer: ObjectSealer,
  ): Promise<Uint8Array> {
    const sealed = bytes.subarray(chunk.offset, chunk.offset + chunk.sealedBytes);
    const body = openChunk(sealer, chunk, sealed);
    const inflate = (deflated: Uint8Array) =>
      this.#vault.world.crypto.inflate(deflated, chunk.plainBytes);
    const plain = chunk.deflated && body !== undefined ? await inflate(body) : body;
    if (plain?.length === chunk.plainBytes) return plain;
    const what = `The chunk ${hexOf(chunk.name)} of pack ${pack.id} is not what its table says.`;
    throw new NinesError("NINES_VAULT_DAMAGED", what);
  }

  async #pack({ pack }: ChunkPlace): Promise<OpenPack> {
    const known = this.#packs.get(pack.id);
    this.#packs.delete(pack.id);
    const opening = known ?? this.#readPack(pack.id, pack.domainId);
    this.#packs.set(pack.id, opening);
    const oldest = this.#packs.keys().next().value;
    if (this.#packs.size > packsKept && oldest !== undefined) this.#packs.delete(oldest);
    return opening;
  }

  async #readPack(id: ObjectId, domainId: string): Promise<OpenPack> {
    const domain = this.#vault.keys.find(domainId);
    if (domain === undefined) {
      const what = `The pack ${id} was sealed with a key that is destroyed.`;
      throw new NinesError("NINES_VAULT_ERASED", what);
    }
    const bytes = await this.#vault.store.read("pack", id);
    return { bytes, sealer: new ObjectSealer(this.#vault.world.crypto, domain, id) };
  }
}

// Reading what a snapshot holds: chunks, content, folders.
//
// Chunks that a file needs lie mostly one after the other in few packs, so whole packs are read and
// the last few are kept. Each chunk is authenticated as it is opened: what comes out of here is
// what went in, or an error that says what is lost.

import { NinesError } from "../../core/base/errors.ts";
import type { ChunkPlace, IndexedPack } from "../../core/vault/chunk-index.ts";
import { ObjectSealer } from "../../core/vault/keys.ts";
import { type Allocate, Loan, sharedBytes } from "../../core/vault/memory.ts";
import type { ObjectId } from "../../core/vault/names.ts";
import type { ObjectBytes } from "../../core/vault/object-coder.ts";
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

const packsKept = 2;
/** A pack that could not be read is tried again after this: its target may be back. */
const againMs = 10_000;

interface OpenPack {
  readonly bytes: ObjectBytes;
  readonly sealer: ObjectSealer;
}

interface HeldPack {
  readonly id: ObjectId;
  readonly open: Promise<OpenPack>;
  /** The pack's memory: it goes back when the pack is not kept and nobody uses it any more. */
  readonly loan: Loan;
  users: number;
  failedAtMs?: number;
}

export class VaultReader {
  readonly #vault: Vault;
  /** The last used last. */
  readonly #packs = new Map<ObjectId, HeldPack>();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /**
   * A chunk by its name. Throws NINES_VAULT_LOST, NINES_VAULT_DAMAGED, and NINES_VAULT_ERASED for
   * what belonged to an erased subject.
   */
  async chunk(name: Uint8Array): Promise<Uint8Array> {
    return this.#open(this.#find(name), sharedBytes);
  }

  /** The same, for as long as `use` takes: then its memory is used again. */
  async withChunk(name: Uint8Array, use: (plain: Uint8Array) => Promise<void>): Promise<void> {
    const loan = new Loan(this.#vault.plainMemory);
    try {
      await use(await this.#open(this.#find(name), loan.take));
    } finally {
      loan.end();
    }
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

  async #open({ pack, chunk }: ChunkPlace, allocate: Allocate): Promise<Uint8Array> {
    const held = this.#hold(pack);
    const loan = new Loan(this.#vault.store.memory);
    try {
      const { bytes, sealer } = await held.open;
      const end = chunk.offset + chunk.sealedBytes;
      const plain = allocate(chunk.plainBytes);
      const isThere = end <= bytes.length;
      const sealed = isThere ? bytes.slice(chunk.offset, end, loan.take) : new Uint8Array(0);
      if (isThere && (await openChunk(sealer, chunk, sealed, plain))) return plain;
    } finally {
      loan.end();
      this.#release(held);
    }
    const what = `The chunk ${hexOf(chunk.name)} of pack ${pack.id} is not what its table says.`;
    throw new NinesError("NINES_VAULT_DAMAGED", what);
  }

  #hold({ id, domainId }: IndexedPack): HeldPack {
    const loan = new Loan(this.#vault.store.memory);
    const known = this.#packs.get(id);
    this.#packs.delete(id);
    const { clock } = this.#vault.world;
    const failedAtMs = known?.failedAtMs ?? Number.POSITIVE_INFINITY;
    const held: HeldPack =
      known === undefined || clock.monotonicMs() - failedAtMs >= againMs
        ? { id, open: this.#readPack(id, domainId, loan), loan, users: 0 }
        : known;
    held.users++;
    held.open.catch(() => {
      held.failedAtMs ??= clock.monotonicMs();
    });
    this.#packs.set(id, held);
    const [oldest] = this.#packs.values();
    if (this.#packs.size > packsKept && oldest !== undefined) {
      this.#packs.delete(oldest.id);
      if (oldest.users === 0) oldest.loan.end();
    }
    return held;
  }

  #release(held: HeldPack): void {
    held.users--;
    if (held.users === 0 && this.#packs.get(held.id) !== held) held.loan.end();
  }

  async #readPack(id: ObjectId, domainId: string, loan: Loan): Promise<OpenPack> {
    const domain = this.#vault.keys.find(domainId);
    if (domain === undefined) {
      const what = `The pack ${id} was sealed with a key that is destroyed.`;
      throw new NinesError("NINES_VAULT_ERASED", what);
    }
    const bytes = await this.#vault.store.read("pack", id, loan);
    return { bytes, sealer: new ObjectSealer(this.#vault.world.crypto, domain, id) };
  }
}

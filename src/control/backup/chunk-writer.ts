// New chunks on their way into packs.
//
// A chunk that the vault has, or that is on its way, costs its name and nothing more. Others are
// deflated if that is worth it, and sealed into their places in the open pack of their domain; a
// pack that is full is put while the next is filled. Chunks are named, deflated and sealed beside
// each other, on all processors; who adds them bounds how many at a time by waiting for them.
// Memory is bounded by packs: those being put, and one being filled for each domain and holding,
// which waits for those before it when it is full.
// An error of what goes on beside is thrown by the next call.

import { chunkNamer, type Domain, ObjectSealer } from "../../core/vault/keys.ts";
import { sharedBytes } from "../../core/vault/memory.ts";
import {
  PackBuilder,
  type PackHolding,
  packRoomBytes,
  type PackTable,
} from "../../core/vault/pack.ts";
import { mayShrink } from "../../core/vault/shrinks.ts";
import { byteStringOf } from "../../core/vault/wire.ts";
import { Crew, Limit } from "./crew.ts";
import type { HeldLease } from "./leases.ts";
import type { Vault } from "./vault.ts";

/** Deflated is kept when it saves a twentieth. */
const worthRatio = 0.95;
const putsMax = 1;
/** Memory of packs that were put, for the next ones. */
const sparesMax = putsMax;
/** Each takes the memory of a chunk. */
const deflatesMax = 4;

export class ChunkWriter {
  /** Packs that are durable now. */
  readonly written: PackTable[] = [];
  addedBytes = 0;
  readonly #vault: Vault;
  readonly #lease: HeldLease;
  readonly #namers = new Map<string, (plain: Uint8Array) => Promise<Uint8Array>>();
  readonly #builders = new Map<string, PackBuilder>();
  /** Names of chunks that are in no durable pack yet, as byte strings. */
  readonly #pending = new Set<string>();
  readonly #puts = new Crew(new Limit(putsMax));
  /** Full packs on their way to a put. */
  readonly #closing = new Map<PackBuilder, Promise<void>>();
  readonly #deflates = new Limit(deflatesMax);
  readonly #spares: Uint8Array[] = [];

  constructor(vault: Vault, lease: HeldLease) {
    this.#vault = vault;
    this.#lease = lease;
  }

  /**
   * The chunk's name; it is durable after `flush`. `plain` may be used again when it resolves.
   */
  async add(domain: Domain, holds: PackHolding, plain: Uint8Array): Promise<Uint8Array> {
    const name = await this.#nameIn(domain, plain);
    if (this.#vault.findForReuse(name) !== undefined) return name;
    const key = byteStringOf(name);
    if (this.#pending.has(key)) return name;
    this.#pending.add(key);
    await this.#take(domain, holds, name, plain);
    return name;
  }

  /** Puts the chunk in whatever the vault has: for chunks that leave the pack they are in. */
  async addAgain(
    domain: Domain,
    holds: PackHolding,
    name: Uint8Array,
    plain: Uint8Array,
  ): Promise<void> {
    this.#pending.add(byteStringOf(name));
    await this.#take(domain, holds, name, plain);
  }

  /** All that was added, or all of one domain, is durable when it resolves. */
  async flush(domain?: Domain): Promise<void> {
    for (const [key, builder] of this.#builders) {
      if (domain === undefined || builder.domain === domain) await this.#close(key, builder);
    }
    await this.#puts.done();
  }

  #nameIn(domain: Domain, plain: Uint8Array): Promise<Uint8Array> {
    let namer = this.#namers.get(domain.id);
    if (namer === undefined) {
      namer = chunkNamer(this.#vault.world.crypto, domain);
      this.#namers.set(domain.id, namer);
    }
    return namer(plain);
  }

  async #take(
    domain: Domain,
    holds: PackHolding,
    name: Uint8Array,
    plain: Uint8Array,
  ): Promise<void> {
    if (!mayShrink(plain)) return this.#place(domain, holds, name, plain, plain.length);
    const { world, plainMemory } = this.#vault;
    await this.#deflates.take(1);
    const memory = plainMemory.take(Math.floor(worthRatio * plain.length));
    try {
      const length = await world.crypto.bulk.deflate(plain, memory);
      const body = length === undefined ? plain : memory.subarray(0, length);
      await this.#place(domain, holds, name, body, plain.length);
    } finally {
      plainMemory.give(memory);
      this.#deflates.give(1);
    }
  }

  /** `body`: the chunk, or its deflate, which is shorter. */
  async #place(
    domain: Domain,
    holds: PackHolding,
    name: Uint8Array,
    body: Uint8Array,
    plainBytes: number,
  ): Promise<void> {
    const key = `${domain.id} ${holds}`;
    for (;;) {
      const builder = this.#builderFor(key, domain, holds, body.length);
      if (builder.fits(body.length)) {
        return builder.add(name, body, plainBytes, body.length < plainBytes);
      }
      await this.#close(key, builder);
    }
  }

  #builderFor(key: string, domain: Domain, holds: PackHolding, bodyBytes: number): PackBuilder {
    const known = this.#builders.get(key);
    if (known !== undefined) return known;
    const { world, settings } = this.#vault;
    const isLarge = bodyBytes > settings.packBytes;
    const spare = isLarge ? undefined : this.#spares.pop();
    const memory = spare ?? sharedBytes(packRoomBytes(Math.max(bodyBytes, settings.packBytes)));
    const id = this.#vault.newId();
    const sealer = new ObjectSealer(world.crypto, domain, id);
    const builder = new PackBuilder(sealer, domain, id, holds, memory);
    this.#builders.set(key, builder);
    return builder;
  }

  /** All who have met the full pack wait for the same. */
  #close(key: string, builder: PackBuilder): Promise<void> {
    const known = this.#closing.get(builder);
    if (known !== undefined) return known;
    const closing = this.#puts.run(1, () => {
      this.#builders.delete(key);
      return this.#put(builder);
    });
    this.#closing.set(builder, closing);
    const ended = () => this.#closing.delete(builder);
    closing.then(ended, ended);
    return closing;
  }

  async #put(builder: PackBuilder): Promise<void> {
    await this.#lease.keep();
    const { bytes, ...table } = await builder.finish();
    const isOver = await this.#vault.store.put("pack", table.id, bytes, builder.memory);
    this.addedBytes += table.packBytes;
    this.#vault.takeIn(table);
    this.written.push(table);
    for (const { name } of table.chunks) this.#pending.delete(byteStringOf(name));
    const isUsual = builder.memory.length === packRoomBytes(this.#vault.settings.packBytes);
    if (isOver && isUsual && this.#spares.length < sparesMax) this.#spares.push(builder.memory);
  }
}

// New chunks on their way into packs.
//
// A chunk that the vault has, or that is on its way, costs its name and nothing more. Others are
// deflated if a sample of them gets shorter, sealed into the open pack of their domain, and the
// pack is put when it is full. A few chunks are deflated at a time and one pack is written while
// the next is filled, so memory is bounded by that. An error of what goes on beside is thrown by
// the next call.

import { byteStringOf } from "../../core/vault/wire.ts";
import { chunkNamer, type Domain } from "../../core/vault/keys.ts";
import { PackBuilder, type PackHolding, type PackTable } from "../../core/vault/pack.ts";
import type { HeldLease } from "./leases.ts";
import type { Vault } from "./vault.ts";

/** Shorter ones are deflated without asking. */
const sampleBytes = 4_096;
/** Deflated is kept when it saves a twentieth. */
const worthRatio = 0.95;
const jobsMax = 8;
const putsMax = 2;

export class ChunkWriter {
  /** Packs that are durable now. */
  readonly written: PackTable[] = [];
  addedBytes = 0;
  readonly #vault: Vault;
  readonly #lease: HeldLease;
  readonly #namers = new Map<string, (plain: Uint8Array) => Uint8Array>();
  readonly #builders = new Map<string, PackBuilder>();
  /** Names of chunks that are in no durable pack yet, as byte strings. */
  readonly #pending = new Set<string>();
  readonly #jobs = new Set<Promise<void>>();
  readonly #puts = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(vault: Vault, lease: HeldLease) {
    this.#vault = vault;
    this.#lease = lease;
  }

  /**
   * The chunk's name; it is durable after `flush`. `plain` may be used again when it resolves.
   */
  async add(domain: Domain, holds: PackHolding, plain: Uint8Array): Promise<Uint8Array> {
    const name = this.#nameIn(domain, plain);
    if (this.#vault.findForReuse(name) !== undefined) return name;
    const key = byteStringOf(name);
    if (this.#pending.has(key)) return name;
    this.#pending.add(key);
    await this.#room(this.#jobs, jobsMax);
    this.#begin(this.#jobs, this.#take(domain, holds, name, plain.slice()));
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
    while (this.#jobs.size > 0) await this.#room(this.#jobs, 1);
    for (const [key, builder] of this.#builders) {
      if (domain === undefined || builder.domain === domain) await this.#close(key, builder);
    }
    while (this.#puts.size > 0) await this.#room(this.#puts, 1);
    this.#check();
  }

  #nameIn(domain: Domain, plain: Uint8Array): Uint8Array {
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
    const deflated = await this.#deflate(plain);
    const key = `${domain.id} ${holds}`;
    let builder = this.#builders.get(key);
    if (builder === undefined) {
      builder = new PackBuilder(this.#vault.world.crypto, domain, this.#vault.newId(), holds);
      this.#builders.set(key, builder);
    }
    builder.add(name, deflated ?? plain, plain.length, deflated !== undefined);
    if (builder.bytes >= this.#vault.settings.packBytes) await this.#close(key, builder);
  }

  async #deflate(plain: Uint8Array): Promise<Uint8Array | undefined> {
    const { crypto } = this.#vault.world;
    if (plain.length > 2 * sampleBytes) {
      const middle = Math.floor(plain.length / 2);
      const sample = plain.subarray(middle, middle + sampleBytes);
      if ((await crypto.deflate(sample)).length > worthRatio * sampleBytes) return undefined;
    }
    const deflated = await crypto.deflate(plain);
    return deflated.length <= worthRatio * plain.length ? deflated : undefined;
  }

  async #close(key: string, builder: PackBuilder): Promise<void> {
    if (this.#builders.get(key) === builder) this.#builders.delete(key);
    await this.#room(this.#puts, putsMax);
    this.#begin(this.#puts, this.#put(builder));
  }

  async #put(builder: PackBuilder): Promise<void> {
    await this.#lease.keep();
    const { pieces, ...table } = builder.finish();
    await this.#vault.store.put("pack", table.id, pieces);
    this.addedBytes += table.packBytes;
    this.#vault.takeIn(table);
    this.written.push(table);
    for (const { name } of table.chunks) this.#pending.delete(byteStringOf(name));
  }

  #begin(running: Set<Promise<void>>, work: Promise<void>): void {
    const ended: Promise<void> = work.then(
      () => void running.delete(ended),
      (error: unknown) => {
        this.#failure ??= { error };
        running.delete(ended);
      },
    );
    running.add(ended);
  }

  /** Resolves when fewer than `max` are under way. */
  async #room(running: ReadonlySet<Promise<void>>, max: number): Promise<void> {
    this.#check();
    while (running.size >= max) await Promise.race(running);
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

// The keys of a vault while it is open: which domains there are, and which are erased.
//
// A subject has three states that must never be confused: it never had a key (then one is made), it
// has one, or it was erased. The third is a tombstone, which wins over any copy of the key that a
// target brings back: such a copy is destroyed when it is seen. What this machine has seen erased
// it remembers beside its own state as well, for the case that all targets together go back in
// time.

import { NinesError } from "../../core/base/errors.ts";
import { keyBytes, type VaultCrypto } from "../../core/vault/crypto.ts";
import {
  deriveKey,
  type Domain,
  type DomainKind,
  masterIdOf,
  readWrappedKey,
  unwrapKey,
  wrapKey,
} from "../../core/vault/keys.ts";
import { newObjectId, type ObjectId } from "../../core/vault/names.ts";
import {
  openRecord,
  readTombstone,
  sealRecord,
  type Tombstone,
  writeTombstone,
} from "../../core/vault/records.ts";
import { sameBytes, bytesOf, utf8Of } from "../../core/vault/wire.ts";
import { messageOf } from "./catalog.ts";
import type { ObjectStore } from "./object-store.ts";

interface Held {
  readonly domain: Domain;
  readonly generation: number;
  /** Every object that wraps this domain's key with this master key, the newest first. */
  readonly objects: readonly ObjectId[];
}

export interface ErasureOutcome {
  readonly tombstone: Tombstone;
  /** Targets on which a copy of the key may be left: it goes when they are back. */
  readonly pending: readonly string[];
}

export class KeyRing {
  readonly #crypto: VaultCrypto;
  readonly #master: Uint8Array;
  readonly #store: ObjectStore;
  readonly #held = new Map<string, Held>();
  readonly #tombstones = new Map<string, Tombstone>();
  /** Wrapped with another master key: left as they are. */
  readonly #others: ObjectId[] = [];
  /** Keys and tombstones that are there and cannot be read, each with why. */
  readonly unreadable = new Map<ObjectId, string>();
  #vault: Domain | undefined;

  constructor(crypto: VaultCrypto, master: Uint8Array, store: ObjectStore) {
    this.#crypto = crypto;
    this.#master = master;
    this.#store = store;
  }

  get vault(): Domain {
    if (this.#vault !== undefined) return this.#vault;
    throw new NinesError("NINES_VAULT_LOST", "The vault's own key is on no target.");
  }

  get tombstones(): readonly Tombstone[] {
    return [...this.#tombstones.values()];
  }

  get domains(): readonly Domain[] {
    return [...this.#held.values()].map(({ domain }) => domain);
  }

  /** Key objects of other master keys: what a change of keys that was cut off has left. */
  get others(): readonly ObjectId[] {
    return this.#others;
  }

  /** Reads all keys and tombstones. `erased`: domains that this machine has seen erased. */
  async load(erased: readonly string[]): Promise<void> {
    await this.#eachOf("key", (id) => this.#loadKey(id));
    if (this.#vault === undefined) return;
    await this.#eachOf("tombstone", (id) => this.#loadTombstone(id));
    for (const domainId of [...this.#tombstones.keys(), ...erased]) await this.#destroy(domainId);
  }

  get hasVaultKey(): boolean {
    return this.#vault !== undefined;
  }

  /** One that cannot be read is noted, and stops none of the others. */
  async #eachOf(kind: "key" | "tombstone", load: (id: ObjectId) => Promise<void>): Promise<void> {
    for (const id of this.#store.catalog.ids(kind)) {
      try {
        await load(id);
      } catch (error) {
        this.unreadable.set(id, messageOf(error));
      }
    }
  }

  async #loadTombstone(id: ObjectId): Promise<void> {
    const sealed = (await this.#store.read("tombstone", id)).all();
    const name = { kind: "tombstone", id } as const;
    const tombstone = readTombstone(id, openRecord(this.#crypto, this.vault, name, sealed));
    this.#tombstones.set(tombstone.domainId, tombstone);
  }

  /** A new vault's own key. */
  async makeVault(): Promise<void> {
    this.#vault = await this.#make("vault", "");
  }

  /** The domain of this name; made when it never had a key. Throws NINES_VAULT_ERASED. */
  async provide(kind: DomainKind, name: string): Promise<Domain> {
    const known = this.findNamed(kind, name);
    if (known !== undefined) return known;
    if (this.isErased(name)) {
      throw new NinesError("NINES_VAULT_ERASED", `${name} was erased and gets no key again.`);
    }
    return this.#make(kind, name);
  }

  find(domainId: string): Domain | undefined {
    return this.#held.get(domainId)?.domain;
  }

  findNamed(kind: DomainKind, name: string): Domain | undefined {
    return this.domains.find((domain) => domain.kind === kind && domain.name === name);
  }

  isErased(name: string): boolean {
    const hash = this.#hashOf(name);
    return this.tombstones.some(({ subjectHash }) => sameBytes(subjectHash, hash));
  }

  /** Destroys the key of a subject: first the tombstone, durable, then every copy of the key. */
  async erase(name: string, atMs: number): Promise<ErasureOutcome> {
    const domain = this.findNamed("subject", name);
    if (domain === undefined) {
      const why = this.isErased(name) ? "it was erased before" : "it has no key here";
      throw new NinesError("NINES_VAULT_ERASED", `${name} cannot be erased: ${why}.`);
    }
    const id = newObjectId((length) => this.#crypto.randomBytes(length));
    const tombstone = { id, domainId: domain.id, subjectHash: this.#hashOf(name), atMs };
    const sealed = sealRecord(
      this.#crypto,
      this.vault,
      { kind: "tombstone", id },
      writeTombstone(tombstone),
    );
    await this.#store.put("tombstone", id, sealed);
    this.#tombstones.set(domain.id, tombstone);
    const pending = await this.#destroy(domain.id);
    domain.key.fill(0);
    return { tombstone, pending };
  }

  /** Wraps every key anew with another master key. The old wraps are left. */
  async wrapAll(master: Uint8Array): Promise<void> {
    for (const { domain, generation } of this.#held.values()) {
      await this.#wrap(master, domain, generation + 1);
    }
  }

  async #loadKey(id: ObjectId): Promise<void> {
    const wrapped = readWrappedKey((await this.#store.read("key", id)).all());
    if (wrapped.masterId !== masterIdOf(this.#crypto, this.#master)) {
      this.#others.push(id);
      return;
    }
    const domain = unwrapKey(this.#crypto, this.#master, id, wrapped);
    if (domain === undefined) {
      const what = `The key ${id} was not wrapped with this master key, or has been changed.`;
      throw new NinesError("NINES_VAULT_DAMAGED", what);
    }
    const before = this.#held.get(domain.id);
    const isNewer = wrapped.generation >= (before?.generation ?? 0);
    const objects = isNewer ? [id, ...(before?.objects ?? [])] : [...(before?.objects ?? []), id];
    const generation = Math.max(wrapped.generation, before?.generation ?? 0);
    this.#held.set(domain.id, { domain, generation, objects });
    if (domain.kind === "vault") this.#vault = domain;
  }

  async #destroy(domainId: string): Promise<readonly string[]> {
    const held = this.#held.get(domainId);
    if (held === undefined) return [];
    this.#held.delete(domainId);
    const failures: string[] = [];
    for (const id of held.objects) failures.push(...(await this.#store.remove("key", id)));
    const unreachable = [...this.#store.catalog.unreachable.keys()].map(({ name }) => name);
    return [...failures, ...unreachable];
  }

  async #make(kind: DomainKind, name: string): Promise<Domain> {
    const id = newObjectId((length) => this.#crypto.randomBytes(length));
    const domain = { id, kind, name, key: this.#crypto.randomBytes(keyBytes) };
    const object = await this.#wrap(this.#master, domain, 1);
    this.#held.set(id, { domain, generation: 1, objects: [object] });
    return domain;
  }

  async #wrap(master: Uint8Array, domain: Domain, generation: number): Promise<ObjectId> {
    const id = newObjectId((length) => this.#crypto.randomBytes(length));
    await this.#store.put("key", id, wrapKey(this.#crypto, master, id, domain, generation));
    return id;
  }

  #hashOf(name: string): Uint8Array {
    const key = deriveKey(this.#crypto, this.vault.key, "names of the erased");
    return this.#crypto.mac(key, bytesOf(utf8Of(name)));
  }
}

// The keys of a vault while it is open: which domains there are, and which are erased.
//
// A subject has three states that must never be confused: it never had a key (then one is made), it
// has one, or it was erased. The third is a tombstone, which wins over any copy of the key that a
// target brings back, be it a shard too few to be read: the tombstone names the objects, and what
// is left of them is destroyed when it is seen. It names the targets as well that may still keep
// some, and is replaced by one that names fewer once they have been seen. A subject may have had
// several keys, of which one was away when it was erased: the tombstone has its name's hash, and
// each key of that name that comes back gets a tombstone of its own. What this machine has seen
// erased it remembers beside its own state as well, for the case that all targets together go back
// in time.

import { sayCount } from "../../core/base/count.ts";
import { sayName } from "../../core/vault/entry.ts";
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
import { bytesOf, hexOf, sameBytes, utf8Of } from "../../core/vault/wire.ts";
import { messageOf } from "./catalog.ts";
import { allPlaces } from "./catalog-object.ts";
import { type Verdict, verdictOf } from "./examination.ts";
import type { ObjectStore } from "./object-store.ts";

/** What `lack` is told of where a walk through folders meets it. */
export const subjectKeyWords = "The key of a subject's folder here";

interface Held {
  readonly domain: Domain;
  readonly generation: number;
  /** Every object that wraps this domain's key with this master key, the newest first. */
  readonly objects: readonly ObjectId[];
}

export class KeyRing {
  readonly #crypto: VaultCrypto;
  readonly #master: Uint8Array;
  readonly #store: ObjectStore;
  readonly #held = new Map<string, Held>();
  readonly #tombstones = new Map<string, Tombstone>();
  /** Domains that this machine has seen erased. */
  #remembered: readonly string[] = [];
  /** Wrapped with another master key, each with its domain: left as they are. */
  readonly #others = new Map<ObjectId, string>();
  /** Keys and tombstones that are there and cannot be read, each with why. */
  readonly unreadable = new Map<ObjectId, string>();
  /** Whether any of these may be back, while so many targets were away. */
  #mayBeBack = { targetsAway: 0, any: false };
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
    return [...this.#others.keys()];
  }

  /**
   * Reads all keys and tombstones. `erased`: domains that this machine has seen erased; returns
   * those that it has seen now, for their keys were not there when their subjects were erased.
   */
  async load(erased: readonly string[]): Promise<readonly string[]> {
    this.#remembered = erased;
    await this.#eachOf("key", (id) => this.#loadKey(id));
    if (this.#vault === undefined) return [];
    const found = new Map<string, Tombstone[]>();
    await this.#eachOf("tombstone", async (id) => {
      const tombstone = await this.#readTombstone(id);
      const same = found.get(tombstone.domainId) ?? [];
      found.set(tombstone.domainId, [...same, tombstone]);
    });
    for (const tombstones of found.values()) await this.#bury(tombstones);
    for (const domainId of erased) await this.#destroy(this.#keysOf(domainId));
    return this.#buryOthers();
  }

  /** Further keys of erased subjects: which there were, nobody could tell while they were away. */
  async #buryOthers(): Promise<readonly string[]> {
    const { domains, tombstones } = this;
    if (tombstones.length === 0) return [];
    const erased = new Map(tombstones.map((each) => [hexOf(each.subjectHash), each]));
    const buried: string[] = [];
    for (const { id, kind, name, key } of domains) {
      const same = erased.get(hexOf(this.#hashOf(name)));
      if (kind !== "subject" || same === undefined) continue;
      const said = { ...same, domainId: id, keys: this.#keysOf(id), pending: this.#store.unseen() };
      // It is erased, whether a target takes the tombstone now or when it is opened next.
      this.#tombstones.set(id, said);
      key.fill(0);
      buried.push(id);
      try {
        await this.#bury([await this.#putTombstone(said)]);
      } catch (error) {
        if (!(error instanceof NinesError)) throw error;
      }
    }
    return buried;
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

  async #readTombstone(id: ObjectId): Promise<Tombstone> {
    const name = { kind: "tombstone", id } as const;
    const open = (sealed: Uint8Array) => openRecord(this.#crypto, this.vault, name, sealed);
    return readTombstone(id, await this.#store.open("tombstone", id, open));
  }

  async #putTombstone(tombstone: Omit<Tombstone, "id">): Promise<Tombstone> {
    const id = newObjectId((length) => this.#crypto.randomBytes(length));
    const bytes = writeTombstone(tombstone);
    const sealed = sealRecord(this.#crypto, this.vault, { kind: "tombstone", id }, bytes);
    await this.#store.put("tombstone", id, sealed);
    const put = { ...tombstone, id };
    this.#tombstones.set(put.domainId, put);
    return put;
  }

  /** All tombstones of a domain: what they name goes, and one stays that says what is left. */
  async #bury(same: readonly Tombstone[]): Promise<void> {
    const [first] = [...same].sort((a, b) => (a.id < b.id ? -1 : 1));
    if (first === undefined) return;
    const { domainId } = first;
    const keys = new Set([...same.flatMap((each) => each.keys), ...this.#keysOf(domainId)]);
    const left = await this.#destroy([...keys]);
    // The fewer one names, the newer it is.
    const before = first.pending.filter((name) =>
      same.every((each) => each.pending.includes(name)),
    );
    const pending = [...new Set([...this.#store.unseen(before), ...left])];
    const now = { ...first, keys: [...keys], pending };
    const kept = same.find((each) => isSaid(each, now));
    this.#tombstones.set(domainId, kept ?? now);
    try {
      const { id } = kept ?? (await this.#putTombstone(now));
      // Who keeps a key may keep shards of an old tombstone as well: it stays whole.
      if (left.length > 0) return;
      for (const old of same) if (old.id !== id) await this.#store.supersede("tombstone", old.id);
    } catch (error) {
      // Who opens the vault next time tries again.
      if (!(error instanceof NinesError)) throw error;
    }
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
      throw new NinesError(
        "NINES_VAULT_ERASED",
        `${sayName(name)} was erased and gets no key again.`,
      );
    }
    return this.#make(kind, name);
  }

  /** Whether the domain has no key because its subject was erased, and not by a loss. */
  isErasedDomain(domainId: string): boolean {
    return this.#tombstones.has(domainId) || this.#remembered.includes(domainId);
  }

  /** Why `what` ("The key of …") is not there, where no erasure is the reason. */
  lack(what: string): NinesError {
    const { catalog } = this.#store;
    const targetsAway = catalog.unreachable.size;
    // It is asked at every folder whose key is lost, and there may be as many lost keys.
    if (targetsAway !== this.#mayBeBack.targetsAway) {
      const any = [...this.unreadable.keys()].some((id) => this.#isAway(id));
      this.#mayBeBack = { targetsAway, any };
    }
    const isAway = this.#mayBeBack.any || this.#store.mayHideObjects;
    return catalog.lack(`${what} cannot be read`, isAway);
  }

  #isAway(id: ObjectId): boolean {
    const { catalog } = this.#store;
    const object = catalog.find("key", id) ?? catalog.find("tombstone", id);
    return object !== undefined && catalog.isAway(object);
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

  /**
   * Destroys the key of a subject: first the tombstone, durable, then every copy of the key. One
   * tombstone for each key: machines that did not see each other may have made several.
   */
  async erase(name: string, atMs: number): Promise<readonly Tombstone[]> {
    const named = this.domains.filter((each) => each.kind === "subject" && each.name === name);
    if (named.length === 0) {
      if (this.isErased(name))
        throw new NinesError("NINES_VAULT_ERASED", `${sayName(name)} was erased before.`);
      throw new NinesError("NINES_SUBJECT_UNKNOWN", this.#noSubject(name));
    }
    const subjectHash = this.#hashOf(name);
    const pending = this.#store.unseen();
    for (const domain of named) {
      const keys = this.#keysOf(domain.id);
      const said = { domainId: domain.id, subjectHash, atMs, keys, pending };
      const tombstone = await this.#putTombstone(said);
      await this.#bury([tombstone]);
      domain.key.fill(0);
    }
    return named.flatMap(({ id }) => this.#tombstones.get(id) ?? []);
  }

  /** A key that cannot be read does not say whose it is. */
  #noSubject(name: string): string {
    const { catalog } = this.#store;
    const unread = catalog.ids("key").filter((id) => this.unreadable.has(id)).length;
    const what = `There is no subject ${sayName(name)}`;
    if (unread === 0) return `${what}${catalog.whileAway}.`;
    const cannot = `${sayCount(unread, "key")} cannot be${catalog.whileAway}`;
    return `${what} among those whose keys can be read; ${cannot}.`;
  }

  /** Wraps every key anew with another master key. The old wraps are left. */
  async wrapAll(master: Uint8Array): Promise<void> {
    for (const { domain, generation } of this.#held.values()) {
      await this.#wrap(master, domain, generation + 1);
    }
  }

  /** Whether a key object is as it was made; of another master key's nobody here can tell. */
  judge(id: ObjectId, bytes: Uint8Array): Verdict {
    return verdictOf(() => {
      if (!this.#isOthers(bytes)) return this.#unwrap(id, bytes);
      throw new NinesError("NINES_VAULT_KEY", `The key ${id} was wrapped with another master key.`);
    });
  }

  #isOthers(bytes: Uint8Array): boolean {
    return readWrappedKey(bytes).masterId !== masterIdOf(this.#crypto, this.#master);
  }

  #unwrap(id: ObjectId, bytes: Uint8Array): Pick<Held, "domain" | "generation"> {
    const wrapped = readWrappedKey(bytes);
    const domain = unwrapKey(this.#crypto, this.#master, id, wrapped);
    if (domain !== undefined) return { domain, generation: wrapped.generation };
    const what = `The key ${id} was not wrapped with this master key, or has been changed.`;
    throw new NinesError("NINES_VAULT_DAMAGED", what);
  }

  async #loadKey(id: ObjectId): Promise<void> {
    try {
      this.#hold(id, await this.#store.open("key", id, (bytes) => this.#unwrap(id, bytes)));
    } catch (error) {
      const bytes = (await this.#store.read("key", id)).all();
      if (!this.#isOthers(bytes)) throw error;
      this.#others.set(id, readWrappedKey(bytes).domainId);
    }
  }

  #hold(id: ObjectId, { domain, generation }: Pick<Held, "domain" | "generation">): void {
    const before = this.#held.get(domain.id);
    const isNewer = generation >= (before?.generation ?? 0);
    const objects = isNewer ? [id, ...(before?.objects ?? [])] : [...(before?.objects ?? []), id];
    const newest = Math.max(generation, before?.generation ?? 0);
    this.#held.set(domain.id, { domain, generation: newest, objects });
    if (domain.kind === "vault") this.#vault = domain;
  }

  /** The objects that wrap a domain's key, with whichever master key; it is held no more. */
  #keysOf(domainId: string): readonly ObjectId[] {
    const held = this.#held.get(domainId)?.objects ?? [];
    const others = this.others.filter((id) => this.#others.get(id) === domainId);
    this.#held.delete(domainId);
    return [...held, ...others];
  }

  /** Names of targets that do not let them go. */
  async #destroy(keys: readonly ObjectId[]): Promise<readonly string[]> {
    const left = new Set<string>();
    for (const id of keys) {
      await this.#store.remove("key", id);
      const kept = this.#store.catalog.find("key", id);
      for (const { target } of kept === undefined ? [] : allPlaces(kept)) left.add(target.name);
      // What cannot go is nobody's key any more, and nothing that is short of shards.
      this.#store.catalog.forget("key", id);
      this.#others.delete(id);
      this.unreadable.delete(id);
    }
    return [...left];
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

/** Whether a tombstone says as much, in whatever order. */
function isSaid(
  tombstone: Tombstone,
  { keys, pending }: Pick<Tombstone, "keys" | "pending">,
): boolean {
  const isAll = (a: readonly string[], b: readonly string[]) =>
    a.length === b.length && b.every((each) => a.includes(each));
  return isAll(tombstone.keys, keys) && isAll(tombstone.pending, pending);
}

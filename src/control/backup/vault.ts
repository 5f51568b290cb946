// A vault, opened: its header, its keys, what lies where, and which chunks it has.
//
// Opening reads everything from the targets and trusts nothing that is kept elsewhere: headers say
// which vault it is, the listing says what is there, keys come out of their wraps, indexes and the
// packs that no index lists give the chunks. The one thing that this machine remembers is how new
// the newest snapshot was (core/vault/high-water.ts).
//
// The order in which a writer makes things durable is the whole of crash safety: packs, then the
// index, then the snapshot, then the mark. Whatever a crash leaves behind is a prefix of that:
// packs that no snapshot needs, which the next run finds by reading their tables and uses.

import { sayCount } from "../../core/base/count.ts";
import { NinesError } from "../../core/base/errors.ts";
import { ChunkIndex, type ChunkPlace } from "../../core/vault/chunk-index.ts";
import { Chunker, gearSeedBytes } from "../../core/vault/chunker.ts";
import {
  headerName,
  readHeader,
  type PassphraseCost,
  type VaultHeader,
  wholeBytesMax,
  writeHeader,
} from "../../core/vault/header.ts";
import { findRollback, raised, withErased } from "../../core/vault/high-water.ts";
import { deriveKey, masterIdOf } from "../../core/vault/keys.ts";
import { hexOf } from "../../core/vault/wire.ts";
import { MemoryPool } from "../../core/vault/memory.ts";
import { idBytes, newObjectId, type ObjectId, type ObjectKind } from "../../core/vault/names.ts";
import { packDomainOf, type PackTable, readPackTable } from "../../core/vault/pack.ts";
import {
  type Condemnation,
  type Damage,
  openRecord,
  readCondemnation,
  readDamage,
  readIndex,
  readSnapshot,
  sealRecord,
  type Snapshot,
  writeDamage,
} from "../../core/vault/records.ts";
import type { Target } from "../../ports/target.ts";
import { type Catalog, listAll, messageOf, readCatalog } from "./catalog.ts";
import { KeyRing } from "./key-ring.ts";
import { type Verdict, verdictOf } from "./examination.ts";
import { ObjectStore } from "./object-store.ts";
import { callRoll, type Roll, spreadMarks } from "./roll.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

export interface OpenOptions {
  readonly master: Uint8Array;
  /** How the master key was made, for the header of a vault that is made now. */
  readonly passphrase?: PassphraseCost;
  /** Makes the vault when the targets have none. */
  readonly create: boolean;
  /** Reads what chunks there are: not needed for listing snapshots. */
  readonly withIndex: boolean;
}

/** Of keys that cannot be read: there is one for each subject. */
const keysNamedMax = 3;

export class Vault {
  readonly world: VaultWorld;
  readonly settings: VaultSettings;
  readonly header: VaultHeader;
  readonly store: ObjectStore;
  readonly keys: KeyRing;
  readonly index = new ChunkIndex();
  /** All that can be read, the oldest first. */
  snapshots: readonly Snapshot[] = [];
  condemnations: readonly Condemnation[] = [];
  /** Packs that no index lists: what a run that was cut off has brought. */
  unindexed: readonly PackTable[] = [];
  /** Every pack that an index or its own table tells of, whether it can be read or not. */
  readonly packs = new Map<ObjectId, Omit<PackTable, "chunks">>();
  /** Packs that no index lists and whose key is not here, each with its domain. */
  readonly keylessPacks = new Map<ObjectId, string>();
  /** Objects that are there and cannot be read, each with why. */
  readonly unreadable = new Map<ObjectId, string>();
  readonly chunker: Chunker;
  /** For what is not encrypted: apart from that of shards, so that none of it gets to a target. */
  readonly plainMemory = new MemoryPool();
  /** What scrubs have found: no run builds on these packs, though enough of them is listed. */
  damages: readonly Damage[] = [];
  readonly #condemnedPacks = new Set<ObjectId>();
  #damagedPacks: ReadonlySet<ObjectId> = new Set();

  constructor(
    world: VaultWorld,
    settings: VaultSettings,
    header: VaultHeader,
    store: ObjectStore,
    keys: KeyRing,
  ) {
    this.world = world;
    this.settings = settings;
    this.header = header;
    this.store = store;
    this.keys = keys;
    this.chunker = new Chunker(gearSeedOf(world, keys.vault.key), header.chunks);
  }

  get catalog(): Catalog {
    return this.store.catalog;
  }

  /** Where a chunk lies that new snapshots may build on: not in what is condemned. */
  findForReuse(name: Uint8Array): ChunkPlace | undefined {
    const found = this.index.find(name);
    return found === undefined || this.#condemnedPacks.has(found.pack.id) ? undefined : found;
  }

  /** Whether a chunk that `index` does not find may be back with the targets that are away. */
  isAway(chunk: Uint8Array): boolean {
    const { catalog, settings } = this;
    const pack = this.index.findLost(chunk);
    // Of what no table tells, one that is away may.
    if (pack === undefined) return catalog.unreachable.size > 0;
    const nothing = { ...settings.geometry, places: [] };
    const isFound = this.isDamaged(pack.id);
    return !isFound && catalog.isAway(catalog.find("pack", pack.id) ?? nothing);
  }

  isCondemned(pack: ObjectId): boolean {
    return this.#condemnedPacks.has(pack);
  }

  /** A scrub has found that it cannot be read, whatever is listed of it. */
  isDamaged(pack: ObjectId): boolean {
    return this.#damagedPacks.has(pack);
  }

  newId(): ObjectId {
    return newObjectId((length) => this.world.crypto.randomBytes(length));
  }

  /** Seals a record with the vault's key and puts it; its new id. */
  async putRecord(
    kind: ObjectKind,
    bytes: Uint8Array,
    id: ObjectId = this.newId(),
  ): Promise<ObjectId> {
    const sealed = sealRecord(this.world.crypto, this.keys.vault, { kind, id }, bytes);
    await this.store.put(kind, id, sealed);
    return id;
  }

  async readRecord(kind: ObjectKind, id: ObjectId): Promise<Uint8Array> {
    return this.store.open(kind, id, (sealed) => this.#open(kind, id, sealed));
  }

  #open(kind: ObjectKind, id: ObjectId, sealed: Uint8Array): Uint8Array {
    return openRecord(this.world.crypto, this.keys.vault, { kind, id }, sealed);
  }

  /** Of anything but a pack: whether it is what was sealed. */
  judge(kind: ObjectKind, id: ObjectId, bytes: Uint8Array): Verdict {
    if (kind === "key") return this.keys.judge(id, bytes);
    return verdictOf(() => this.#open(kind, id, bytes));
  }

  /** Remembers on this machine that this snapshot was there. */
  raiseMark(snapshots: readonly Snapshot[]): void {
    const before = this.world.mark.read();
    const after = raised(before, this.header.vault, snapshots);
    if (after !== undefined && after !== before) this.world.mark.write(after);
  }

  /**
   * After these packs were read, of which these are lost: no later run is to build on them, and
   * those that were lost and are not are used again.
   */
  async noteDamage(read: ReadonlySet<ObjectId>, lost: readonly ObjectId[]): Promise<void> {
    const known = this.damages.at(-1)?.packs ?? [];
    const left = known.filter((id) => !read.has(id) && this.catalog.find("pack", id) !== undefined);
    const packs = [...left, ...lost].sort();
    if (packs.join() === [...known].sort().join()) return;
    try {
      const before = this.damages;
      if (packs.length > 0) {
        const damage = { atMs: this.world.clock.wallMs(), packs };
        const id = await this.putRecord("damaged", writeDamage(damage));
        this.damages = [{ ...damage, id }];
      } else this.damages = [];
      this.#damagedPacks = new Set(packs);
      for (const { id } of before) await this.store.supersede("damaged", id);
    } catch (error) {
      // The next scrub finds it again.
      if (!(error instanceof NinesError)) throw error;
    }
  }

  async load({ withIndex }: Pick<OpenOptions, "withIndex">): Promise<void> {
    this.condemnations = await this.#readAll("condemned", readCondemnation);
    for (const { packs } of this.condemnations) {
      for (const id of packs) this.#condemnedPacks.add(id);
    }
    const damages = await this.#readAll("damaged", readDamage);
    this.damages = damages.sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
    this.#damagedPacks = new Set(this.damages.at(-1)?.packs);
    const snapshots = await this.#readAll("snapshot", readSnapshot);
    this.snapshots = snapshots.sort((a, b) => a.sequence - b.sequence || (a.id < b.id ? -1 : 1));
    this.#checkMark();
    if (withIndex) await this.#loadIndex();
  }

  #checkMark(): void {
    const { snapshots, unreadable, world } = this;
    const { whileAway } = this.catalog;
    const seen = { snapshots, unreadable, whileAway };
    const what = findRollback(world.mark.read(), this.header.vault, seen);
    if (what === undefined) return this.raiseMark(snapshots);
    const isCertain = whileAway === "";
    throw new NinesError(isCertain ? "NINES_VAULT_ROLLED_BACK" : "NINES_VAULT_TARGETS", what);
  }

  /** What is lost, then what is condemned: a chunk is found elsewhere if it is elsewhere. */
  async #loadIndex(): Promise<void> {
    const tables = new Map<ObjectId, PackTable>();
    for (const list of await this.#readAll("index", (id, bytes) => readIndex(id, bytes))) {
      for (const table of list) tables.set(table.id, table);
    }
    const unindexed: PackTable[] = [];
    for (const id of this.catalog.ids("pack")) {
      if (tables.has(id) || this.#isLost(id)) continue;
      const table = await this.#readTable(id);
      if (table === undefined) continue;
      tables.set(id, table);
      unindexed.push(table);
    }
    this.unindexed = unindexed.filter(({ id }) => !this.isCondemned(id));
    const rankOf = ({ id }: PackTable) => (this.#isLost(id) ? 0 : this.isCondemned(id) ? 1 : 2);
    for (const rank of [0, 1, 2]) {
      for (const table of tables.values()) if (rankOf(table) === rank) this.takeIn(table);
    }
  }

  takeIn(table: PackTable): void {
    const { chunks: _, ...pack } = table;
    this.packs.set(table.id, pack);
    this.index.add(table, this.#isLost(table.id));
  }

  #isLost(pack: ObjectId): boolean {
    return this.isDamaged(pack) || !this.catalog.isReadable("pack", pack);
  }

  async #readTable(id: ObjectId): Promise<PackTable | undefined> {
    try {
      const bytes = (await this.store.read("pack", id)).all();
      const domainId = packDomainOf(bytes);
      const domain = this.keys.find(domainId ?? "");
      if (domainId !== undefined && domain === undefined) this.keylessPacks.set(id, domainId);
      return domain && readPackTable(this.world.crypto, domain, id, bytes);
    } catch (error) {
      this.unreadable.set(id, messageOf(error));
      return undefined;
    }
  }

  /** All objects of a kind that can be read; what cannot is noted, and stops nobody. */
  async #readAll<T>(kind: ObjectKind, parse: (id: ObjectId, bytes: Uint8Array) => T): Promise<T[]> {
    const found: T[] = [];
    for (const id of this.catalog.ids(kind)) {
      try {
        found.push(parse(id, await this.readRecord(kind, id)));
      } catch (error) {
        this.unreadable.set(id, messageOf(error));
      }
    }
    return found;
  }
}

/** Opens the vault on these targets. */
export async function openVault(
  world: VaultWorld,
  settings: VaultSettings,
  options: OpenOptions,
): Promise<Vault> {
  const masterId = masterIdOf(world.crypto, options.master);
  const { found, failed, roll } = await readHeaders(world);
  const header =
    chooseHeader(found, masterId) ?? newHeader(world, settings, masterId, options, failed);
  await spreadHeader(world, header, found, roll);
  await spreadMarks(world, roll, header.vault);
  const catalog = await readCatalog(world, roll.absent, settings);
  const store = new ObjectStore(header.vault, catalog, world, settings);
  const keys = new KeyRing(world.crypto, options.master, store);
  const mark = world.mark.read();
  const buried = await keys.load(mark?.vault === header.vault ? mark.erased : []);
  if (buried.length > 0) world.mark.write(withErased(mark, header.vault, buried));
  if (!keys.hasVaultKey) await makeKey(keys, catalog);
  const vault = new Vault(world, settings, header, store, keys);
  await vault.load(options);
  return vault;
}

/** The vault's own key comes right after its header: without it nothing else can be there. */
async function makeKey(keys: KeyRing, catalog: Catalog): Promise<void> {
  const isNew = catalog.ids("pack").length === 0 && catalog.ids("snapshot").length === 0;
  if (isNew && catalog.unreachable.size === 0) return keys.makeVault();
  const reasons = [...keys.unreadable.values()];
  const more = reasons.length - keysNamedMax;
  const others = more > 0 ? [`So it is with ${sayCount(more, "more key", "more keys")}`] : [];
  const named = [...reasons.slice(0, keysNamedMax), ...others];
  const why = reasons.length === 0 ? "No target has any of it" : named.join(". ");
  throw new NinesError(
    catalog.unreachable.size > 0 ? "NINES_VAULT_TARGETS" : "NINES_VAULT_LOST",
    `The vault's own key cannot be read${catalog.whileAway}. ${why}.`,
  );
}

interface FoundHeader {
  readonly target: Target;
  readonly header: VaultHeader;
}

export interface FoundHeaders {
  readonly found: readonly FoundHeader[];
  /** Targets that could not be asked, each with why. */
  readonly failed: readonly string[];
  readonly roll: Roll;
}

export async function readHeaders(world: VaultWorld): Promise<FoundHeaders> {
  const found: FoundHeader[] = [];
  const failed: string[] = [];
  const roll = await callRoll(world.targets);
  for (const target of world.targets) {
    const absent = roll.absent.get(target);
    if (absent !== undefined) {
      failed.push(`${target.name}: ${absent}`);
      continue;
    }
    try {
      for await (const name of listAll(target, "vault")) {
        const bytes = await target.read(name, 0, wholeBytesMax);
        const header = readHeader(bytes, world.crypto);
        if (header !== undefined) found.push({ target, header });
      }
    } catch (error) {
      if (error instanceof NinesError) throw error;
      failed.push(`${target.name}: ${messageOf(error)}`);
    }
  }
  return { found, failed, roll };
}

function chooseHeader(found: readonly FoundHeader[], masterId: string): VaultHeader | undefined {
  const vaults = new Set(found.map(({ header }) => header.vault));
  if (vaults.size > 1) {
    const where = found.map(({ target, header }) => `${target.name} has ${header.vault}`);
    throw new NinesError("NINES_VAULT_FOREIGN", `There are ${vaults.size}: ${where.join(", ")}.`);
  }
  const own = found.find(({ header }) => header.masterId === masterId)?.header;
  if (own !== undefined || found.length === 0) return own;
  const names = [...new Set(found.map(({ header }) => header.masterId))].join(" or ");
  const what = `The vault is opened by master key ${names}, and the one given is ${masterId}.`;
  throw new NinesError("NINES_VAULT_KEY", what);
}

/** A vault is made only where it is certain that there is none. */
function newHeader(
  world: VaultWorld,
  settings: VaultSettings,
  masterId: string,
  { create, passphrase }: OpenOptions,
  failed: readonly string[],
): VaultHeader {
  const names = world.targets.map(({ name }) => name).join(", ");
  const known = world.mark.read()?.vault;
  if (known !== undefined) {
    if (failed.length > 0) {
      const what = `Vault ${known}, which this machine knows, is away: ${failed.join("; ")}.`;
      throw new NinesError("NINES_VAULT_TARGETS", what);
    }
    const what = `Vault ${known}, which this machine knows, is not on ${names}; are they mounted?`;
    throw new NinesError("NINES_VAULT_ROLLED_BACK", what);
  }
  if (!create) throw new NinesError("NINES_VAULT_NOT_FOUND", `There is no vault on ${names}.`);
  if (failed.length > 0) {
    const what = `Whether there is a vault cannot be known: ${failed.join("; ")}.`;
    throw new NinesError("NINES_VAULT_TARGETS", what);
  }
  const vault = hexOf(world.crypto.randomBytes(idBytes));
  const made = passphrase === undefined ? {} : { passphrase };
  return { vault, masterId, chunks: settings.chunks, ...made };
}

/** Puts the header on every target that lacks it. Names of those that have not taken it. */
export async function spreadHeader(
  world: VaultWorld,
  header: VaultHeader,
  found: readonly FoundHeader[],
  { absent }: Pick<Roll, "absent">,
): Promise<readonly string[]> {
  const missing: string[] = [];
  const name = headerName(header.masterId);
  const bytes = writeHeader(header, world.crypto);
  for (const target of world.targets) {
    const has = found.some(
      (each) => each.target === target && each.header.masterId === header.masterId,
    );
    if (has || absent.has(target)) continue;
    try {
      await target.put(name, [bytes]);
    } catch {
      // Full, read-only or away: the header is on the others, and is tried at the next opening.
      missing.push(target.name);
    }
  }
  return missing;
}

function gearSeedOf({ crypto }: VaultWorld, key: Uint8Array): Uint8Array {
  const seed = new Uint8Array(gearSeedBytes);
  for (let at = 0; at < gearSeedBytes; at += 32) {
    seed.set(deriveKey(crypto, key, "where files are cut", Uint8Array.of(at / 32)), at);
  }
  return seed;
}

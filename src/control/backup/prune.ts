// What nobody needs any more is destroyed in two steps, so that nobody who is at work is robbed.
//
// First it is condemned: a record names the snapshots that the keep rules let go, the packs that
// the remaining ones do not need, and when. From then on no run builds on these packs. After a
// grace it is looked at again, with all the snapshots that are there by then: what is needed after
// all stays, the rest is destroyed, snapshots before the packs they need, the record last. A crash
// at any point leaves the record, and the next prune goes on.
//
// Why a backup beside it is safe: a run puts its lease before it looks what is condemned. If it has
// not seen a record, its lease was there before the record; then the record waits until the run has
// ended, and sees its snapshot. A run that stands still for longer than its lease gives up before
// it writes a snapshot (leases.ts), and the grace is far longer than a lease.
//
// A machine that may not remove from a target takes the first step alone. The second is for one
// that may: it finds the record and judges by it, after the grace, like any other.
//
// Packs of which less than half is needed are emptied: their chunks go into new packs, durable and
// listed, before the old one is condemned. Nothing is decided while a target is away, for what is
// there could be needed by what is not seen. A snapshot that cannot be read though enough of it is
// listed stops it too: a disk may have refused for now. A pack of which only that is known stays,
// and so do all packs of a subject whose key is lost: what it needs lies in these.
// Memory: the index, and a byte for each chunk.

import { sayBytes } from "../../core/base/bytes.ts";
import { sayCount } from "../../core/base/count.ts";
import { NinesError } from "../../core/base/errors.ts";
import { sayName } from "../../core/vault/entry.ts";
import type { Lease } from "../../core/vault/header.ts";
import { keep, type KeepRules } from "../../core/vault/keep.ts";
import type { ObjectId } from "../../core/vault/names.ts";
import { packDomainOf, type PackTable, readPackTable } from "../../core/vault/pack.ts";
import {
  indexPacksMax,
  type Condemnation,
  readIndex,
  type Snapshot,
  writeCondemnation,
  writeIndex,
} from "../../core/vault/records.ts";
import type { Target } from "../../ports/target.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { type HeldLease, withLease } from "./leases.ts";
import { markNeeded } from "./tree-walk.ts";
import { openVault, type Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";
import { leaseMs, type VaultSettings, type VaultWorld } from "./world.ts";

export interface PruneOptions {
  readonly master: Uint8Array;
  readonly keep: KeepRules;
  /** When there are any, these are let go, whatever the rules say, and no others. */
  readonly forget: readonly ObjectId[];
  /** Says what it would do, and does nothing. */
  readonly isRehearsal?: boolean;
}

export interface PruneOutcome {
  readonly condemnedSnapshots: readonly Snapshot[];
  /** Snapshots that cannot be read, and were to be forgotten. */
  readonly condemnedUnread: readonly ObjectId[];
  readonly condemnedPacks: number;
  readonly destroyedSnapshots: number;
  readonly destroyedPacks: number;
  /** Of packs, before parity. */
  readonly destroyedBytes: number;
  /** Records whose grace is over and that wait for a run at work. */
  readonly deferred: number;
  /** Records whose grace is over and that wait for somebody who may remove. */
  readonly withheld: number;
  readonly sentence: string;
}

/** Of a pack; below, it is emptied. */
const wornRatio = 0.5;
/** Packs that one prune empties; the next goes on. */
const emptiedMax = 256;
const indexesMax = 16;
/** Snapshots that cannot be read. */
const namedMax = 10;

/**
 * Throws NINES_VAULT_TARGETS while a target is away, NINES_VAULT_LOST when a snapshot or a tree is
 * unreadable, NINES_SNAPSHOT_KEPT when the newest snapshot is to be forgotten.
 */
export async function prune(
  world: VaultWorld,
  settings: VaultSettings,
  options: PruneOptions,
): Promise<PruneOutcome> {
  return withLease(world, "upkeep", async (lease, others) => {
    const opening = { master: options.master, create: false, withIndex: true };
    const vault = await openVault(world, settings, opening);
    requireAll(vault);
    const isRehearsal = options.isRehearsal === true;
    const swept = await new Sweeping(vault, lease, others, options).run();
    // What is gone must not count below.
    const isChanged = swept.records > 0 && !isRehearsal;
    const after = isChanged ? await openVault(world, settings, opening) : vault;
    // One may have gone since.
    requireAll(after);
    const condemned = await new Condemning(after, lease, options).run();
    const { records: _, ...destroyed } = swept;
    const outcome = { ...destroyed, ...condemned };
    const sentence = say(outcome, namesOf(appendOnly(world)), isRehearsal);
    if (isRehearsal) return { ...outcome, sentence };
    if (others.length === 0) for (const target of world.targets) await target.clean();
    world.events.record({ kind: "vault.pruned", level: "info", sentence });
    return { ...outcome, sentence };
  });
}

function requireAll(vault: Vault): void {
  const [away] = vault.catalog.unreachable;
  if (away === undefined) return;
  const what = `Nothing is destroyed while a target is away: ${away[0].name}, ${away[1]}.`;
  throw new NinesError("NINES_VAULT_TARGETS", what);
}

/** Throws where a snapshot cannot be read that is not one of `gone`. */
function requireSnapshots(vault: Vault, gone: ReadonlySet<ObjectId>): void {
  const unread = unreadSnapshots(vault).filter((id) => !gone.has(id));
  const [first] = unread;
  if (first === undefined) return;
  // Since it was opened one may have fallen silent.
  requireAll(vault);
  const more = unread.length > namedMax ? ` and ${unread.length - namedMax} more` : "";
  const which = `${sayCount(unread.length, "snapshot")} cannot be read, so that nobody knows`;
  const names = `${unread.slice(0, namedMax).join(", ")}${more}`;
  const why = `what is needed: ${names} (${vault.unreadable.get(first)})`;
  const remedy = "Let go of it by its whole name (--forget) to prune all the same";
  throw new NinesError("NINES_VAULT_LOST", `${which} ${why}. ${remedy}.`);
}

/** What a put that was cut off has left is none of them. */
function unreadSnapshots({ catalog, unreadable }: Vault): readonly ObjectId[] {
  const ids = catalog.ids("snapshot");
  return ids.filter((id) => unreadable.has(id) && catalog.isReadable("snapshot", id));
}

/** Marks what they need. Domains of subjects whose keys are lost: all their packs are needed. */
async function markOrStop(
  vault: Vault,
  snapshots: readonly Snapshot[],
): Promise<ReadonlySet<string>> {
  const keyless = new Set<string>();
  await markNeeded(vault, snapshots, ({ snapshot, path, hidesMore, reason, domainId }) => {
    if (!hidesMore) return;
    // Since it was opened one may have fallen silent.
    requireAll(vault);
    if (domainId !== undefined) {
      keyless.add(domainId);
      return;
    }
    const what = path === "" ? "The root" : `"${sayName(path)}"`;
    const where = `${what} of snapshot ${snapshot.id} cannot be read, so that nobody knows`;
    const remedy = "Let the snapshot go to prune all the same";
    throw new NinesError("NINES_VAULT_LOST", `${where} what it needs: ${reason}. ${remedy}.`);
  });
  return keyless;
}

/** Whether nobody knows what is in a pack though enough of it is listed, and no erasure is why. */
function isUnknown({ catalog, keys, packs, keylessPacks }: Vault, id: ObjectId): boolean {
  if (packs.has(id) || !catalog.isReadable("pack", id)) return false;
  const domainId = keylessPacks.get(id);
  return domainId === undefined || !keys.isErasedDomain(domainId);
}

function appendOnly(world: VaultWorld): readonly Target[] {
  return world.targets.filter(({ isAppendOnly }) => isAppendOnly);
}

function namesOf(targets: readonly Target[]): string {
  return targets.map(({ name }) => name).join(", ");
}

interface Swept {
  readonly records: number;
  readonly destroyedSnapshots: number;
  readonly destroyedPacks: number;
  readonly destroyedBytes: number;
  readonly deferred: number;
  readonly withheld: number;
}

/** Destroys what was condemned long enough ago and that nobody needs. */
class Sweeping {
  readonly #vault: Vault;
  readonly #lease: HeldLease;
  readonly #others: readonly Lease[];
  readonly #options: PruneOptions;

  constructor(vault: Vault, lease: HeldLease, others: readonly Lease[], options: PruneOptions) {
    this.#vault = vault;
    this.#lease = lease;
    this.#others = others;
    this.#options = options;
  }

  async run(): Promise<Swept> {
    const vault = this.#vault;
    const nowMs = vault.world.clock.wallMs();
    const over = vault.condemnations.filter(({ atMs }) => nowMs - atMs >= vault.settings.graceMs);
    const due = over.filter(
      ({ atMs }) => !this.#others.some(({ startedMs }) => startedMs <= atMs + leaseMs),
    );
    const none = { destroyedSnapshots: 0, destroyedPacks: 0, destroyedBytes: 0 };
    const deferred = over.length - due.length;
    const isKept = appendOnly(vault.world).length > 0;
    const withheld = isKept ? due.length : 0;
    if (due.length === 0 || isKept) return { ...none, records: 0, deferred, withheld };
    return { ...(await this.#destroyAll(due)), records: due.length, deferred, withheld };
  }

  async #destroyAll(
    due: readonly Condemnation[],
  ): Promise<Pick<Swept, "destroyedSnapshots" | "destroyedPacks" | "destroyedBytes">> {
    const vault = this.#vault;
    const swept = { destroyedSnapshots: 0, destroyedPacks: 0, destroyedBytes: 0 };
    const doomed = new Set(due.flatMap(({ snapshots }) => snapshots));
    requireSnapshots(vault, new Set([...doomed, ...this.#options.forget]));
    const keyless = await markOrStop(
      vault,
      vault.snapshots.filter(({ id }) => !doomed.has(id)),
    );
    const needed = new Set(vault.catalog.ids("pack").filter((id) => isUnknown(vault, id)));
    for (const { pack, bytes } of vault.index.marked()) {
      if (bytes > 0 || keyless.has(pack.domainId)) needed.add(pack.id);
    }
    for (const id of doomed) {
      await this.#destroy("snapshot", id);
      swept.destroyedSnapshots++;
    }
    for (const record of due) {
      for (const id of record.packs) {
        if (needed.has(id)) continue;
        await this.#destroy("pack", id);
        swept.destroyedPacks++;
        swept.destroyedBytes += vault.packs.get(id)?.packBytes ?? 0;
      }
      await this.#destroy("condemned", record.id);
    }
    return swept;
  }

  async #destroy(kind: "snapshot" | "pack" | "condemned", id: ObjectId): Promise<void> {
    if (this.#options.isRehearsal !== true) await destroy(this.#vault, this.#lease, kind, id);
  }
}

async function destroy(
  vault: Vault,
  lease: HeldLease,
  kind: "snapshot" | "pack" | "index" | "condemned",
  id: ObjectId,
): Promise<void> {
  await lease.keep();
  const failures = await vault.store.remove(kind, id);
  // What comes after it may only go when this is gone.
  if (failures.length === 0) return;
  throw new NinesError("NINES_VAULT_TARGETS", `The ${kind} ${id} stays on ${failures.join("; ")}.`);
}

type Condemned = Pick<PruneOutcome, "condemnedSnapshots" | "condemnedUnread" | "condemnedPacks">;

class Condemning {
  readonly #vault: Vault;
  readonly #lease: HeldLease;
  readonly #options: PruneOptions;

  constructor(vault: Vault, lease: HeldLease, options: PruneOptions) {
    this.#vault = vault;
    this.#lease = lease;
    this.#options = options;
  }

  async run(): Promise<Condemned> {
    const vault = this.#vault;
    const { forget, isRehearsal } = this.#options;
    const before = new Set(vault.condemnations.flatMap(({ snapshots }) => snapshots));
    requireSnapshots(vault, new Set([...before, ...forget]));
    const there = vault.snapshots.filter(({ id }) => !before.has(id));
    const kept = this.#kept(there);
    const condemnedSnapshots = there.filter(({ id }) => !kept.has(id));
    const condemnedUnread = unreadSnapshots(vault).filter((id) => !before.has(id));
    const snapshots = [...condemnedSnapshots.map(({ id }) => id), ...condemnedUnread];
    const keyless = await markOrStop(
      vault,
      there.filter(({ id }) => kept.has(id)),
    );
    const packs = [...(await this.#unneeded(keyless)), ...this.#debris()];
    const condemned = { condemnedSnapshots, condemnedUnread, condemnedPacks: packs.length };
    if (isRehearsal === true) return condemned;
    if (snapshots.length + packs.length > 0) {
      await this.#lease.keep();
      const atMs = vault.world.clock.wallMs();
      const record: Omit<Condemnation, "id"> = { atMs, snapshots, packs };
      await vault.putRecord("condemned", writeCondemnation(record));
    }
    if (appendOnly(vault.world).length === 0) await this.#mergeIndexes();
    return condemned;
  }

  #kept(there: readonly Snapshot[]): ReadonlySet<ObjectId> {
    const { forget } = this.#options;
    // The newest one is what every machine's mark is held against.
    const newest = there.at(-1)?.id;
    if (newest !== undefined && forget.includes(newest)) {
      throw new NinesError("NINES_SNAPSHOT_KEPT", `${newest.slice(0, 8)} is the newest snapshot.`);
    }
    const kept = new Set<ObjectId>();
    const all = there.map(({ id }) => id);
    if (forget.length > 0) return new Set(all.filter((id) => !forget.includes(id)));
    for (const source of new Set(there.map((snapshot) => snapshot.source))) {
      const own = there.filter((snapshot) => snapshot.source === source);
      for (const id of keep(own, this.#options.keep).keys()) kept.add(id);
    }
    if (newest !== undefined) kept.add(newest);
    return kept;
  }

  /** Packs that none of what is kept needs, once those that are worn have been emptied. */
  async #unneeded(keyless: ReadonlySet<string>): Promise<readonly ObjectId[]> {
    const unneeded: ObjectId[] = [];
    const worn: ObjectId[] = [];
    for (const { pack, bytes, isLost } of this.#vault.index.marked()) {
      const isGone = this.#vault.catalog.find("pack", pack.id) === undefined;
      if (isGone || this.#vault.isCondemned(pack.id) || keyless.has(pack.domainId)) continue;
      if (bytes === 0) unneeded.push(pack.id);
      else if (!isLost && bytes < wornRatio * pack.packBytes) worn.push(pack.id);
    }
    // One worn pack emptied into one new one would gain nothing, again and again.
    if (worn.length < 2 || this.#options.isRehearsal === true) return unneeded;
    const emptied = await this.#empty(worn.slice(0, emptiedMax));
    return [...unneeded, ...emptied];
  }

  async #empty(packs: readonly ObjectId[]): Promise<readonly ObjectId[]> {
    const vault = this.#vault;
    const writer = new ChunkWriter(vault, this.#lease);
    const reader = new VaultReader(vault);
    for (const id of packs) {
      const table = await this.#tableOf(id);
      const domain = vault.keys.find(table.domainId);
      for (const { name } of table.chunks) {
        const isHere = vault.index.find(name)?.pack.id === id && vault.index.isNeeded(name);
        if (!isHere || domain === undefined) continue;
        await writer.addAgain(domain, table.holds, name, await reader.chunk(name));
      }
    }
    await writer.flush();
    if (writer.written.length > 0) await vault.putRecord("index", writeIndex(writer.written));
    return packs;
  }

  async #tableOf(id: ObjectId): Promise<PackTable> {
    const bytes = (await this.#vault.store.read("pack", id)).all();
    const domain = this.#vault.keys.find(packDomainOf(bytes) ?? "");
    const table = domain && readPackTable(this.#vault.world.crypto, domain, id, bytes);
    if (table !== undefined) return table;
    throw new NinesError("NINES_VAULT_DAMAGED", `The table of pack ${id} cannot be opened.`);
  }

  /** Packs that no index tells of: left by half, or of erased subjects. */
  #debris(): readonly ObjectId[] {
    const vault = this.#vault;
    const ids = vault.catalog.ids("pack").filter((id) => !vault.packs.has(id));
    return ids.filter((id) => !vault.isCondemned(id) && !isUnknown(vault, id));
  }

  /**
   * Many indexes become few, and packs that are gone are listed no longer. The old ones go at once:
   * an index only saves the reading of tables. One that may be read one day stays.
   */
  async #mergeIndexes(): Promise<void> {
    const vault = this.#vault;
    const isGone = (id: ObjectId) => vault.catalog.find("pack", id) === undefined;
    const all = vault.catalog.ids("index");
    const isHidden = (id: ObjectId) =>
      vault.unreadable.has(id) && vault.catalog.isReadable("index", id);
    const ids = all.filter((id) => !isHidden(id));
    if (ids.length <= indexesMax && ![...vault.packs.keys()].some(isGone)) return;
    let tables = new Map(vault.unindexed.map((table) => [table.id, table]));
    const put = async () => {
      if (tables.size > 0) await vault.putRecord("index", writeIndex([...tables.values()]));
      tables = new Map();
    };
    for (const id of ids) {
      if (vault.unreadable.has(id)) continue;
      for (const table of readIndex(id, await vault.readRecord("index", id))) {
        if (!isGone(table.id)) tables.set(table.id, table);
      }
      if (tables.size >= indexPacksMax) await put();
    }
    await put();
    for (const id of ids) await destroy(vault, this.#lease, "index", id);
  }
}

function say(outcome: Omit<PruneOutcome, "sentence">, kept: string, isRehearsal: boolean): string {
  const { condemnedPacks, destroyedSnapshots, destroyedPacks } = outcome;
  const snapshots = outcome.condemnedSnapshots.length + outcome.condemnedUnread.length;
  const would = isRehearsal ? "would be " : "";
  const condemned = `${counted(snapshots, condemnedPacks)} ${would}condemned`;
  const freed = sayBytes(outcome.destroyedBytes);
  const destroyed = `${counted(destroyedSnapshots, destroyedPacks)} of ${freed} ${would}destroyed`;
  const records = (count: number, what: string) =>
    count === 0 ? "" : `; ${sayCount(count, "record waits", "records wait")} for ${what}`;
  const waits = records(outcome.deferred, "a backup at work");
  const left = records(outcome.withheld, `a prune that may remove from ${kept}`);
  return `Prune: ${condemned}, ${destroyed}${waits}${left}.`;
}

function counted(snapshots: number, packs: number): string {
  return `${sayCount(snapshots, "snapshot")} and ${sayCount(packs, "pack")}`;
}

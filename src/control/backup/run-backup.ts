// One backup of one source: walk it, put what is new, and only then say that there is a snapshot.
//
// Order is everything. Packs are durable before the index that lists them, the index before the
// snapshot, the snapshot before this machine's mark. So a crash at any point leaves the snapshots
// that were there, and packs that the next run finds and uses: that is how a run that was cut off
// is resumed.
//
// A file whose fingerprint is that of the last snapshot is not read again, if the vault still has
// all its chunks; one that has lost some is read and heals the vault. Files that vanish meanwhile
// or may not be read are counted and named, and are no failure.

import { sayBytes } from "../../core/base/bytes.ts";
import { sayCount } from "../../core/base/count.ts";
import { sayName } from "../../core/vault/entry.ts";
import { type ErrorCode, NinesError } from "../../core/base/errors.ts";
import type { PassphraseCost } from "../../core/vault/header.ts";
import type { Domain } from "../../core/vault/keys.ts";
import {
  indexPacksMax,
  type Snapshot,
  type SnapshotCounts,
  writeIndex,
  writeSnapshot,
} from "../../core/vault/records.ts";
import {
  type Content,
  emptyContent,
  type PlainEntry,
  type SubjectEntry,
  type TreeEntry,
} from "../../core/vault/tree.ts";
import type { SourceEntry, TreeSource } from "../../ports/tree-source.ts";
import { ChunkWriter } from "./chunk-writer.ts";
import { FileReader } from "./file-reader.ts";
import { FolderBuilder } from "./folder-builder.ts";
import { type HeldLease, withLease } from "./leases.ts";
import { Named } from "./named.ts";
import { openVault, type Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";
import type { VaultSettings, VaultWorld } from "./world.ts";

export interface BackupOptions {
  readonly master: Uint8Array;
  /** How the master key was made, for a vault that is made now. */
  readonly passphrase?: PassphraseCost;
  /** The key domain of all that is no subject's. */
  readonly service: string;
  /** The name of the subject whose folder this is; undefined for others. */
  readonly subjectOf: (path: readonly string[]) => string | undefined;
  /** How the file writes `subjectOf`, where it does: of a run that meets none it is told. */
  readonly subjects?: string;
  /** Told after each file. */
  readonly progress?: (counts: SnapshotCounts) => void;
}

export interface BackupOutcome {
  readonly snapshot: Snapshot;
  /** What is not kept, each with why; the first thousand, and as many of the vault's own. */
  readonly left: readonly string[];
  readonly leftCount: number;
  /** Objects that have fewer shards than they should: the scrub will make them good. */
  readonly degradedObjects: number;
  readonly mendedShards: number;
  readonly sentence: string;
}

/** Of what the file names and no run meets. */
const notMetNamedMax = 3;
/** Names of one file that are remembered, so that it is read once. */
const sameFilesMax = 65_536;
/** Of a chunk that no target will bring back. */
const lostCodes: ReadonlySet<ErrorCode> = new Set(["NINES_VAULT_LOST", "NINES_VAULT_DAMAGED"]);

/** Throws NINES_VAULT_TARGETS, NINES_VAULT_BUSY and what opening a vault throws. */
export async function runBackup(
  world: VaultWorld,
  settings: VaultSettings,
  source: TreeSource,
  options: BackupOptions,
): Promise<BackupOutcome> {
  return withLease(world, "backup", async (lease) => {
    const vault = await openVault(world, settings, { ...options, create: true, withIndex: true });
    const service = await vault.keys.provide("service", options.service);
    return new BackupRun(vault, lease, source, options, service).run();
  });
}

type OwnCounts = Omit<SnapshotCounts, "left" | "addedBytes">;
type Counts = { -readonly [Key in keyof OwnCounts]: OwnCounts[Key] };

class BackupRun {
  readonly #vault: Vault;
  readonly #lease: HeldLease;
  readonly #source: TreeSource;
  readonly #options: BackupOptions;
  readonly #service: Domain;
  readonly #writer: ChunkWriter;
  readonly #reader: VaultReader;
  readonly #files: FileReader;
  readonly #startedMs: number;
  readonly #left = new Named();
  readonly #own = new Named();
  #subjectsMet = 0;
  readonly #sameFiles = new Map<string, Content>();
  readonly #counts: Counts = {
    files: 0,
    folders: 0,
    links: 0,
    contentBytes: 0,
  };

  constructor(
    vault: Vault,
    lease: HeldLease,
    source: TreeSource,
    options: BackupOptions,
    service: Domain,
  ) {
    this.#vault = vault;
    this.#lease = lease;
    this.#source = source;
    this.#options = options;
    this.#service = service;
    this.#writer = new ChunkWriter(vault, lease);
    this.#reader = new VaultReader(vault);
    this.#files = new FileReader(vault.chunker, this.#writer);
    this.#startedMs = vault.world.clock.wallMs();
  }

  async run(): Promise<BackupOutcome> {
    const previous = this.#vault.snapshots.findLast(({ source }) => source === this.#source.name);
    const root = await this.#folder([], previous?.root, this.#service);
    if (root === undefined) {
      const what = `The source ${this.#source.name} is not there: nothing was backed up.`;
      throw new NinesError("NINES_BACKUP_SOURCE", what);
    }
    await this.#source.confirm();
    await this.#writer.flush();
    await this.#putIndex();
    const snapshot = await this.#putSnapshot(root);
    const { degradedObjects, mendedShards } = this.#vault.store;
    const sentence = this.#sentence(snapshot);
    this.#vault.world.events.record({
      kind: "backup.finished",
      level: degradedObjects > 0 || this.#left.count > 0 ? "warning" : "info",
      sentence,
    });
    const notKept = this.#source.notKept();
    const left = [...notKept, ...this.#own.first, ...this.#left.first];
    const leftCount = notKept.length + this.#own.count + this.#left.count;
    return { snapshot, left, leftCount, degradedObjects, mendedShards, sentence };
  }

  /** The content of a folder; undefined when it has vanished. */
  async #folder(
    path: readonly string[],
    previous: Content | undefined,
    domain: Domain,
  ): Promise<Content | undefined> {
    const listing = await this.#source.list(path);
    if (listing === undefined) return undefined;
    for (const one of listing.left) this.#leave([...path, one.name], one.reason, one.isOwn);
    const before = new EarlierFolder(this.#reader, previous);
    const folder = new FolderBuilder(this.#vault.chunker, this.#writer, domain);
    const own: SourceEntry[] = [];
    // Subjects first: their entries have no names by which they could be put in order.
    for (const entry of listing.entries) {
      const subject = entry.kind === "folder" && this.#subjectAt([...path, entry.name]);
      if (typeof subject !== "string") own.push(entry);
      else await this.#subject(subject, entry, path, before, folder);
    }
    for (const entry of own) {
      const kept = await this.#entry(entry, path, await before.find(entry.name), domain);
      if (kept !== undefined) await folder.push(kept);
    }
    return folder.finish();
  }

  #subjectAt(path: readonly string[]): string | undefined {
    const name = this.#options.subjectOf(path);
    return name === undefined ? undefined : `${this.#options.service}/${name}`;
  }

  async #subject(
    name: string,
    entry: SourceEntry,
    path: readonly string[],
    before: EarlierFolder,
    into: FolderBuilder,
  ): Promise<void> {
    this.#subjectsMet++;
    if (this.#vault.keys.isErased(name)) {
      this.#leave([...path, entry.name], "the subject was erased and gets no key again");
      return;
    }
    const domain = await this.#vault.keys.provide("subject", name);
    const earlier = await before.findSubject(domain.id);
    const holder = new EarlierFolder(this.#reader, earlier?.content);
    const kept = await this.#entry(entry, path, await holder.find(entry.name), domain);
    if (kept === undefined) return;
    const own = new FolderBuilder(this.#vault.chunker, this.#writer, domain);
    await own.push(kept);
    await into.push({ kind: "subject", domainId: domain.id, content: await own.finish() });
    // Else thousands of subjects would hold thousands of half-filled packs.
    await this.#writer.flush(domain);
  }

  async #entry(
    entry: SourceEntry,
    parent: readonly string[],
    before: PlainEntry | undefined,
    domain: Domain,
  ): Promise<TreeEntry | undefined> {
    const path = [...parent, entry.name];
    const { name, facts, pointsTo, fingerprint, sameFile, kind } = entry;
    let content: Content | undefined;
    let reason = "it vanished while it was backed up";
    try {
      content = await this.#contentOf(entry, path, before, domain);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      reason = error.message;
    }
    if (content === undefined) {
      this.#leave(path, reason);
      return undefined;
    }
    if (kind === "file") this.#counts.files++;
    else if (kind === "folder") this.#counts.folders++;
    else this.#counts.links++;
    if (kind === "file") this.#counts.contentBytes += content.bytes;
    this.#options.progress?.(this.#countsNow());
    return { kind, name, facts, pointsTo, fingerprint, sameFile, content };
  }

  async #contentOf(
    entry: SourceEntry,
    path: readonly string[],
    before: PlainEntry | undefined,
    domain: Domain,
  ): Promise<Content | undefined> {
    if (entry.kind === "link") return emptyContent;
    if (entry.kind === "folder") {
      return this.#folder(path, before?.kind === "folder" ? before.content : undefined, domain);
    }
    await this.#lease.keep();
    // A file that has names in two domains is kept in both: one may be erased.
    const same = entry.sameFile === "" ? "" : `${domain.id} ${entry.sameFile}`;
    const known = same === "" ? undefined : this.#sameFiles.get(same);
    if (known !== undefined) return known;
    const content = (await this.#unchanged(entry, before)) ?? (await this.#read(path, domain));
    if (same !== "" && content !== undefined && this.#sameFiles.size < sameFilesMax) {
      this.#sameFiles.set(same, content);
    }
    return content;
  }

  async #unchanged(
    entry: SourceEntry,
    before: PlainEntry | undefined,
  ): Promise<Content | undefined> {
    const isSame =
      before?.kind === "file" &&
      entry.fingerprint !== "" &&
      before.fingerprint === entry.fingerprint;
    return isSame && (await this.#hasAll(before.content)) ? before.content : undefined;
  }

  /** Whether each chunk of it, lists included, is in a pack that will stay. */
  async #hasAll({ depth, segments }: Content): Promise<boolean> {
    let isHere = true;
    for (const segment of segments) {
      if (segment.kind === "hole") continue;
      if (this.#vault.findForReuse(segment.name) === undefined) isHere = false;
      else if (depth > 0 && !(await this.#hasList(segment.name, depth - 1))) isHere = false;
    }
    return isHere;
  }

  /** A list that cannot be read names chunks that nobody knows: the source knows them. */
  async #hasList(name: Uint8Array, depth: number): Promise<boolean> {
    try {
      return await this.#hasAll(await this.#reader.list(name, depth));
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      const { index } = this.#vault;
      const pack = index.find(name)?.pack.id;
      // Else the list that the source makes would be found there, and not be put again.
      if (pack !== undefined && lostCodes.has(error.code)) index.lose(pack);
      return false;
    }
  }

  async #read(path: readonly string[], domain: Domain): Promise<Content | undefined> {
    const reader = await this.#source.read(path);
    if (reader === undefined) return undefined;
    try {
      return await this.#files.read(reader, domain, () => this.#lease.keep());
    } finally {
      await reader.close();
    }
  }

  /** What earlier runs have brought and no index lists is listed now as well. */
  async #putIndex(): Promise<void> {
    const packs = [...this.#vault.unindexed, ...this.#writer.written];
    for (let from = 0; from < packs.length; from += indexPacksMax) {
      await this.#lease.keep();
      await this.#vault.putRecord("index", writeIndex(packs.slice(from, from + indexPacksMax)));
    }
  }

  async #putSnapshot(root: Content): Promise<Snapshot> {
    const { world } = this.#vault;
    await this.#lease.keep();
    const snapshot: Snapshot = {
      id: this.#vault.newId(),
      sequence: 1 + Math.max(0, ...this.#vault.snapshots.map(({ sequence }) => sequence)),
      source: this.#source.name,
      domainId: this.#service.id,
      host: world.host,
      startedMs: this.#startedMs,
      finishedMs: world.clock.wallMs(),
      root,
      counts: this.#countsNow(),
    };
    await this.#vault.putRecord("snapshot", writeSnapshot(snapshot), snapshot.id);
    if (!this.#lease.holds) {
      // Others may have destroyed what it needs, for they could not know of it.
      await this.#vault.store.remove("snapshot", snapshot.id);
      await this.#lease.keep();
    }
    this.#vault.raiseMark([snapshot]);
    return snapshot;
  }

  #countsNow(): SnapshotCounts {
    return { ...this.#counts, left: this.#left.count, addedBytes: this.#writer.addedBytes };
  }

  #leave(path: readonly string[], reason: string, isOwn = false): void {
    const named = isOwn ? this.#own : this.#left;
    named.add(`${sayName(path.join("/"))}: ${reason}`);
  }

  #sentence({ id, source, counts, startedMs, finishedMs }: Snapshot): string {
    const { files, contentBytes, addedBytes, left } = counts;
    const took = `${((finishedMs - startedMs) / 1000).toFixed(1)} s`;
    const read = `${sayCount(files, "file")} of ${sayBytes(contentBytes)}`;
    const what = `${read}, ${sayBytes(addedBytes)} of them new`;
    const notKept = left === 0 ? "" : `; ${sayCount(left, "entry", "entries")} could not be kept`;
    const own = sayCount(
      this.#own.count,
      "of the vault's own targets is",
      "of the vault's own targets are",
    );
    const meant = this.#own.count === 0 ? "" : `; ${own} left out`;
    const degraded = this.#vault.store.degradedObjects;
    const lack = sayCount(degraded, "object lacks", "objects lack");
    const thin = degraded === 0 ? "" : `; ${lack} shards until targets are back`;
    return `Snapshot ${id.slice(0, 8)} of ${source}: ${what}, in ${took}${notKept}${meant}${this.#notMet()}${thin}.`;
  }

  /** What a file names and a source has not is a slip of the pen, or will be there one day. */
  #notMet(): string {
    const { subjects } = this.#options;
    const notMet = [...this.#source.notMet()];
    if (subjects !== undefined && this.#subjectsMet === 0) notMet.push(`subjects ${subjects}`);
    if (notMet.length === 0) return "";
    const more = notMet.length - notMetNamedMax;
    const others = more > 0 ? ` and ${more} more` : "";
    return `; not met: ${notMet.slice(0, notMetNamedMax).join(", ")}${others}`;
  }
}

function isUnreadable(error: unknown): error is NinesError {
  return error instanceof NinesError && error.code === "NINES_BACKUP_SOURCE";
}

/** The folder of the last snapshot, read beside the new one: both are in the order of names. */
class EarlierFolder {
  readonly #entries: AsyncGenerator<TreeEntry> | undefined;
  readonly #subjects: SubjectEntry[] = [];
  #next: PlainEntry | undefined;
  #ended = false;

  constructor(reader: VaultReader, content: Content | undefined) {
    this.#entries = content === undefined ? undefined : reader.entries(content);
  }

  /** The entry of this name; names are asked for in order. */
  async find(name: string): Promise<PlainEntry | undefined> {
    while (!this.#ended && (this.#next === undefined || this.#next.name < name)) {
      await this.#advance();
    }
    return this.#next?.name === name ? this.#next : undefined;
  }

  async findSubject(domainId: string): Promise<SubjectEntry | undefined> {
    while (!this.#ended && this.#next === undefined) await this.#advance();
    return this.#subjects.find((each) => each.domainId === domainId);
  }

  /** What cannot be read is as if it were not there: the source is read instead, which heals. */
  async #advance(): Promise<void> {
    this.#next = undefined;
    try {
      const { value, done } = (await this.#entries?.next()) ?? { value: undefined, done: true };
      if (done === true || value === undefined) this.#ended = true;
      else if (value.kind === "subject") this.#subjects.push(value);
      else this.#next = value;
    } catch (error) {
      if (!(error instanceof NinesError)) throw error;
      this.#ended = true;
    }
  }
}

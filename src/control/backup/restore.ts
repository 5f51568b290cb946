// A snapshot, or a part of it, back to files.
//
// The tree is gone through in order, small files in batches. Large ones wait for each other and for
// nobody else: their chunks are opened and written, a few at a time, while the walk goes on. Either
// way chunks come in about the order in which packs hold them, and each shard is read once for all
// that need it now. A folder is finished when the last of what is in it is. What cannot be read is
// named and left out, and everything else is restored. A subject's folder comes back into its place
// as if it had never been sealed apart; an erased one is named. Cut off and run again, it goes on
// after the files that are there, whose packs it does not read.

import { NinesError } from "../../core/base/errors.ts";
import { type EntryFacts, sayName } from "../../core/vault/entry.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import {
  type Content,
  isEntryName,
  type PlainEntry,
  type Segment,
  type TreeEntry,
} from "../../core/vault/tree.ts";
import type { PlaceWriter, PutFile, SmallFile, TreePlace } from "../../ports/tree-place.ts";
import { isOfAway, messageOf } from "./catalog.ts";
import { Crew, Limit } from "./crew.ts";
import { subjectKeyWords } from "./key-ring.ts";
import { Named } from "./named.ts";
import type { Vault } from "./vault.ts";
import { type HeldChunk, VaultReader } from "./vault-reader.ts";

export interface RestoreProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface RestoreOutcome extends RestoreProgress {
  readonly folders: number;
  readonly links: number;
  /** Files that an earlier run had finished. */
  readonly passedOver: number;
  /** What cannot be restored, each with why; the first thousand, here and below. */
  readonly lost: readonly string[];
  readonly lostCount: number;
  /** What may be, once the targets are back that are away. */
  readonly away: readonly string[];
  readonly awayCount: number;
  /** Where subjects were that are erased, by which nothing is lost. */
  readonly erased: readonly string[];
  readonly erasedCount: number;
}

export interface RestoreOptions {
  /** Of what is to be restored, from the snapshot's root; [] for all. */
  readonly path: readonly string[];
  readonly progress?: (progress: RestoreProgress) => void;
  /** Of packs, in memory at a time (pack-parts.ts). */
  readonly partBytesMax?: number;
}

/** Of chunks of large files, and of small files, what is under way at a time. */
const bytesMax = 8 * 1_048_576;
/** A batch, or a file by itself, counts as so much at least. */
const batchBytesLeast = bytesMax / 8;
/** Small files that are made together, one after the other on one thread. */
const batchFilesMax = 32;
const batchBytesMax = 1_048_576;
/** What is larger than this is large: so many wait for their turn before the walk waits. */
const smallBytesMax = 1_048_576;
const largeWaitingMax = 64;
/** Names of one file that are remembered, so that they are links again. */
const sameFilesMax = 65_536;
const restorable: readonly string[] = [
  "NINES_VAULT_LOST",
  "NINES_VAULT_TARGETS",
  "NINES_VAULT_DAMAGED",
  "NINES_VAULT_ERASED",
];

/** Throws NINES_PATH_UNKNOWN when there is nothing at the path. */
export async function restore(
  vault: Vault,
  snapshot: Snapshot,
  place: TreePlace,
  options: RestoreOptions,
): Promise<RestoreOutcome> {
  return new Restoring(vault, place, options).run(snapshot);
}

/** Told why a subject's folder that may be there cannot be read: its key is lost or away. */
type Lacking = (lack: NinesError) => void;

/**
 * What is in the folder at a path, and in a subject there as if it were not sealed apart; or the
 * one thing there that is no folder.
 */
export async function* entriesAt(
  vault: Vault,
  snapshot: Snapshot,
  path: readonly string[],
  lacking: Lacking,
): AsyncGenerator<PlainEntry> {
  const reader = new VaultReader(vault);
  let content = snapshot.root;
  for (const [depth, name] of path.entries()) {
    const found = await findEntry(vault, reader, content, name);
    if (found !== undefined && found.kind !== "folder" && depth === path.length - 1) {
      yield found;
      return;
    }
    if (found?.kind !== "folder") throw nothingAt(snapshot, path);
    content = found.content;
  }
  // Thousands of subjects may have one reason.
  const told = new Set<string>();
  const once: Lacking = (lack) => {
    if (!told.has(lack.message)) lacking(lack);
    told.add(lack.message);
  };
  yield* plainEntries(vault, reader, content, once);
}

async function* plainEntries(
  vault: Vault,
  reader: VaultReader,
  content: Content,
  lacking: Lacking,
): AsyncGenerator<PlainEntry> {
  const { keys } = vault;
  for await (const entry of reader.entries(content)) {
    if (entry.kind !== "subject") yield entry;
    else if (keys.find(entry.domainId) !== undefined)
      yield* plainEntries(vault, reader, entry.content, lacking);
    else if (!keys.isErasedDomain(entry.domainId)) lacking(keys.lack(subjectKeyWords));
  }
}

async function findEntry(
  vault: Vault,
  reader: VaultReader,
  content: Content,
  name: string,
): Promise<PlainEntry | undefined> {
  let lack: NinesError | undefined;
  const lacking = (found: NinesError) => {
    lack = found;
  };
  for await (const entry of plainEntries(vault, reader, content, lacking)) {
    if (entry.name === name) return entry;
  }
  // It may be there all the same.
  if (lack !== undefined) throw lack;
  return undefined;
}

function nothingAt(snapshot: Snapshot, path: readonly string[]): NinesError {
  const what = `Snapshot ${snapshot.id.slice(0, 8)} has nothing at ${sayName(path.join("/"))}.`;
  return new NinesError("NINES_PATH_UNKNOWN", what);
}

type Chunk = Extract<Segment, { readonly kind: "chunk" }>;

/** A folder that was made, and is finished after all that is in it. */
interface OpenFolder {
  readonly path: readonly string[];
  readonly facts: EntryFacts;
  readonly parent: OpenFolder | undefined;
  /** What is in it and not finished yet, and the walk through it. */
  left: number;
}

/** Files of one folder that are made together. */
interface Batch {
  readonly path: readonly string[];
  readonly folder: OpenFolder | undefined;
  readonly entries: PlainEntry[];
  bytes: number;
}

/** Small files whose chunks are there to be opened, until they are made. */
class Gathered {
  readonly entries: PlainEntry[] = [];
  readonly files: SmallFile[] = [];
  readonly #held: HeldChunk[] = [];

  add(entry: PlainEntry, held: HeldChunk | undefined): void {
    this.entries.push(entry);
    this.files.push({ name: entry.name, facts: entry.facts, chunk: held?.chunk });
    if (held !== undefined) this.#held.push(held);
  }

  /** Nothing is gathered any more. */
  clear(): void {
    this.entries.length = 0;
    this.files.length = 0;
    for (const { release } of this.#held.splice(0)) release();
  }
}

/** Or empty; and there is no other name of it. */
function isOfOneChunk(entry: TreeEntry): entry is PlainEntry {
  if (entry.kind !== "file" || entry.sameFile !== "" || !isEntryName(entry.name)) return false;
  const { bytes, depth, segments } = entry.content;
  const isChunk = segments.every(({ kind }) => kind === "chunk");
  return depth === 0 && segments.length <= 1 && isChunk && bytes <= smallBytesMax;
}

class Restoring {
  readonly #vault: Vault;
  readonly #reader: VaultReader;
  readonly #place: TreePlace;
  readonly #options: RestoreOptions;
  readonly #lost = new Named();
  readonly #away = new Named();
  readonly #erased = new Named();
  readonly #sameFiles = new Map<string, readonly string[]>();
  readonly #counts = { files: 0, bytes: 0, folders: 0, links: 0, passedOver: 0 };
  readonly #small = new Crew(new Limit(bytesMax));
  readonly #large = new Crew(new Limit(largeWaitingMax));
  readonly #turn = new Limit(1);
  readonly #bytes = new Limit(bytesMax);
  /** The first one, of whatever is under way: what waits for its turn or goes on ends with it. */
  #failure: { readonly error: unknown } | undefined;

  constructor(vault: Vault, place: TreePlace, options: RestoreOptions) {
    this.#vault = vault;
    this.#reader = new VaultReader(vault, options.partBytesMax);
    this.#place = place;
    this.#options = options;
  }

  async run(snapshot: Snapshot): Promise<RestoreOutcome> {
    const { path } = this.#options;
    let content = snapshot.root;
    for (const [depth, name] of path.entries()) {
      const found = await findEntry(this.#vault, this.#reader, content, name);
      if (found === undefined) throw nothingAt(snapshot, path);
      const isLast = depth === path.length - 1;
      if (isLast && found.kind !== "folder") {
        return this.#whole(() => this.#entry([], found, undefined));
      }
      if (found.kind !== "folder") throw nothingAt(snapshot, path);
      content = found.content;
    }
    return this.#whole(() => this.#walk([], content, undefined));
  }

  async #whole(run: () => Promise<void>): Promise<RestoreOutcome> {
    try {
      await this.#orEnd(run);
      await this.#small.done();
      await this.#large.done();
      return this.#outcome();
    } finally {
      // The place is closed after this, and nobody may write to it then.
      await this.#small.settled();
      await this.#large.settled();
    }
  }

  #outcome(): RestoreOutcome {
    const [lost, away, erased] = [this.#lost, this.#away, this.#erased];
    return {
      ...this.#counts,
      lost: lost.first,
      lostCount: lost.count,
      away: away.first,
      awayCount: away.count,
      erased: erased.first,
      erasedCount: erased.count,
    };
  }

  /** What fails in here ends the restore. */
  async #orEnd(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  /** Throws what has ended the restore, if anything. */
  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #walk(
    path: readonly string[],
    content: Content,
    folder: OpenFolder | undefined,
  ): Promise<void> {
    let batch: Batch = { path, folder, entries: [], bytes: 0 };
    await this.#orLost(path, async () => {
      for await (const entry of this.#reader.entries(content)) {
        this.#check();
        if (!isOfOneChunk(entry)) {
          await this.#entry(path, entry, folder);
          continue;
        }
        batch.entries.push(entry);
        batch.bytes += entry.content.bytes;
        if (batch.entries.length < batchFilesMax && batch.bytes < batchBytesMax) continue;
        await this.#put(batch);
        batch = { path, folder, entries: [], bytes: 0 };
      }
    });
    await this.#put(batch);
  }

  /** Begins to make the files. */
  async #put(batch: Batch): Promise<void> {
    const { folder, entries, bytes } = batch;
    if (entries.length === 0) return;
    if (folder !== undefined) folder.left++;
    const run = async () => {
      await this.#makeAll(batch);
      await this.#finishOne(folder);
    };
    await this.#small.run(Math.max(batchBytesLeast, bytes), () => this.#orEnd(run));
  }

  async #makeAll({ path, entries }: Batch): Promise<void> {
    const kept = entries.map(({ name, facts, content }) => {
      return { name, facts, sizeBytes: content.bytes };
    });
    const finished = await this.#place.findFinished(path, kept);
    const left = entries.filter((_, at) => finished[at] !== true);
    this.#counts.passedOver += entries.length - left.length;
    const gathered = new Gathered();
    try {
      for (const entry of this.#inOrderOfPacks(left)) {
        await this.#orLost([...path, entry.name], () => this.#gather(path, entry, gathered));
      }
      await this.#make(path, gathered);
    } finally {
      gathered.clear();
    }
    this.#options.progress?.(this.#counts);
  }

  /** So that packs are read once for all that lies in them, by who needs several. */
  #inOrderOfPacks(entries: readonly PlainEntry[]): readonly PlainEntry[] {
    const placed = entries.map((entry) => {
      const [only] = entry.content.segments;
      const place = only?.kind === "chunk" ? this.#vault.index.find(only.name) : undefined;
      return { entry, pack: place?.pack.id ?? "", offset: place?.chunk.offset ?? 0 };
    });
    placed.sort((a, b) => (a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1));
    return placed.map(({ entry }) => entry);
  }

  async #gather(path: readonly string[], entry: PlainEntry, gathered: Gathered): Promise<void> {
    const [only] = entry.content.segments;
    if (only?.kind !== "chunk") return gathered.add(entry, undefined);
    let held = await this.#reader.sealedNow(only.name);
    if (held === undefined) {
      // Who waits for room in memory holds nothing there.
      await this.#make(path, gathered);
      held = await this.#reader.sealed(only.name);
    }
    gathered.add(entry, this.#fitting(only, held));
  }

  async #make(path: readonly string[], gathered: Gathered): Promise<void> {
    const { entries, files } = gathered;
    if (files.length === 0) return;
    const put = await this.#place.putFiles(path, files);
    for (const [at, entry] of entries.entries()) {
      this.#count([...path, entry.name], entry, put[at]);
    }
    gathered.clear();
  }

  #count(path: readonly string[], { content }: PlainEntry, put: PutFile | undefined): void {
    const [only] = content.segments;
    if (put === "made") {
      this.#counts.files++;
      this.#counts.bytes += content.bytes;
    } else if (only?.kind === "chunk") this.#lose(path, this.#reader.wrong(only.name));
  }

  /** What there is of the entry is there, or is on its way, when it resolves. */
  async #entry(
    parent: readonly string[],
    entry: TreeEntry,
    folder: OpenFolder | undefined,
  ): Promise<void> {
    if (entry.kind === "subject") {
      const { keys } = this.#vault;
      if (keys.find(entry.domainId) !== undefined) return this.#walk(parent, entry.content, folder);
      if (keys.isErasedDomain(entry.domainId)) return this.#tellErased(parent);
      return this.#lose(parent, keys.lack(subjectKeyWords));
    }
    const path = [...parent, entry.name];
    if (!isEntryName(entry.name)) {
      const what = "An entry has no proper name.";
      return this.#lose(parent, new NinesError("NINES_VAULT_DAMAGED", what));
    }
    if (folder !== undefined) folder.left++;
    const run = () =>
      this.#orEnd(async () => {
        await this.#orLost(path, () => this.#restore(path, entry, folder));
        await this.#finishOne(folder);
      });
    const { bytes } = entry.content;
    // Of a file with several names the first must be there before the others.
    if (entry.kind !== "file" || entry.sameFile !== "") return run();
    if (bytes <= smallBytesMax) return this.#small.run(Math.max(batchBytesLeast, bytes), run);
    await this.#large.run(1, run);
  }

  /** Something in the folder is finished; after the last of it the folder is. */
  async #finishOne(inside: OpenFolder | undefined): Promise<void> {
    for (let folder = inside; folder !== undefined; folder = folder.parent) {
      folder.left--;
      if (folder.left > 0) return;
      await this.#place.finishFolder(folder.path, folder.facts);
      this.#counts.folders++;
    }
  }

  async #restore(
    path: readonly string[],
    entry: PlainEntry,
    parent: OpenFolder | undefined,
  ): Promise<void> {
    if (entry.kind === "link") {
      await this.#place.makeLink(path, entry.pointsTo, entry.facts);
      this.#counts.links++;
      return;
    }
    if (entry.kind === "folder") {
      await this.#place.makeFolder(path);
      const folder = { path, facts: entry.facts, parent, left: 1 };
      // The folder that it is in waits for this one to be finished, not only to be walked through.
      if (parent !== undefined) parent.left++;
      await this.#walk(path, entry.content, folder);
      return this.#finishOne(folder);
    }
    const first = entry.sameFile === "" ? undefined : this.#sameFiles.get(entry.sameFile);
    if (first !== undefined) {
      await this.#place.linkSame(path, first);
      // As the backup has counted them: each name is a file.
      this.#counts.files++;
      this.#counts.bytes += entry.content.bytes;
      return;
    }
    await this.#file(path, entry);
    if (entry.sameFile !== "" && this.#sameFiles.size < sameFilesMax) {
      this.#sameFiles.set(entry.sameFile, path);
    }
  }

  async #file(path: readonly string[], { content, facts }: PlainEntry): Promise<void> {
    const isLarge = content.bytes > smallBytesMax;
    if (isLarge) await this.#turn.take(1);
    const chunks = new Crew(this.#bytes);
    let writer: PlaceWriter | undefined;
    try {
      try {
        this.#check();
        writer = await this.#place.openFile(path, content.bytes, facts);
        if (writer !== undefined) await this.#begin(writer, content, chunks);
      } finally {
        // The next one goes on while the last chunks of this one are written.
        if (isLarge) this.#turn.give(1);
      }
      await chunks.done();
    } catch (error) {
      await chunks.settled();
      await writer?.abandon();
      throw error;
    }
    await writer?.finish(facts);
    if (writer === undefined) this.#counts.passedOver++;
    else this.#counts.files++;
  }

  /** All chunks of the content are on their way when it resolves. */
  async #begin(writer: PlaceWriter, content: Content, chunks: Crew): Promise<void> {
    let offset = 0;
    for await (const segment of this.#reader.segments(content)) {
      const at = offset;
      offset += segment.length;
      if (segment.kind === "hole") {
        this.#counts.bytes += segment.length;
        continue;
      }
      await chunks.run(segment.length, () => this.#write(writer, segment, at));
    }
    // Of a long list nobody has looked yet.
    if (offset === content.bytes) return;
    const what = `Its chunks hold ${offset} bytes, where its folder says ${content.bytes}.`;
    throw new NinesError("NINES_VAULT_DAMAGED", what);
  }

  async #write(writer: PlaceWriter, segment: Chunk, offset: number): Promise<void> {
    this.#check();
    const held = await this.#reader.sealed(segment.name);
    const { chunk, release } = this.#fitting(segment, held);
    try {
      if (!(await writer.write(chunk, offset))) throw this.#reader.wrong(segment.name);
    } finally {
      release();
    }
    this.#counts.bytes += segment.length;
    this.#options.progress?.(this.#counts);
  }

  /** The chunk, which fills its place in the file and no more. */
  #fitting({ name, length }: Chunk, held: HeldChunk): HeldChunk {
    if (held.chunk.plainBytes === length) return held;
    held.release();
    throw this.#reader.wrong(name);
  }

  /** What the vault has lost is named, and the rest goes on; what the place refuses ends it. */
  async #orLost(path: readonly string[], run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof NinesError) || !restorable.includes(error.code)) throw error;
      this.#lose(path, error);
    }
  }

  #tellErased(path: readonly string[]): void {
    this.#erased.add(`${whereOf(path)}: a subject's folder here was erased`);
  }

  #lose(path: readonly string[], error: NinesError): void {
    const named = isOfAway(error) ? this.#away : this.#lost;
    named.add(`${whereOf(path)}: ${messageOf(error)}`);
  }
}

function whereOf(path: readonly string[]): string {
  return path.length === 0 ? "the root" : sayName(path.join("/"));
}

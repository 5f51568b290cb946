// A snapshot, or a part of it, back to files.
//
// The tree is gone through in order, small files of a folder beside each other, and a few chunks of
// large ones: they so come in about the order in which packs hold them, and each pack is read once
// for all that need it now. What cannot be read is named and left out, and everything else is
// restored. A subject's folder comes back into its place as if it had never been sealed apart; an
// erased one is named. Cut off and run again, it goes on after the files that are there.

import { NinesError } from "../../core/base/errors.ts";
import type { Snapshot } from "../../core/vault/records.ts";
import {
  type Content,
  isEntryName,
  type PlainEntry,
  type TreeEntry,
} from "../../core/vault/tree.ts";
import type { PlaceWriter, TreePlace } from "../../ports/tree-place.ts";
import { messageOf } from "./catalog.ts";
import { Crew, Limit } from "./crew.ts";
import type { Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";

export interface RestoreProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface RestoreOutcome extends RestoreProgress {
  readonly folders: number;
  readonly links: number;
  /** Files that an earlier run had finished. */
  readonly passedOver: number;
  /** What could not be restored, each with why; the first thousand. */
  readonly lost: readonly string[];
  readonly lostCount: number;
}

export interface RestoreOptions {
  /** Of what is to be restored, from the snapshot's root; [] for all. */
  readonly path: readonly string[];
  readonly progress?: (progress: RestoreProgress) => void;
}

/**
 * What is under way at a time, of files and of their chunks: about a pack, so that a large file
 * goes through its packs alone, and no more of them are open than memory is for.
 */
const bytesMax = 8 * 1_048_576;
/** A file counts as so much at least: so many may wait for the place. */
const fileBytesLeast = bytesMax / 8;
const lostNamedMax = 1_000;
/** Names of one file that are remembered, so that they are links again. */
const sameFilesMax = 65_536;
const restorable: readonly string[] = [
  "NINES_VAULT_LOST",
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

/** The entries at a path, and those of a subject there as if they were not sealed apart. */
export async function* entriesAt(
  vault: Vault,
  snapshot: Snapshot,
  path: readonly string[],
): AsyncGenerator<PlainEntry> {
  const reader = new VaultReader(vault);
  let content = snapshot.root;
  for (const name of path) {
    const found = await findEntry(vault, reader, content, name);
    if (found?.kind !== "folder") throw nothingAt(snapshot, path);
    content = found.content;
  }
  yield* plainEntries(vault, reader, content);
}

async function* plainEntries(
  vault: Vault,
  reader: VaultReader,
  content: Content,
): AsyncGenerator<PlainEntry> {
  for await (const entry of reader.entries(content)) {
    if (entry.kind !== "subject") yield entry;
    else if (vault.keys.find(entry.domainId) !== undefined)
      yield* plainEntries(vault, reader, entry.content);
  }
}

async function findEntry(
  vault: Vault,
  reader: VaultReader,
  content: Content,
  name: string,
): Promise<PlainEntry | undefined> {
  for await (const entry of plainEntries(vault, reader, content)) {
    if (entry.name === name) return entry;
  }
  return undefined;
}

function nothingAt(snapshot: Snapshot, path: readonly string[]): NinesError {
  const what = `Snapshot ${snapshot.id.slice(0, 8)} has nothing at ${path.join("/")}.`;
  return new NinesError("NINES_PATH_UNKNOWN", what);
}

class Restoring {
  readonly #vault: Vault;
  readonly #reader: VaultReader;
  readonly #place: TreePlace;
  readonly #options: RestoreOptions;
  readonly #lost: string[] = [];
  readonly #sameFiles = new Map<string, readonly string[]>();
  readonly #counts = { files: 0, bytes: 0, folders: 0, links: 0, passedOver: 0, lostCount: 0 };
  readonly #files = new Crew(new Limit(bytesMax));
  readonly #bytes = new Limit(bytesMax);

  constructor(vault: Vault, place: TreePlace, options: RestoreOptions) {
    this.#vault = vault;
    this.#reader = new VaultReader(vault);
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
        return this.#whole(() => this.#entry([], found));
      }
      if (found.kind !== "folder") throw nothingAt(snapshot, path);
      content = found.content;
    }
    return this.#whole(() => this.#folder([], content));
  }

  async #whole(run: () => Promise<void>): Promise<RestoreOutcome> {
    try {
      await run();
      await this.#files.done();
      return { ...this.#counts, lost: this.#lost };
    } finally {
      // The place is closed after this, and nobody may write to it then.
      await this.#files.settled();
    }
  }

  /** All that is in the folder is there, or named as lost, when it resolves. */
  async #folder(path: readonly string[], content: Content): Promise<void> {
    await this.#orLost(path, async () => {
      for await (const entry of this.#reader.entries(content)) await this.#entry(path, entry);
    });
    await this.#files.done();
  }

  async #entry(parent: readonly string[], entry: TreeEntry): Promise<void> {
    if (entry.kind === "subject") {
      const isErased = this.#vault.keys.find(entry.domainId) === undefined;
      if (isErased) this.#lose(parent, "a subject's folder here was erased");
      else await this.#folder(parent, entry.content);
      return;
    }
    const path = [...parent, entry.name];
    if (!isEntryName(entry.name)) return this.#lose(parent, "an entry has no proper name");
    const run = () => this.#orLost(path, () => this.#restore(path, entry));
    // Of a file with several names the first must be there before the others.
    if (entry.kind !== "file" || entry.sameFile !== "") return run();
    await this.#files.run(Math.max(fileBytesLeast, entry.content.bytes), run);
  }

  async #restore(path: readonly string[], entry: PlainEntry): Promise<void> {
    if (entry.kind === "link") {
      await this.#place.makeLink(path, entry.pointsTo, entry.facts);
      this.#counts.links++;
      return;
    }
    if (entry.kind === "folder") {
      await this.#place.makeFolder(path);
      await this.#folder(path, entry.content);
      await this.#place.finishFolder(path, entry.facts);
      this.#counts.folders++;
      return;
    }
    const first = entry.sameFile === "" ? undefined : this.#sameFiles.get(entry.sameFile);
    if (first !== undefined) return this.#place.linkSame(path, first);
    await this.#file(path, entry);
    if (entry.sameFile !== "" && this.#sameFiles.size < sameFilesMax) {
      this.#sameFiles.set(entry.sameFile, path);
    }
  }

  async #file(path: readonly string[], entry: PlainEntry): Promise<void> {
    const { content, facts } = entry;
    const writer = await this.#place.openFile(path, content.bytes, facts);
    if (writer === undefined) {
      this.#counts.passedOver++;
      return;
    }
    const chunks = new Crew(this.#bytes);
    try {
      let offset = 0;
      for await (const segment of this.#reader.segments(content)) {
        const at = offset;
        offset += segment.length;
        if (segment.kind === "hole") continue;
        await chunks.run(segment.length, () => this.#chunk(writer, segment.name, at));
      }
      await chunks.done();
    } catch (error) {
      await chunks.settled();
      await writer.abandon();
      throw error;
    }
    await writer.finish(content.bytes, facts);
    this.#counts.files++;
  }

  async #chunk(writer: PlaceWriter, name: Uint8Array, offset: number): Promise<void> {
    await this.#reader.withChunk(name, async (bytes) => {
      await writer.write(bytes, offset);
      this.#counts.bytes += bytes.length;
      this.#options.progress?.(this.#counts);
    });
  }

  /** What the vault has lost is named, and the rest goes on; what the place refuses ends it. */
  async #orLost(path: readonly string[], run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof NinesError) || !restorable.includes(error.code)) throw error;
      this.#lose(path, messageOf(error));
    }
  }

  #lose(path: readonly string[], why: string): void {
    this.#counts.lostCount++;
    if (this.#lost.length < lostNamedMax) this.#lost.push(`${path.join("/")}: ${why}`);
  }
}

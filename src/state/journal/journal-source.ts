// A journal as the source of a backup, while it is written: a copy that opens.
//
// What a log is up to its last whole group never changes; it is only followed by more. So the end
// is found first, by reading all and comparing checksums; then the files are given up to there, and
// the rest of the last segment as a hole. What a compaction has taken away meanwhile shows at the
// end: every file that was given must still have its name, for a number is never used twice and a
// segment loses its name before it becomes another one (segment-supply.ts).
//
// A group that is written during the search may look like damage, for what was read before it was
// older. Damage that a second search finds in the same place is damage: then there is no snapshot,
// and the earlier ones stand. Rejected: copying the files first and looking at the copy, which
// would take the room of the journal again; hard links, which a segment that becomes another would
// change.

import { NinesError } from "../../core/base/errors.ts";
import type { EntryFacts } from "../../core/vault/entry.ts";
import { type Disk, diskErrorKind, type DiskFolder, sectorBytes } from "../../ports/disk.ts";
import type {
  SourceDriver,
  SourceEntry,
  SourcePiece,
  SourceReader,
  TreeSource,
} from "../../ports/tree-source.ts";
import { readContents } from "./contents.ts";
import { misfits, notThere } from "./examine-journal.ts";
import type { Damage } from "./examine.ts";
import { refused } from "./failures.ts";
import { segmentFileName, snapshotFileName } from "./format.ts";
import { LogScanner } from "./scan-log.ts";
import { checkSnapshot } from "./snapshot-file.ts";

export interface JournalSourceOptions {
  readonly name: string;
  /** The journal's folder. */
  readonly path: string;
  readonly disk: Disk;
  /** Of the files, when they are restored. */
  readonly facts: EntryFacts;
}

const attemptsMax = 4;

export function createJournalSource(options: JournalSourceOptions): SourceDriver {
  return { begin: () => begin(options) };
}

/** Throws NINES_JOURNAL_NOT_FOUND, _ROT, _FOREIGN, _NEWER, _DISK, and NINES_BACKUP_CHANGED. */
async function begin(options: JournalSourceOptions): Promise<TreeSource> {
  const { path, disk } = options;
  try {
    const folder = await disk.openFolder(path, { create: false });
    try {
      return new JournalTree(options, folder, await findFiles(folder));
    } catch (error) {
      await folder.close();
      throw error;
    }
  } catch (error) {
    if (diskErrorKind(error) === "not-found") throw notThere(path);
    throw refused(error, `the journal in ${path} cannot be read`);
  }
}

/** A file of the copy: its bytes up to `usedBytes`, and then zeros. */
interface GivenFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  /** The same for the same bytes. */
  readonly fingerprint: string;
}

async function findFiles(folder: DiskFolder): Promise<readonly GivenFile[]> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    try {
      const files = await tryToFind(folder);
      if (files !== undefined) return files;
    } catch (error) {
      // Compacted away between the listing and the look.
      if (diskErrorKind(error) !== "not-found") throw error;
    }
  }
  throw changed(folder.path);
}

/** Undefined when what was found does not fit together, for it was changed meanwhile. */
async function tryToFind(folder: DiskFolder): Promise<readonly GivenFile[] | undefined> {
  const contents = await readContents(folder);
  if (contents.segments.length === 0) throw notThere(folder.path);
  const scan = new LogScanner(folder);
  const damage = await scanToDamage(scan, contents.segments);
  if (damage !== undefined) {
    const again = await scanToDamage(new LogScanner(folder), contents.segments);
    if (again?.fileName === damage.fileName && again.offset === damage.offset) throw rot(damage);
  }
  const snapshots: GivenFile[] = [];
  const reached: { readonly through: number }[] = [];
  for (const through of contents.snapshots) {
    const found = await checkSnapshot(folder, through);
    if ("what" in found) throw rot(found);
    snapshots.push(await snapshotOf(folder, through, found.wallMs));
    reached.push({ through });
  }
  const last = scan.lastGroup;
  const lastIndex = last?.index ?? contents.segments[0] ?? 1;
  const segments = contents.segments.filter((index) => index <= lastIndex);
  if (misfits(scan, { ...contents, segments }, reached).length > 0) return undefined;
  const given = await Promise.all(
    segments.map((index) => {
      const usedBytes = index < lastIndex ? undefined : (last?.endOffset ?? sectorBytes);
      return segmentOf(folder, index, scan, usedBytes);
    }),
  );
  return [...given, ...snapshots].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The scan stops before the first damage, as a start would. */
async function scanToDamage(
  scan: LogScanner,
  segments: readonly number[],
): Promise<Damage | undefined> {
  for await (const event of scan.scan(segments)) {
    if (event.kind === "damage") return event.damage;
  }
  return undefined;
}

async function segmentOf(
  folder: DiskFolder,
  index: number,
  scan: LogScanner,
  usedBytes: number | undefined,
): Promise<GivenFile> {
  const name = segmentFileName(index);
  const sizeBytes = await sizeOf(folder, name);
  const chain = scan.segments.find((segment) => segment.index === index)?.chain;
  const used = usedBytes ?? sizeBytes;
  // Its first group goes on from this checksum: another journal's segment has another.
  const fingerprint = chain === undefined ? "" : `${name}:${sizeBytes}:${used}:${chain}`;
  return { name, sizeBytes, usedBytes: used, fingerprint };
}

async function snapshotOf(folder: DiskFolder, through: number, wallMs: number): Promise<GivenFile> {
  const name = snapshotFileName(through);
  const sizeBytes = await sizeOf(folder, name);
  return { name, sizeBytes, usedBytes: sizeBytes, fingerprint: `${name}:${sizeBytes}:${wallMs}` };
}

async function sizeOf(folder: DiskFolder, name: string): Promise<number> {
  const file = await folder.open(name, "read");
  try {
    return await file.sizeBytes();
  } finally {
    await file.close();
  }
}

function rot({ fileName, offset, what }: Damage): NinesError {
  const where = `${fileName} at byte ${offset}: ${what}`;
  return new NinesError("NINES_JOURNAL_ROT", `${where}; no snapshot is made of it`);
}

function changed(path: string): NinesError {
  const what = `The journal in ${path} was compacted while it was read.`;
  return new NinesError("NINES_BACKUP_CHANGED", what);
}

class JournalTree implements TreeSource {
  readonly name: string;
  readonly #facts: EntryFacts;
  readonly #folder: DiskFolder;
  readonly #files: readonly GivenFile[];

  constructor(
    { name, facts }: JournalSourceOptions,
    folder: DiskFolder,
    files: readonly GivenFile[],
  ) {
    this.name = name;
    this.#facts = facts;
    this.#folder = folder;
    this.#files = files;
  }

  async list(path: readonly string[]) {
    if (path.length > 0) return undefined;
    const entries = this.#files.map(
      ({ name, sizeBytes, fingerprint }): SourceEntry => ({
        name,
        kind: "file",
        facts: this.#facts,
        sizeBytes,
        pointsTo: "",
        fingerprint,
        sameFile: "",
      }),
    );
    return { entries, left: [] };
  }

  async read([name]: readonly string[]): Promise<SourceReader | undefined> {
    const given = this.#files.find((file) => file.name === name);
    if (given === undefined) return undefined;
    const file = await this.#orVanished(() => this.#folder.open(given.name, "read"));
    if (file === undefined) return undefined;
    let offset = 0;
    const next = async (into: Uint8Array): Promise<SourcePiece> => {
      if (offset === given.sizeBytes) return { kind: "end" };
      if (offset === given.usedBytes) {
        const length = given.sizeBytes - offset;
        offset = given.sizeBytes;
        return { kind: "hole", length };
      }
      const wanted = into.subarray(0, Math.min(into.length, given.usedBytes - offset));
      const length = await file.read(wanted, offset);
      // Files of a journal have their size from their first moment on.
      if (length === 0) throw changed(this.#folder.path);
      offset += length;
      return { kind: "bytes", length };
    };
    return { next, close: () => file.close() };
  }

  async confirm(): Promise<void> {
    const there = new Set(await this.#folder.list());
    if (this.#files.some(({ name }) => !there.has(name))) throw changed(this.#folder.path);
  }

  notKept() {
    return [];
  }

  notMet() {
    return [];
  }

  async close(): Promise<void> {
    await this.#folder.close();
  }

  async #orVanished<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (diskErrorKind(error) === "not-found") return undefined;
      throw refused(error, `the journal in ${this.#folder.path} cannot be read`);
    }
  }
}

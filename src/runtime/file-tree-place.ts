// A folder of this machine as the place to restore to.
//
// Files are written beside their place and moved into it when they are whole, so that a restore
// that is cut off leaves no file that looks like one; run again, it goes on after those that are
// there. Names come from a vault, so each part of a path is opened without following links
// (inside-root.ts): a tree with a link "a" and a file "a/b" is refused and not followed.
// Owners are kept where this process may set them, else named as left out. What is written is as
// durable as any program's files: the kernel writes it to the device within half a minute.

import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { NinesError } from "../core/base/errors.ts";
import type { EntryFacts } from "../core/vault/entry.ts";
import type { PlaceWriter, TreePath, TreePlace } from "../ports/tree-place.ts";
import { setAttributes, type WantedAttributes } from "./attributes.ts";
import { codeOf, InsideRoot, within } from "./inside-root.ts";
import { identify } from "./process-identity.ts";

const makingFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const unfinished = ".nines-restore";
/** With the id of the process that was to finish it. */
const unfinishedName = /^\.nines-restore\.(\d+)\.\d+$/;
const leftOutMax = 100;
/** Entries of a folder whose attributes are set at once. */
const attributedMax = 1_000;
/** For less, the way to another thread and back takes longer. */
const smallBytes = 32_768;
const writeAsync = promisify(write);

export interface FileTreePlaceOptions {
  /** Absolute; made when it is not there. */
  readonly root: string;
  /** Whether there may be something in it: what differs is replaced. */
  readonly mayHold: boolean;
}

/** Throws NINES_RESTORE_PLACE. */
export async function createFileTreePlace(options: FileTreePlaceOptions): Promise<TreePlace> {
  const { root, mayHold } = options;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const isEmpty = readdirSync(root).length === 0;
  if (!isEmpty && !mayHold) {
    throw new NinesError("NINES_RESTORE_PLACE", `${root} is not empty, and is left as it is.`);
  }
  const place = new FileTreePlace(root, !isEmpty);
  if (!isEmpty) place.removeUnfinished([]);
  return place;
}

class FileTreePlace implements TreePlace {
  readonly #root: string;
  readonly #inside: InsideRoot;
  readonly #leftOut = new Set<string>();
  /** Attributes that are to be set when their folder is finished. */
  readonly #wanted = new Map<
    string,
    { readonly path: TreePath; readonly entries: WantedAttributes[] }
  >();
  /** Whether an earlier restore may have left something. */
  readonly #mayHold: boolean;
  #made = 0;

  constructor(root: string, mayHold: boolean) {
    this.#root = root;
    this.#mayHold = mayHold;
    this.#inside = new InsideRoot(root);
  }

  async makeFolder(path: TreePath): Promise<void> {
    const isNew = this.#at(path, (place) => {
      try {
        mkdirSync(place, { mode: 0o700 });
        return true;
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        const isFolder = lstatSync(place).isDirectory();
        if (!isFolder) throw this.#refusal(path, "something that is no folder is in its place");
        return false;
      }
    });
    if (!isNew) this.removeUnfinished(path);
  }

  /** What restores that were killed have left in a folder. */
  removeUnfinished(path: TreePath): void {
    const folder = this.#inside.open(path);
    try {
      for (const name of readdirSync(`/proc/self/fd/${folder}`)) {
        const pid = unfinishedName.exec(name)?.[1];
        const isLeft = pid !== undefined && identify(Number(pid)) === undefined;
        if (isLeft) unlinkIfThere(within(folder, name));
      }
    } finally {
      closeSync(folder);
    }
  }

  async finishFolder(path: TreePath, facts: EntryFacts): Promise<void> {
    if (facts.attributes.length > 0) this.#wantAttributes(path, ".", facts);
    this.#setAttributes(path);
    this.#setFacts(this.#inside.folder(path), facts);
  }

  async openFile(
    path: TreePath,
    sizeBytes: number,
    facts: EntryFacts,
  ): Promise<PlaceWriter | undefined> {
    const isThere = this.#mayHold && this.#at(path, (place) => isSame(place, sizeBytes, facts));
    if (isThere) return undefined;
    const parent = path.slice(0, -1);
    const temporary = [...parent, `${unfinished}.${process.pid}.${++this.#made}`];
    const file = this.#at(temporary, makeFile);
    const writer: Writer = new Writer(file, {
      finish: (bytes, kept) => {
        if (bytes !== writer.endBytes) ftruncateSync(file, bytes);
        this.#setFacts(file, kept);
        closeSync(file);
        this.#at(temporary, (from) => this.#at(path, (to) => renameSync(from, to)));
        this.#wantAttributes(parent, path.at(-1) ?? "", kept);
      },
      abandon: () => {
        closeSync(file);
        this.#at(temporary, unlinkIfThere);
      },
    });
    return writer;
  }

  async linkSame(path: TreePath, first: TreePath): Promise<void> {
    // Two folders at once: this one is kept open by itself.
    const from = this.#inside.open(first.slice(0, -1));
    try {
      this.#at(path, (place) => {
        unlinkIfThere(place);
        linkSync(within(from, first.at(-1) ?? ""), place);
      });
    } finally {
      closeSync(from);
    }
  }

  async makeLink(path: TreePath, pointsTo: string, facts: EntryFacts): Promise<void> {
    this.#at(path, (place) => {
      unlinkIfThere(place);
      symlinkSync(Buffer.from(pointsTo, "latin1"), place);
      this.#owned(() => lchownSync(place, facts.userId, facts.groupId));
      lutimesSync(place, secondsOf(facts), secondsOf(facts));
    });
    this.#wantAttributes(path.slice(0, -1), path.at(-1) ?? "", facts);
  }

  leftOut(): readonly string[] {
    return [...this.#leftOut];
  }

  async close(): Promise<void> {
    // Of what is in the root, which nobody finishes, and of folders that were cut off.
    for (const { path } of this.#wanted.values()) this.#setAttributes(path);
    this.#inside.close();
  }

  #wantAttributes(folder: TreePath, name: string, { attributes }: EntryFacts): void {
    if (attributes.length === 0) return;
    const key = folder.join("/");
    const wanted = this.#wanted.get(key) ?? { path: folder, entries: [] };
    this.#wanted.set(key, wanted);
    wanted.entries.push({ name, attributes });
    if (wanted.entries.length === attributedMax) this.#setAttributes(folder);
  }

  /** After the owners, whose change takes capabilities away. */
  #setAttributes(path: TreePath): void {
    const key = path.join("/");
    const wanted = this.#wanted.get(key);
    if (wanted === undefined) return;
    this.#wanted.delete(key);
    const folder = this.#inside.open(path);
    try {
      const refused = setAttributes(folder, wanted.entries);
      if (refused !== undefined) this.#leave(`extended attributes and ACLs: ${refused}`);
    } finally {
      closeSync(folder);
    }
  }

  #setFacts(file: number, facts: EntryFacts): void {
    this.#owned(() => fchownSync(file, facts.userId, facts.groupId));
    // After the owner, whose change takes setuid away.
    fchmodSync(file, facts.mode);
    futimesSync(file, secondsOf(facts), secondsOf(facts));
  }

  #owned(change: () => void): void {
    try {
      change();
    } catch (error) {
      if (codeOf(error) !== "EPERM") throw error;
      this.#leave("owners, which only root may set");
    }
  }

  #leave(what: string): void {
    if (this.#leftOut.size < leftOutMax) this.#leftOut.add(what);
  }

  #at<T>(path: TreePath, run: (place: Buffer) => T): T {
    try {
      return run(within(this.#inside.folder(path.slice(0, -1)), path.at(-1) ?? ""));
    } catch (error) {
      const code = codeOf(error);
      if (code !== "ELOOP" && code !== "ENOTDIR") throw error;
      throw this.#refusal(path, "the way to it leads through a link");
    }
  }

  #refusal(path: TreePath, why: string): NinesError {
    const what = `${path.join("/")} cannot be restored below ${this.#root}: ${why}.`;
    return new NinesError("NINES_RESTORE_PLACE", what);
  }
}

interface Ending {
  readonly finish: (sizeBytes: number, facts: EntryFacts) => void;
  readonly abandon: () => void;
}

class Writer implements PlaceWriter {
  /** Behind the last byte that was written. */
  endBytes = 0;
  readonly #file: number;
  readonly #ending: Ending;

  constructor(file: number, ending: Ending) {
    this.#file = file;
    this.#ending = ending;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const isSmall = bytes.length < smallBytes;
    for (let done = 0; done < bytes.length; ) {
      const where = [done, bytes.length - done, offset + done] as const;
      if (isSmall) done += writeSync(this.#file, bytes, ...where);
      else done += (await writeAsync(this.#file, bytes, ...where)).bytesWritten;
    }
    this.endBytes = Math.max(this.endBytes, offset + bytes.length);
  }

  async finish(sizeBytes: number, facts: EntryFacts): Promise<void> {
    this.#ending.finish(sizeBytes, facts);
  }

  async abandon(): Promise<void> {
    this.#ending.abandon();
  }
}

/** Finished by an earlier restore: of this size, and modified at this time, to the millisecond. */
function isSame(place: Buffer, sizeBytes: number, facts: EntryFacts): boolean {
  const stat = lstatSync(place, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile() || stat.size !== sizeBytes) return false;
  return Math.abs(stat.mtimeMs / 1000 - secondsOf(facts)) < 0.001;
}

/** Looks whether it is there only when it is: a failure costs as much as making ten. */
function makeFile(place: Buffer): number {
  try {
    return openSync(place, makingFlags, 0o600);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    unlinkSync(place);
    return openSync(place, makingFlags, 0o600);
  }
}

function unlinkIfThere(place: Buffer): void {
  try {
    unlinkSync(place);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Node takes seconds with fractions: exact to a microsecond. */
function secondsOf({ modifiedNs }: EntryFacts): number {
  return Number(modifiedNs / 1_000n) / 1_000_000;
}

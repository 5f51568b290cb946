// A folder of this machine as the place to restore to.
//
// Files are written beside their place and moved into it when they are whole, so that a restore
// that is cut off leaves no file that looks like one; run again, it goes on after those that are
// there. Names come from a vault, so each part of a path is opened without following links
// (inside-root.ts): a tree with a link "a" and a file "a/b" is refused and not followed.
// Owners are kept where this process may set them, else named as left out. Threads open what is
// sealed and write it (bulk-work.ts), large files past the kernel's cache: nobody reads them soon.
//
// After a power loss a restore is run again, and passes over what has its size and time. So a file
// that has its size before its bytes is flushed before it gets its time and its name; no test here
// can cut the power between these. The rest is as durable as any program's files: on the device
// within half a minute.

import {
  closeSync,
  fdatasync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { promisify } from "node:util";
import { NinesError } from "../core/base/errors.ts";
import type { Bulk } from "../core/vault/crypto.ts";
import { type EntryFacts, sayName } from "../core/vault/entry.ts";
import type {
  KeptFile,
  PlaceWriter,
  PutFile,
  SmallFile,
  TreePath,
  TreePlace,
} from "../ports/tree-place.ts";
import { setAttributes, type WantedAttributes } from "./attributes.ts";
import { codeOf } from "./error-code.ts";
import { InsideRoot, pathWithin, within } from "./inside-root.ts";
import { makeFoldersSync } from "./make-folders.ts";
import { identify } from "./process-identity.ts";
import {
  isAllowed,
  isFinished,
  makeSizedFile,
  ownFacts,
  sayTime,
  secondsOf,
  setFacts,
  unlinkIfThere,
} from "./restored-file.ts";

const flush = promisify(fdatasync);

const unfinished = ".nines-restore";
/** With the id of the process that was to finish it. */
const unfinishedName = /^\.nines-restore\.(\d+)\.\d+$/;
const leftOutMax = 100;
/** Entries of a folder whose attributes are set at once. */
const attributedMax = 1_000;

export interface FileTreePlaceOptions {
  /** Absolute; made when it is not there. */
  readonly root: string;
  /** Whether there may be something in it: what differs is replaced. */
  readonly mayHold: boolean;
  /** Opens chunks and makes files. */
  readonly bulk: Pick<Bulk, "openTo" | "makeFiles">;
}

/** Throws NINES_RESTORE_PLACE. */
export async function createFileTreePlace(options: FileTreePlaceOptions): Promise<TreePlace> {
  const { root, mayHold, bulk } = options;
  const isEmpty = openRoot(root);
  if (!isEmpty && !mayHold) {
    throw new NinesError("NINES_RESTORE_PLACE", `${root} is not empty, and is left as it is.`);
  }
  const place = new FileTreePlace(root, !isEmpty, bulk);
  if (!isEmpty) place.removeUnfinished([]);
  return place;
}

/** Whether it is empty. */
function openRoot(root: string): boolean {
  try {
    makeFoldersSync(root);
    return readdirSync(root).length === 0;
  } catch (cause) {
    const what = `${root} cannot be made a folder and restored to (${codeOf(cause)}).`;
    throw new NinesError("NINES_RESTORE_PLACE", what, { cause });
  }
}

class FileTreePlace implements TreePlace {
  readonly #root: string;
  readonly #inside: InsideRoot;
  readonly #bulk: FileTreePlaceOptions["bulk"];
  readonly #leftOut = new Set<string>();
  /**
   * Attributes that are to be set when their folder is finished, also of files that are there: the
   * restore that made them may have been cut off before it finished the folder.
   */
  readonly #wanted = new Map<
    string,
    { readonly path: TreePath; readonly entries: WantedAttributes[] }
  >();
  /** Whether an earlier restore may have left something. */
  readonly #mayHold: boolean;
  #made = 0;

  constructor(root: string, mayHold: boolean, bulk: FileTreePlaceOptions["bulk"]) {
    this.#root = root;
    this.#bulk = bulk;
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
    const folder = this.#open(path);
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
    const folder = this.#refusing(path, () => this.#inside.folder(path));
    this.#tellOwned(setFacts(folder, ownFacts(facts)));
  }

  async findFinished(folder: TreePath, files: readonly KeptFile[]): Promise<readonly boolean[]> {
    return files.map(({ name, facts, sizeBytes }) =>
      this.#isThere([...folder, name], sizeBytes, facts),
    );
  }

  /** Finished by an earlier restore; its attributes may not be set yet. */
  #isThere(path: TreePath, sizeBytes: number, facts: EntryFacts): boolean {
    if (!this.#mayHold) return false;
    const { modifiedNs } = facts;
    const isThere = this.#at(path, (at) => isFinished(at, sizeBytes, secondsOf(modifiedNs)));
    if (isThere) this.#wantAttributes(path.slice(0, -1), path.at(-1) ?? "", facts);
    return isThere;
  }

  async openFile(
    path: TreePath,
    sizeBytes: number,
    facts: EntryFacts,
  ): Promise<PlaceWriter | undefined> {
    if (this.#isThere(path, sizeBytes, facts)) return undefined;
    const [parent, name] = [path.slice(0, -1), path.at(-1) ?? ""];
    const temporary = [...parent, this.#temporaryName()];
    const file = this.#at(temporary, (place) => makeSizedFile(place, sizeBytes));
    const { descriptor, direct } = file;
    const abandon = () => {
      file.close();
      this.#at(temporary, unlinkIfThere);
    };
    return {
      write: (chunk, offset) => {
        const isWritten = this.#bulk.openTo({ descriptor, direct, offset }, chunk);
        return isWritten.catch((error: unknown) => {
          throw this.#refused(path, error);
        });
      },
      finish: async (kept) => {
        try {
          await flush(descriptor);
          this.#tellOwned(setFacts(descriptor, ownFacts(kept)));
          file.close();
          this.#at(temporary, (from) => this.#at(path, (to) => renameSync(from, to)));
        } catch (error) {
          abandon();
          throw this.#refused(path, error);
        }
        this.#wantAttributes(parent, name, kept);
      },
      abandon: async () => abandon(),
    };
  }

  async putFiles(folder: TreePath, files: readonly SmallFile[]): Promise<readonly PutFile[]> {
    const putting = this.#inside.during(folder, async (open) => {
      const toMake = files.map(({ name, facts, chunk }) => {
        return { ...ownFacts(facts), path: pathWithin(open, name), chunk };
      });
      const temporary = pathWithin(open, this.#temporaryName());
      const made = await this.#bulk.makeFiles(toMake, temporary);
      for (const [at, { name, facts }] of files.entries()) {
        if (made[at] !== "wrong") this.#wantAttributes(folder, name, facts);
      }
      return made.map((one) => {
        this.#tellOwned(one !== "unowned");
        return one === "unowned" ? "made" : one;
      });
    });
    return putting.catch((error: unknown) => {
      // Of several nobody says which one it was.
      const [one, ...others] = files;
      const isOne = one !== undefined && others.length === 0;
      throw this.#refused(isOne ? [...folder, one.name] : folder, error);
    });
  }

  #temporaryName(): string {
    return `${unfinished}.${process.pid}.${++this.#made}`;
  }

  async linkSame(path: TreePath, first: TreePath): Promise<void> {
    // Two folders at once: this one is kept open by itself.
    const from = this.#open(first.slice(0, -1));
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
      this.#tellOwned(isAllowed(() => lchownSync(place, facts.userId, facts.groupId)));
      const time = sayTime(secondsOf(facts.modifiedNs));
      lutimesSync(place, time, time);
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
    const folder = this.#open(path);
    try {
      const refused = setAttributes(folder, wanted.entries);
      if (refused !== undefined) this.#leave(`extended attributes and ACLs: ${refused}`);
    } finally {
      closeSync(folder);
    }
  }

  #tellOwned(isOwned: boolean): void {
    if (!isOwned) this.#leave("owners, which only root may set");
  }

  #leave(what: string): void {
    if (this.#leftOut.size < leftOutMax) this.#leftOut.add(what);
  }

  #at<T>(path: TreePath, run: (place: Buffer) => T): T {
    return this.#refusing(path, () => {
      return run(within(this.#inside.folder(path.slice(0, -1)), path.at(-1) ?? ""));
    });
  }

  /** The folder, for the caller to close. */
  #open(path: TreePath): number {
    return this.#refusing(path, () => this.#inside.open(path));
  }

  #refusing<T>(path: TreePath, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw this.#refused(path, error);
    }
  }

  /** What the kernel says, in words; else as it is. */
  #refused(path: TreePath, error: unknown): unknown {
    const code = codeOf(error);
    if (error instanceof NinesError || !/^E[A-Z0-9]+$/.test(code)) return error;
    const isElsewhere = code === "ELOOP" || code === "ENOTDIR";
    if (isElsewhere) return this.#refusal(path, "the way to it leads through a link");
    return this.#refusal(path, code === "ENOSPC" ? "there is no room left" : `refused (${code})`);
  }

  #refusal(path: TreePath, why: string): NinesError {
    const name = path.length === 0 ? "What is in the root" : sayName(path.join("/"));
    const what = `${name} cannot be restored below ${this.#root}: ${why}.`;
    return new NinesError("NINES_RESTORE_PLACE", what);
  }
}

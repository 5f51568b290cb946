// A folder of this machine as the place to restore to.
//
// Files are written beside their place and moved into it when they are whole, so that a restore
// that is cut off leaves no file that looks like one; run again, it goes on after those that are
// there. Names come from a vault, so each part of a path is opened without following links
// (inside-root.ts): a tree with a link "a" and a file "a/b" is refused and not followed.
// Owners are kept where this process may set them, else named as left out. What is written is as
// durable as any program's files: the kernel writes it to the device within half a minute.

import { constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  rename,
  symlink,
  unlink,
} from "node:fs/promises";
import { NinesError } from "../core/base/errors.ts";
import type { EntryFacts } from "../core/vault/entry.ts";
import type { PlaceWriter, TreePath, TreePlace } from "../ports/tree-place.ts";
import { codeOf, inFolder, within } from "./inside-root.ts";

const makingFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const unfinished = ".nines-restore";
const leftOutMax = 100;

export interface FileTreePlaceOptions {
  /** Absolute; made when it is not there. */
  readonly root: string;
  /** Whether there may be something in it: what differs is replaced. */
  readonly mayHold: boolean;
}

/** Throws NINES_RESTORE_PLACE. */
export async function createFileTreePlace(options: FileTreePlaceOptions): Promise<TreePlace> {
  const { root, mayHold } = options;
  await mkdir(root, { recursive: true, mode: 0o700 });
  const isEmpty = (await readdir(root)).length === 0;
  if (!isEmpty && !mayHold) {
    throw new NinesError("NINES_RESTORE_PLACE", `${root} is not empty, and is left as it is.`);
  }
  return new FileTreePlace(root);
}

class FileTreePlace implements TreePlace {
  readonly #root: string;
  readonly #leftOut = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  makeFolder(path: TreePath): Promise<void> {
    return this.#at(path, async (folder, name) => {
      try {
        await mkdir(within(folder, name), { mode: 0o700 });
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        const isFolder = (await lstat(within(folder, name))).isDirectory();
        if (!isFolder) throw this.#refusal(path, "something that is no folder is in its place");
      }
    });
  }

  async finishFolder(path: TreePath, facts: EntryFacts): Promise<void> {
    await inFolder(this.#root, path, async (folder) => {
      await this.#setFacts(folder, facts);
    });
  }

  openFile(path: TreePath, sizeBytes: number, facts: EntryFacts): Promise<PlaceWriter | undefined> {
    return this.#at(path, async (folder, name) => {
      if (await isSame(folder, name, sizeBytes, facts)) return undefined;
      const temporary = `${unfinished}.${process.pid}`;
      await unlinkIfThere(folder, temporary);
      const file = await open(within(folder, temporary), makingFlags, 0o600);
      return new Writer(file, {
        finish: async (bytes, kept) => {
          await file.truncate(bytes);
          await this.#setFacts(file, kept);
          await file.close();
          await this.#at(path, (again) => rename(within(again, temporary), within(again, name)));
        },
        abandon: async () => {
          await file.close();
          await this.#at(path, (again) => unlinkIfThere(again, temporary));
        },
      });
    });
  }

  async linkSame(path: TreePath, first: TreePath): Promise<void> {
    await this.#at(first, (from, firstName) =>
      this.#at(path, async (folder, name) => {
        await unlinkIfThere(folder, name);
        await link(within(from, firstName), within(folder, name));
      }),
    );
  }

  makeLink(path: TreePath, pointsTo: string, facts: EntryFacts): Promise<void> {
    return this.#at(path, async (folder, name) => {
      await unlinkIfThere(folder, name);
      await symlink(Buffer.from(pointsTo, "latin1"), within(folder, name));
      const seconds = secondsOf(facts);
      await lutimes(within(folder, name), seconds, seconds);
      await this.#owned(() => lchown(within(folder, name), facts.userId, facts.groupId));
    });
  }

  leftOut(): readonly string[] {
    return [...this.#leftOut];
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }

  async #setFacts(file: FileHandle, facts: EntryFacts): Promise<void> {
    await this.#owned(() => file.chown(facts.userId, facts.groupId));
    // After the owner, whose change takes setuid away; by path, for Node's fchmod is the same.
    await chmod(`/proc/self/fd/${file.fd}`, facts.mode);
    const seconds = secondsOf(facts);
    await file.utimes(seconds, seconds);
    if (facts.attributes.length > 0) this.#leave("extended attributes");
  }

  async #owned(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      if (codeOf(error) !== "EPERM") throw error;
      this.#leave("owners, which only root may set");
    }
  }

  #leave(what: string): void {
    if (this.#leftOut.size < leftOutMax) this.#leftOut.add(what);
  }

  async #at<T>(path: TreePath, run: (folder: FileHandle, name: string) => Promise<T>): Promise<T> {
    const name = path.at(-1) ?? "";
    try {
      return await inFolder(this.#root, path.slice(0, -1), (folder) => run(folder, name));
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
  readonly finish: (sizeBytes: number, facts: EntryFacts) => Promise<void>;
  readonly abandon: () => Promise<void>;
}

class Writer implements PlaceWriter {
  readonly #file: FileHandle;
  readonly #ending: Ending;

  constructor(file: FileHandle, ending: Ending) {
    this.#file = file;
    this.#ending = ending;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done;
      done += (await this.#file.write(bytes, done, left, offset + done)).bytesWritten;
    }
  }

  finish(sizeBytes: number, facts: EntryFacts): Promise<void> {
    return this.#ending.finish(sizeBytes, facts);
  }

  abandon(): Promise<void> {
    return this.#ending.abandon();
  }
}

/** Finished by an earlier restore: of this size, and modified at this time, to the millisecond. */
async function isSame(
  folder: FileHandle,
  name: string,
  sizeBytes: number,
  facts: EntryFacts,
): Promise<boolean> {
  try {
    const stat = await lstat(within(folder, name));
    const isThen = Math.abs(stat.mtimeMs / 1000 - secondsOf(facts)) < 0.001;
    return stat.isFile() && stat.size === sizeBytes && isThen;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function unlinkIfThere(folder: FileHandle, name: string): Promise<void> {
  try {
    await unlink(within(folder, name));
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Node takes seconds with fractions: exact to a microsecond. */
function secondsOf({ modifiedNs }: EntryFacts): number {
  return Number(modifiedNs / 1_000n) / 1_000_000;
}

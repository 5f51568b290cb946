// Paths below a root that no link leads out of.
//
// Node has no openat. But /proc/self/fd/N/NAME is resolved by the kernel from the open folder N, so
// each part of a path is opened by itself, as a folder and not through a link (O_NOFOLLOW), and
// what is swapped for a link meanwhile is refused and not followed. Names are bytes, one character
// each.
//
// Calls are synchronous: on a tree of small files the way to another thread and back would take
// several times as long as the kernel does. The folder used last stays open, for the next name is
// mostly in it as well.

import { closeSync, constants, openSync } from "node:fs";
import { NinesError } from "../core/base/errors.ts";
import { isEntryName } from "../core/vault/tree.ts";

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** The path of a name in an open folder, for calls that take paths. */
export function within(folder: number, name: string): Buffer {
  if (!isEntryName(name)) {
    const what = `${JSON.stringify(name)} is no name of one thing in a folder.`;
    throw new NinesError("NINES_VAULT_DAMAGED", what);
  }
  return Buffer.from(`/proc/self/fd/${folder}/${name}`, "latin1");
}

interface OpenFolder {
  readonly path: readonly string[];
  readonly folder: number;
}

export class InsideRoot {
  readonly #root: string;
  #last: OpenFolder | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * The folder at `path` below the root, open until another is asked for. Throws the kernel's
   * error.
   */
  folder(path: readonly string[]): number {
    const last = this.#last;
    if (last?.path.length === path.length && path.every((name, at) => name === last.path[at])) {
      return last.folder;
    }
    const folder = this.open(path);
    this.close();
    this.#last = { path: [...path], folder };
    return folder;
  }

  /** The same, for the caller to close. */
  open(path: readonly string[]): number {
    // The root itself is named by whoever runs this, and may be a link.
    let folder = openSync(this.#root, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      for (const name of path) {
        const next = openSync(within(folder, name), folderFlags);
        closeSync(folder);
        folder = next;
      }
    } catch (error) {
      closeSync(folder);
      throw error;
    }
    return folder;
  }

  close(): void {
    if (this.#last !== undefined) closeSync(this.#last.folder);
    this.#last = undefined;
  }
}

/** The kernel's code of a failure: "ENOENT". */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? "";
}

/** Bytes, one character each. */
export function byteName(bytes: Buffer): string {
  return bytes.toString("latin1");
}

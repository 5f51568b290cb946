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
  return Buffer.from(pathWithin(folder, name), "latin1");
}

/** The same as bytes, one character each. */
export function pathWithin(folder: number, name: string): string {
  if (isEntryName(name)) return `/proc/self/fd/${folder}/${name}`;
  const what = `${JSON.stringify(name)} is no name of one thing in a folder.`;
  throw new NinesError("NINES_VAULT_DAMAGED", what);
}

interface OpenFolder {
  readonly path: readonly string[];
  readonly folder: number;
  /** Calls on other threads that need it open. */
  users: number;
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
    return this.#enter(path).folder;
  }

  /** The same, open until `run` has ended as well. */
  async during<T>(path: readonly string[], run: (folder: number) => Promise<T>): Promise<T> {
    const entered = this.#enter(path);
    entered.users++;
    try {
      return await run(entered.folder);
    } finally {
      entered.users--;
      this.#closeUnused(entered);
    }
  }

  #enter(path: readonly string[]): OpenFolder {
    const last = this.#last;
    if (last?.path.length === path.length && path.every((name, at) => name === last.path[at])) {
      return last;
    }
    const entered = { path: [...path], folder: this.open(path), users: 0 };
    this.#last = entered;
    if (last !== undefined) this.#closeUnused(last);
    return entered;
  }

  #closeUnused(folder: OpenFolder): void {
    if (folder !== this.#last && folder.users === 0) closeSync(folder.folder);
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
    const last = this.#last;
    this.#last = undefined;
    if (last !== undefined) this.#closeUnused(last);
  }
}

/** Bytes, one character each. */
export function byteName(bytes: Buffer): string {
  return bytes.toString("latin1");
}

// Paths below a root that no link leads out of.
//
// Node has no openat. But /proc/self/fd/N/NAME is resolved by the kernel from the open folder N, so
// each part of a path is opened by itself, as a folder and not through a link (O_NOFOLLOW), and
// what is swapped for a link meanwhile is refused and not followed. Names are bytes, one character
// each.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { isEntryName } from "../core/vault/tree.ts";
import { NinesError } from "../core/base/errors.ts";

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** The path of a name in an open folder, for calls that take paths. */
export function within(folder: FileHandle, name: string): Buffer {
  if (!isEntryName(name)) {
    const what = `${JSON.stringify(name)} is no name of one thing in a folder.`;
    throw new NinesError("NINES_VAULT_DAMAGED", what);
  }
  return Buffer.from(`/proc/self/fd/${folder.fd}/${name}`, "latin1");
}

/** Runs with the folder at `path` below the root open. Rejects with the kernel's error. */
export async function inFolder<T>(
  root: string,
  path: readonly string[],
  run: (folder: FileHandle) => Promise<T>,
): Promise<T> {
  // The root itself is named by whoever runs this, and may be a link.
  let folder = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const name of path) {
      const next = await open(within(folder, name), folderFlags);
      await folder.close();
      folder = next;
    }
    return await run(folder);
  } finally {
    await folder.close();
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

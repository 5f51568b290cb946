// A folder with all above it that is missing, made one by one from the outermost.
//
// Whoever cannot make one is told what the kernel says of that very folder. That what is there is a
// folder, and not a file, the caller finds when opening it. Rejected: Node's own recursion, which
// says ENOENT of a place that may only be read, and never ends where there can be no folder, such
// as below /proc.

import { mkdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "./error-code.ts";

const mode = 0o700;

/** The outermost folder that is new; undefined where all were there. */
export async function makeFolders(path: string): Promise<string | undefined> {
  try {
    return await makeOne(path);
  } catch (error) {
    if (!lacksParent(path, error)) throw error;
    const outermost = await makeFolders(dirname(path));
    const made = await makeOne(path);
    return outermost ?? made;
  }
}

/** The same for who may wait for the disk. */
export function makeFoldersSync(path: string): string | undefined {
  try {
    return makeOneSync(path);
  } catch (error) {
    if (!lacksParent(path, error)) throw error;
    const outermost = makeFoldersSync(dirname(path));
    const made = makeOneSync(path);
    return outermost ?? made;
  }
}

async function makeOne(path: string): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    return passOver(error);
  }
}

function makeOneSync(path: string): string | undefined {
  try {
    mkdirSync(path, { mode });
    return path;
  } catch (error) {
    return passOver(error);
  }
}

/** What is there, perhaps made meanwhile by somebody else, is as good as made. */
function passOver(error: unknown): undefined {
  if (codeOf(error) !== "EEXIST") throw error;
}

function lacksParent(path: string, error: unknown): boolean {
  return codeOf(error) === "ENOENT" && dirname(path) !== path;
}

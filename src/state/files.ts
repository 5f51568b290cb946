// Small durable files: what the records and the claims on terms are made of.
//
// A new content is written beside its place, flushed, and moved into place in one step; then the
// folder is flushed, so that the name outlives a power loss as well as the content. A name with `~`
// is such a copy on its way: nobody reads it, and one that a killed process left is swept away.

import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Replaces the content of `path`: at every point in time it has the old or the new one, whole. */
export function replaceFile(path: string, content: string): void {
  withTemporary(path, content, (temporary) => {
    renameSync(temporary, path);
    flushFolder(dirname(path));
  });
}

/** Makes `path` with this content, whole from its first moment; false when it is there already. */
export function createFile(path: string, content: string): boolean {
  return withTemporary(path, content, (temporary) => {
    try {
      linkSync(temporary, path);
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw error;
    }
    rmSync(temporary);
    try {
      flushFolder(dirname(path));
    } catch (error) {
      // A caller that hears of a failure must find nothing made.
      rmSync(path, { force: true });
      throw error;
    }
    return true;
  });
}

export function removeFile(path: string): void {
  rmSync(path, { force: true });
  flushFolder(dirname(path));
}

/** The process that was writing this copy, or undefined when it is no copy. */
export function writerOfTemporary(name: string): number | undefined {
  const match = /~(\d+)$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function withTemporary<T>(path: string, content: string, place: (temporary: string) => T): T {
  const temporary = `${path}~${process.pid}`;
  try {
    writeFileSync(temporary, content, { mode: 0o600, flush: true });
    return place(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function flushFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

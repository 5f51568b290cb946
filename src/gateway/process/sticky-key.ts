// The key of sticky cookies (engine/sticky.ts): 32 random bytes in a file of the state directory,
// so that all workers, and all that come after them, know each other's cookies.
//
// Made by the first worker that needs it. Several may at once: each writes a file of its own and
// links it to the one name, which only one of them can; then all read that. Not in the routing
// table, which the admin API shows.

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";

const KEY_BYTES = 32;

/** Throws when there is none and none can be made, or when what is there is no key. */
export function loadStickyKey(path: string): Buffer {
  const found = read(path) ?? make(path);
  if (found.length < KEY_BYTES) {
    throw new Error(`${path} has ${found.length} bytes, and a key has ${KEY_BYTES}: remove it`);
  }
  return found;
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function make(path: string): Buffer {
  const beside = `${path}.${process.pid}`;
  // Left by one of the same number that was killed in between.
  rmSync(beside, { force: true });
  try {
    writeWhole(beside, randomBytes(KEY_BYTES));
    linkSync(beside, path);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  } finally {
    rmSync(beside, { force: true });
  }
  return readFileSync(path);
}

/** On the disk before it has its name: a power loss leaves a whole key or none. */
function writeWhole(path: string, bytes: Buffer): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

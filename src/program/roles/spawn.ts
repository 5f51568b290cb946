// How one role starts another: this same program, as a process that depends on nothing of who
// started it (own session, output appended to a file, no pipe).

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { closeInheritedDescriptors } from "../../runtime/inherited-descriptors.ts";

const program = join(import.meta.dirname, "..", "main.js");

/**
 * A word for the first control of an `up` alone: the file named there goes before the one that an
 * earlier Nines followed when all of it was killed.
 */
export const justAsked = "--just-asked";

export function withoutJustAsked(words: readonly string[]): readonly string[] {
  return words.filter((word) => word !== justAsked);
}

/**
 * A worker's memory is what its connections hold, from its first minute on. Unbounded, V8 doubles
 * its young generation up to 32 MiB, each time that as much as it holds has survived; and it lets
 * what is old and of no use grow to hundreds of MiB before it collects that for the first time.
 * (Requests under way survive one collection or two, and are garbage afterwards.) Sizes in MiB.
 */
const heapOptions = ["--max-semi-space-size=4", "--initial-old-space-size=32"];

/** Program and first arguments of a role. */
export function commandOf(role: string, words: readonly string[]): readonly string[] {
  const options = role === "gateway-worker" ? heapOptions : [];
  return [process.execPath, ...options, program, `_${role}`, ...words];
}

/** Its errors are for whoever waits for it to work; a child that never ran has no pid. */
export function startRole(role: string, words: readonly string[], logFile: string): ChildProcess {
  closeInheritedDescriptors();
  const [file = "", ...rest] = commandOf(role, words);
  const log = openSync(logFile, "a", 0o640);
  try {
    const child = spawn(file, rest, { detached: true, stdio: ["ignore", log, log] });
    child.on("error", () => undefined);
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

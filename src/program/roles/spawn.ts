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

/** Program and first arguments of a role. */
export function commandOf(role: string, words: readonly string[]): readonly string[] {
  return [process.execPath, program, `_${role}`, ...words];
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

// Planted faults: a copy of the built program with one change, to see that a test finds it.
//
// A check that has never failed proves little. Each change is plain text and must fit exactly once,
// so that code which moves on takes its planted faults along or breaks the test.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

export interface PlantedFault {
  /** What the fault breaks, as a test's name. */
  readonly name: string;
  /** Built file, from `dist/`: "src/core/dispatch/create-dispatcher.js". */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The built module `entry` (from `dist/`) of a program with the fault in it, or unchanged. */
export async function importPlanted<Module>(
  entry: string,
  fault: Omit<PlantedFault, "name"> | undefined,
  use: (module: Module) => void | Promise<void>,
): Promise<void> {
  const built = join(import.meta.dirname, "..");
  const copy = mkdtempSync(join(tmpdir(), "nines-planted-"));
  try {
    writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
    for (const floor of ["src/core", "src/control", "src/gateway", "src/ports", "src/state"]) {
      cpSync(join(built, floor), join(copy, floor), { recursive: true, filter: isProgram });
    }
    if (fault !== undefined) plant(join(copy, fault.file), fault.find, fault.replace);
    await use((await import(pathToFileURL(join(copy, entry)).href)) as Module);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function isProgram(path: string): boolean {
  const name = basename(path);
  return !name.includes(".") || (name.endsWith(".js") && !name.endsWith(".test.js"));
}

function plant(file: string, find: string, replace: string): void {
  const text = readFileSync(file, "utf8");
  assert.equal(
    text.split(find).length,
    2,
    `${JSON.stringify(find)} stands exactly once in ${file}`,
  );
  writeFileSync(
    file,
    text.replace(find, () => replace),
  );
}

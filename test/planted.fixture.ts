// Planted faults: the built program with one change, to see that a test finds it.
//
// A check that has never failed proves little. Each change is plain text and must fit exactly
// once, so that code which moves on takes its planted faults along or breaks the test. The module
// with the fault is written anew, and so is each that leads to it; what they import besides is the
// program's own.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";

export interface PlantedFault {
  /** What the fault breaks, as a test's name. */
  readonly name: string;
  /** Built file, from `dist/`: "src/core/dispatch/create-dispatcher.js". */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const built = join(import.meta.dirname, "..");
/** A built import: `from "./x.js"`, `import "./x.js"` or `import("./x.js")`. */
const importOf = /\b(from |import |import\()"(\.[^"]+)"/g;

/** A test for each fault: random inputs to the property of the faulty module must find it. */
export function randomInputsFind<Module>(
  entry: string,
  faults: readonly PlantedFault[],
  property: (module: Module) => fc.IRawProperty<unknown, false>,
  numRuns = 5_000,
): void {
  for (const fault of faults) {
    test(`random inputs find it when ${fault.name}`, async () => {
      await importPlanted<Module>(entry, fault, (module) => {
        const { failed } = fc.check(property(module), { numRuns, endOnFailure: true });
        assert.ok(failed, "the planted fault went unnoticed");
      });
    });
  }
}

/** The built module `entry` (from `dist/`) of a program with the fault in it, or unchanged. */
export async function importPlanted<Module>(
  entry: string,
  fault: Omit<PlantedFault, "name"> | undefined,
  use: (module: Module) => void | Promise<void>,
): Promise<void> {
  if (fault === undefined) return use((await import(urlOf(built, entry))) as Module);
  const led = leadingTo(fault.file, entry);
  assert.ok(led.has(entry), `${entry} leads to ${fault.file}`);
  const copy = mkdtempSync(join(tmpdir(), "nines-planted-"));
  try {
    writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
    for (const file of led) {
      const text = file === fault.file ? plant(fault) : textOf(file);
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      const placed = text.replace(importOf, (whole, how: string, to: string) => {
        const imported = join(dirname(file), to);
        return led.has(imported) ? whole : `${how}"${urlOf(built, imported)}"`;
      });
      writeFileSync(join(copy, file), placed);
    }
    await use((await import(urlOf(copy, entry))) as Module);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The modules from `entry` on whose imports lead to this one, and itself. */
function leadingTo(file: string, entry: string): ReadonlySet<string> {
  const importers = new Map<string, string[]>();
  const known = new Set([entry]);
  for (const importer of known) {
    for (const imported of importsOf(importer)) {
      known.add(imported);
      importers.set(imported, [...(importers.get(imported) ?? []), importer]);
    }
  }
  const led = new Set([file]);
  for (const one of led) for (const importer of importers.get(one) ?? []) led.add(importer);
  return led;
}

/** Built modules, and what each imports, read once: a suite plants many faults in the same ones. */
const texts = new Map<string, string>();
const imports = new Map<string, readonly string[]>();

function importsOf(file: string): readonly string[] {
  const found =
    imports.get(file) ??
    Array.from(textOf(file).matchAll(importOf), ([, , to = ""]) => join(dirname(file), to));
  imports.set(file, found);
  return found;
}

function textOf(file: string): string {
  const text = texts.get(file) ?? readFileSync(join(built, file), "utf8");
  texts.set(file, text);
  return text;
}

function plant({ file, find, replace }: Omit<PlantedFault, "name">): string {
  const text = textOf(file);
  const times = text.split(find).length - 1;
  assert.equal(times, 1, `${JSON.stringify(find)} stands once in ${file}, not ${times} times`);
  return text.replace(find, () => replace);
}

function urlOf(folder: string, file: string): string {
  return pathToFileURL(join(folder, file)).href;
}

// A copy of the simulator and of what it runs, with one fault planted in it.
//
// The fault is one change of the compiled text that must fit exactly once. The copy is then run as
// users run it, `sim --runs=N`, and says which seed found the fault and by which promise. That it
// was the fault is shown by the same seed without it. Rejected: naming the promise that is to break
// first, for it is another one whenever the lives are drawn anew.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";

export interface Planted {
  /** What the code no longer does. */
  readonly name: string;
  /** Compiled file, from dist/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Left to the long suite: it takes more than one quick seed, or is one of many. */
  readonly slow?: boolean;
  /** Instead of seeds that are to keep every promise. */
  readonly words?: readonly string[];
}

interface Found {
  readonly seed: number;
  readonly checker: string;
}

const dist = join(import.meta.dirname, "..");

const RUNS = 200;

/** Fails unless the simulator finds the fault, and nothing in the same life without the fault. */
export function mustBeFound(fault: Planted, context: TestContext): void {
  const found = runPlanted(fault);
  assert.ok(found, "no seed found it");
  context.diagnostic(`seed ${found.seed}, by ${found.checker}`);
  const sound = search(dist, fault.words ?? [`--seed=${found.seed}`, "--lines=0"]);
  assert.equal(sound?.checker, undefined, `seed ${found.seed} breaks a promise without the fault`);
}

/** Runs seeds of a program with the fault; undefined when none of `RUNS` found it. */
function runPlanted(fault: Planted): Found | undefined {
  const copy = mkdtempSync(join(tmpdir(), "nines-planted-"));
  try {
    writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
    for (const part of ["src/core", "src/ports", "src/control", "sim", "scripts"]) {
      mkdirSync(join(copy, dirname(part)), { recursive: true });
      cpSync(join(dist, part), join(copy, part), { recursive: true, filter: isRun });
    }
    plant(join(copy, fault.file), fault);
    return search(copy, fault.words ?? [`--runs=${RUNS}`, "--skip-regressions", "--lines=0"]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Not what only people, compilers and tests read. */
const isRun = (path: string): boolean => !/\.(map|ts|tsbuildinfo|test\.js)$/.test(path);

function plant(file: string, { find, replace }: Planted): void {
  const text = readFileSync(file, "utf8");
  const times = text.split(find).length - 1;
  assert.equal(times, 1, `${JSON.stringify(find)} stands once in ${file}, not ${times} times`);
  writeFileSync(
    file,
    text.replace(find, () => replace),
  );
}

function search(program: string, words: readonly string[]): Found | undefined {
  const script = join(program, "scripts", "sim.js");
  const result = spawnSync(process.execPath, [script, ...words], {
    encoding: "utf8",
    timeout: 600_000,
  });
  if (result.status === 0) return undefined;
  const match = /^seed (\d+) broke a promise .*\n {2}([\w-]+): /m.exec(result.stdout);
  assert.ok(match, `the program cannot run:\n${result.stdout}${result.stderr}`);
  return { seed: Number(match[1]), checker: String(match[2]) };
}

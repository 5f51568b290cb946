// A folder with a vault's configuration, and `nines backup` in it as a person runs it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** The shipped build. */
export const program = join(import.meta.dirname, "..", "..", "src", "program", "main.js");
const key = "0f".repeat(32);

export interface Place {
  readonly folder: string;
  /** Runs `nines backup …`; its output, both streams. Throws unless it ends with this code. */
  readonly nines: (words: readonly string[], code?: number) => string;
}

export function place(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), "nines-vault-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["a", "b", "c", "data"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "key"), `${key}\n`, { mode: 0o600 });
  writeFileSync(
    join(folder, "nines.yaml"),
    `services: { web: { command: sleep 1000 } }
backup:
  keyFile: key
  targets: { a: { path: a }, b: { path: b }, c: { path: c } }
  data: 2
  parity: 1
  sources: { shop: { path: data, exclude: [caché], subjects: peöple/* } }
`,
  );
  const nines = (words: readonly string[], code = 0) => {
    const run = spawnSync(process.execPath, [program, "backup", ...words], {
      cwd: folder,
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(run.status, code, run.stderr + run.stdout);
    return run.stdout + run.stderr;
  };
  return { folder, nines };
}

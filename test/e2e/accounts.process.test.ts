// The example bank, killed in the middle of its work again and again.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";

const program = join(import.meta.dirname, "../../../examples/accounts/accounts.mjs");
const lives = 5;

/** Runs the bank until it has said `count` lines of progress, then kills it; all that it said. */
async function live(folder: string, lineCount: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [program, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === lineCount) child.kill("SIGKILL");
  }
  return lines;
}

function acknowledged(lines: readonly string[]): number {
  const counts = lines.flatMap((line) => /^(\d+) transfers acknowledged/.exec(line)?.[1] ?? []);
  return Math.max(0, ...counts.map(Number));
}

it("loses no acknowledged transfer and no cent, however often it is killed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nines-accounts-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let known = 0;
  for (let life = 0; life < lives; life++) {
    const lines = await live(folder, 4 + life);
    const [, found, cents] =
      /^(\d+) transfers found .* hold (\d+) cents$/.exec(lines[0] ?? "") ?? [];
    assert.equal(cents, "1000000", lines[0]);
    assert.ok(Number(found) >= known, `${found} found of ${known} acknowledged`);
    known = Math.max(Number(found), acknowledged(lines));
  }
  assert.ok(known > 0);
});

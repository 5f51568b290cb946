// `nines journal verify | repair | dump`, as a shell runs them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
  closeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { openJournal } from "../../sdk/journal.ts";

const program = join(import.meta.dirname, "..", "main.js");

function nines(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "journal", ...words], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** A journal of ten records, "record 1" to "record 10". */
async function journalOfTen(t: TestContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "nines-journal-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const journal = await openJournal(folder, { segmentBytes: 64 * 1024 });
  for (let each = 1; each <= 10; each++) await journal.append(Buffer.from(`record ${each}`));
  await journal.snapshot({ through: 5, chunks: [Buffer.from("one to five")] });
  await journal.close();
  return folder;
}

/** Turns a bit of the record, wherever in the folder it stands. */
function rot(folder: string, record: string): void {
  for (const name of readdirSync(folder)) {
    const file = openSync(join(folder, name), "r+");
    const bytes = Buffer.alloc(64 * 1024);
    readSync(file, bytes, 0, bytes.length, 0);
    const at = bytes.indexOf(record);
    if (at >= 0) writeSync(file, Buffer.from([(bytes[at] ?? 0) ^ 1]), 0, 1, at);
    closeSync(file);
    if (at >= 0) return;
  }
  assert.fail(`${record} is in ${folder}`);
}

describe("nines journal", () => {
  it("verifies a sound journal, and says what is in it", async (t) => {
    const folder = await journalOfTen(t);
    const { status, stdout } = nines("verify", folder);
    assert.equal(status, 0);
    assert.match(stdout, /^10 records \(1 to 10\)/);
    assert.match(stdout, /a snapshot through 5: 11 bytes/);
    assert.match(stdout, /Sound; closed cleanly\.\n$/);
  });

  it("names the place of what has rotted, in words and as JSON", async (t) => {
    const folder = await journalOfTen(t);
    rot(folder, "record 7");
    const { status, stdout } = nines("verify", folder);
    assert.equal(status, 1);
    assert.match(stdout, /at byte \d+, from record 7 on: .*\nDAMAGED in 1 place\.\n$/);
    const json = nines("verify", "--json", folder);
    assert.equal(json.status, 1);
    const report = JSON.parse(json.stdout) as { damages: readonly { sequence: number }[] };
    assert.deepEqual(
      report.damages.map(({ sequence }) => sequence),
      [7],
    );
  });

  it("dumps records as text, within a range, and as JSON", async (t) => {
    const folder = await journalOfTen(t);
    const { status, stdout } = nines("dump", folder, "--from", "3", "--through", "4");
    assert.equal(status, 0);
    assert.match(stdout, /^3 {2}\S+Z {2}record 3\n4 {2}\S+Z {2}record 4\n$/);
    const json = nines("dump", "--json", "--from", "10", folder);
    const { sequence, bytes } = JSON.parse(json.stdout) as { sequence: number; bytes: string };
    assert.deepEqual([sequence, Buffer.from(bytes, "base64").toString()], [10, "record 10"]);
  });

  it("says what a repair would lose, and repairs only when told to", async (t) => {
    const folder = await journalOfTen(t);
    rot(folder, "record 7");
    const plan = nines("repair", folder);
    assert.equal(plan.status, 0);
    assert.match(plan.stdout, /LOST: records 7 to 10.*\nNothing was changed/);
    assert.equal(nines("verify", folder).status, 1);
    assert.equal(nines("repair", "--write", folder).status, 0);
    assert.equal(nines("verify", folder).status, 0);
    assert.match(nines("dump", folder).stdout, /record 6\n$/);
    assert.match(nines("repair", folder).stdout, /nothing to repair/);
  });

  it("says that there is no journal", () => {
    const { status, stderr } = nines("verify", "/nowhere/at/all");
    assert.equal(status, 1);
    assert.match(stderr, /NINES_JOURNAL_NOT_FOUND/);
  });
});

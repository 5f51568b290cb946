// A journal on real file systems that are full or read-only, and with a second process at its door.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createClock } from "../../src/runtime/clock.ts";
import { createDisk } from "../../src/runtime/disk.ts";
import { verifyJournal } from "../../src/state/journal/examine-journal.ts";
import type { Journal } from "../../src/state/journal/journal.ts";
import { openJournal } from "../../src/state/journal/open.ts";
import { mountSmallDisk, noSmallDisk } from "../small-disk.fixture.ts";
import { NinesError } from "../../src/core/base/errors.ts";

const scratch = mkdtempSync(join(tmpdir(), "nines-journal-"));
const small = mountSmallDisk(1_048_576);
const writers: ChildProcess[] = [];
after(() => {
  for (const writer of writers) writer.kill("SIGKILL");
  small?.unmount();
  rmSync(scratch, { recursive: true, force: true });
});

const skip = small === undefined ? noSmallDisk : false;
const onSmallDisk = join(small?.folder ?? scratch, "journal");
const patienceMs = 15_000;

function open(folder: string): Promise<Journal> {
  const clock = createClock({ keepAlive: true });
  return openJournal(folder, { segmentBytes: 65_536 }, createDisk(), clock);
}

/** Appends a record of a kilobyte that says its sequence; the code of a refusal. */
async function append(journal: Journal, sequence: number): Promise<string | undefined> {
  const record = new Uint8Array(1_024).fill(sequence % 251);
  try {
    assert.equal(await journal.append(record), sequence);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof NinesError, String(error));
    return error.code;
  }
}

async function expectAll(journal: Journal, last: number): Promise<void> {
  assert.equal(journal.lastSequence, last);
  const count = await journal.replay({}, (bytes, sequence) => {
    assert.ok(
      bytes.every((byte) => byte === sequence % 251),
      `record ${sequence}`,
    );
  });
  assert.equal(count, last);
}

test("a full disk refuses appends, and takes them when there is room", { skip }, async () => {
  const ballast = join(small?.folder ?? scratch, "ballast");
  writeFileSync(ballast, new Uint8Array(524_288));
  let journal = await open(onSmallDisk);
  let last = 0;
  let code: string | undefined;
  while ((code = await append(journal, last + 1)) === undefined) last++;
  assert.equal(code, "NINES_JOURNAL_FULL");
  assert.ok(last > 100, `${last} records`);
  const through = { through: last, chunks: [new Uint8Array(1_048_576)] };
  await assert.rejects(journal.snapshot(through), { code: "NINES_JOURNAL_SNAPSHOT" });
  await expectAll(journal, last);
  await journal.close();
  journal = await open(onSmallDisk);
  await expectAll(journal, last);
  assert.equal(await append(journal, last + 1), "NINES_JOURNAL_FULL");
  rmSync(ballast);
  const deadlineMs = performance.now() + patienceMs;
  while ((code = await append(journal, last + 1)) !== undefined) {
    assert.equal(code, "NINES_JOURNAL_FULL");
    assert.ok(performance.now() < deadlineMs, "it never goes on");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await expectAll(journal, last + 1);
  await journal.close();
});

test("a read-only disk is read, and refuses a writer by that name", { skip }, async () => {
  const before = await open(onSmallDisk);
  const last = before.lastSequence;
  await before.close();
  const remount = (how: string) =>
    spawnSync("mount", ["-o", `remount,${how}`, small?.folder ?? ""]).status;
  assert.equal(remount("ro"), 0);
  await assert.rejects(open(onSmallDisk), (error) => {
    assert.ok(error instanceof NinesError && error.code === "NINES_JOURNAL_DISK", String(error));
    assert.match(error.message, /read-only/);
    return true;
  });
  const report = await verifyJournal(onSmallDisk, createDisk());
  assert.equal(report.lastSequence, last);
  assert.deepEqual(report.damages, []);
  assert.equal(remount("rw"), 0);
  const journal = await open(onSmallDisk);
  await expectAll(journal, last);
  await journal.close();
});

test("a second process is refused, until the first is killed", async () => {
  const folder = join(scratch, "shared");
  const script = join(import.meta.dirname, "writer.fixture.js");
  const words = [script, folder, "1", "Infinity"];
  const writer = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  writers.push(writer);
  await once(writer.stdout, "data");
  await assert.rejects(open(folder), (error) => {
    assert.ok(error instanceof NinesError && error.code === "NINES_JOURNAL_LOCKED");
    assert.ok(error.message.includes(folder), error.message);
    return true;
  });
  writer.stdout.resume();
  writer.kill("SIGKILL");
  await once(writer, "exit");
  const journal = await open(folder);
  assert.ok(journal.lastSequence > 0);
  await journal.close();
});

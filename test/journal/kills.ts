// `kill -9` in a loop, on real files: a process writes as fast as it can and says what was
// acknowledged, is killed in the middle, and the journal that it leaves is judged and written on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrng } from "../../src/core/base/prng.ts";
import { createClock } from "../../src/runtime/clock.ts";
import { createDisk } from "../../src/runtime/disk.ts";
import { openJournal } from "../../src/state/journal/open.ts";
import { isOfItsSequence } from "./ledger.ts";
import { identify } from "./numbered.ts";

const deadlineMs = 60_000;
const linesMax = 600;

export interface KillCount {
  readonly acknowledged: number;
  readonly snapshots: number;
}

/** What all writers of one journal have said so far. */
interface Said {
  /** The numbers of the acknowledged appends, by their last sequence. */
  readonly appends: Map<number, number>;
  readonly snapshots: Set<number>;
}

export async function killInALoop(kills: number, slowAboveMs: number): Promise<KillCount> {
  const folder = mkdtempSync(join(tmpdir(), "nines-kills-"));
  const random = createPrng(kills);
  const said: Said = { appends: new Map(), snapshots: new Set() };
  try {
    for (let run = 0; run < kills; run++) {
      const words = [folder, String(run), String(slowAboveMs)];
      listenTo(await writeUntilKilled(words, 1 + random.below(linesMax)), said);
      await judge(folder, said);
    }
    return { acknowledged: said.appends.size, snapshots: said.snapshots.size };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Kills the writer after it has said so many lines; all that it said. */
async function writeUntilKilled(words: readonly string[], lines: number): Promise<string> {
  const script = join(import.meta.dirname, "writer.fixture.js");
  const child = spawn(process.execPath, [script, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  const guard = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  let text = "";
  let errors = "";
  let seen = 0;
  child.stderr.on("data", (piece) => (errors += String(piece)));
  child.stdout.on("data", (piece) => {
    text += String(piece);
    seen += String(piece).split("\n").length - 1;
    if (seen >= lines) child.kill("SIGKILL");
  });
  await once(child, "close");
  clearTimeout(guard);
  assert.equal(child.signalCode, "SIGKILL", `the writer ended by itself: ${errors}`);
  assert.ok(seen >= lines, `only ${seen} lines in time`);
  return text;
}

/** Takes the whole lines: the last may be cut. */
function listenTo(text: string, said: Said): void {
  for (const [, word, sequence, append] of text.matchAll(/^(\w+) (\d+) (\d+)\n/gm)) {
    if (word === "snapshot") said.snapshots.add(Number(sequence));
    else said.appends.set(Number(sequence), Number(append));
  }
}

async function judge(folder: string, said: Said): Promise<void> {
  const journal = await openJournal(folder, { segmentBytes: 65_536 }, createDisk(), createClock());
  try {
    let next = journal.firstSequence;
    let last: ReturnType<typeof identify>;
    await journal.replay({}, (bytes, sequence) => {
      assert.equal(sequence, next++, "a record is missing");
      last = identify(bytes);
      assert.ok(last !== undefined, `record ${sequence} is not what was written`);
      const append = said.appends.get(sequence);
      if (append !== undefined) assert.deepEqual(last, { append, isLast: true });
    });
    assert.ok(last?.isLast !== false, "the last append is there by half");
    let acknowledged = 0;
    for (const sequence of said.appends.keys()) acknowledged = Math.max(acknowledged, sequence);
    assert.ok(next > acknowledged, `${acknowledged} was acknowledged, it ends at ${next - 1}`);
    const confirmed = Math.max(0, ...said.snapshots);
    const snapshot = await journal.latestSnapshot();
    assert.ok((snapshot?.through ?? 0) >= confirmed, `the snapshot through ${confirmed} is gone`);
    assert.ok(snapshot === undefined || (await isOfItsSequence(snapshot)), "a wrong snapshot");
  } finally {
    await journal.close();
  }
}

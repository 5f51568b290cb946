// Sources that are more than files: a command's output, a journal that is written meanwhile.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { beginSource } from "../../src/program/backup/sources.ts";
import { openJournal, verifyJournal } from "../../src/sdk/journal.ts";
import type { EventEntry } from "../../src/ports/events.ts";
import { createNines } from "../e2e/nines.fixture.ts";

describe("nines backup run", () => {
  it("keeps a command's output and a living journal, and nothing of a command that fails", async (t) => {
    const nines = await createNines(t);
    const at = (name: string) => join(nines.folder, name);
    for (const name of ["a", "b"]) mkdirSync(at(name));
    writeFileSync(at("key"), `${"0f".repeat(32)}\n`, { mode: 0o600 });
    nines.writeText(`services: { web: { command: sleep 1000 } }
backup:
  keyFile: key
  targets: { a: { path: a }, b: { path: b } }
  sources:
    dump: { command: seq 5000 }
    broken: { command: "seq 5000; echo the disk is full >&2; false" }
    ledger: { journal: ledger }
`);
    const journal = await openJournal(at("ledger"));
    for (let record = 1; record <= 100; record++) await journal.append(Buffer.from(`${record}`));
    let isOver = false;
    const appending = (async () => {
      while (!isOver) await journal.append(Buffer.from("meanwhile"));
    })();
    const ran = await nines.run("backup", "run", "dump", "ledger");
    isOver = true;
    await appending;
    assert.equal(ran.code, 0, ran.stderr);
    const failed = await nines.run("backup", "run", "broken");
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /gives no snapshot: it ended with code 1 .*"the disk is full"/);
    const restored = await nines.run("backup", "restore", "dump:latest", "dump");
    assert.equal(restored.code, 0, restored.stderr);
    const numbers = Array.from({ length: 5_000 }, (_, at) => `${at + 1}\n`).join("");
    assert.equal(readFileSync(at("dump/output"), "utf8"), numbers);
    await nines.run("backup", "restore", "ledger:latest", "copy");
    const { records, damages } = await verifyJournal(at("copy"));
    assert.deepEqual(damages, []);
    assert.ok(records >= 100, `${records} records`);
    assert.match((await nines.run("backup", "list")).stdout, /ledger on/);
    assert.doesNotMatch((await nines.run("backup", "list")).stdout, /broken/);
    await journal.close();
  });
});

it("leaves a target below a source out though it does not answer, and says which it may meet", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nines-own-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const data = join(folder, "data");
  for (const name of ["disks/ä", "shop"]) mkdirSync(join(data, name), { recursive: true });
  const sentences: string[] = [];
  // Whatever is waited for is late.
  const after = (_delayMs: number, run: () => void) => {
    queueMicrotask(run);
    return { [Symbol.dispose]: () => {} };
  };
  const clock = { monotonicMs: () => 0, wallMs: () => 0, after };
  const events = { record: ({ sentence }: EventEntry) => void sentences.push(sentence) };
  const targets = ["data/disks/ä", "elsewhere"].map((path) => {
    const place = { kind: "folder", path: join(folder, path) } as const;
    return { name: path, domain: path, retire: false, appendOnly: false, place };
  });
  const from = { kind: "files", path: data, exclude: [] } as const;
  const about = { name: "data", service: "data", from };
  const source = await beginSource(about, targets, { clock, events });
  const listing = await source.list(["disks"]);
  await source.close();
  assert.deepEqual(listing?.entries, []);
  assert.deepEqual(
    listing?.left.map(({ reason }) => reason),
    ["a target of the vault itself"],
  );
  assert.equal(sentences.length, 1, sentences.join());
  assert.match(sentences[0] ?? "", /^Target elsewhere does not say .* source data hold it/);
});

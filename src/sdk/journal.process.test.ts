// What an application gets from `nines/journal`, on the real disk.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import * as sdk from "./journal.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "nines-sdk-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "state");
}

const list: sdk.StateMachine<string[], string, number, string> = {
  empty: () => [],
  apply: (state, line) => state.push(line),
  save: (state) => state.slice(),
  load: (state, line) => void state.push(line),
};

describe("nines/journal", () => {
  it("is what a package that has Nines installed imports by this name", async () => {
    const name = "nines/journal";
    const imported = (await import(name)) as typeof sdk;
    assert.deepEqual(Object.keys(imported).sort(), Object.keys(sdk).sort());
    assert.equal(imported.openJournal, sdk.openJournal);
  });

  it("keeps state from one opening to the next, by snapshot and log", async (t) => {
    const folder = folderOf(t);
    const book = await sdk.openCheckpointed(folder, list);
    assert.equal(await book.change("one"), 1);
    await book.checkpoint();
    assert.equal(await book.change("two"), 2);
    await book.close();
    const again = await sdk.openCheckpointed(folder, list);
    assert.deepEqual(again.state, ["one", "two"]);
    assert.deepEqual(again.restored, { snapshotThrough: 1, replayed: 1 });
    await again.close();
  });

  it("writes changes and items in the form that is asked for", async (t) => {
    const folder = folderOf(t);
    const codec: sdk.Codec = {
      encode: (value) => Buffer.from(`<${String(value)}>`),
      decode: (bytes) => Buffer.from(bytes).toString().slice(1, -1),
    };
    const book = await sdk.openCheckpointed(folder, list, { codec });
    await book.change("one");
    await book.close();
    const records: string[] = [];
    for await (const entry of sdk.dumpJournal(folder)) {
      if (entry.kind === "record") records.push(Buffer.from(entry.bytes).toString());
    }
    assert.deepEqual(records, ["<one>"]);
  });

  it("refuses a second opener, and nobody after a state that cannot be restored", async (t) => {
    const folder = folderOf(t);
    const book = await sdk.openCheckpointed(folder, list);
    await book.change("one");
    await assert.rejects(sdk.openJournal(folder), { code: "NINES_JOURNAL_LOCKED" });
    await book.close();
    const apply = () => {
      throw new Error("not today");
    };
    const broken = sdk.openCheckpointed(folder, { ...list, apply });
    await assert.rejects(broken, { code: "NINES_JOURNAL_APPLY", message: /Change 1 .*not today/ });
    const mended = await sdk.openCheckpointed(folder, list);
    assert.deepEqual(mended.state, ["one"]);
    await mended.close();
  });
});

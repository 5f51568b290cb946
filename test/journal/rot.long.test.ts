// Every bit of every file of a journal, turned one at a time; and a bit of every byte after a
// close.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openJournal } from "../../src/state/journal/open.ts";
import { flipEachByte, soundJournal } from "./rot.ts";
import { journalFolder } from "./trace.ts";

const everyBit = [0, 1, 2, 3, 4, 5, 6, 7];

const bits = {
  killed: () => everyBit,
  closed: (byte: number) => [byte % 8],
} as const;

for (const end of ["killed", "closed"] as const) {
  test(`no bit of a journal that was ${end} turns unnoticed`, async (t) => {
    const sound = await soundJournal(openJournal, 11, end);
    const names = sound.disk.names(journalFolder);
    const logs = names.filter((name) => name.endsWith(".log"));
    const inLog = await flipEachByte(openJournal, sound, logs, bits[end]);
    t.diagnostic(`segments: ${JSON.stringify(inLog)}`);
    assert.equal(inLog.refused, inLog.flips, "each is refused by name");
    const others = names.filter((name) => name.endsWith(".snapshot"));
    const elsewhere = await flipEachByte(openJournal, sound, others, bits[end]);
    t.diagnostic(`snapshots: ${JSON.stringify(elsewhere)}`);
    assert.ok(elsewhere["passed over"] > 100);
  });
}

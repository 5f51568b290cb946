// Every bit of every file of a journal, turned one at a time; and a bit of every byte after a
// close.

import assert from "node:assert/strict";
import { openJournal } from "../../src/state/journal/open.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { flipEachByte, soundJournal } from "./rot.ts";
import { journalFolder } from "./trace.ts";

const everyBit = [0, 1, 2, 3, 4, 5, 6, 7];

const unnoticed =
  (end: "killed" | "closed", bits: (byte: number) => readonly number[]) =>
  async (tell: (line: string) => void): Promise<void> => {
    const sound = await soundJournal(openJournal, 11, end);
    const names = sound.disk.names(journalFolder);
    const logs = names.filter((name) => name.endsWith(".log"));
    const inLog = await flipEachByte(openJournal, sound, logs, bits);
    tell(`segments: ${JSON.stringify(inLog)}`);
    assert.equal(inLog.refused, inLog.flips, "each is refused by name");
    const others = names.filter((name) => name.endsWith(".snapshot"));
    const elsewhere = await flipEachByte(openJournal, sound, others, bits);
    tell(`snapshots: ${JSON.stringify(elsewhere)}`);
    assert.ok(elsewhere["passed over"] > 100);
  };

await testUntracked({
  "no bit of a journal that was killed turns unnoticed": unnoticed("killed", () => everyBit),
  "no bit of a journal that was closed turns unnoticed": unnoticed("closed", (at) => [at % 8]),
});

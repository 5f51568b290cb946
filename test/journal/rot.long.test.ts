// Every bit of every file of a journal, turned one at a time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openJournal } from "../../src/state/journal/open.ts";
import { flipEachByte, soundJournal } from "./rot.ts";
import { journalFolder } from "./trace.ts";

for (const end of ["closed", "killed"] as const) {
  test(`no bit of a journal that was ${end} turns unnoticed`, async (t) => {
    const sound = await soundJournal(openJournal, 11, end);
    const names = sound.disk.names(journalFolder);
    const bits = [0, 1, 2, 3, 4, 5, 6, 7];
    const findings = await flipEachByte(openJournal, sound, names, () => bits);
    t.diagnostic(JSON.stringify(findings));
    assert.ok(findings.flips > 100_000);
  });
}

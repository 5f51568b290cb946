// Every call of a journal's disk fails once, in every way; and from then on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openJournal } from "../../src/state/journal/open.ts";
import { failAtEach, failAtRemovals } from "./trouble.ts";

for (const kind of ["io", "full", "read-only", "not-allowed"] as const) {
  for (const forever of [false, true]) {
    test(`"${kind}", ${forever ? "from each call on" : "at each call"}`, async () => {
      const codes = await failAtEach(openJournal, { kind, forever, calls: 400, stride: 1 });
      assert.ok(codes.has("NINES_JOURNAL_FAILED"), `codes: ${[...codes].join(", ")}`);
    });
  }
}

test("files that cannot be removed", () => failAtRemovals(openJournal));

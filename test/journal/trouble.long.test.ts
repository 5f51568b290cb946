// Every call of a journal's disk fails once, in every way; and from then on.

import assert from "node:assert/strict";
import { openJournal } from "../../src/state/journal/open.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { failAtEach, failAtRemovals } from "./trouble.ts";

const kinds = ["io", "full", "read-only", "not-allowed"] as const;
const ways = kinds.flatMap((kind) => [false, true].map((forever) => ({ kind, forever })));

await testUntracked({
  ...Object.fromEntries(
    ways.map(({ kind, forever }) => [
      `"${kind}", ${forever ? "from each call on" : "at each call"}`,
      async () => {
        const codes = await failAtEach(openJournal, { kind, forever, calls: 400, stride: 1 });
        assert.ok(codes.has("NINES_JOURNAL_FAILED"), `codes: ${[...codes].join(", ")}`);
      },
    ]),
  ),
  "files that cannot be removed": () => failAtRemovals(openJournal),
});

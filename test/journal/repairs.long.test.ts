// Repairs at many more bytes of a journal, each with power losses at every point.

import assert from "node:assert/strict";
import { testUntracked } from "../untracked.fixture.ts";
import { repairAtBytes } from "./repairs.ts";

const repairs =
  (end: "closed" | "killed") =>
  async (tell: (line: string) => void): Promise<void> => {
    const counts = await repairAtBytes(end, 61);
    tell(JSON.stringify(counts));
    assert.ok(counts["nothing lost"] > 50 && counts["records lost"] > 50);
  };

await testUntracked({
  "repairs of a journal that was closed do what they say, cut short or not": repairs("closed"),
  "repairs of a journal that was killed do what they say, cut short or not": repairs("killed"),
});

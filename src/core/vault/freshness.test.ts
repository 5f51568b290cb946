// What counts as too old.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FreshnessQuestion, judgeFreshness } from "./freshness.ts";

const nowMs = 1_800_000_000_000;
const hourMs = 3_600_000;

function ask(change: Partial<FreshnessQuestion>) {
  const question: FreshnessQuestion = {
    source: "shop",
    found: undefined,
    failedDrills: [],
    staleAfterMs: 2 * hourMs,
    sinceMs: nowMs - hourMs,
    ...change,
  };
  return judgeFreshness(question, nowMs);
}

function restorable(agoMs: number, broken = 0, reason = "") {
  const found = { snapshot: "ab12cd34ef", startedMs: nowMs - agoMs };
  return { source: "shop", restorable: found, broken, reason };
}

describe("the age of what could be restored", () => {
  it("is that of the newest whole snapshot, from its beginning", () => {
    const verdict = ask({ found: restorable(2 * hourMs) });
    assert.equal(verdict.isStale, false);
    const { isStale, sentence } = ask({ found: restorable(2 * hourMs + 1) });
    assert.equal(isStale, true);
    assert.equal(
      sentence,
      "The newest snapshot of shop that can be restored is 2 h old; 2 h are allowed.",
    );
  });

  it("does not count newer snapshots that are not whole, and names them", () => {
    const { isStale, sentence } = ask({ found: restorable(3 * hourMs, 2, 'cd lacks "text"') });
    assert.equal(isStale, true);
    assert.match(sentence, /; newer ones that are not whole: 2, cd lacks "text"\.$/);
  });

  it("is an alarm at once when no snapshot is whole, or a drill could not restore the newest", () => {
    const none = { source: "shop", broken: 3, reason: "cd lacks its root" };
    assert.match(ask({ found: none }).sentence, /^None of the newest 3 snapshots of shop can be/);
    assert.equal(ask({ found: none, staleAfterMs: undefined }).isStale, true);
    const drilled = ask({ found: restorable(1), failedDrills: ["ab12cd34ef"] });
    assert.deepEqual(drilled, {
      isStale: true,
      sentence: "A drill could not restore snapshot ab12cd34 of shop, its newest.",
    });
    assert.equal(ask({ found: restorable(1), failedDrills: ["another"] }).isStale, false);
  });

  it("gives a new source the same time for its first snapshot, when it is known how new it is", () => {
    assert.equal(ask({}).isStale, false);
    assert.equal(ask({ sinceMs: nowMs - 3 * hourMs }).isStale, true);
    assert.equal(ask({ sinceMs: undefined }).isStale, true);
  });

  it("is nobody's business where no limit is set, and a clock that went back makes nothing old", () => {
    assert.equal(
      ask({ staleAfterMs: undefined, found: restorable(9_999 * hourMs) }).isStale,
      false,
    );
    assert.equal(ask({ found: restorable(-hourMs) }).isStale, false);
  });
});

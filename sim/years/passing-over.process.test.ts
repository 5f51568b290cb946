// Time that is passed over changes nothing: not one decision, not one millisecond, not one
// sentence.

import assert from "node:assert/strict";
import { nextTick } from "node:process";
import { describe, it } from "node:test";
import { comparePassing } from "./passing-over.ts";

const hourMs = 3_600_000;
/** Every promise callback has run when this does. */
const boundary = (): Promise<void> => new Promise((resolve) => nextTick(resolve));

describe("a lifetime that passes over time", () => {
  for (const seed of [1, 4, 6, 50]) {
    it(`is the same as one that lives through it, seed ${seed}`, async () => {
      const { difference, faults, passed } = await comparePassing(seed, 3 * hourMs, { boundary });
      assert.equal(difference, undefined);
      assert.ok(faults > 0, "something happened");
      assert.ok(passed > 0.9, `only ${passed} of the time was passed over`);
    });
  }

  it("crosses the boundary wherever there are promises", async () => {
    const careful = { boundary, settleAlways: true };
    const { difference } = await comparePassing(4, hourMs, careful);
    assert.equal(difference, undefined);
    const quick = await comparePassing(4, hourMs, { boundary });
    const slow = await comparePassing(4, hourMs, careful);
    assert.deepEqual(quick.events, slow.events);
  });
});

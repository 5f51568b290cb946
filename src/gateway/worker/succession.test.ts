// The succession, row by row of its table.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nextStep } from "./succession.ts";

const identity = { pid: 7, startTime: "1" };
const step = (lostTerm: number, term: number, alive: boolean, seenMs: number) =>
  nextStep({ lostTerm, holder: { term, identity, alive }, holderSeenMs: 0 }, seenMs);

describe("a worker without a parent", () => {
  it("claims at once when nobody holds the office or the holder is dead", () => {
    assert.equal(nextStep({ lostTerm: 0, holder: undefined, holderSeenMs: 0 }, 0), "claim");
    // The parent that it lost; then a claimant or a new parent that died on the way, twice.
    for (const term of [1, 2, 3, 4, 5]) assert.equal(step(1, term, false, 0), "claim");
  });

  it("waits between claims when parents go on dying before they serve", () => {
    assert.equal(step(1, 6, false, 199), "wait");
    assert.equal(step(1, 6, false, 200), "claim");
    assert.equal(step(1, 9, false, 399), "wait");
    assert.equal(step(1, 9, false, 400), "claim");
    assert.equal(step(1, 1_001, false, 5_000), "claim");
  });

  it("waits a second for a holder that lives, then takes the office over its head", () => {
    for (const term of [1, 2, 3]) {
      assert.equal(step(1, term, true, 999), "wait");
      assert.equal(step(1, term, true, 1_000), "supersede");
    }
  });

  it("waits longer each time a parent was not ready in time", () => {
    assert.equal(step(1, 4, true, 1_999), "wait");
    assert.equal(step(1, 4, true, 2_000), "supersede");
    assert.equal(step(1, 1_001, true, 15_999), "wait");
    assert.equal(step(1, 1_001, true, 16_000), "supersede");
  });

  it("never waits for ever, whatever it sees", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(2_000), fc.boolean(), (lost, term, alive) => {
        assert.notEqual(step(lost, term, alive, 16_000), "wait");
      }),
    );
  });
});

// One quick return is free, the second waits; whatever flaps how, three changes a minute.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { flapWindowMs, heldUntilMs, mayReturn, neverChanged, withChange } from "./flap-damping.ts";

test("whoever never changed, or changed once, returns at once", () => {
  assert.ok(mayReturn(neverChanged, 0));
  assert.ok(mayReturn(withChange(neverChanged, 5), 5));
});

test("after out, in, out, the return waits until the first return is a minute old", () => {
  const flapping = [0, 2_000, 4_000].reduce(withChange, neverChanged);
  assert.equal(heldUntilMs(flapping), 62_000);
  assert.equal(mayReturn(flapping, 61_999), false);
  assert.equal(mayReturn(flapping, 62_000), true);
});

test("a crash every few minutes never waits", () => {
  let changes = neverChanged;
  for (let atMs = 0; atMs < 3_600_000; atMs += 2 * flapWindowMs) {
    changes = withChange(changes, atMs);
    assert.ok(mayReturn(changes, atMs + 500));
    changes = withChange(changes, atMs + 500);
  }
});

/** The changes that reach the traffic, of an instance that is well and unwell for given times. */
function changesOf(spells: readonly number[]): readonly number[] {
  const reached: number[] = [];
  let changes = neverChanged;
  let inTraffic = true;
  let nowMs = 0;
  const change = (atMs: number): void => {
    changes = withChange(changes, atMs);
    reached.push(atMs);
    inTraffic = !inTraffic;
  };
  for (const [index, spellMs] of spells.entries()) {
    const endMs = nowMs + spellMs;
    const well = index % 2 === 0;
    if (!well && inTraffic) change(nowMs);
    const returnMs = Math.max(nowMs, heldUntilMs(changes));
    if (well && !inTraffic && returnMs < endMs) {
      assert.ok(mayReturn(changes, returnMs));
      change(returnMs);
    }
    nowMs = endMs;
  }
  return reached;
}

const spells = fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 60, size: "max" });

test("never more than three changes in any minute, in whatever rhythm", () => {
  fc.assert(
    fc.property(spells, (each) => {
      const reached = changesOf(each);
      for (const fromMs of reached) {
        const within = reached.filter((at) => at >= fromMs && at < fromMs + flapWindowMs);
        assert.ok(within.length <= 3, `${within.length} changes from ${fromMs} on`);
      }
    }),
  );
});

test("nobody who stays well is held for longer than a minute", () => {
  fc.assert(
    fc.property(spells, (each) => {
      let changes = neverChanged;
      let nowMs = 0;
      for (const gapMs of each) {
        nowMs += gapMs;
        changes = withChange(changes, nowMs);
        assert.ok(heldUntilMs(changes) <= nowMs + flapWindowMs);
      }
    }),
  );
});

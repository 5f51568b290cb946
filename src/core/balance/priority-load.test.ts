// Every worked row of Envoy's two pages on priority levels, in whole percent.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { spreadOverLevels } from "./priority-load.ts";

interface Spread {
  readonly load: readonly number[];
  readonly panic: readonly boolean[];
}

/** Levels of a hundred instances each, so that a share is a number. */
function spread(wellPercent: readonly number[], panicRatio = 0.5, factor = 1.4): Spread {
  const levels = wellPercent.length;
  const loads = { load: new Float64Array(levels), panic: new Uint8Array(levels) };
  const all = new Int32Array(levels).fill(100);
  spreadOverLevels(Int32Array.from(wellPercent), all, factor, panicRatio, loads);
  return { load: [...loads.load], panic: [...loads.panic].map((flag) => flag === 1) };
}

const calm = [false, false, false];

test("two levels, the second well: what the first cannot carry goes there", () => {
  for (const [well, first, second] of [
    [100, 100, 0],
    [72, 100, 0],
    [71, 99, 1],
    [50, 70, 30],
    [25, 35, 65],
    [0, 0, 100],
  ] as const) {
    assert.deepEqual(spread([well, 100]), { load: [first, second], panic: calm.slice(1) });
  }
});

test("two levels that are both ill: panic only when both together are not enough", () => {
  for (const [well, load, panic] of [
    [
      [100, 100],
      [100, 0],
      [false, false],
    ],
    [
      [72, 72],
      [100, 0],
      [false, false],
    ],
    [
      [71, 71],
      [99, 1],
      [false, false],
    ],
    [
      [50, 50],
      [70, 30],
      [false, false],
    ],
    [
      [50, 60],
      [70, 30],
      [false, false],
    ],
    [
      [25, 100],
      [35, 65],
      [false, false],
    ],
    [
      [25, 25],
      [50, 50],
      [true, true],
    ],
    [
      [5, 65],
      [7, 93],
      [true, false],
    ],
  ] as const) {
    assert.deepEqual(spread(well), { load, panic });
  }
});

test("three levels: each takes what it can carry of what is left", () => {
  for (const [well, load] of [
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [72, 72, 100],
      [100, 0, 0],
    ],
    [
      [71, 71, 100],
      [99, 1, 0],
    ],
    [
      [50, 50, 100],
      [70, 30, 0],
    ],
    [
      [25, 100, 100],
      [35, 65, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
    [
      [25, 25, 20],
      [36, 36, 28],
    ],
  ] as const) {
    assert.deepEqual(spread(well).load, load);
  }
});

test("panic begins at the threshold itself, as it does without over-provisioning", () => {
  assert.deepEqual(spread([50, 20]), { load: [71, 29], panic: [true, true] });
  assert.deepEqual(spread([51, 20]).panic, [false, true]);
});

test("no threshold, no panic; nobody well, nothing to spread", () => {
  assert.deepEqual(spread([25, 25], 0).panic, [false, false]);
  assert.deepEqual(spread([0, 0], 0), { load: [0, 0], panic: [false, false] });
});

test("whatever is well: all of the traffic goes somewhere, and none where nobody is", () => {
  const levels = fc.array(fc.nat(100), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(levels, fc.integer({ min: 10, max: 50 }), (well, tenths) => {
      const { load } = spread(well, 0.5, tenths / 10);
      const sum = load.reduce((total, each) => total + each, 0);
      assert.equal(sum, well.some((each) => each > 0) ? 100 : 0);
      for (const [level, each] of load.entries()) {
        assert.ok(each >= 0);
        if (well[level] === 0) assert.equal(each, 0);
      }
    }),
  );
});

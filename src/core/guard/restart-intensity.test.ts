// The edges of the window, and agreement with counting all ends ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isCrashLoop, withEnd } from "./restart-intensity.ts";

const intensity = { count: 5, withinMs: 60_000 };

function after(endsMs: readonly number[]): readonly number[] {
  return endsMs.reduce<readonly number[]>((ends, at) => withEnd(ends, at, intensity), []);
}

test("the fifth end within a minute is a crash loop, the fourth is not", () => {
  assert.equal(isCrashLoop(after([0, 1, 2, 3]), 3, intensity), false);
  assert.equal(isCrashLoop(after([0, 1, 2, 60_000]), 60_000, intensity), false);
  assert.equal(isCrashLoop(after([0, 1, 2, 3, 60_000]), 60_000, intensity), true);
  assert.equal(isCrashLoop(after([0, 1, 2, 3, 60_001]), 60_001, intensity), false);
});

test("a crash loop is over when its first end is long enough ago", () => {
  const ends = after([0, 1, 2, 3, 4]);
  assert.equal(isCrashLoop(ends, 60_000, intensity), true);
  assert.equal(isCrashLoop(ends, 60_001, intensity), false);
});

test("agrees with counting all ends ever, and remembers no more than it needs", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 40 }), (gaps) => {
      let nowMs = 0;
      let ends: readonly number[] = [];
      const all: number[] = [];
      for (const gap of gaps) {
        nowMs += gap;
        all.push(nowMs);
        ends = withEnd(ends, nowMs, intensity);
        const recent = all.filter((at) => nowMs - at <= intensity.withinMs).length;
        assert.equal(isCrashLoop(ends, nowMs, intensity), recent >= intensity.count);
        assert.ok(ends.length <= intensity.count);
      }
    }),
  );
});

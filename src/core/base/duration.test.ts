// Durations in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sayDuration } from "./duration.ts";

test("a duration is said in the unit that fits it", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 ms"],
    [0.4, "0 ms"],
    [200, "200 ms"],
    [999.4, "999 ms"],
    [999.6, "1 s"],
    [1_500, "1.5 s"],
    [9_960, "10 s"],
    [12_300, "12 s"],
    [59_600, "1 min"],
    [60_000, "1 min"],
    [59.6 * 60_000, "1 h"],
    [125 * 60_000, "2 h 5 min"],
    [24 * 3_600_000, "1 d"],
    [98 * 3_600_000, "4 d 2 h"],
  ];
  for (const [durationMs, said] of cases) assert.equal(sayDuration(durationMs), said);
});

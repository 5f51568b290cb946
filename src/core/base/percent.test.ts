// How shares are said.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sayPercent } from "./percent.ts";

test("a share reads as a person would say it", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0%"],
    [0.0002, "0.02%"],
    [0.1, "10%"],
    [0.125, "13%"],
    [0.07 * 3, "21%"],
    [0.994, "99%"],
    [0.995, "99.5%"],
    [0.999, "99.9%"],
    [0.99996, "99.996%"],
    [1, "100%"],
    [2.5, "250%"],
  ];
  for (const [ratio, said] of cases) assert.equal(sayPercent(ratio), said);
});

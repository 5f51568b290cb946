// A bad version is found out soon, and a good one is not blamed for chance.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng } from "../base/prng.ts";
import { clearlyWorse, noErrors } from "./compare-errors.ts";

function counts(errors: number, requests: number) {
  return { errors, requests };
}

test("what is clearly worse, and what may be chance", () => {
  const cases: readonly (readonly [string, number, number, number, number, boolean])[] = [
    // of the new version: errors, requests; of the old one: errors, requests
    ["all fail", 5, 5, 0, 100, true],
    ["four failures prove nothing", 4, 4, 0, 1_000, false],
    ["a tenth fails", 20, 200, 0, 2_000, true],
    ["both fail alike", 100, 200, 1_000, 2_000, false],
    ["the old one is worse", 10, 200, 400, 2_000, false],
    ["nobody knows how the old one does", 50, 100, 0, 0, false],
    ["certain, and too little to matter", 1_000, 1_000_000, 0, 1_000_000, false],
    ["certain, and not twice as many", 150, 1_000, 1_000, 10_000, false],
    ["nothing came", 0, 0, 0, 0, false],
  ];
  for (const [name, newErrors, newRequests, oldErrors, oldRequests, worse] of cases) {
    const why = clearlyWorse(counts(newErrors, newRequests), counts(oldErrors, oldRequests));
    assert.equal(why !== undefined, worse, name);
  }
});

test("it says how many of how many", () => {
  assert.equal(
    clearlyWorse(counts(12, 40), counts(3, 1_000)),
    "12 of 40 requests (30%) of the new version failed, 3 of 1000 requests (0.3%) of the old",
  );
});

/** Looks after every 10 requests of the new and 20 of the old version, 400 times. */
function looks(seed: number, newShare: number, oldShare: number): number | undefined {
  const random = createPrng(seed);
  let [fresh, old] = [noErrors, noErrors];
  for (let look = 1; look <= 400; look++) {
    const failed = (requests: number, share: number): number =>
      Array.from({ length: requests }, () => random.ratio()).filter((draw) => draw < share).length;
    fresh = counts(fresh.errors + failed(10, newShare), fresh.requests + 10);
    old = counts(old.errors + failed(20, oldShare), old.requests + 20);
    if (clearlyWorse(fresh, old) !== undefined) return look;
  }
  return undefined;
}

test("asked 400 times in each of 300 good deploys, it never blames one", () => {
  for (const share of [0.001, 0.02, 0.2]) {
    for (let seed = 0; seed < 100; seed++) assert.equal(looks(seed, share, share), undefined);
  }
});

test("a version that fails a twentieth of its requests is found within a thousand of them", () => {
  for (let seed = 0; seed < 100; seed++) {
    assert.ok((looks(seed, 0.05, 0.001) ?? Number.POSITIVE_INFINITY) <= 100, `seed ${seed}`);
  }
});

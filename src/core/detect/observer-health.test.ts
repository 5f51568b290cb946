// When an observer doubts itself, by how much, and how soon it is over.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  lagged,
  observerWindowMs,
  patienceFactor,
  patientFall,
  pointsOfLag,
  scoreMax,
  wellObserver,
  windowEnded,
} from "./observer-health.ts";

const quiet = { asked: 5, silent: 0 };

test("a lag of 100 ms is worth a point, each doubling one more, seven at most", () => {
  const cases: readonly (readonly [number, number])[] = [
    [0, 0],
    [99, 0],
    [100, 1],
    [199, 1],
    [200, 2],
    [1_600, 5],
    [6_400, 7],
    [3_600_000, scoreMax],
  ];
  for (const [lagMs, points] of cases) assert.equal(pointsOfLag(lagMs), points, `${lagMs} ms`);
});

test("a stop of ten seconds stretches timeouts eightfold, for seven windows", () => {
  let health = lagged(wellObserver, 10_000);
  assert.equal(patienceFactor(health), 8);
  assert.equal(patientFall(health, 3), 6);
  for (let window = 0; window < 7; window++) health = windowEnded(health, quiet, 0);
  assert.deepEqual(health, wellObserver);
  assert.equal(observerWindowMs, 1_000);
});

test("one lag that hits a hundred timers counts once", () => {
  let health = wellObserver;
  for (let timer = 0; timer < 100; timer++) health = lagged(health, 250);
  assert.equal(patienceFactor(health), 3);
});

test("several silent ones, and most of all, speak against the observer; one does not", () => {
  const after = (asked: number, silent: number): number =>
    patienceFactor(windowEnded(wellObserver, { asked, silent }, 0));
  assert.equal(after(3, 1), 1);
  assert.equal(after(1, 1), 1, "the only one there is may well be dead");
  assert.equal(after(5, 2), 1);
  assert.equal(after(2, 2), 2);
  assert.equal(after(5, 3), 2);
});

test("however long many are silent, that alone stretches timeouts threefold at most", () => {
  let health = wellObserver;
  for (let window = 0; window < 100; window++)
    health = windowEnded(health, { asked: 9, silent: 9 }, 0);
  assert.equal(patienceFactor(health), 3);
  const lagging = windowEnded(lagged(health, 10_000), { asked: 9, silent: 9 }, 10_000);
  assert.equal(patienceFactor(lagging), 8);
});

test("a well observer is as quick as its settings say, a sick one 8 times slower at most", () => {
  const window = fc.record({
    asked: fc.nat(50),
    silent: fc.nat(50),
    lagMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(window), (windows) => {
      let health = wellObserver;
      for (const { asked, silent, lagMs } of windows) {
        health = windowEnded(lagged(health, lagMs), { asked: asked + silent, silent }, lagMs);
        assert.ok(patienceFactor(health) >= 1 && patienceFactor(health) <= 8);
        assert.ok(patientFall(health, 3) <= 6);
      }
      for (let rest = 0; rest < scoreMax; rest++) health = windowEnded(health, quiet, 0);
      assert.equal(patienceFactor(health), 1);
      assert.equal(patientFall(health, 3), 3);
    }),
  );
});

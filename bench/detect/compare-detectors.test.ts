// Phi against fixed timeouts over labelled histories: better on both counts, and where it is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng } from "../../src/core/base/prng.ts";
import { countMissed } from "../../src/core/detect/missed-heartbeats.ts";
import { PhiAccrual, phiSettings } from "../../src/core/detect/phi-accrual.ts";
import {
  compareDetectors,
  type DetectorFigures,
  fixedTimeout,
  follow,
  smallestTimeoutMs,
} from "./compare-detectors.ts";
import { heartbeatHistories } from "./heartbeat-histories.ts";

const histories = heartbeatHistories(createPrng(1), 20);
const phi = { name: "phi", create: (everyMs: number) => new PhiAccrual(phiSettings(everyMs, 8)) };

function overall(figures: readonly DetectorFigures[]): DetectorFigures {
  const found = figures.find(({ world }) => world === "all");
  assert.ok(found !== undefined);
  return found;
}

test("phi has fewer false alarms than three missed heartbeats, and is quicker", () => {
  const missed = {
    name: "3 missed",
    create: (everyMs: number) => countMissed({ everyMs, misses: 3 }),
  };
  const [adaptive, counted] = [phi, missed].map((one) =>
    overall(compareDetectors([one], histories)),
  );
  assert.ok(adaptive !== undefined && counted !== undefined);
  assert.ok(adaptive.falseAlarms < counted.falseAlarms);
  assert.ok(adaptive.meanDelayMs < counted.meanDelayMs);
});

test("with as many false alarms, the best fixed timeout takes half a second longer", () => {
  const adaptive = overall(compareDetectors([phi], histories));
  const timeoutMs = smallestTimeoutMs(histories, adaptive.falseAlarms);
  const fixed = { name: "fixed", create: () => fixedTimeout(timeoutMs) };
  const best = overall(compareDetectors([fixed], histories));
  assert.ok(best.falseAlarms >= adaptive.falseAlarms, "a shorter one would have more");
  assert.ok(adaptive.meanDelayMs < best.meanDelayMs - 500);
});

test("the parameters that Akka ships are slower than a fixed timeout with as few alarms", () => {
  const akka = {
    name: "Akka",
    create: (everyMs: number) =>
      new PhiAccrual({ everyMs, phi: 8, pauseMs: 3_000, sigmaMinMs: 100 }),
  };
  const shipped = overall(compareDetectors([akka], histories));
  const timeoutMs = smallestTimeoutMs(histories, shipped.falseAlarms);
  const fixed = { name: "fixed", create: () => fixedTimeout(timeoutMs + 1) };
  assert.ok(shipped.meanDelayMs > overall(compareDetectors([fixed], histories)).meanDelayMs);
});

test("a false alarm is a patience that ran out while the sender lived, and no other", () => {
  const history = {
    world: "",
    everyMs: 1_000,
    arrivalsMs: [0, 1_000, 5_000, 6_000],
    diesAtMs: 6_500,
  };
  assert.deepEqual(follow(fixedTimeout(2_000), history), { falseAlarms: 1, delayMs: 1_500 });
  assert.deepEqual(follow(fixedTimeout(4_000), history), { falseAlarms: 0, delayMs: 3_500 });
});

test("the same seed gives the same histories", () => {
  assert.deepEqual(heartbeatHistories(createPrng(1), 2), heartbeatHistories(createPrng(1), 2));
});

// The first arithmetic, with the numbers that popular articles get wrong.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng } from "../base/prng.ts";
import {
  detectionTime,
  downtimeMinutesPerYear,
  nines,
  retriedTime,
  sayAvailability,
  unavailability,
} from "./availability.ts";
import { near, nearRelative, published } from "./golden.fixture.ts";

describe("what articles say, and what it is", () => {
  published("aws", "availability: 99 % is 3 days 15 hours a year", () => {
    near(downtimeMinutesPerYear(0.01) / 60, 3 * 24 + 15, 1);
  });

  published(
    "aws",
    "availability: 99.999 % is 5 minutes a year, and 99.99 % is 52.6 and not 5",
    () => {
      near(downtimeMinutesPerYear(1e-5), 5, 0.5);
      near(downtimeMinutesPerYear(1e-4), 52.6, 0.05);
    },
  );

  it("2 minutes a try, 3 after, tries that succeed with 0.01: 203 minutes, and not 17", () => {
    const { mean } = retriedTime({ attemptTime: 2, successProbability: 0.01, afterTime: 3 });
    near(mean, 203, 1e-12);
    near((2 * 0.99) / 0.01 + 2 + 3, mean, 1e-12); // the article's own formula, evaluated
    near(retriedTime({ attemptTime: 2, successProbability: 0.99, afterTime: 3 }).mean, 5.02, 5e-3);
    near(retriedTime({ attemptTime: 2, successProbability: 1 / 7, afterTime: 3 }).mean, 17, 1e-12);
  });
});

describe("times", () => {
  it("a retried time's quantile is the least number of tries that succeed as often", () => {
    const p = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        p,
        fc.double({ min: 0.01, max: 0.999, noNaN: true }),
        (successProbability, wanted) => {
          const { quantile } = retriedTime({ attemptTime: 2, successProbability });
          let tries = 1;
          while (1 - (1 - successProbability) ** tries < wanted - 1e-9) tries++;
          assert.equal(quantile(wanted), 2 * tries);
        },
      ),
    );
  });

  it("a retried time has the mean and the deviation of drawn tries", () => {
    const random = createPrng(5);
    const { mean, standardDeviation } = retriedTime({
      attemptTime: 2,
      successProbability: 0.3,
      afterTime: 3,
    });
    let [sum, squares] = [0, 0];
    const draws = 20_000;
    for (let draw = 0; draw < draws; draw++) {
      let time = 5;
      while (random.ratio() >= 0.3) time += 2;
      sum += time;
      squares += time * time;
    }
    near(sum / draws, mean, (4 * standardDeviation) / Math.sqrt(draws));
    nearRelative(Math.sqrt(squares / draws - (sum / draws) ** 2), standardDeviation, 0.05);
  });

  it("detection: three misses of a check each second with a timeout of 0.2 s", () => {
    assert.deepEqual(detectionTime({ interval: 1, timeout: 0.2, misses: 3 }), {
      mean: 2.7,
      max: 3.2,
    });
  });

  it("up 999 hours and down 1 is three nines", () => {
    nearRelative(unavailability({ meanUpTime: 999, meanDownTime: 1 }), 0.001, 1e-15);
    near(nines(unavailability({ meanUpTime: 999, meanDownTime: 1 })), 3, 1e-12);
  });
});

describe("never a false 100 %", () => {
  it("an availability is said with the digits that tell it from 100 %, and rounded down", () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, "100 %"],
      [1e-4, "99.990 %"],
      [0.00123, "99.87 %"],
      [0.05, "95.0 %"],
      [0.5, "50.0 %"],
      [1, "0.0 %"],
      [1e-9, "99.99999990 %"],
      [3e-17, "99.9999999999999970 %"],
      [1e-30, "99.99999999999999999999 %"],
    ];
    for (const [down, said] of cases) assert.equal(sayAvailability(down), said);
    fc.assert(
      fc.property(fc.double({ min: 1e-18, max: 1, noNaN: true }), (down) => {
        assert.ok(!sayAvailability(down).startsWith("100"));
      }),
    );
  });

  it("no time to repair, or failures that never come, are refused", () => {
    const wrong = { code: "NINES_MODEL_INPUT" };
    assert.throws(() => unavailability({ meanUpTime: 1, meanDownTime: 0 }), wrong);
    assert.throws(() => unavailability({ meanUpTime: Infinity, meanDownTime: 1 }), wrong);
    assert.throws(() => retriedTime({ attemptTime: 2, successProbability: 0 }), wrong);
    assert.throws(() => downtimeMinutesPerYear(1.5), wrong);
  });
});

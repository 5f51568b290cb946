// Estimates: they cover what they claim to, and common random numbers pay.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng } from "../../base/prng.ts";
import { near, nearRelative } from "../golden.fixture.ts";
import { redundantService } from "../markov/redundant-service.ts";
import { transient } from "../markov/transient.ts";
import { lnGamma } from "../numeric/special.ts";
import { kOfN } from "../structure/redundancy.ts";
import { compareMeans, estimateMean, estimateProbability, proportion } from "./estimate.ts";
import { liveThrough } from "./trajectory.ts";

describe("intervals", () => {
  it("of Clopper and Pearson: no hits in n trials is at most 1 - (alpha / 2)^(1 / n)", () => {
    for (const trials of [1, 10, 1000]) {
      const { lower, upper } = proportion(0, trials, 0.95);
      assert.equal(lower, 0);
      nearRelative(upper, 1 - 0.025 ** (1 / trials), 1e-9);
      const all = proportion(trials, trials, 0.95);
      nearRelative(all.lower, 0.025 ** (1 / trials), 1e-9);
      assert.equal(all.upper, 1);
    }
  });

  it("of Clopper and Pearson hold at least as often as they say, for any probability", () => {
    const p = fc.double({ min: 0.001, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(p, fc.integer({ min: 2, max: 40 }), (probability, trials) => {
        let covered = 0;
        for (let hits = 0; hits <= trials; hits++) {
          const { lower, upper } = proportion(hits, trials, 0.9);
          if (probability < lower || probability > upper) continue;
          const ways = lnGamma(trials + 1) - lnGamma(hits + 1) - lnGamma(trials - hits + 1);
          const log = hits * Math.log(probability) + (trials - hits) * Math.log1p(-probability);
          covered += Math.exp(ways + log);
        }
        assert.ok(covered >= 0.9 - 1e-12);
      }),
    );
  });

  it("of a mean hold the mean of what is drawn in about 90 of 100 runs", () => {
    let inside = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const { lower, upper } = estimateMean({ trials: 12, seed, confidence: 0.9 }, (random) => {
        return random.ratio() + random.ratio() + random.ratio();
      });
      if (lower <= 1.5 && 1.5 <= upper) inside++;
    }
    assert.ok(inside > 866 && inside < 931, `${inside}`); // 99.9 % of 1000 draws at 0.9
  });
});

describe("simulation agrees with the models", () => {
  it("two of three parts of 10 %: the exact value is within the 99.9 % interval", () => {
    const parts = [0.1, 0.1, 0.1];
    const found = estimateProbability({ trials: 20_000, seed: 1, confidence: 0.999 }, (random) => {
      return parts.filter((q) => random.ratio() < q).length >= 2;
    });
    assert.ok(found.lower <= kOfN(2, parts) && kOfN(2, parts) <= found.upper);
    assert.ok(found.upper - found.lower < 0.01);
  });

  it("lives of a redundant service spend their time as the transient solution says", () => {
    const { chain } = redundantService({
      instances: 3,
      needed: 2,
      failureRate: 0.2,
      repairRate: 1,
      crews: 1,
      failover: { coverage: 0.9, reconfigurationRate: 20, manualRate: 2 },
    });
    const { occupancy } = transient(chain, { start: 0, time: 10 });
    for (let state = 0; state < chain.size; state++) {
      const { lower, upper } = estimateMean(
        { trials: 2000, seed: 2, confidence: 0.9999 },
        (random) => {
          return liveThrough(chain, random, { start: 0, time: 10 }).occupancy[state] as number;
        },
      );
      const exact = occupancy[state] as number;
      assert.ok(lower <= exact && exact <= upper, `${state}: ${lower} ${exact} ${upper}`);
    }
  });

  it("a life ends at its time, and its stays sum to it", () => {
    const { chain } = redundantService({ instances: 2, needed: 1, failureRate: 1, repairRate: 3 });
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0.001, max: 50, noNaN: true }), (seed, time) => {
        const life = liveThrough(chain, createPrng(seed), { start: 0, time });
        nearRelative(life.time, time, 1e-12);
        nearRelative(
          life.occupancy.reduce((sum, stay) => sum + stay, 0),
          time,
          1e-12,
        );
      }),
    );
  });
});

describe("comparisons", () => {
  it("with common random numbers see a small change that separate ones would not", () => {
    const life = (rate: number) => (random: ReturnType<typeof createPrng>) =>
      -Math.log1p(-random.ratio()) / rate;
    const options = { trials: 500, seed: 3, confidence: 0.99 };
    const { before, after, difference, varianceRatio } = compareMeans(options, life(1), life(1.02));
    const exact = 1 / 1.02 - 1;
    assert.ok(difference.lower <= exact && exact <= difference.upper && difference.upper < 0);
    assert.ok(before.lower < after.upper && after.lower < before.upper); // the two alone overlap
    assert.ok(varianceRatio > 1000);
    near(difference.value, after.value - before.value, 1e-12);
  });

  it("a seed repeats, another does not, and more trials go on from the same ones", () => {
    const draw = (seed: number, trials: number) => {
      const seen: number[] = [];
      estimateMean({ seed, trials }, (random) => {
        seen.push(random.ratio());
        return 0;
      });
      return seen;
    };
    assert.deepEqual(draw(1, 10), draw(1, 10));
    assert.notDeepEqual(draw(1, 10), draw(2, 10));
    assert.deepEqual(draw(1, 20).slice(0, 10), draw(1, 10));
  });

  it("too few trials, and a trial that returns no number, are refused", () => {
    const wrong = { code: "NINES_MODEL_INPUT" };
    assert.throws(() => estimateMean({ trials: 1, seed: 1 }, () => 1), wrong);
    assert.throws(() => estimateMean({ trials: 2, seed: 1 }, () => Number.NaN), wrong);
    assert.throws(() => proportion(3, 2), wrong);
  });
});

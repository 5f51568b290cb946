// Fits and counts against published results, against what they maximise, and against drawn data.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng } from "../../base/prng.ts";
import { near, nearRelative, published } from "../golden.fixture.ts";
import { ageReplacement, costRateAt } from "./replacement.ts";
import {
  exponentialSurvival,
  fitExponential,
  poissonAtMost,
  poissonProbability,
} from "./poisson.ts";
import { fitPowerLaw, laplaceTrend } from "./trend.ts";
import {
  fitWeibull,
  weibullHazard,
  weibullMean,
  weibullStandardDeviation,
  weibullSurvival,
} from "./weibull.ts";

describe("published results of counts and rates", () => {
  published(
    "reliabilityAnalytics",
    "Poisson example 1: at most 2 failures in 500 h at 0.001, 0.986",
    () => {
      near(poissonAtMost({ rate: 0.001, time: 500, count: 2 }), 0.986, 5e-4);
    },
  );

  published("alion", "two failures in 55 million hours at 0.04 per million", () => {
    const options = { rate: 0.04e-6, time: 55e6, count: 2 };
    near(poissonProbability(options), 0.2681, 5e-5);
    near(poissonAtMost(options), 0.6227, 5e-5);
    near(1 - poissonAtMost(options), 0.3773, 5e-5);
  });

  published("alion", "1,312,000 h without a failure show 1.4469 per million at 85 %", () => {
    const { rateUpper, rate } = fitExponential({
      failures: 0,
      totalTime: 1_312_000,
      confidence: 0.85,
    });
    nearRelative(rateUpper, 1.4469e-6, 1e-3);
    assert.equal(rate, undefined);
  });

  published(
    "nist",
    "section 8.4.5.1: without failures the lower bound of the MTBF is T / -ln(alpha)",
    () => {
      const { meanTimeLower, meanTimeUpper } = fitExponential({
        failures: 0,
        totalTime: 1000,
        confidence: 0.9,
      });
      nearRelative(meanTimeLower, 1000 / -Math.log(0.1), 1e-12);
      assert.equal(meanTimeUpper, Infinity);
    },
  );

  published("nist", "section 8.4.5.1: two failures in 800 h, 127 to 2,251 h with 90 %", () => {
    const fit = fitExponential({ failures: 2, totalTime: 800, confidence: 0.9 });
    near(fit.meanTimeLower, 127, 0.5);
    near(fit.meanTimeUpper, 2251, 0.5);
    near(fit.meanTimeLower / 400, 0.3177, 5e-5);
    near(fit.meanTimeUpper / 400, 5.6281, 5e-5);
  });

  published(
    "scram",
    "AnalyzeProbabilityOverTime: an exponential at 1e-5 over 120 h, each 24 h",
    () => {
      const expected = [0, 2.399e-4, 4.7989e-4, 7.197e-4, 9.595e-4, 1.199e-3];
      for (const [step, value] of expected.entries()) {
        nearRelative(1 - exponentialSurvival(1e-5, 24 * step), value, 1e-3);
      }
    },
  );
});

describe("published results of lifetimes", () => {
  // NIST/SEMATECH 8.4.1.3: ten failures, and ten units taken off at 500 h.
  const failures = [54, 187, 216, 240, 244, 335, 361, 373, 375, 386];
  const nist = fitWeibull({ failures, censored: new Array<number>(10).fill(500) });

  published(
    "nist",
    "section 8.4.1.3: shape 1.7208 and scale 606.5280 of a censored Weibull fit",
    () => {
      near(nist.shape, 1.7208, 5e-5);
      near(nist.scale, 606.528, 5e-3);
    },
  );

  published("nist", "section 8.4.1.3: log-likelihood -75.135 and AIC 154.27", () => {
    near(nist.logLikelihood, -75.135, 5e-4);
    near(nist.aic, 154.27, 5e-3);
  });

  published("nist", "section 8.4.1.3: mean life 540.737 h and standard deviation 323.806 h", () => {
    near(weibullMean(nist), 540.737, 5e-3);
    near(weibullStandardDeviation(nist), 323.806, 5e-3);
  });

  published("reid", "replacement of Weibull(2.5, 1000), costs 1 and 5, 0.0034620429", () => {
    const lifetime = { shape: 2.5, scale: 1000 };
    const best = ageReplacement({ lifetime, plannedCost: 1, failureCost: 5 });
    near(best.costRate, 0.0034620429189943167, 1e-9);
    nearRelative(best.age, 493.1851185118512, 1e-3); // found there on a grid
  });
});

describe("published results of trends", () => {
  const crow = [
    2.7, 10.3, 12.5, 30.6, 57, 61.3, 80, 109.5, 125, 128.6, 143.8, 167.9, 229.2, 296.7, 320.6,
    328.2, 366.2, 396.7, 421.1, 438.2, 501.2, 620,
  ];

  published("reliaWiki", "Crow-AMSAA parameter estimation: beta 0.6142, lambda 0.4239", () => {
    const fit = fitPowerLaw({ times: crow });
    near(fit.beta, 0.6142, 5e-5);
    near(fit.lambda, 0.4239, 5e-5);
  });

  published("reliaWiki", "Laplace trend test: U of the first system is -2.6121", () => {
    const times = [1.2, 55.6, 72.7, 111.9, 121.9, 303.6, 326.9, 1568.4, 1913.5];
    const { statistic, pValue } = laplaceTrend({ times, end: 2000 });
    near(statistic, -2.6121, 5e-5);
    assert.ok(pValue < 0.1);
  });

  published("reid", "ROCOF: Laplace's U of 30 times between failures is 2.4094", () => {
    const between = [
      104, 131, 1597, 59, 4, 503, 157, 6, 118, 173, 114, 62, 101, 216, 106, 140, 1, 102, 3, 393, 96,
      232, 89, 61, 37, 293, 7, 165, 87, 99,
    ];
    let now = 0;
    const times = between.map((time) => (now += time));
    const { statistic, pValue } = laplaceTrend({ times });
    nearRelative(statistic, 2.4094382960447107, 1e-12);
    assert.ok(pValue < 0.05);
    nearRelative(fitPowerLaw({ times }).beta, 1.5880533880966818, 1e-12);
    nearRelative(fitPowerLaw({ times }).lambda, 3.702728848984535e-5, 1e-10);
  });
});

const time = fc.double({ min: 0.1, max: 100, noNaN: true });

describe("fits are what they maximise, and cover what they claim", () => {
  it("Poisson probabilities sum to the distribution, with mean rate x time", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 3, noNaN: true }), time, (rate, t) => {
        let [sum, mean] = [0, 0];
        const last = Math.ceil(rate * t + 40 * Math.sqrt(rate * t) + 40);
        for (let count = 0; count <= last; count++) {
          const p = poissonProbability({ rate, time: t, count });
          sum += p;
          mean += p * count;
          if (count === 3) near(poissonAtMost({ rate, time: t, count }), sum, 1e-11);
        }
        near(sum, 1, 1e-10);
        nearRelative(mean, rate * t, 1e-9);
      }),
    );
  });

  it("a rate's interval ends where the count is just credible, and holds as often as it says", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), time, (failures, totalTime) => {
        const fit = fitExponential({ failures, totalTime, confidence: 0.9 });
        const atUpper = poissonAtMost({ rate: fit.rateUpper, time: totalTime, count: failures });
        near(atUpper, 0.05, 1e-10);
        const atLower = poissonAtMost({
          rate: fit.rateLower,
          time: totalTime,
          count: failures - 1,
        });
        near(1 - atLower, 0.05, 1e-10);
        nearRelative(fit.meanTimeLower, 1 / fit.rateUpper, 1e-12);
      }),
    );
    for (const rate of [0.3, 2, 20]) {
      let covered = 0;
      for (let count = 0; count < 200; count++) {
        const { rateLower, rateUpper } = fitExponential({ failures: count, totalTime: 1 });
        const inside = rateLower <= rate && rate <= rateUpper;
        if (inside) covered += poissonProbability({ rate, time: 1, count });
      }
      assert.ok(covered >= 0.95, `covers ${covered} at rate ${rate}`);
    }
  });

  it("a Weibull fit has a larger likelihood than its neighbours, and one of shape 1 is exponential", () => {
    const times = fc.array(time, { minLength: 3, maxLength: 30 });
    fc.assert(
      fc.property(times, fc.array(time, { maxLength: 10 }), (failures, censored) => {
        if (new Set(failures).size < 3) return;
        const fit = fitWeibull({ failures, censored });
        // By logarithms: times that are nearly the same have a shape at which the hazard overflows.
        const logHazard = (shape: number, scale: number, t: number) =>
          Math.log(shape / scale) + (shape - 1) * Math.log(t / scale);
        const likelihood = (shape: number, scale: number) =>
          failures.reduce((sum, t) => sum + logHazard(shape, scale, t), 0) +
          [...failures, ...censored].reduce((sum, t) => sum - (t / scale) ** shape, 0);
        const mild = { shape: Math.min(fit.shape, 50), scale: fit.scale };
        const hazard = Math.log(weibullHazard(mild, fit.scale / 2));
        near(
          hazard,
          logHazard(mild.shape, mild.scale, fit.scale / 2),
          1e-12 * (1 + Math.abs(hazard)),
        );
        near(
          likelihood(fit.shape, fit.scale),
          fit.logLikelihood,
          1e-8 * (1 + Math.abs(fit.logLikelihood)),
        );
        for (const [a, b] of [
          [1.01, 1],
          [0.99, 1],
          [1, 1.01],
          [1, 0.99],
        ] as const) {
          assert.ok(likelihood(fit.shape * a, fit.scale * b) < fit.logLikelihood);
        }
        assert.ok(fit.shapeLower < fit.shape && fit.shape < fit.shapeUpper);
        near(weibullSurvival({ shape: 1, scale: 7 }, 3), exponentialSurvival(1 / 7, 3), 1e-15);
      }),
      { numRuns: 60 },
    );
  });

  it("95 % intervals of Weibull fits hold the truth in about 95 of 100 samples", () => {
    const random = createPrng(20261121);
    const truth = { shape: 1.8, scale: 300 };
    let [shapes, scales] = [0, 0];
    for (let sample = 0; sample < 400; sample++) {
      const lives = Array.from({ length: 60 }, () => {
        return truth.scale * (-Math.log1p(-random.ratio())) ** (1 / truth.shape);
      });
      const failures = lives.filter((life) => life < 350);
      const censored = lives.filter((life) => life >= 350).map(() => 350);
      const fit = fitWeibull({ failures, censored });
      if (fit.shapeLower <= truth.shape && truth.shape <= fit.shapeUpper) shapes++;
      if (fit.scaleLower <= truth.scale && truth.scale <= fit.scaleUpper) scales++;
    }
    // The 0.0005 and 0.9995 quantiles of 400 draws at 0.95 are 364 and 393; the method is
    // asymptotic.
    assert.ok(shapes > 360 && shapes < 395 && scales > 360 && scales < 395, `${shapes}, ${scales}`);
  });

  it("the best replacement age is better than any other, and wear is what makes it worth while", () => {
    const shape = fc.double({ min: 1.2, max: 6, noNaN: true });
    fc.assert(
      fc.property(
        shape,
        time,
        fc.double({ min: 1.5, max: 50, noNaN: true }),
        (k, scale, failureCost) => {
          const options = { lifetime: { shape: k, scale }, plannedCost: 1, failureCost };
          const best = ageReplacement(options);
          for (const factor of [0.5, 0.9, 1.1, 2]) {
            assert.ok(costRateAt(options, best.age * factor) >= best.costRate * (1 - 1e-12));
          }
          assert.ok(best.costRate <= best.costRateWithout * (1 + 1e-12));
        },
      ),
    );
    for (const lifetime of [
      { shape: 1, scale: 10 },
      { shape: 0.7, scale: 10 },
    ]) {
      const never = ageReplacement({ lifetime, plannedCost: 1, failureCost: 100 });
      assert.deepEqual([never.age, never.costRate], [Infinity, never.costRateWithout]);
    }
  });

  it("the cost rate is planned and failed replacements over the integral of survival, by cells", () => {
    const lifetime = { shape: 2.5, scale: 1000 };
    const cells = 20_000;
    let lived = 0;
    for (let cell = 0; cell < cells; cell++) {
      lived += (weibullSurvival(lifetime, ((cell + 0.5) * 600) / cells) * 600) / cells;
    }
    const survival = weibullSurvival(lifetime, 600);
    const cost = (survival + 5 * (1 - survival)) / lived;
    nearRelative(costRateAt({ lifetime, plannedCost: 1, failureCost: 5 }, 600), cost, 1e-8);
  });

  it("trends: even times have none, early and late ones do, and beta says which way", () => {
    const even = Array.from({ length: 20 }, (_, at) => at + 0.5);
    near(laplaceTrend({ times: even, end: 20 }).statistic, 0, 1e-12);
    near(laplaceTrend({ times: even, end: 20 }).pValue, 1, 1e-12);
    const late = even.map((t) => 20 * Math.sqrt(t / 20));
    const early = even.map((t) => 20 * (t / 20) ** 2);
    assert.ok(laplaceTrend({ times: late, end: 20 }).statistic > 1.5);
    assert.ok(laplaceTrend({ times: early, end: 20 }).statistic < -1.5);
    near(fitPowerLaw({ times: late, end: 20 }).beta, 2, 0.15);
    near(fitPowerLaw({ times: early, end: 20 }).beta, 0.5, 0.04);
  });

  it("beta's interval holds the truth in about 90 of 100 histories, ended either way", () => {
    const random = createPrng(7);
    let [fixed, byFailure] = [0, 0];
    for (let history = 0; history < 1000; history++) {
      // A power law is a Poisson process of rate 1 in t^beta.
      const times: number[] = [];
      for (let sum = -Math.log1p(-random.ratio()); sum < 30; sum -= Math.log1p(-random.ratio())) {
        times.push(sum ** (1 / 0.6));
      }
      const options = { confidence: 0.9 };
      const inside = ({ betaLower, betaUpper }: ReturnType<typeof fitPowerLaw>) =>
        betaLower <= 0.6 && 0.6 <= betaUpper;
      if (inside(fitPowerLaw({ times, end: 30 ** (1 / 0.6) }, options))) fixed++;
      if (inside(fitPowerLaw({ times: times.slice(0, 4) }, options))) byFailure++;
    }
    // 1000 draws at 0.9: 866 to 931 holds 99.9 % of the time.
    assert.ok(
      fixed > 866 && fixed < 931 && byFailure > 866 && byFailure < 931,
      `${fixed} ${byFailure}`,
    );
  });
});

describe("what is refused", () => {
  it("too little data says so, and is not turned into a number", () => {
    const tooFew = { code: "NINES_MODEL_DATA" };
    assert.throws(() => fitWeibull({ failures: [], censored: [1, 2] }), tooFew);
    assert.throws(() => fitWeibull({ failures: [5, 5] }), tooFew);
    assert.throws(() => laplaceTrend({ times: [1, 2, 3] }), tooFew);
    assert.throws(() => fitPowerLaw({ times: [4, 4, 4] }), tooFew);
    assert.throws(
      () => fitExponential({ failures: 0, totalTime: 1, ended: "with a failure" }),
      tooFew,
    );
  });

  it("times out of order, after the end, or not positive", () => {
    const wrong = { code: "NINES_MODEL_INPUT" };
    assert.throws(() => laplaceTrend({ times: [1, 3, 2, 4] }), wrong);
    assert.throws(() => fitPowerLaw({ times: [1, 2, 3], end: 2 }), wrong);
    assert.throws(() => fitWeibull({ failures: [1, 0] }), wrong);
    assert.throws(() => fitExponential({ failures: 1, totalTime: 1, confidence: 1 }), wrong);
    assert.throws(() => exponentialSurvival(0, 1), wrong);
  });
});

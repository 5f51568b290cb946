// What a load test asks for, and when it is too much.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Limits,
  type StepCounts,
  type StepReport,
  kneeOf,
  quantileOf,
  ratesOf,
  reportStep,
  stepsMax,
} from "./steps.ts";

describe("the rates of a load test", () => {
  const sum = { fromPerSecond: 100, toPerSecond: 450, durationMs: 1 } as const;

  it("add or multiply, and end with the highest", () => {
    assert.deepEqual(
      ratesOf({ ...sum, growth: { kind: "add", perSecond: 100 } }),
      [100, 200, 300, 400, 450],
    );
    assert.deepEqual(
      ratesOf({ ...sum, growth: { kind: "multiply", factor: 2 } }),
      [100, 200, 400, 450],
    );
  });

  it("grow, and are never more than the bound", () => {
    const growth = fc.oneof(
      fc.record({
        kind: fc.constant("add" as const),
        perSecond: fc.integer({ min: 1, max: 1000 }),
      }),
      fc.record({
        kind: fc.constant("multiply" as const),
        factor: fc.double({ min: 1.05, max: 10, noNaN: true }),
      }),
    );
    const bound = fc.integer({ min: 1, max: 50_000 });
    fc.assert(
      fc.property(bound, bound, growth, (a, b, how) => {
        const plan = { fromPerSecond: Math.min(a, b), toPerSecond: Math.max(a, b), durationMs: 1 };
        const rates = ratesOf({ ...plan, growth: how });
        assert.ok(rates.length <= stepsMax + 1);
        assert.equal(rates.at(-1), plan.toPerSecond);
        for (const [at, rate] of rates.entries()) {
          assert.ok(at === 0 || rate >= (rates[at - 1] as number));
        }
      }),
    );
  });
});

const limits: Limits = {
  errorRatioMax: 0.01,
  latency: { limitMs: 250, ratio: 0.99 },
  answeredRatioMin: 0.95,
};

function counts(more: Partial<StepCounts>): StepCounts {
  return {
    offeredPerSecond: 100,
    due: 1000,
    answeredInTime: 1000,
    windowMs: 10_000,
    outcomes: { answered: 1000, refused: 0, "timed-out": 0, "not-sent": 0 },
    latenciesMs: Float64Array.from({ length: 1000 }, (_, at) => 10 + at / 100),
    sentLateMs: 0.4,
    isEveryConnectionUsed: false,
    ...more,
  };
}

describe("whether a step was too much", () => {
  it("is not, when all was answered in time", () => {
    const report = reportStep(counts({}), limits);
    assert.equal(report.tooMuch, null);
    assert.equal(report.isSaturated, false);
    assert.equal(report.answeredPerSecond, 100);
    assert.ok(Math.abs(report.meanMs - 14.995) < 1e-9);
    assert.equal(report.p50Ms, 14.99);
  });

  it("is, with more errors than allowed", () => {
    const outcomes = { answered: 980, refused: 15, "timed-out": 5, "not-sent": 0 };
    const report = reportStep(counts({ outcomes }), limits);
    assert.equal(report.tooMuch, "2% failed, over 1%");
    assert.equal(report.isSaturated, true);
  });

  it("is, when answers fall behind", () => {
    const report = reportStep(counts({ answeredInTime: 900 }), limits);
    assert.equal(report.tooMuch, "answers came for 90% of what was asked: a queue grew");
    assert.equal(report.isSaturated, true);
  });

  it("is not, when as many are missing as are always under way when a step ends", () => {
    const latenciesMs = new Float64Array(60).fill(900);
    const few = { due: 60, answeredInTime: 52, offeredPerSecond: 6, latenciesMs };
    const outcomes = { answered: 60, refused: 0, "timed-out": 0, "not-sent": 0 };
    const patient = { ...limits, latency: { limitMs: 1000, ratio: 0.99 } };
    assert.equal(reportStep(counts({ ...few, outcomes }), patient).tooMuch, null);
    assert.match(
      reportStep(counts({ ...few, outcomes, answeredInTime: 40 }), patient).tooMuch ?? "",
      /67% of what was asked/,
    );
  });

  it("is, when the latency that counts is over its limit; that alone saturates nothing", () => {
    const latenciesMs = Float64Array.from({ length: 1000 }, (_, at) => (at < 985 ? 10 : 300));
    const report = reportStep(counts({ latenciesMs }), limits);
    assert.equal(report.tooMuch, "99% took up to 300 ms, over 250 ms");
    assert.equal(report.isSaturated, false);
    assert.equal(reportStep(counts({}), limits).tooMuch, null);
  });

  it("the knee is the last step before the first that was too much", () => {
    const good = reportStep(counts({}), limits);
    const bad: StepReport = { ...good, offeredPerSecond: 200, tooMuch: "so" };
    assert.equal(kneeOf([good, bad, good]), good);
    assert.equal(kneeOf([bad]), undefined);
    assert.equal(kneeOf([good, { ...good, offeredPerSecond: 300 }])?.offeredPerSecond, 300);
  });

  it("a quantile is a value that was seen; of none it is 0", () => {
    assert.equal(quantileOf(Float64Array.of(1, 2, 3, 4), 0.5), 2);
    assert.equal(quantileOf(Float64Array.of(1, 2, 3, 4), 0.51), 3);
    assert.equal(quantileOf(Float64Array.of(1, 2, 3, 4), 1), 4);
    assert.equal(quantileOf(new Float64Array(), 0.5), 0);
  });
});

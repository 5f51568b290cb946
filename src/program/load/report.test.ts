// A load test as it is read.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LoadFit } from "../../core/predict/load-fit.ts";
import { type LoadReport, announce, chart, renderResult, stepHead, stepLine } from "./report.ts";
import type { StepReport } from "./steps.ts";

function step(offeredPerSecond: number, ms: number, tooMuch: string | null = null): StepReport {
  return {
    offeredPerSecond,
    answeredPerSecond: offeredPerSecond * 0.99,
    requests: 100,
    errorRatio: 0,
    timeouts: 0,
    meanMs: ms,
    p50Ms: ms,
    p90Ms: 2 * ms,
    p99Ms: 10 * ms,
    quantiles: [],
    isSaturated: tooMuch !== null,
    sentLateMs: 0.5,
    isEveryConnectionUsed: false,
    tooMuch,
  };
}

const fit: LoadFit = {
  capacityPerInstance: 864.4,
  isCapacityReached: true,
  slotsPerInstance: 4,
  serviceTimeMs: 4.63,
  base: { meanMs: 4.8, quantiles: [] },
  waitFactor: 0.6,
  errorRatio: 0.04,
};

const report: LoadReport = {
  service: "web",
  at: "2026-11-21T08:00:00.000Z",
  through: "gateway",
  method: "GET",
  path: "/",
  instances: 3,
  instancesAfter: 3,
  steps: [step(1000, 5), step(2000, 8), step(3000, 90, "answers came for 86% of what was asked")],
  kneePerSecond: 2000,
  fit,
  notes: ["only 3 of 4 instances took traffic"],
};

describe("a load test as it is read", () => {
  it("says before it starts what it sends, where, how much at most, and when it stops", () => {
    const text = announce({
      target: {
        service: "web",
        through: "gateway",
        addresses: [{ host: "127.0.0.1", port: 8080 }],
        method: "GET",
        path: "/cart",
        headers: {},
        instances: 3,
        wanted: 3,
      },
      plan: {
        fromPerSecond: 100,
        toPerSecond: 400,
        growth: { kind: "multiply", factor: 2 },
        durationMs: 10_000,
      },
      limits: {
        errorRatioMax: 0.01,
        latency: { limitMs: 250, ratio: 0.99 },
        answeredRatioMin: 0.95,
      },
      timeoutMs: 10_000,
      connectionsMax: 256,
    });
    const all = text.replaceAll("\n", " ");
    assert.match(all, /Sends GET \/cart to web through the gateway at 127\.0\.0\.1:8080/);
    // Three steps and three repetitions: 7,000 and 7,000 requests, six times twenty seconds.
    assert.match(all, /100\/s up to 400\/s in 3 steps of 10 s, 14,000 requests and 2 min at most/);
    assert.match(all, /over 256 connections at most/);
    assert.match(all, /twice has more than 1% errors, over 250 ms for 99%, or fewer answers/);
  });

  it("has a line a step under its heads, with why one was too much", () => {
    assert.equal(stepHead(), "  asked/s  answered/s  errors     mean      p50      p90      p99");
    assert.equal(
      stepLine(step(1000, 5), false),
      "    1,000         990      0%     5 ms     5 ms    10 ms    50 ms",
    );
    const bad = step(3000, 90, "2% failed, over 1%");
    assert.match(stepLine(bad, true), /900 ms {3}2% failed, over 1%; once more$/);
    assert.match(stepLine(bad, false), /over 1%$/);
  });

  it("draws latencies over load, a decade as high as the next", () => {
    assert.deepEqual(chart(report.steps, 100), [
      "   900 ms ┤                 #",
      "          │",
      "          │                 o",
      "          │",
      "  67.1 ms ┤     #     #     ·",
      "          │",
      "          │           o",
      "          │     o     ·",
      "     5 ms ┤     ·",
      "          └──────────────────",
      "               1k    2k    3k",
      "           requests asked a second;  · p50  o p90  # p99",
    ]);
  });

  it("leaves out the first steps where the terminal is narrow, and draws nothing of nothing", () => {
    const many = Array.from({ length: 40 }, (_, at) => step(10 * (at + 1), 5 + at));
    for (const line of chart(many, 60)) assert.ok(line.length <= 60, line);
    assert.match(chart(many, 60).at(-2) ?? "", /400$/);
    assert.deepEqual(chart([step(10, 0)], 80), []);
  });

  it("concludes with the knee, what an instance can do, and what is doubtful", () => {
    const text = renderResult(report, 100);
    const end = text.split("\n").slice(-5);
    assert.deepEqual(end, [
      "",
      "web keeps up with 2,000/s (99% within 80 ms); at 3,000/s answers came for 86% of what was asked.",
      "Capacity: 864/s of an instance, 2,593/s of 3: about 4 slots for 4.63 ms each; an answer that " +
        "waits for nobody takes 5 ms. Latencies fit within 4%.",
      "Note: only 3 of 4 instances took traffic.",
      "",
    ]);
  });

  it("claims no capacity that it has not seen", () => {
    const calm = { ...report, steps: [step(10, 5)], fit: { ...fit, isCapacityReached: false } };
    assert.match(renderResult(calm, 100), /more was not asked\.\nCapacity: 864\/s or more/);
    const first = { ...report, steps: [step(10, 5, "2% failed, over 1%")], fit: null };
    assert.match(renderResult(first, 100), /web does not keep up with 10\/s: 2% failed/);
  });
});

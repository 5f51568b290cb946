// Rates and latencies out of counters that only grow.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bucketOf, HISTOGRAM_BUCKETS } from "../../core/measure/histogram.ts";
import { RateWindow } from "./rates.ts";
import { serviceStats } from "./stats.fixture.ts";

describe("rates over the last ten seconds", () => {
  it("are the growth of the totals over the time between", () => {
    const window = new RateWindow();
    window.add(1000, [serviceStats({ requests: 100, refused: 1 })]);
    const now = serviceStats({ requests: 300, refused: 3 });
    assert.equal(window.service(now, 5000).requestsPerSecond, 50);
    assert.equal(window.service(now, 5000).errorsPerSecond, 0.5);
  });

  it("forget what is older than the window", () => {
    const window = new RateWindow();
    for (let second = 0; second <= 60; second++) {
      const requests = second <= 30 ? second * 1000 : 30_000;
      window.add(second * 1000, [serviceStats({ requests })]);
    }
    const now = serviceStats({ requests: 30_000 });
    assert.equal(window.service(now, 60_000).requestsPerSecond, 0);
  });

  it("begin with the first report, whatever had been counted before it", () => {
    const window = new RateWindow();
    window.add(0, []);
    window.add(1000, [serviceStats({ requests: 1_000_000 })]);
    assert.equal(window.service(serviceStats({ requests: 1_000_050 }), 2000).requestsPerSecond, 50);
  });

  it("take latencies from the answers in the window only", () => {
    const window = new RateWindow();
    const old = histogramOf([5000, 5000, 5000]);
    window.add(0, [serviceStats({ latency: old })]);
    const grown = old.map((count, bucket) => count + (bucket === bucketOf(4) ? 100 : 0));
    const { p50Ms, p99Ms } = window.service(serviceStats({ latency: grown }), 1000);
    assert.ok(p50Ms !== undefined && p50Ms >= 4 && p50Ms <= 4.5, `p50 is ${p50Ms}`);
    assert.equal(p99Ms, p50Ms);
  });

  it("are nothing, not negative, when a counter went back", () => {
    const window = new RateWindow();
    window.add(0, [serviceStats({ requests: 500 })]);
    const rates = window.service(serviceStats({ requests: 20 }), 1000);
    assert.equal(rates.requestsPerSecond, 0);
    assert.equal(rates.p99Ms, undefined);
  });

  it("of an instance count its attempts", () => {
    const window = new RateWindow();
    window.add(0, [serviceStats({ attempts: { "web-1": 10 } })]);
    const now = serviceStats({ attempts: { "web-1": 40, "web-2": 8 } });
    assert.equal(window.instance(now, "web-1", 2000), 15);
    assert.equal(window.instance(now, "web-2", 2000), 4);
    assert.equal(window.instance(now, "web-3", 2000), 0);
  });
});

function histogramOf(latenciesMs: readonly number[]): number[] {
  const counts = Array.from({ length: HISTOGRAM_BUCKETS }, () => 0);
  for (const latencyMs of latenciesMs)
    counts[bucketOf(latencyMs)] = (counts[bucketOf(latencyMs)] ?? 0) + 1;
  return counts;
}

// The bucket arithmetic against its obvious twin: a search through the bucket limits.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bucketLimitMs, bucketOf, HISTOGRAM_BUCKETS, quantileMs } from "./histogram.ts";

const limits = Array.from({ length: HISTOGRAM_BUCKETS }, (_, bucket) => bucketLimitMs(bucket));
const rangeMs = limits.at(-1) ?? 0;

describe("latency histogram", () => {
  it("has buckets that grow by at most an eighth, from 16 us to more than two minutes", () => {
    assert.equal(limits[0], 0.125 / 8);
    assert.ok(rangeMs > 120_000);
    for (let bucket = 9; bucket < HISTOGRAM_BUCKETS; bucket++) {
      const growth = (limits[bucket] ?? 0) / (limits[bucket - 1] ?? 0);
      assert.ok(growth > 1 && growth <= 1.125 + 1e-9, `bucket ${bucket} grows by ${growth}`);
    }
  });

  it("finds the bucket that a search finds", () => {
    const search = (latencyMs: number) => limits.findIndex((limit) => latencyMs < limit);
    fc.assert(
      fc.property(fc.double({ min: 0, max: rangeMs * 0.999, noNaN: true }), (latencyMs) => {
        assert.equal(bucketOf(latencyMs), search(latencyMs));
      }),
    );
  });

  it("counts what is beyond its range in the last bucket", () => {
    for (const latencyMs of [rangeMs, rangeMs * 10, 1e15, Number.MAX_VALUE]) {
      assert.equal(bucketOf(latencyMs), HISTOGRAM_BUCKETS - 1);
    }
  });

  it("tells quantiles within an eighth above the true value", () => {
    const samples = fc.array(fc.double({ min: 0.2, max: 10_000, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(samples, fc.double({ min: 0.01, max: 1, noNaN: true }), (latencies, ratio) => {
        const counts = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
        for (const latencyMs of latencies) {
          const bucket = bucketOf(latencyMs);
          counts[bucket] = (counts[bucket] ?? 0) + 1;
        }
        const sorted = latencies.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(ratio * sorted.length)) - 1] ?? 0;
        const told = quantileMs(counts, ratio) ?? 0;
        assert.ok(told > exact && told <= exact * 1.126, `${told} for ${exact}`);
      }),
    );
  });

  it("has no quantile when it is empty", () => {
    assert.equal(quantileMs(new Array<number>(HISTOGRAM_BUCKETS).fill(0), 0.5), undefined);
  });
});

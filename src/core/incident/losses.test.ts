// What clients lost, from cumulative counters: never twice, never from before anybody looked.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { quietService, quietWorker, type WorkerStats } from "../measure/gateway-stats.ts";
import { bucketOf, HISTOGRAM_BUCKETS } from "../measure/histogram.ts";
import { LossCounter } from "./losses.ts";

interface Counts {
  readonly lost?: number;
  readonly serverErrors?: number;
  readonly latenciesMs?: readonly number[];
}

function report(
  pid: number,
  { lost = 0, serverErrors = 0, latenciesMs = [] }: Counts,
): WorkerStats {
  const latency = new Array<number>(HISTOGRAM_BUCKETS).fill(0);
  for (const ms of latenciesMs) latency[bucketOf(ms)] = (latency[bucketOf(ms)] ?? 0) + 1;
  const counts = { requests: latenciesMs.length, lost, serverErrors, latency };
  const services = [{ ...quietService, name: "web", ...counts }];
  return { ...quietWorker, worker: pid, pid, tableVersion: 1, services };
}

const calm = (): boolean => false;
const answers = (count: number, ms: number): number[] => new Array<number>(count).fill(ms);

describe("what clients lost", () => {
  it("is nothing by a worker's first report: it may have served another control", () => {
    const counter = new LossCounter();
    assert.deepEqual(counter.report(report(1, { lost: 50 }), 1_000, calm), []);
    const [found] = counter.report(report(1, { lost: 53 }), 1_250, calm);
    assert.equal(found?.losses.lost, 3);
    assert.deepEqual([found?.fromMs, found?.atMs, found?.notable], [1_000, 1_250, true]);
  });

  it("adds up to what the workers count, whoever reports when", () => {
    const steps = fc.array(fc.record({ pid: fc.integer({ min: 1, max: 3 }), lost: fc.nat(5) }));
    fc.assert(
      fc.property(steps, (all) => {
        const counter = new LossCounter();
        const counts = new Map<number, number>();
        const first = new Map<number, number>();
        let found = 0;
        for (const [index, { pid, lost }] of all.entries()) {
          counts.set(pid, (counts.get(pid) ?? 0) + lost);
          if (!first.has(pid)) first.set(pid, lost);
          const told = counter.report(report(pid, { lost: counts.get(pid) ?? 0 }), index, calm);
          for (const { losses } of told) found += losses.lost;
        }
        const sum = (map: Map<number, number>) => [...map.values()].reduce((a, b) => a + b, 0);
        assert.equal(found, sum(counts) - sum(first));
      }),
    );
  });

  it("is slow from ten times the typical answer on, and 200 ms at least", () => {
    const counter = new LossCounter();
    counter.report(report(1, {}), 0, calm);
    const quick = answers(100, 5);
    counter.report(report(1, { latenciesMs: quick }), 250, calm);
    assert.equal(counter.slowLimitMs("web"), 208);
    const mixed = [...quick, ...answers(3, 199), ...answers(2, 210)];
    const [found] = counter.report(report(1, { latenciesMs: mixed }), 500, () => true);
    assert.equal(found?.losses.slow, 2);
    const slower = new LossCounter();
    slower.report(report(1, {}), 0, calm);
    slower.report(report(1, { latenciesMs: answers(100, 50) }), 250, calm);
    assert.ok(slower.slowLimitMs("web") >= 500 && slower.slowLimitMs("web") <= 640);
  });

  it("does not make a long trouble the measure of what is slow", () => {
    const counter = new LossCounter();
    counter.report(report(1, {}), 0, calm);
    const quick = answers(50, 5);
    counter.report(report(1, { latenciesMs: quick }), 250, calm);
    const crawling = [...quick, ...answers(500, 900)];
    counter.report(report(1, { latenciesMs: crawling }), 500, () => true);
    assert.equal(counter.slowLimitMs("web"), 208);
  });

  it("has what led to it: the second before is told with it, once", () => {
    const counter = new LossCounter();
    counter.report(report(1, {}), 0, calm);
    const after = (serverErrors: number, count: number, atMs: number, troubled = false) =>
      counter.report(
        report(1, { serverErrors, latenciesMs: answers(count, 5) }),
        atMs,
        () => troubled,
      );
    assert.deepEqual(after(1, 10, 1_000), [], "long before");
    assert.deepEqual(after(3, 20, 2_250), []);
    assert.deepEqual(after(4, 30, 2_500), []);
    const [found] = after(4, 40, 2_750, true);
    assert.equal(found?.losses.serverErrors, 3);
    assert.equal(found?.fromMs, 1_000, "not before the report before the first of them");
    const [next] = after(4, 50, 3_000, true);
    assert.equal(next?.losses.serverErrors, 0);
  });

  it("is notable when it comes in bursts, not for one slow answer or one 5xx", () => {
    const notable = (counts: Counts): boolean | undefined => {
      const counter = new LossCounter();
      counter.report(report(1, {}), 0, calm);
      return counter.report(report(1, counts), 250, calm)[0]?.notable ?? false;
    };
    const quick = answers(20, 5);
    assert.equal(notable({ latenciesMs: quick }), false);
    assert.equal(notable({ latenciesMs: [...quick, 900] }), false);
    assert.equal(notable({ latenciesMs: quick, serverErrors: 4 }), false);
    assert.equal(notable({ latenciesMs: quick, serverErrors: 5 }), true);
    assert.equal(notable({ latenciesMs: answers(60, 5), serverErrors: 5 }), false);
    assert.equal(notable({ latenciesMs: [...answers(5, 5), ...answers(5, 900)] }), true);
    assert.equal(notable({ latenciesMs: quick, lost: 1 }), true);
  });
});

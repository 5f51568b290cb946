// The figures of bench:failover, each on notes small enough to count by hand.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Answer } from "./load.ts";
import {
  answeredAgainMs,
  failuresOf,
  longestGapMs,
  percentile,
  type Received,
  repeatedPosts,
  slowerThan,
  soleReceiver,
  trafficChanges,
  writesOutOfTurn,
} from "./traffic.ts";

function answer(dueMs: number, doneMs: number, other: Partial<Answer> = {}): Answer {
  return { number: 0, method: "GET", kept: false, dueMs, doneMs, ...other };
}

describe("what clients noticed", () => {
  const answers = [
    answer(0, 5),
    answer(100, 350),
    answer(200, 5_200, { failure: "timeout" }),
    answer(300, 310, { method: "POST" }),
  ];

  it("counts a failed request as failed and not as slow", () => {
    assert.equal(failuresOf(answers).length, 1);
    assert.equal(slowerThan(answers, 200), 1);
    assert.equal(percentile(answers, 1), 250);
  });

  it("takes the longest time without a good answer, failed ones apart", () => {
    assert.equal(longestGapMs(answers), 305);
  });

  it("tells when a method is answered again, by requests that were due after the fault", () => {
    const writes = [
      answer(90, 130, { method: "POST" }),
      answer(110, 400, { method: "POST", failure: "reset" }),
      answer(120, 190, { method: "POST" }),
      answer(115, 118),
    ];
    assert.equal(answeredAgainMs(writes, "POST", 100), 90);
    assert.ok(
      Number.isNaN(answeredAgainMs(writes, "POST", 150)),
      "nothing was answered after that",
    );
  });
});

describe("what instances received", () => {
  /** Requests to one instance at an even rate in each of the given seconds. */
  function traffic(instance: number, perSecond: readonly number[]): readonly Received[] {
    return perSecond.flatMap((count, second) =>
      Array.from({ length: count }, (_, at) => ({
        instance,
        pid: 1,
        method: "GET",
        number: at,
        atMs: 10_000 + second * 1_000 + (at * 1_000) / count,
      })),
    );
  }
  const load = { startedAtMs: 10_000, durationMs: 6_000, ratePerSecond: 300, instances: 3 };
  const options = { ...load, answers: [] };
  const steady = [100, 100, 100, 100, 100, 100];
  const others = [...traffic(0, steady), ...traffic(2, steady)];

  it("counts each way out of the traffic and back into it", () => {
    const changes = (perSecond: readonly number[]) =>
      trafficChanges([...others, ...traffic(1, perSecond)], 1, options);
    assert.equal(changes(steady), 0);
    assert.equal(changes([100, 100, 0, 0, 100, 100]), 2);
    assert.equal(changes([100, 0, 100, 0, 100, 0]), 5);
  });

  it("takes no change from a time in which nobody received anything", () => {
    const gap = [0, 1, 2].flatMap((instance) => traffic(instance, [100, 100, 0, 100, 100, 100]));
    assert.equal(trafficChanges(gap, 1, options), 0);
  });

  it("does not take single probes for traffic, nor other instances", () => {
    const probed = [...others, ...traffic(1, [100, 100, 2, 2, 2, 2])];
    assert.equal(trafficChanges(probed, 1, options), 1);
  });

  it("does not take for traffic what had lain with a stopped instance before", () => {
    const backlog = Array.from({ length: 50 }, (_, at) => ({
      instance: 1,
      pid: 1,
      method: "GET",
      number: 1_000 + at,
      atMs: 13_100,
    }));
    const seen = [...others, ...traffic(1, [100, 0, 0, 0, 0, 0]), ...backlog];
    const due = (dueMs: number) => backlog.map(({ number }) => ({ ...answer(dueMs, 0), number }));
    assert.equal(trafficChanges(seen, 1, { ...load, answers: due(2_000) }), 1);
    assert.equal(trafficChanges(seen, 1, { ...load, answers: due(3_000) }), 3);
  });

  it("finds a POST that ran twice, and lets a GET run as often as it likes", () => {
    const once = { instance: 0, pid: 1, method: "POST", number: 7, atMs: 0 };
    const get = { ...once, method: "GET", number: 8 };
    assert.equal(repeatedPosts([once, get, get]), 0);
    assert.equal(repeatedPosts([once, get, { ...once, instance: 1 }]), 1);
  });

  it("says who alone gets the traffic, and whether a replaced primary still writes", () => {
    const write = (instance: number, atMs: number) => {
      return { instance, pid: 1, method: "POST", number: atMs, atMs };
    };
    const course = [write(0, 0), write(1, 1_000), write(1, 2_000)];
    assert.equal(soleReceiver(course), 1);
    assert.equal(soleReceiver([...course, write(0, 1_900)]), undefined);
    assert.equal(writesOutOfTurn([...course, write(0, 3_000)], 0), 0);
    assert.equal(writesOutOfTurn([...course, write(0, 1_500), write(0, 3_000)], 0), 1);
  });
});

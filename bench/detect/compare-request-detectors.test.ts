// The comparison of request detectors: what counts as a false alarm, what as a delay.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../../src/core/base/prng.ts";
import { followAll, followRequests, requestTimeout } from "./compare-request-detectors.ts";
import { requestHistories, type RequestHistory } from "./request-histories.ts";

/** Instance 0 answers after 50 ms, twice; a third request at 1 s is never answered. */
const history: RequestHistory = {
  world: "by hand",
  instances: 2,
  events: [
    { atMs: 0, instance: 0, request: 0, answered: false },
    { atMs: 50, instance: 0, request: 0, answered: true },
    { atMs: 500, instance: 0, request: 1, answered: false },
    { atMs: 550, instance: 0, request: 1, answered: true },
    { atMs: 1_000, instance: 0, request: 2, answered: false },
  ],
  failing: 0,
  failsAtMs: 990,
  endsAtMs: 5_000,
};

describe("a detector of sick instances", () => {
  it("has a false alarm for each verdict against one that is well", () => {
    assert.equal(followRequests(requestTimeout(40, 2), history).falseAlarms, 2);
    assert.equal(followRequests(requestTimeout(60, 2), history).falseAlarms, 0);
  });

  it("takes from the failure to the verdict, and all the time when it says nothing", () => {
    assert.equal(followRequests(requestTimeout(60, 2), history).delayMs, 70);
    assert.equal(followRequests(requestTimeout(60_000, 2), history).delayMs, 4_010);
  });
});

describe("generated histories of requests", () => {
  it("are the same for the same seed, and go in order of time", () => {
    const [one, same] = [1, 1].map((seed) => requestHistories(createPrng(seed), 1));
    assert.deepEqual(one, same);
    for (const { events } of one ?? []) {
      const times = events.map(({ atMs }) => atMs);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    }
  });

  it("force a fixed timeout to choose: quick and wrong, or right and slow", () => {
    const histories = requestHistories(createPrng(1), 2);
    const of = (timeoutMs: number) =>
      followAll({ name: "", create: (count) => requestTimeout(timeoutMs, count) }, histories).at(
        -1,
      );
    const [short, long] = [of(200), of(5_000)];
    assert.ok((short?.falseAlarms ?? 0) > 100);
    assert.equal(long?.falseAlarms, 0);
    assert.ok((long?.medianDelayMs ?? 0) > 4_000);
  });
});

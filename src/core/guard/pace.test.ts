// Who is ended for being slow, when, and who is not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace, PACE_GRACE_MS } from "./pace.ts";

/** The second in which a client is found too slow; Infinity: never within ten minutes. */
function endedAfter(bytesBy: (second: number) => number, rests: readonly number[] = []): number {
  const pace = new Pace();
  for (let second = 0; second <= 600; second++) {
    if (rests.includes(second)) pace.rest();
    else if (pace.isTooSlow(second * 1000, bytesBy(second), 240)) return second;
  }
  return Infinity;
}

test("a byte now and then ends with the grace", () => {
  assert.equal(
    endedAfter((second) => second),
    PACE_GRACE_MS / 1000,
  );
  assert.equal(
    endedAfter(() => 0),
    5,
  );
});

test("at the rate and above, nobody is ended", () => {
  assert.equal(
    endedAfter((second) => second * 240),
    Infinity,
  );
  assert.equal(
    endedAfter((second) => second * 239),
    5,
  );
});

test("who has sent much may pause as long as that lasts", () => {
  assert.equal(
    endedAfter(() => 0),
    5,
  );
  assert.equal(
    endedAfter((second) => (second === 0 ? 0 : 24_000)),
    101,
  );
});

test("what came before, and the time for which nothing was owed, do not count", () => {
  assert.equal(
    endedAfter((second) => 1e9 + second, [0, 1, 2, 3]),
    9,
  );
  assert.equal(
    endedAfter(() => 5, [4, 8, 12]),
    18,
    "each rest begins a new grace",
  );
});

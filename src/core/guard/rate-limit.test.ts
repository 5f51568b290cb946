// What a limit lets in over any span, agreement with a bucket that leaks, and its memory's bound.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Rate, RateLimiter } from "./rate-limit.ts";

const tenASecond: Rate = { requests: 10, perMs: 1000, burst: 3 };

function admits(limiter: RateLimiter, key: string, nowMs: number): boolean {
  if (limiter.waitMs(key, nowMs) > 0) return false;
  limiter.spend(key, nowMs);
  return true;
}

test("a burst, then one an interval; and when to come again is said", () => {
  const limiter = new RateLimiter(tenASecond, 100);
  const atOnce = [0, 0, 0, 0].map((nowMs) => admits(limiter, "a", nowMs));
  assert.deepEqual(atOnce, [true, true, true, false]);
  assert.equal(limiter.waitMs("a", 0), 100);
  assert.equal(limiter.waitMs("a", 60), 40);
  assert.ok(admits(limiter, "a", 100));
  assert.ok(!admits(limiter, "a", 199));
  assert.ok(admits(limiter, "a", 200));
});

test("one key's requests are not another's", () => {
  const limiter = new RateLimiter(tenASecond, 100);
  for (let request = 0; request < 5; request++) admits(limiter, "a", 0);
  assert.ok(!admits(limiter, "a", 0));
  assert.ok(admits(limiter, "b", 0));
});

test("what others have let in counts, also beyond the burst", () => {
  const limiter = new RateLimiter(tenASecond, 100);
  limiter.spend("a", 0, 8);
  assert.equal(limiter.waitMs("a", 0), 600, "8 due, 3 at once");
  assert.ok(admits(limiter, "a", 600));
});

const steps = fc.array(
  fc.record({ gapMs: fc.nat(300), key: fc.constantFrom("a", "b"), others: fc.nat(4) }),
  { maxLength: 200 },
);
const rates = fc.record({
  requests: fc.integer({ min: 1, max: 8 }).map((power) => 2 ** power),
  perMs: fc.constantFrom(256, 1024, 65_536),
  burst: fc.integer({ min: 1, max: 10 }),
});

/** The obvious form: a bucket that every request fills by one, and that leaks evenly. */
class LeakyBucket {
  readonly #rate: Rate;
  #level = 0;
  #atMs = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  admits(nowMs: number): boolean {
    this.#leak(nowMs);
    if (this.#level + 1 > this.#rate.burst) return false;
    this.#level += 1;
    return true;
  }

  fill(nowMs: number, count: number): void {
    this.#leak(nowMs);
    this.#level += count;
  }

  #leak(nowMs: number): void {
    const leaked = ((nowMs - this.#atMs) * this.#rate.requests) / this.#rate.perMs;
    this.#level = Math.max(0, this.#level - leaked);
    this.#atMs = nowMs;
  }
}

test("agrees with a bucket that leaks", () => {
  fc.assert(
    fc.property(rates, steps, (rate, walk) => {
      const limiter = new RateLimiter(rate, 100);
      const buckets = { a: new LeakyBucket(rate), b: new LeakyBucket(rate) };
      let nowMs = 0;
      for (const { gapMs, key, others } of walk) {
        nowMs += gapMs;
        assert.equal(admits(limiter, key, nowMs), buckets[key].admits(nowMs));
        if (others === 0) continue;
        limiter.spend(key, nowMs, others);
        buckets[key].fill(nowMs, others);
      }
    }),
  );
});

test("in no span more than the burst and the rate", () => {
  fc.assert(
    fc.property(rates, steps, (rate, walk) => {
      const limiter = new RateLimiter(rate, 100);
      const admitted: number[] = [];
      let nowMs = 0;
      for (const { gapMs } of walk) {
        nowMs += gapMs;
        while (admits(limiter, "a", nowMs)) admitted.push(nowMs);
      }
      for (const [index, fromMs] of admitted.entries()) {
        for (const [further, toMs] of admitted.slice(index).entries()) {
          const most = rate.burst + ((toMs - fromMs) * rate.requests) / rate.perMs;
          assert.ok(further + 1 <= most + 1e-9, `${further + 1} within ${toMs - fromMs} ms`);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("memory is bounded, and a key in use is remembered through a flood of others", () => {
  const limiter = new RateLimiter({ requests: 1, perMs: 3_600_000, burst: 1 }, 1000);
  assert.ok(admits(limiter, "victim of none", 0));
  for (let other = 0; other < 10_000; other++) {
    limiter.spend(`made up ${other}`, other);
    assert.ok(limiter.keys <= 1000);
    if (other % 400 === 0) limiter.spend("in use", other);
    if (other % 400 === 399) assert.ok(limiter.waitMs("in use", other) > 0);
  }
  assert.equal(limiter.waitMs("victim of none", 10_000), 0, "forgotten, in favour of the client");
});

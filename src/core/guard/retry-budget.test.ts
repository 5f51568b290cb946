// The budget at its edges, and agreement with counting everything in the window.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RETRY_WINDOW_MS, RetryBudget } from "./retry-budget.ts";

function taken(budget: RetryBudget, nowMs: number, tries: number, ratio: number, floor: number) {
  let count = 0;
  for (let attempt = 0; attempt < tries; attempt++) if (budget.take(nowMs, ratio, floor)) count++;
  return count;
}

test("a fifth of the requests of the last ten seconds may be tried again", () => {
  const budget = new RetryBudget(0);
  for (let request = 0; request < 1000; request++) budget.requestSeen(request);
  assert.equal(taken(budget, 1000, 1000, 0.2, 0), 200);
  assert.equal(taken(budget, 2000, 1000, 0.2, 0), 0, "spent until the window moves on");
  assert.equal(taken(budget, 12_000, 1000, 0.2, 0), 0, "and what it was a share of is past then");
});

test("to ask spends nothing", () => {
  const budget = new RetryBudget(0);
  for (let asked = 0; asked < 100; asked++) assert.ok(budget.allows(0, 0, 1));
  assert.equal(taken(budget, 0, 100, 0, 1), 10);
  assert.ok(!budget.allows(0, 0, 1));
});

test("a quiet service may retry within its floor", () => {
  const budget = new RetryBudget(0);
  assert.equal(taken(budget, 5, 1000, 0, 3), 30, "ten seconds' worth");
  assert.equal(taken(budget, 5 + RETRY_WINDOW_MS, 1000, 0, 3), 30);
  assert.equal(taken(new RetryBudget(0), 0, 10, 0, 0), 0, "no budget, no retry");
});

test("agrees with counting everything in the window", () => {
  const step = fc.record({ gapMs: fc.nat(3000), retry: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(10_000), (steps, beganMs) => {
      const budget = new RetryBudget(beganMs);
      const requests: number[] = [];
      const retries: number[] = [];
      let nowMs = beganMs;
      for (const { gapMs, retry } of steps) {
        nowMs += gapMs;
        const oldest = Math.floor(nowMs / 1000) - 9;
        const inWindow = (times: number[]) =>
          times.filter((at) => Math.floor(at / 1000) >= oldest).length;
        if (retry) {
          const allowed = inWindow(retries) + 1 <= 0.2 * inWindow(requests) + 0.1 * 10;
          assert.equal(budget.take(nowMs, 0.2, 0.1), allowed);
          if (allowed) retries.push(nowMs);
        } else {
          budget.requestSeen(nowMs);
          requests.push(nowMs);
        }
      }
    }),
  );
});

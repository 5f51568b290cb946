// The budget at its edges, and agreement with counting everything in its windows.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PlantedFault, randomInputsFind } from "../../../test/planted.fixture.ts";
import { BUCKET_MS, RETRY_SAVED_MS, RETRY_WINDOW_MS, RetryBudget } from "./retry-budget.ts";

function taken(budget: RetryBudget, nowMs: number, tries: number, ratio: number, floor: number) {
  let count = 0;
  for (let attempt = 0; attempt < tries; attempt++) if (budget.take(nowMs, ratio, floor)) count++;
  return count;
}

/** So many good answers each millisecond in [fromMs, toMs). */
function earning(budget: RetryBudget, fromMs: number, toMs: number, each = 1): void {
  for (let ms = fromMs; ms < toMs; ms++) {
    for (let one = 0; one < each; one++) budget.earn(ms);
  }
}

test("a fifth of the good answers may be tried again", () => {
  const budget = new RetryBudget(0, RETRY_WINDOW_MS);
  earning(budget, 0, 1000);
  assert.equal(taken(budget, 1000, 1000, 0.2, 0), 200);
  assert.equal(taken(budget, 2000, 1000, 0.2, 0), 0, "spent until the window moves on");
  assert.equal(taken(budget, 12_000, 1000, 0.2, 0), 0, "and what it was a share of is past then");
});

test("of ten calm seconds what half of one has earned may be spent at once", () => {
  const budget = new RetryBudget(0, RETRY_SAVED_MS);
  earning(budget, 0, 10_000);
  assert.equal(taken(budget, 9_999, 10_000, 0.2, 0), 100);
});

test("the floor stands instead of the share, and not on top of it", () => {
  const budget = new RetryBudget(0, RETRY_SAVED_MS);
  earning(budget, 0, 1000, 4);
  assert.equal(taken(budget, 999, 1000, 0.2, 10), 400);
  assert.equal(taken(budget, 1_600, 1000, 0.2, 10), 0, "used by what was earned");
  assert.equal(taken(new RetryBudget(0, RETRY_SAVED_MS), 0, 1000, 0.2, 10), 100);
});

test("in a total outage retries end with what was saved, and then go on by the floor", () => {
  const budget = new RetryBudget(0, RETRY_SAVED_MS);
  earning(budget, 0, 20_000, 5);
  let retries = 0;
  for (let ms = 20_000; ms < 22_000; ms++) retries += taken(budget, ms, 5, 0.2, 10);
  const requests = 2 * 5_000;
  assert.equal(retries, 0.2 * 5 * (RETRY_SAVED_MS - BUCKET_MS), "its newest bucket has just begun");
  assert.ok(retries <= 0.2 * requests);
  for (let ms = 22_000; ms < 40_000; ms++) taken(budget, ms, 5, 0.2, 10);
  assert.equal(taken(budget, 50_000, 1000, 0.2, 10), 100, "ten a second, for those who come back");
});

test("to ask spends nothing", () => {
  const budget = new RetryBudget(0, RETRY_SAVED_MS);
  for (let asked = 0; asked < 100; asked++) assert.ok(budget.allows(0, 0, 1));
  assert.equal(taken(budget, 0, 100, 0, 1), 10);
  assert.ok(!budget.allows(0, 0, 1));
});

test("a quiet service may retry within its floor", () => {
  const budget = new RetryBudget(0, RETRY_SAVED_MS);
  assert.equal(taken(budget, 5, 1000, 0, 3), 30, "ten seconds' worth");
  assert.equal(taken(budget, 5 + RETRY_WINDOW_MS, 1000, 0, 3), 30);
  assert.equal(taken(new RetryBudget(0, RETRY_SAVED_MS), 0, 10, 0, 0), 0, "no budget, no retry");
});

/** So many answers come, or retries are wanted. */
const step = fc.record({
  gapMs: fc.oneof(fc.nat(300), fc.nat(3000)),
  retry: fc.boolean(),
  count: fc.integer({ min: 1, max: 20 }),
});
const savedMs = fc.integer({ min: 1, max: 100 }).map((buckets) => buckets * BUCKET_MS);
const walks = fc.tuple(fc.array(step, { maxLength: 60, size: "max" }), fc.nat(10_000), savedMs);

type Walk = typeof walks extends fc.Arbitrary<infer Value> ? Value : never;

/** Beside a twin that keeps every answer and every retry. */
function play(Budget: typeof RetryBudget, [steps, beganMs, saved]: Walk): void {
  const budget = new Budget(beganMs, saved);
  const answers: number[] = [];
  const retries: number[] = [];
  let nowMs = beganMs;
  const within = (times: readonly number[], ms: number) =>
    times.filter((at) => {
      const age = Math.floor(nowMs / BUCKET_MS) - Math.floor(at / BUCKET_MS);
      return age < ms / BUCKET_MS;
    }).length;
  const isWithin = (ms: number) => within(retries, ms) + 1 <= 0.2 * within(answers, ms);
  const one = (isRetry: boolean): void => {
    if (isRetry) {
      const isFew = within(retries, RETRY_WINDOW_MS) + 1 <= 0.1 * 10;
      const allowed = isFew || (isWithin(RETRY_WINDOW_MS) && isWithin(saved));
      assert.equal(budget.take(nowMs, 0.2, 0.1), allowed);
      if (allowed) retries.push(nowMs);
    } else {
      budget.earn(nowMs);
      answers.push(nowMs);
    }
  };
  for (const { gapMs, retry, count } of steps) {
    nowMs += gapMs;
    for (let time = 0; time < count; time++) one(retry);
  }
}

const property = (Budget: typeof RetryBudget) => fc.property(walks, (walk) => play(Budget, walk));

test("agrees with counting everything in both windows", () => {
  fc.assert(property(RetryBudget));
});

const FILE = "src/core/guard/retry-budget.js";
const planted: readonly PlantedFault[] = [
  {
    name: "savings have no bound",
    file: FILE,
    find: "&& recently + 1 <= ratio * earned.recently",
    replace: "",
  },
  {
    name: "the floor is on top of the share",
    file: FILE,
    find: "inWindow + 1 <= ratio * earned.inWindow",
    replace: "inWindow + 1 <= ratio * earned.inWindow + perSecond * 10",
  },
  {
    name: "a bucket stays in the window after its time",
    file: FILE,
    find: "this.inWindow -= this.#counts[index];",
    replace: "",
  },
  {
    name: "retries are not spent",
    file: FILE,
    find: "this.#spent.add(this.#bucket);",
    replace: "",
  },
];

randomInputsFind<{ RetryBudget: typeof RetryBudget }>(FILE, planted, (module) =>
  property(module.RetryBudget),
);

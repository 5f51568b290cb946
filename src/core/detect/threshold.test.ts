// Counting checks: by example, and against a twin that looks at the whole history each time.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  judge,
  nextCheckMs,
  initially,
  suspect,
  type ThresholdSettings,
  type ThresholdState,
  unchecked,
} from "./threshold.ts";

const settings: ThresholdSettings = {
  intervalMs: 1_000,
  fastIntervalMs: 250,
  downIntervalMs: 2_000,
  fall: 3,
  rise: 2,
};

interface Told {
  readonly state: ThresholdState;
  readonly changes: readonly string[];
}

/** Checks a second apart: `+` passed, `-` failed, `?` live traffic met a failure. */
function told(signs: string, from: ThresholdState = unchecked): Told {
  let state = from;
  const changes: string[] = [];
  for (const [index, sign] of signs.split("").entries()) {
    if (sign === "?") {
      state = suspect(state, "connection refused");
      continue;
    }
    const passed = sign === "+";
    const detail = passed ? "answered 200" : "no answer in 500 ms";
    const judgement = judge(state, { passed, detail }, index * 1_000, settings);
    state = judgement.state;
    if (judgement.changed !== undefined) changes.push(judgement.changed);
  }
  return { state, changes };
}

test("the first pass ends not knowing, whatever rise says", () => {
  assert.equal(told("+").state.verdict, "up");
  assert.deepEqual(told("--+").changes, ["up: its first check passed, answered 200"]);
  assert.equal(told("---+").state.verdict, "up", "also after it was called down");
});

test("fall failures in a row make it down, not fewer, and not with a pass between", () => {
  assert.equal(told("+--").state.verdict, "up");
  assert.equal(told("+--+--+--").state.verdict, "up");
  assert.deepEqual(told("+---").changes.slice(1), [
    "down: 3 checks in a row failed, no answer in 500 ms",
  ]);
  assert.equal(told("---").state.verdict, "down", "also what never passed");
});

test("rise passes in a row make it up again, and it says for how long it failed", () => {
  assert.equal(told("+---+").state.verdict, "down");
  assert.equal(told("+---+-+").state.verdict, "down");
  assert.deepEqual(told("+---++").changes.slice(2), [
    "up again after 4 s: 2 checks in a row passed, answered 200",
  ]);
});

test("live traffic and one check are two witnesses: down at once", () => {
  assert.deepEqual(told("+?-").changes.slice(1), [
    'down: traffic met "connection refused", and a check failed, no answer in 500 ms',
  ]);
});

test("live traffic alone changes nothing, however often it complains", () => {
  assert.equal(told("+???+?+??+").changes.length, 1);
  assert.equal(told("+?+--").state.verdict, "up", "a pass answers the suspicion");
  assert.equal(told("+---?+").state.verdict, "down", "and what is down stays it");
});

test("while the observer is in doubt, silence confirms nothing, and a refusal does", () => {
  const suspected = suspect(told("+").state, "reset");
  const doubtful = { ...settings, doubt: true };
  const silence = { passed: false, detail: "no answer in 500 ms", silent: true } as const;
  assert.equal(judge(suspected, silence, 0, settings).state.verdict, "down");
  const doubted = judge(suspected, silence, 0, doubtful);
  assert.equal(doubted.state.verdict, "up");
  assert.equal(doubted.state.against, 1, "but it counts");
  const refusal = { passed: false, detail: "connection refused" };
  assert.equal(judge(suspected, refusal, 0, doubtful).state.verdict, "down");
});

test("what counts as up unchecked is ended by one failure, what counts as down by one pass", () => {
  const up = initially("up");
  assert.deepEqual(told("-", up).changes, ["down: a check failed, no answer in 500 ms"]);
  assert.equal(told("+--", up).state.verdict, "up", "then it takes fall failures as ever");
  const down = initially("down");
  assert.equal(told("-", down).state.verdict, "down");
  assert.deepEqual(told("+", down).changes, ["up: its first check passed, answered 200"]);
  assert.deepEqual(initially("unchecked"), unchecked);
});

test("checks are fast while the verdict may change, and steady otherwise", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["", 250],
    ["-", 250],
    ["+", 1_000],
    ["++", 1_000],
    ["+-", 250],
    ["+--", 250],
    ["+---", 2_000],
    ["+----", 2_000],
    ["+---+", 250],
    ["+---+-", 2_000],
    ["+---++", 1_000],
  ];
  for (const [signs, delayMs] of cases) {
    assert.equal(nextCheckMs(told(signs).state, settings), delayMs, signs);
  }
});

test("it agrees with counting by hand from the whole history", () => {
  const history = fc.array(fc.boolean(), { minLength: 1, maxLength: 60 });
  const small = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(history, small, small, (passes, fall, rise) => {
      let state = unchecked;
      for (const [index, passed] of passes.entries()) {
        state = judge(state, { passed, detail: "" }, index, { ...settings, fall, rise }).state;
        assert.equal(state.verdict, byHand(passes.slice(0, index + 1), fall, rise));
      }
    }),
  );
});

/** The slow twin: looks at all results again, each time. */
function byHand(passes: readonly boolean[], fall: number, rise: number): string {
  let verdict = "unknown";
  for (let end = 1; end <= passes.length; end++) {
    const lastFailed = passes.slice(Math.max(0, end - fall), end);
    const lastPassed = passes.slice(Math.max(0, end - rise), end);
    const neverPassed = passes.slice(0, end - 1).every((passed) => !passed);
    const fell = end >= fall && lastFailed.every((passed) => !passed);
    const rose = end >= rise && lastPassed.every(Boolean);
    if (fell) verdict = "down";
    else if (passes[end - 1] === true && (neverPassed || rose)) verdict = "up";
  }
  return verdict;
}

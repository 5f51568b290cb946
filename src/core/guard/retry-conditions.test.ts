// Each word, and what it leaves out.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isRetriedCause,
  isRetriedStatus,
  type RetryCause,
  type RetryCondition,
  retryWords,
} from "./retry-conditions.ts";

const causes: readonly RetryCause[] = [
  "connect-failure",
  "reset",
  "response-timeout",
  "junk-response",
];

function statusesOf(...on: readonly RetryCondition[]): readonly number[] {
  const all = Array.from({ length: 500 }, (_, index) => 100 + index);
  return all.filter((status) => isRetriedStatus(status, on));
}

test("where nothing is said, what was not answered is tried again, and no answer is", () => {
  const retried = causes.filter((cause) => isRetriedCause(cause));
  assert.deepEqual(retried, ["connect-failure", "reset", "response-timeout"]);
  for (let status = 100; status < 600; status++) assert.ok(!isRetriedStatus(status));
});

test("a word stands for itself alone", () => {
  for (const word of retryWords) {
    for (const cause of causes) assert.equal(isRetriedCause(cause, [word]), cause === word);
  }
  assert.deepEqual(statusesOf("gateway-error"), [502, 503, 504]);
  assert.deepEqual(statusesOf("retriable-4xx"), [409]);
  assert.deepEqual(statusesOf(429, 503), [429, 503]);
  assert.deepEqual(statusesOf(...causes), []);
  assert.deepEqual(
    statusesOf("5xx"),
    Array.from({ length: 100 }, (_, index) => 500 + index),
  );
});

test("an empty list is never", () => {
  assert.ok(causes.every((cause) => !isRetriedCause(cause, [])));
  assert.deepEqual(statusesOf(), []);
});

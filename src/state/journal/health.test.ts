// Sound, full, failed: what a journal still does in each state.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Health } from "./health.ts";

test("the first failure is the one that everybody is told, once", () => {
  const health = new Health("/journal");
  const told: Error[] = [];
  health.onFailure((failure) => told.push(failure));
  assert.equal(health.refusal(), undefined);
  const first = health.fail("writing", new Error("device gone"));
  assert.equal(health.fail("flushing", new Error("device still gone")), first);
  assert.deepEqual(told, [first]);
  assert.match(first.message, /\/journal has failed: writing: device gone/);
  health.close();
  assert.equal(health.refusal(), first, "a failure is said before a close");
});

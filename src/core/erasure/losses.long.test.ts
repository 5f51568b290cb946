// Every set of losses of 10 + 4 on bit planes: each needs a program of its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { firstUnmended } from "./stripe.fixture.ts";

test("rs-xor: every set of up to four losses of 10 + 4 comes back", () => {
  assert.equal(firstUnmended("rs-xor", 10, 4), undefined);
});

// What only Node's own timers can show wrong; the promises of every clock are in test/conformance.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClock } from "./clock.ts";

test("a timer that Node fires early is put off again", ({ mock }) => {
  const fired: (() => void)[] = [];
  const timeout = { unref: () => timeout };
  mock.method(globalThis, "setTimeout", (fire: () => void) => {
    fired.push(fire);
    return timeout;
  });
  let runs = 0;
  createClock().after(60_000, () => {
    runs++;
  });
  fired[0]?.();
  assert.equal(runs, 0);
  assert.equal(fired.length, 2);
});

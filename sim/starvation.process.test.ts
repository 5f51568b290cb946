// Short of CPU for an hour, with nothing wrong with anybody: nobody is blamed at the defaults, and
// the scenario is hard enough to blame somebody where the settings are too tight.

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { starve } from "./starvation.ts";

const options = { boundary: () => setImmediate() };

test("at the defaults control calls nobody down, and no worker ejects anybody", async () => {
  const result = await starve(7, 1, options);
  assert.ok(result.longestWaitMs > 1_000 && result.waits > 100_000);
  assert.deepEqual(result.falseVerdicts, []);
  assert.deepEqual(result.falseEjections, []);
  assert.ok(result.doubts > 0, "control noticed that it was short of CPU itself");
});

test("with one failed check of 500 ms for a verdict, the innocent are called down", async () => {
  const result = await starve(7, 0.5, {
    ...options,
    adjust: (service) => ({ ...service, health: { ...service.health, fall: 1 } }),
  });
  assert.ok(result.falseVerdicts.length > 5, `${result.falseVerdicts.length} false verdicts`);
});

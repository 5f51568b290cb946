// `nines/model` as a user imports it: the example of the reference page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { near } from "../core/model/golden.fixture.ts";
import * as model from "nines/model";

test("the exports map leads to the models, and they say what the page says", () => {
  const web = model.redundantService({
    instances: 3,
    needed: 2,
    failureRate: 1 / 720,
    repairRate: 12,
    failover: { coverage: 0.99, reconfigurationRate: 1200, manualRate: 4 },
  });
  const database = model.unavailability({ meanUpTime: 4380, meanDownTime: 0.5 });
  const shop = model.series([web.unavailability, database]);
  assert.equal(model.sayAvailability(shop), "99.987 %");
  near(model.downtimeMinutesPerYear(shop), 67.3, 0.05);
  assert.throws(() => model.event("disk", 2), model.NinesError);
});

// How many at a time, and how much traffic a step gives to whom.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  defaultDeploy,
  type DeploySettings,
  stepPlan,
  surgeOf,
  unavailableOf,
} from "./settings.ts";

function amounts(surge: number | string, unavailable: number | string): DeploySettings {
  const read = (written: number | string) =>
    typeof written === "number"
      ? { count: written }
      : { ratio: Number.parseInt(written, 10) / 100 };
  return { ...defaultDeploy, maxSurge: read(surge), maxUnavailable: read(unavailable) };
}

test("a share is rounded up for the extra ones and down for the missing ones", () => {
  const cases: readonly (readonly [number | string, number | string, number, number, number])[] = [
    // maxSurge, maxUnavailable, replicas, extra, missing
    [0, 1, 3, 0, 1],
    [1, 0, 3, 1, 0],
    ["25%", "25%", 4, 1, 1],
    ["25%", "25%", 3, 1, 0],
    ["25%", "25%", 10, 3, 2],
    ["10%", "30%", 10, 1, 3],
    ["0%", "10%", 3, 0, 1],
    [0, 5, 2, 0, 2],
    ["100%", 0, 3, 3, 0],
  ];
  for (const [surge, unavailable, replicas, extra, missing] of cases) {
    const settings = amounts(surge, unavailable);
    const said = `${surge} ${unavailable} of ${replicas}`;
    assert.equal(surgeOf(settings, replicas), extra, said);
    assert.equal(unavailableOf(settings, replicas), missing, said);
  }
});

test("10% of three instances is one of them, chosen less often", () => {
  const canary = { ...defaultDeploy, canary: [0.1, 0.5] };
  const first = stepPlan(canary, 0, 3);
  assert.deepEqual([first.extra, first.replaced], [0, 1]);
  assert.ok(Math.abs(first.share - 0.2 / 0.9) < 1e-9);
  assert.deepEqual(stepPlan(canary, 1, 3), { extra: 0, replaced: 2, share: 0.5 });
  assert.deepEqual(stepPlan(canary, 2, 3), { extra: 0, replaced: 3, share: 1 });
});

test("an extra instance is the first canary, and all old ones stay", () => {
  const canary = { ...amounts(1, 0), canary: [0.1] };
  const { extra, replaced, share } = stepPlan(canary, 0, 3);
  assert.deepEqual([extra, replaced], [1, 0]);
  assert.ok(Math.abs(share / (share + 3) - 0.1) < 1e-9);
});

test("a single instance without an extra one has no step short of the whole", () => {
  const canary = { ...defaultDeploy, canary: [0.1] };
  assert.deepEqual(stepPlan(canary, 0, 1), { extra: 0, replaced: 1, share: 1 });
});

test("the new version gets the step's share, or as near below it as instances allow", () => {
  const share = fc.double({ min: 0.001, max: 0.999, noNaN: true });
  const count = fc.integer({ min: 0, max: 20 });
  fc.assert(
    fc.property(share, count, fc.integer({ min: 1, max: 50 }), (traffic, surge, replicas) => {
      const plan = stepPlan({ ...amounts(surge, 1), canary: [traffic] }, 0, replicas);
      const fresh = plan.extra + plan.replaced;
      const old = replicas - plan.replaced;
      assert.ok(plan.share > 0 && plan.share <= 1 && fresh >= 1 && plan.extra <= surge);
      if (old === 0) return assert.equal(fresh, 1, "only when there is nobody to share with");
      const given = (plan.share * fresh) / (plan.share * fresh + old);
      assert.ok(given <= traffic + 1e-6);
      // Short of it only when one more would leave no old instance.
      if (given < traffic - 1e-6) assert.deepEqual([old, plan.extra], [1, surge]);
    }),
  );
});

// `nines load` in full: the capacity that a service has, and a queue that foretells its latency.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { latencyMs } from "../../src/core/predict/load-fit.ts";
import type { LoadReport } from "../../src/program/load/report.ts";
import { slotsBehindGateway, trueCapacity } from "./slots.fixture.ts";

async function loadTest(t: Parameters<typeof slotsBehindGateway>[0], slots: number) {
  const nines = await slotsBehindGateway(t, { replicas: 2, slots, holdMs: 40 });
  const words = ["--from", "20", "--step", "x1.3", "--duration", "3s", "--json"];
  const { ended } = nines.start("load", "web", ...words);
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  return { report: JSON.parse(stdout) as LoadReport, really: await trueCapacity(nines, slots) };
}

describe("a load test in full", () => {
  for (const slots of [1, 4]) {
    it(`finds the capacity of two instances with ${slots} slots each`, async (t) => {
      const { report, really } = await loadTest(t, slots);
      const { fit, steps } = report;
      assert.ok(fit !== null && fit.isCapacityReached, JSON.stringify(report));
      const found = fit.capacityPerInstance * 2;
      assert.ok(Math.abs(found / really - 1) < 0.1, `found ${found}, really ${really}`);
      assert.ok(fit.slotsPerInstance >= 1 && fit.slotsPerInstance <= slots + 1);
      // Half loaded, the queue that was fitted to all steps foretells what this one showed.
      const half = steps.find(({ offeredPerSecond }) => offeredPerSecond > found / 2);
      assert.ok(half !== undefined);
      const loaded = { loadPerSecond: half.offeredPerSecond, instances: 2 };
      const told = latencyMs(fit, 0.9, loaded);
      assert.ok(told > half.p90Ms * 0.6 && told < half.p90Ms * 1.8, `${told} for ${half.p90Ms} ms`);
    });
  }
});

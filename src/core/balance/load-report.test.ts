// What a report says, and that nothing that is said can break the weights.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readLoadReport } from "./load-report.ts";
import { LoadWeights } from "./load-weights.ts";

test("a report is read as text and as JSON; the application's own word counts first", () => {
  const report = { utilization: 0.4, requestsPerSecond: 120, errorsPerSecond: 2 };
  const text = "cpu_utilization=0.4, rps_fractional=120,eps=2,named_metrics.x=1";
  assert.deepEqual(readLoadReport(`TEXT ${text}`), report);
  assert.deepEqual(readLoadReport(text), report);
  const fields = { cpu_utilization: 0.9, application_utilization: 0.4, rps: 120, eps: 2 };
  assert.deepEqual(readLoadReport(`JSON ${JSON.stringify(fields)}`), report);
});

test("what is no load in range is as if it had not been said", () => {
  for (const text of [
    "",
    "TEXT",
    "TEXT mem_utilization=0.5",
    "cpu_utilization=0",
    "cpu_utilization=-1",
    "cpu_utilization=",
    "cpu_utilization=NaN",
    "cpu_utilization=Infinity",
    "JSON {",
    "JSON null",
    'JSON {"cpu_utilization": "0.4"}',
    `cpu_utilization=0.4,${"x".repeat(1024)}`,
  ]) {
    assert.equal(readLoadReport(text), undefined, text);
  }
  fc.assert(fc.property(fc.string(), (text) => void readLoadReport(text)));
});

/** The weights after eleven seconds in which everybody has reported the same again and again. */
function weights(table: readonly number[], reports: readonly (readonly number[])[]): number[] {
  const { length } = table;
  const slots = {
    count: length,
    listed: new Uint8Array(length).fill(1),
    tableWeight: Int32Array.from(table),
    weight: Int32Array.from(table),
  };
  const loads = new LoadWeights(slots);
  for (const slot of table.keys()) loads.forget(slot, length);
  for (let nowMs = 0; nowMs <= 11_000; nowMs += 1_000) {
    for (const [slot, [utilization = 0, requestsPerSecond = 0, errors = 0]] of reports.entries()) {
      if (utilization === 0) continue;
      loads.reported(slot, nowMs, { utilization, requestsPerSecond, errorsPerSecond: errors });
    }
    loads.tick(nowMs, (slot, weight) => (slots.weight[slot] = weight));
  }
  return [...slots.weight];
}

test("a weight is what an instance could do at full load, beside the average", () => {
  assert.deepEqual(weights([1, 1], []), [1, 1]);
  // 100 a second at a half is 200 at full load, at a sixth 600: of 400 on average.
  assert.deepEqual(
    weights(
      [1, 1],
      [
        [0.5, 100],
        [1 / 6, 100],
      ],
    ),
    [16, 48],
  );
  // Errors cost as if it were busier by their share: 100 / (0.25 + 25 / 100) is 200 again.
  assert.deepEqual(
    weights(
      [1, 1],
      [
        [0.25, 100, 25],
        [0.5, 300],
      ],
    ),
    [16, 48],
  );
  // Who says nothing is average.
  assert.deepEqual(
    weights(
      [1, 1, 1],
      [
        [0.5, 100],
        [1 / 6, 100],
      ],
    ),
    [16, 48, 32],
  );
});

test("whatever is reported, a weight is from 1 to 256, and within eight times the table's", () => {
  const amount = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
  const report = fc.tuple(amount, amount, fc.oneof(fc.constant(0), amount));
  const instance = fc.tuple(fc.integer({ min: 1, max: 256 }), report);
  fc.assert(
    fc.property(fc.array(instance, { minLength: 1, maxLength: 8 }), (all) => {
      const table = all.map(([weight]) => weight);
      const mean = table.reduce((sum, each) => sum + each, 0) / table.length;
      const reported = weights(
        table,
        all.map(([, each]) => each),
      );
      for (const [slot, weight] of reported.entries()) {
        const own = (32 * (table[slot] ?? 0)) / mean;
        assert.ok(Number.isInteger(weight) && weight >= 1 && weight <= 256);
        // Changes of less than an eighth are not made.
        assert.ok(weight <= Math.max(1, 8 * own * 1.15 + 1), `${weight} of ${own}`);
        assert.ok(weight >= Math.min(256, own / 8 / 1.15 - 1), `${weight} of ${own}`);
      }
    }),
  );
});

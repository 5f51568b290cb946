// What incidents say of failures: each counted once for each instance that was out, by what is
// known of its cause, since watching began.

import assert from "node:assert/strict";
import { test } from "node:test";
import { killedInstance } from "../../core/incident/incident.fixture.ts";
import { certainty, type Incident } from "../../core/incident/incident.ts";
import { seenOf, type Watched } from "./seen.ts";

const hour = 3_600_000;
const bornMs = Date.UTC(2026, 10, 1);
const nowMs = bornMs + 100 * hour;
const web: Watched = { name: "web", kind: "command", instances: 3, backoffMs: 100 };

function after(hours: number, said: Partial<Incident> = {}): Incident {
  return killedInstance({ id: `1-${hours}`, startedWallMs: bornMs + hours * hour, ...said });
}

test("ends, silences and losses without a culprit are told apart", () => {
  const incidents = [
    after(30, { causeCertainty: certainty.checks }),
    after(10),
    after(20, { instances: ["web-1", "web-2"] }),
    after(40, { causeCertainty: certainty.ejection }),
    after(50, { causeCertainty: certainty.loss }),
    after(60, { service: "other" }),
    after(-5),
  ];
  const { web: seen } = seenOf([web], incidents, { bornMs, nowMs });
  assert.deepEqual(seen?.crash, { atHours: [10, 20, 20], hours: 100, instances: 3 });
  assert.deepEqual(seen?.hang, { atHours: [30, 40], hours: 100, instances: 3 });
  assert.equal(seen?.endpoint, undefined);
});

test("a start is what one end took, without the backoff", () => {
  const incidents = [after(10), after(20, { instances: ["web-1", "web-2"] })];
  const { web: seen } = seenOf([web], incidents, { bornMs, nowMs });
  assert.deepEqual(seen?.startsMs, [1_307.2 - 3.2 - 75]);
});

test("endpoints are gone, whatever it is that they do not answer for", () => {
  const database: Watched = { name: "web", kind: "endpoints", instances: 2, backoffMs: 0 };
  const incidents = [after(10, { causeCertainty: certainty.checks })];
  const { web: seen } = seenOf([database], incidents, { bornMs, nowMs });
  assert.deepEqual(seen, {
    endpoint: { atHours: [10], hours: 100, instances: 2 },
    startsMs: [],
  });
});

test("a clock that was set back leaves nothing seen", () => {
  assert.deepEqual(seenOf([web], [after(10)], { bornMs, nowMs: bornMs - 1 })["web"], {
    startsMs: [],
  });
});

// t1, t2 and t3 of each failure, after what a service's settings say.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointMs, endSeen, hangMs, restartMs, silenceSeen, transferMs } from "./delays.ts";
import type { PredictedInstance, PredictedService } from "./deployment.ts";
import { exactly, lasting, quietService, webOn } from "./predict.fixture.ts";

const web = webOn(["a", "b"]);
const [process] = web.instances as [PredictedInstance];
const answeringIn = (serviceTimeMs: number) => ({
  loadPerSecond: 1,
  capacityPerInstance: 10,
  slotsPerInstance: 1,
  serviceTimeMs,
});
const endpoint: PredictedInstance = { ...process, kind: "endpoint" };
// Three quarters of a backoff of 100 ms, and a start of two seconds.
const restarted = 75 + 2_000;

describe("a restart", () => {
  it("takes the backoff, the start, and the further checks that must pass", () => {
    assert.equal(restartMs(web, quietService), restarted);
    const checks = { ...(web.checks as NonNullable<PredictedService["checks"]>), rise: 3 };
    assert.equal(restartMs({ ...web, checks }, quietService), restarted + 2 * 250);
  });

  it("is tried again after twice the backoff, as often as starts fail", () => {
    const half = { ...quietService, startFails: exactly(0.5) };
    // Two starts on average; of the k-th wait of 75 x 2^(k - 1), 2^(1 - k) is met, up to 30 s.
    const waits = Array.from(
      { length: 40 },
      (_, at) => Math.min(75 * 2 ** at, 0.75 * 30_000) / 2 ** at,
    ).reduce((sum, ms) => sum + ms, 0);
    assert.ok(Math.abs(restartMs(web, half) - (waits + 2 * 2_000)) < 0.1);
  });
});

describe("a restart that fails nearly always", () => {
  it("counts all further tries, however many", () => {
    const nearly = { ...quietService, startFails: exactly(0.9999) };
    const flat = { ...web, restart: { ...web.restart, backoffMaxMs: 100 } };
    const expectedMs = 10_000 * restarted;
    assert.ok(Math.abs(restartMs(flat, nearly) - expectedMs) < 1e-6 * expectedMs);
  });
});

describe("a hang", () => {
  it("is waited for, ended and followed by a restart", () => {
    const long = { ...quietService, hangRepair: lasting(3_600_000) };
    assert.equal(hangMs(web, process, long), 30_000 + 4_000 + restarted);
  });

  it("that ends before is only checked again", () => {
    const short = { ...quietService, hangRepair: lasting(10_000) };
    assert.equal(hangMs(web, process, short), 10_000 + 1_000);
  });

  it("lasts for as long as it wants where nobody restarts", () => {
    const long = { ...quietService, hangRepair: lasting(3_600_000) };
    const patient = { ...web, restart: { ...web.restart, unhealthyAfterMs: 0 } };
    assert.equal(hangMs(patient, process, long), 3_600_000 + 1_000);
    assert.equal(hangMs(web, endpoint, long), 3_600_000 + 1_000);
  });

  it("of a primary is ended at once, or there would be two", () => {
    const primary = { ...web, mode: "primary-standby" } as const;
    assert.equal(hangMs(primary, process, quietService), restarted);
  });

  it("is seen by what comes first: the workers, a check, a heartbeat", () => {
    const through = { ...web, throughGateway: true };
    assert.equal(silenceSeen({ ...through, queue: answeringIn(5) }), 250, "no sooner");
    assert.equal(silenceSeen({ ...through, queue: answeringIn(100) }), 4 * 200, "four patiences");
    assert.equal(silenceSeen({ ...through, queue: answeringIn(900) }), 2_500, "the checks do");
    assert.equal(silenceSeen({ ...through, stallDetection: false }), 2_500, "only checks do");
    assert.equal(silenceSeen({ ...through, mode: "primary-standby" }), 250 + 500);
    const backup = { ...process, id: "web-2", backup: true };
    const [first] = web.instances as [PredictedInstance];
    const alone = { ...through, instances: [first, backup] };
    assert.equal(silenceSeen(alone), 250 + 500, "a backup is no peer");
    assert.equal(silenceSeen(web), 2_500);
    assert.equal(silenceSeen({ ...web, heartbeatMs: 1_600 }), 1_600);
    assert.equal(silenceSeen({ ...web, checks: undefined, heartbeatMs: 9_000 }), 9_000);
  });
});

describe("the others", () => {
  it("an end is seen at once; what it was working on is lost for as long as that takes", () => {
    assert.equal(endSeen(web), 10 + 50);
    assert.equal(endSeen({ ...web, queue: answeringIn(100) }), 10 + 100);
  });

  it("an endpoint comes back with the next check after its repair", () => {
    assert.equal(endpointMs(web, quietService), 600_000 + 1_000);
  });

  it("traffic goes elsewhere with the next table, and a promotion is on disk before", () => {
    assert.equal(transferMs(web), 10);
    assert.equal(transferMs({ ...web, mode: "primary-standby" }), 30);
  });
});

// Counters add up over workers and never go back when one ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { WorkerStats } from "../../core/measure/gateway-stats.ts";
import { createTotals } from "./totals.ts";

function stats(worker: number, requests: number, active = 0): WorkerStats {
  const failures = { connectFailures: requests, resets: 1, timeouts: 0 };
  const instance = { ...failures, id: "web-1", requests, active, answers: [0, requests] };
  const flow = {
    queued: active,
    limited: 0,
    retries: 2,
    hedges: 0,
    refused: 0,
    lost: 0,
    serverErrors: 0,
    bytesIn: 10,
    bytesOut: 20,
  };
  const instances = [{ ...instance, ejected: active > 0, late: false, hedges: 0 }];
  const service = { name: "web", requests, active, ...flow, latency: [requests, 1], instances };
  const own = {
    worker,
    pid: worker,
    connections: active,
    connectionsAccepted: requests,
    connectionsRefused: requests,
  };
  const rest = { refusedHeads: 1, tableVersion: 1, residentBytes: 5, loopDelayMs: 1 };
  return { ...own, ...rest, services: [service] };
}

describe("what the workers counted, as one", () => {
  it("is the sum of the living", () => {
    const total = createTotals().sum([stats(1, 3, 1), stats(2, 4)]);
    const [web] = total.services;
    assert.equal(total.connectionsAccepted, 7);
    assert.equal(total.connectionsRefused, 7);
    assert.equal(web?.requests, 7);
    assert.deepEqual(web?.latency, [7, 2]);
    assert.deepEqual(web?.instances[0]?.answers, [0, 7]);
    assert.equal(web?.instances[0]?.ejected, true);
  });

  it("keeps the counters of the ended, and not what they had open", () => {
    const totals = createTotals();
    totals.retire(stats(1, 3, 2));
    const total = totals.sum([stats(2, 4, 1)]);
    assert.equal(total.connections, 1);
    assert.equal(total.services[0]?.requests, 7);
    assert.equal(total.services[0]?.active, 1);
    assert.equal(total.services[0]?.queued, 1);
    assert.equal(totals.sum([]).services[0]?.instances[0]?.ejected, false);
  });

  it("never goes back, however workers come, count and end", () => {
    const counting = fc.record({ worker: fc.nat(3), more: fc.nat(5), ends: fc.boolean() });
    fc.assert(
      fc.property(fc.array(counting, { maxLength: 50 }), (steps) => {
        const totals = createTotals();
        const living = new Map<number, number>();
        let before = 0;
        let made = 0;
        for (const { worker, more, ends } of steps) {
          const requests = (living.get(worker) ?? 0) + more;
          made += more;
          living.set(worker, requests);
          if (ends) {
            totals.retire(stats(worker, requests));
            living.delete(worker);
          }
          const reports = [...living].map(([one, count]) => stats(one, count));
          const now = totals.sum(reports).services[0]?.requests ?? 0;
          assert.ok(now >= before);
          assert.equal(now, made);
          before = now;
        }
      }),
    );
  });
});

// Counters add up over workers and never go back when one ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  quietInstance,
  quietService,
  quietWorker,
  type WorkerStats,
} from "../../core/measure/gateway-stats.ts";
import {
  defaultHedge,
  plainRule,
  plainService,
  type RoutingTable,
} from "../../core/route/table.ts";
import { timeouts } from "../engine/engine.fixture.ts";
import { testTable } from "../process/harness.fixture.ts";
import { createTotals } from "./totals.ts";

function stats(worker: number, requests: number, active = 0): WorkerStats {
  const instance = {
    ...quietInstance,
    id: "web-1",
    requests,
    active,
    connectFailures: requests,
    answers: [0, requests],
    latency: [requests],
    latencySumMs: requests,
    ejections: { INSTANCE_SILENT: 1 },
    ejected: active > 0,
  };
  const service = {
    ...quietService,
    name: "web",
    requests,
    active,
    queued: active,
    concurrency: { limit: 10 * worker, waiting: active, baselineMs: worker },
    retriedFor: { CONNECT_FAILED: 2 },
    latency: [requests, 1],
    instances: [instance],
  };
  const route = {
    name: "/*",
    service: "web",
    requests,
    answers: [0, requests],
    failures: { NO_INSTANCE: requests },
    latency: [0, requests],
    latencySumMs: requests,
  };
  const counts = { connectionsAccepted: requests, connectionsRefused: requests, refusedHeads: 1 };
  const own = { worker, pid: worker, connections: active, ...counts, failures: { BAD_HOST: 1 } };
  return { ...quietWorker, ...own, routes: [route], services: [service] };
}

/** No route without an instance. */
function tableOf(ids: readonly string[]): RoutingTable {
  const endpoint = { host: "127.0.0.1", port: 1, weight: 1, backup: false, share: 1 };
  const instances = ids.map((id) => ({ ...endpoint, id, verdict: "up" as const, generation: 1 }));
  const web = { ...plainService, name: "web", instances };
  const route = {
    match: { path: "/" },
    service: "web",
    rateLimits: [],
    balance: plainRule("random"),
    retry: { attempts: 0, budgetRatio: 0, budgetPerSecond: 0, replayBytes: 0 },
    hedge: defaultHedge,
    timeouts,
  };
  const { limits, ...frame } = testTable(8080, 1);
  return { ...frame, limits, routes: ids.length === 0 ? [] : [route], services: [web] };
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
    assert.deepEqual(web?.concurrency, { limit: 30, waiting: 1, baselineMs: 2 });
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
    assert.equal(total.services[0]?.concurrency?.limit, 20);
    assert.equal(totals.sum([]).services[0]?.concurrency, undefined);
  });

  it("counts by reason, by route and by instance, over the ended too", () => {
    const totals = createTotals();
    totals.retire(stats(1, 3));
    const { failures, routes, services } = totals.sum([stats(2, 4)]);
    assert.deepEqual(failures, { BAD_HOST: 2 });
    assert.deepEqual(services[0]?.retriedFor, { CONNECT_FAILED: 4 });
    assert.deepEqual(services[0]?.instances[0]?.ejections, { INSTANCE_SILENT: 2 });
    assert.deepEqual(services[0]?.instances[0]?.latency, [7]);
    const [route] = routes;
    assert.deepEqual(route?.failures, { NO_INSTANCE: 7 });
    assert.deepEqual([route?.requests, route?.latency, route?.latencySumMs], [7, [0, 7], 7]);
  });

  it("is of what the table names, and forgets the rest", () => {
    const totals = createTotals();
    totals.follow(tableOf(["web-1"]));
    totals.retire(stats(1, 3));
    assert.equal(totals.sum([stats(2, 4)]).services[0]?.instances[0]?.requests, 7);
    totals.follow(tableOf(["web-2"]));
    assert.deepEqual(totals.sum([stats(2, 4)]).services[0]?.instances, []);
    totals.follow(tableOf([]));
    assert.deepEqual(totals.sum([stats(2, 4)]).routes, []);
    totals.follow(tableOf(["web-1"]));
    const { services, routes } = totals.sum([stats(2, 4)]);
    assert.equal(services[0]?.instances[0]?.requests, 4, "what left begins anew");
    assert.equal(routes[0]?.requests, 4);
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

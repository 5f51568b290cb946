// What of an answer's head a service hands to its dispatcher, and only where that counts; and whom
// of those who wait it wakes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrng } from "../../core/base/prng.ts";
import type { LoadReport } from "../../core/balance/load-report.ts";
import type { Priority } from "../../core/guard/concurrency-limit.ts";
import type { TableService } from "../../core/route/table.ts";
import { ResponseHead } from "../http1/response-head.ts";
import { connectWire } from "../transport/handle-wire.ts";
import { Context } from "./context.ts";
import { tableOf } from "./engine.fixture.ts";
import { Scanner } from "./scanner.ts";
import { Service } from "./service.ts";

const limits = tableOf({ ports: [] }).limits;

function serviceOf(said: Partial<TableService>): Service {
  const [entry] = tableOf({ ports: [1], service: said }).services;
  assert.ok(entry !== undefined);
  const context = new Context({
    limits,
    random: createPrng(1),
    nowMs: 0,
    scanner: new Scanner(() => false),
    notice: () => {},
    stickyKey: () => Buffer.alloc(32),
    connect: connectWire,
  });
  return new Service(context, entry, 1, 0);
}

function heard(fields: string, loadReports?: true): readonly LoadReport[] {
  const service = serviceOf(loadReports === undefined ? {} : { loadReports });
  const reports: LoadReport[] = [];
  service.dispatcher.reported = (_slot, _nowMs, report) => void reports.push(report);
  const head = new ResponseHead(limits);
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`);
  head.reset(0);
  assert.ok(head.scan(bytes, bytes.length) > 0);
  service.heedLoad(0, head, bytes);
  return reports;
}

test("a load report is heard in a service that asks for them, whatever the field's case", () => {
  const field = "Endpoint-Load-Metrics: TEXT cpu_utilization=0.25,eps=1\r\n";
  const report = { utilization: 0.25, requestsPerSecond: 0, errorsPerSecond: 1 };
  assert.deepEqual(heard(field, true), [report]);
  assert.deepEqual(heard(field), []);
  assert.deepEqual(heard("", true), []);
  assert.deepEqual(heard("Endpoint-Load-Metrics: nothing\r\n", true), []);
});

test("many who find nothing and hold up nobody hold up none who is less important, either", () => {
  const service = serviceOf({ queueLength: 200 });
  const asked: string[] = [];
  const enqueue = (name: string, priority: Priority, isChoosy: boolean, finds: boolean): void => {
    const tryAgain = (): boolean => asked.push(name) > 0 && finds;
    const isQueued = service.enqueue({ priority, isChoosy, tryAgain, displaced: assert.fail });
    assert.ok(isQueued);
  };
  for (let index = 0; index < 100; index++) enqueue("high", "high", true, false);
  enqueue("first", "normal", false, true);
  enqueue("next", "normal", false, false);
  enqueue("last", "low", true, true);
  service.wake();
  assert.ok(asked.length < 100, "one turn asks no more than some of them");
  assert.deepEqual(
    asked.filter((name) => name !== "high"),
    ["first", "next"],
  );
});

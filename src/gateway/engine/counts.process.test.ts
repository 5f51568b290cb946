// What a worker counts of a route and an instance: each request once, each early end by its reason,
// nothing by what a client sends, and never less than before.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RouteStats } from "../../core/measure/gateway-stats.ts";
import type { TableRoute } from "../../core/route/table.ts";
import {
  eventually,
  freePort,
  type Gateway,
  opening,
  type Peer,
  startGateway,
  startOrigin,
  tableOf,
} from "./engine.fixture.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);

function countsOf(gateway: Gateway, name = "/*"): RouteStats {
  const counts = gateway.engine.stats().routes.find((route) => route.name === name);
  assert.ok(counts !== undefined, `${name} is counted`);
  return counts;
}

/** Answers with the status that the path names. */
async function asTold(peer: Peer): Promise<void> {
  while (peer.end === "open") {
    const { head } = await peer.message();
    const status = /\/(\d{3})/.exec(head)?.[1] ?? "200";
    peer.send(`HTTP/1.1 ${status} x\r\nKeep-Alive: timeout=60\r\nContent-Length: 1\r\n\r\nx`);
  }
}

const half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";

describe("what is counted of a route", () => {
  test(
    "is each request and its answer by class, under the route that took it",
    opening(async (open) => {
      const origin = await open(startOrigin(asTold));
      const table = tableOf({ ports: [origin.port] });
      const [route] = table.routes as readonly [TableRoute];
      const routes = [{ ...route, match: { path: "/shop" } }, route];
      const gateway = await open(startGateway({ ...table, routes }));
      for (const path of ["/shop/200", "/shop/404", "/200", "/301", "/503"]) {
        await gateway.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      }
      const [shop, rest] = [countsOf(gateway, "/shop/*"), countsOf(gateway)];
      assert.deepEqual([shop.requests, shop.answers, shop.failures], [2, [0, 1, 0, 1, 0], {}]);
      assert.deepEqual([rest.requests, rest.answers, rest.failures], [3, [0, 1, 1, 0, 1], {}]);
      for (const counts of [shop, rest]) {
        assert.equal(sum(counts.latency), counts.requests);
        assert.ok(counts.latencySumMs > 0);
      }
      const [web] = gateway.engine.stats().services[0]?.instances ?? [];
      assert.equal(sum(web?.latency ?? []), 5);
    }),
  );

  test(
    "is every refusal by its reason, and before a route is known without one",
    opening(async (open) => {
      const dead = await freePort();
      const rateLimits = [{ requests: 1, perMs: 3_600_000, burst: 1, by: "route" } as const];
      const route = { match: { path: "/" }, rateLimits };
      const gateway = await open(startGateway(tableOf({ ports: [dead], route, attempts: 0 })));
      await gateway.ask(get);
      await gateway.ask(get);
      await gateway.ask("GET / HTTP/1.1\r\n\r\n");
      const { failures, requests, answers, latency } = countsOf(gateway);
      assert.deepEqual(failures, { CONNECT_FAILED: 1, RATE_LIMITED: 1 });
      assert.deepEqual([requests, answers, sum(latency)], [1, [0, 0, 0, 1, 1], 1]);
      gateway.engine.swap({ ...tableOf({ ports: [dead], version: 2 }), routes: [] });
      await gateway.ask(get);
      assert.deepEqual(gateway.engine.stats().failures, { HOST_MISSING: 1, NO_ROUTE: 1 });
    }),
  );

  test(
    "tells a client that left before its answer from one that left amid it",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const early = await gateway.client();
      early.send(get);
      await (await origin.peer(0)).takeThrough("\r\n\r\n");
      early.reset();
      await eventually("it is gone", () => gateway.engine.connections === 0);
      assert.deepEqual(countsOf(gateway).failures, { CLIENT_LEFT: 1 });
      const late = await gateway.client();
      late.send(get);
      (await origin.peer(1)).send(half);
      await late.takeThrough("half");
      late.reset();
      await eventually("it is gone", () => gateway.engine.connections === 0);
      assert.deepEqual(countsOf(gateway).failures, { CLIENT_LEFT: 1, CLIENT_LEFT_AMID: 1 });
      assert.deepEqual(countsOf(gateway).answers, [0, 0, 0, 0, 0]);
    }),
  );

  test(
    "is an answer that broke off, once, and no whole answer",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      const peer = await origin.peer(0);
      peer.send(half);
      await client.takeThrough("half");
      peer.close();
      await client.ended();
      const { requests, answers, failures } = countsOf(gateway);
      assert.deepEqual([requests, answers], [1, [0, 0, 0, 0, 0]]);
      assert.deepEqual(failures, { ANSWER_BROKE_OFF: 1 });
      const instance = gateway.engine.stats().services[0]?.instances[0];
      assert.equal(instance?.resets, 1);
      assert.deepEqual([instance.answers, instance.latency], [[0, 0, 0, 0, 0], []]);
    }),
  );

  test(
    "is nothing that a client names: no method, host or path makes a number of its own",
    opening(async (open) => {
      const origin = await open(startOrigin(asTold));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      await gateway.ask(get);
      const names = (): readonly string[] => {
        const keys: string[] = [];
        JSON.stringify(gateway.engine.stats(), (key, value: unknown) => {
          if (/^\d*$/.test(key)) return value;
          keys.push(key, typeof value === "string" ? value : "");
          return value;
        });
        return keys.sort();
      };
      const before = names();
      for (let count = 0; count < 20; count++) {
        const fields = `Host: h${count}\r\nX-${count}: ${count}\r\nUser-Agent: u${count}`;
        await gateway.ask(`M${count} /p${count}?q=${count} HTTP/1.1\r\n${fields}\r\n\r\n`);
      }
      assert.equal(countsOf(gateway).requests, 21);
      assert.deepEqual(names(), before);
    }),
  );
});

describe("what is counted of an instance", () => {
  test(
    "is why requests went elsewhere, and why it was ejected",
    opening(async (open) => {
      const dead = await freePort();
      const origin = await open(startOrigin(asTold));
      const table = tableOf({ ports: [dead, origin.port], instances: [{}, { backup: true }] });
      const gateway = await open(startGateway(table));
      await gateway.ask(get);
      const [service] = gateway.engine.stats().services;
      assert.deepEqual(service?.retriedFor, { CONNECT_FAILED: 1 });
      assert.equal(service?.retries, 1);
      assert.deepEqual(service?.instances[0]?.ejections, { INSTANCE_REFUSED: 1 });
      assert.deepEqual(service?.instances[1]?.ejections, {});
    }),
  );

  test(
    "stays when its id gets another address; a route's stays when the table changes",
    opening(async (open) => {
      const before = await open(startOrigin(asTold));
      const after = await open(startOrigin(asTold));
      const gateway = await open(startGateway(tableOf({ ports: [before.port] })));
      await gateway.ask(get);
      gateway.engine.swap(tableOf({ ports: [after.port], version: 2 }));
      await gateway.ask(get);
      const [web] = gateway.engine.stats().services[0]?.instances ?? [];
      assert.equal(after.peers.length, 1);
      assert.deepEqual([web?.requests, web?.answers], [2, [0, 2, 0, 0, 0]]);
      assert.equal(sum(web?.latency ?? []), 2);
      assert.equal(countsOf(gateway).requests, 2);
    }),
  );
});

test(
  "connections of a tcp listener are counted under its address, by how they end",
  opening(async (open) => {
    const origin = await open(startOrigin(async (peer) => peer.send("hello")));
    const table = tableOf({ ports: [origin.port], protocol: "tcp" });
    const gateway = await open(startGateway(table));
    const whole = await gateway.client();
    await whole.takeThrough("hello");
    whole.finish();
    (await origin.peer(0)).finish();
    await whole.ended();
    whole.close();
    const cut = await gateway.client();
    await cut.takeThrough("hello");
    (await origin.peer(1)).reset();
    await cut.ended();
    await eventually("both are counted", () => gateway.engine.connections === 0);
    const counts = countsOf(gateway, "tcp 127.0.0.1:0");
    assert.equal(counts.requests, 2);
    assert.deepEqual(counts.failures, { ANSWER_BROKE_OFF: 1 });
    assert.equal(sum(counts.latency), 2);
  }),
);

// What the data plane is told, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultDetection } from "../../core/route/table.ts";
import { createRouter, NO_ROUTE } from "../../core/route/router.ts";
import { commandService, configOf, endpointService, World } from "../world.fixture.ts";

const two = { replicas: { min: 2, max: 2 } };

test("all changes of one turn are one table, and what changes nothing is none", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 5, max: 5 } })]));
  await world.advance(2_000);
  // Before any port is known, all ports, all ready: the five are in step.
  assert.ok(world.tables.length <= 4, `${world.tables.length} tables`);
  const before = world.tables.length;
  await world.advance(60_000);
  assert.equal(world.tables.length, before);
});

test("versions grow, and services and instances come in the order of the file", async () => {
  const world = new World();
  const control = world.control();
  const services = [
    endpointService("zeta", ["10.0.0.9:80", "10.0.0.1:80"]),
    commandService("alpha", { replicas: { min: 11, max: 11 } }),
  ];
  control.start(configOf(services));
  await world.advance(2_000);
  const table = control.table();
  assert.deepEqual(
    table?.services.map((service) => service.name),
    ["zeta", "alpha"],
  );
  assert.deepEqual(
    table?.services[1]?.instances.map((instance) => instance.id),
    Array.from({ length: 11 }, (_one, index) => `alpha-${index + 1}`),
  );
  assert.equal(table?.services[0]?.instances[0]?.id, "zeta-10.0.0.9:80");
  const versions = world.tables.map((one) => one.version);
  assert.deepEqual(
    versions,
    [...new Set(versions)].sort((a, b) => a - b),
  );
});

test("what the file says of detection, slow start and hedges is what the workers are told", async () => {
  const world = new World();
  const control = world.control();
  const detection = { ...defaultDetection, consecutiveErrors: 7, panicRatio: 0.25 };
  const hedge = { budgetRatio: 0.1, budgetPerSecond: 1 };
  const services = [commandService("web", { ...two, detection, slowStartMs: 30_000 })];
  const { gateway } = configOf(services);
  assert.ok(gateway !== undefined);
  const routes = [{ ...gateway, hedge, match: { path: "/" }, service: "web", rateLimits: [] }];
  const listen = [{ host: "::", port: 5432, protocol: "tcp", service: "web" }] as const;
  const general = { budgetRatio: 0, budgetPerSecond: 0 };
  control.start(configOf(services, { routes, listen, hedge: general }));
  await world.advance(0);
  const table = control.table();
  assert.deepEqual(table?.services[0]?.detection, detection);
  assert.equal(table?.services[0]?.slowStartMs, 30_000);
  assert.deepEqual(
    table?.routes.map((route) => route.hedge),
    [hedge, general],
  );
});

test("a tcp listener has a route of its own, that no request can take", async () => {
  const world = new World();
  const control = world.control();
  const listen = [
    { host: "0.0.0.0", port: 8080, protocol: "http" },
    { host: "0.0.0.0", port: 5432, protocol: "tcp", service: "db" },
  ] as const;
  control.start(configOf([commandService("db", two)], { listen }));
  await world.advance(0);
  const table = control.table();
  assert.deepEqual(table?.listeners[1], {
    host: "0.0.0.0",
    port: 5432,
    protocol: "tcp",
    tcpRoute: 0,
  });
  assert.equal(table?.routes[0]?.service, "db");
  const found = createRouter(table?.routes ?? []).find("any", "/", "GET", () => undefined);
  assert.equal(found, NO_ROUTE);
});

test("a file without its gateway closes what listens", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", two)]));
  await world.advance(1_000);
  const before = control.table()?.version ?? 0;
  control.apply(configOf([commandService("web", two)], "none"));
  await world.advance(1_000);
  assert.deepEqual(control.table()?.listeners, []);
  assert.ok((control.table()?.version ?? 0) > before);
});

test("readmission is a new generation: what workers ejected meanwhile is forgiven", async () => {
  const world = new World();
  const control = world.control();
  world.answering.add("10.0.0.7:80");
  control.start(configOf([endpointService("api", ["10.0.0.7:80"])]));
  await world.advance(2_000);
  const before = control.registry.get("api-10.0.0.7:80")?.generation ?? 0;
  world.answering.clear();
  await world.until(() => world.verdict("api-10.0.0.7:80") === "failing");
  world.answering.add("10.0.0.7:80");
  await world.until(() => world.verdict("api-10.0.0.7:80") === "up");
  const after = control.table()?.services[0]?.instances[0]?.generation ?? 0;
  assert.ok(after > before);
  world.killControl();
  const next = world.control(2);
  next.start(configOf([endpointService("api", ["10.0.0.7:80"])]));
  await world.advance(2_000);
  assert.equal(next.table()?.services[0]?.instances[0]?.generation, after);
});

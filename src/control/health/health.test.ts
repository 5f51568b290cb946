// When instances are asked whether they are well, and what their answers do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandService, configOf, endpointService, World } from "../world.fixture.ts";
import { observedSpacingMs } from "./active-check.ts";

const two = { replicas: { min: 2, max: 2 } };

test("the first check comes at once, the next at the interval with a little jitter", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", two)]));
  await world.advance(10);
  assert.equal(world.probesBegun, 2);
  await world.advance(890);
  assert.equal(world.probesBegun, 2);
  await world.advance(210);
  assert.equal(world.probesBegun, 4);
  await world.advance(100_000);
  const perInstance = world.probesBegun / 2;
  assert.ok(perInstance > 95 && perInstance < 107, `${perInstance} checks in 101 s`);
});

test("a start is checked fast until it is ready, however long that takes", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { readyAfterMs: 10_000 });
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.until(() => world.verdict("web-1") === "up");
  assert.ok(world.nowMs <= 1_000 + 10_000 + 300, `${world.nowMs} ms`);
  assert.equal(world.events.filter((one) => one.kind === "instance.down").length, 0);
});

test("a silent instance is down within interval and timeouts, and it says why", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", two)]));
  await world.advance(5_000);
  world.hung.add("web-2");
  const hungMs = world.nowMs;
  await world.until(() => world.verdict("web-2") === "failing");
  assert.ok(world.nowMs - hungMs <= 1_100 + 3 * 500 + 10, `${world.nowMs - hungMs} ms`);
  assert.equal(
    control.registry.get("web-2")?.why,
    "web-2 is down: 3 checks in a row failed, no answer in 500 ms",
  );
  assert.equal(world.verdict("web-1"), "up");
});

test("what live traffic met is checked at once: two witnesses are enough", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([endpointService("api", ["10.0.0.7:80"])]));
  world.answering.add("10.0.0.7:80");
  await world.advance(5_300);
  world.answering.clear();
  control.observe({ instance: "api-10.0.0.7:80", detail: "connection refused" });
  await world.advance(10);
  assert.equal(world.verdict("api-10.0.0.7:80"), "failing");
  assert.match(control.registry.get("api-10.0.0.7:80")?.why ?? "", /traffic met "connection refu/);
});

test("what live traffic met of a well instance changes nothing, and costs few checks", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", two)]));
  await world.advance(5_000);
  const before = world.probesBegun;
  for (let noticed = 0; noticed < 1_000; noticed++) {
    control.observe({ instance: "web-1", detail: "reset before an answer" });
    await world.advance(1);
  }
  assert.equal(world.verdict("web-1"), "up");
  const most = 1_000 / observedSpacingMs + 5;
  assert.ok(world.probesBegun - before <= most, `${world.probesBegun - before} checks in 1 s`);
  control.observe({ instance: "nobody", detail: "reset before an answer" });
});

test("one probe at a time an instance, also while traffic complains", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.advance(1_000);
  world.hung.add("web-1");
  for (let noticed = 0; noticed < 400; noticed++) {
    control.observe({ instance: "web-1", detail: "no answer" });
    await world.advance(5);
    assert.ok(world.probesUnderWay <= 1);
  }
});

test("a suspicion that came during a probe is not answered by that probe's pass", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([endpointService("api", ["10.0.0.7:80"])]));
  world.answering.add("10.0.0.7:80");
  await world.advance(5_000);
  await world.until(() => world.probesUnderWay === 1, 2_000);
  world.answering.clear();
  control.observe({ instance: "api-10.0.0.7:80", detail: "connection refused" });
  await world.advance(observedSpacingMs + 10);
  assert.equal(world.verdict("api-10.0.0.7:80"), "failing");
});

test("a suspicion that came during a probe is confirmed by that probe's failure", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", two)]));
  await world.advance(5_000);
  world.hung.add("web-2");
  const begunBefore = world.probesBegun;
  await world.until(() => world.probesUnderWay === 1 && world.probesBegun > begunBefore, 2_000);
  const askedMs = world.nowMs;
  await world.advance(100);
  control.observe({ instance: "web-2", detail: "3 requests unanswered for 100 ms" });
  await world.until(() => world.verdict("web-2") === "failing");
  assert.ok(world.nowMs - askedMs <= 600, `${world.nowMs - askedMs} ms`);
});

test("the answer of a process that is gone says nothing of its successor", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.advance(1_000);
  world.hung.add("web-1");
  await world.until(() => world.probesUnderWay === 1, 2_000);
  world.crash("web-1");
  world.hung.clear();
  world.behaviours.set("web-1", { readyAfterMs: 1_000 });
  await world.until(() => control.registry.get("web-1")?.phase === "starting", 1_000);
  await world.advance(600);
  assert.equal(control.registry.get("web-1")?.health, "unknown");
});

test("many endpoints are not all asked in the same moment", async () => {
  const world = new World();
  const control = world.control();
  const addresses = Array.from({ length: 100 }, (_one, index) => `10.0.1.${index}:80`);
  control.start(configOf([endpointService("api", addresses)]));
  let most = 0;
  for (let ms = 0; ms < 300; ms++) {
    const before = world.probesBegun;
    await world.advance(1);
    most = Math.max(most, world.probesBegun - before);
  }
  assert.ok(world.probesBegun >= 100);
  assert.ok(most <= 10, `${most} in one millisecond`);
});

test("what counts as up before its first check has traffic at once, until one fails", async () => {
  const world = new World();
  const { health } = commandService("web");
  const eager = { ...health, initialState: "up" } as const;
  world.behaviours.set("web-1", { readyAfterMs: 3_000 });
  const one = { replicas: { min: 1, max: 1 } };
  world.control().start(configOf([commandService("web", { ...one, health: eager })]));
  await world.advance(100);
  const said = world.sentences("web-1");
  assert.ok(said.includes("web-1 is ready 0 ms after its start"), "before any check");
  assert.ok(said.includes("web-1 is down: a check failed, connection refused"), said.join("\n"));
});

test("what counts as down before its first check has none, also where it had traffic", async () => {
  const world = new World();
  const { health } = endpointService("api", []);
  const strict = { ...health, initialState: "down" } as const;
  const file = configOf([{ ...endpointService("api", ["10.0.0.7:80"]), health: strict }]);
  world.answering.add("10.0.0.7:80");
  const control = world.control();
  control.start(file);
  await world.until(() => world.verdict("api-10.0.0.7:80") === "up");
  world.killControl();
  world.hung.add("10.0.0.7:80");
  const next = world.control();
  next.start(file);
  await world.advance(5);
  assert.equal(next.registry.get("api-10.0.0.7:80")?.health, "down");
  assert.notEqual(world.verdict("api-10.0.0.7:80"), "up");
  world.hung.clear();
  await world.until(() => world.verdict("api-10.0.0.7:80") === "up");
});

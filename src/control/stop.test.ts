// Everything ends, in order and in time.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../config/config.ts";
import type { Control } from "./control.ts";
import { commandService, configOf, World } from "./world.fixture.ts";

const two = { replicas: { min: 2, max: 2 } };

const shop: Config = configOf([
  commandService("web", { ...two, dependsOn: ["api"] }),
  commandService("api", { ...two, dependsOn: ["db"] }),
  commandService("db", { replicas: { min: 1, max: 1 } }),
]);

async function started(world: World, config = shop): Promise<Control> {
  const control = world.control();
  control.start(config);
  await world.advance(5_000);
  return control;
}

/** How long the stop took. */
async function stopped(world: World, control: Control, withinMs?: number): Promise<number> {
  const beganMs = world.nowMs;
  let over = false;
  void control.stop(withinMs).then(() => {
    over = true;
  });
  await world.until(() => over);
  return world.nowMs - beganMs;
}

test("everything ends, dependents first, and nothing is left", async () => {
  const world = new World();
  const control = await started(world);
  await stopped(world, control);
  const ended = world.events.filter((one) => one.kind === "instance.stopped");
  assert.deepEqual(
    ended.map((one) => one.service),
    ["web", "web", "api", "api", "db"],
  );
  assert.ok(world.processes.every((one) => !one.alive && one.signals[0] === "SIGTERM"));
  assert.deepEqual(control.registry.instances(), []);
  assert.deepEqual(
    [...world.kept.keys()].filter((key) => key.startsWith("instances/")),
    [],
  );
  control.release();
  assert.equal(world.leftovers, 0);
});

test("a dependency is not told to end before its last dependent has", async () => {
  const world = new World();
  const control = await started(world);
  world.process("web-1").behaviour = { endsAfterTermMs: 2_000 };
  void control.stop();
  await world.advance(1_900);
  assert.deepEqual(world.process("api-1").signals, []);
  await world.advance(200);
  assert.equal(world.starts("api-1")[0]?.signals[0], "SIGTERM");
});

test("who does not listen to SIGTERM is killed after its grace", async () => {
  const world = new World();
  const control = await started(world);
  world.process("web-1").behaviour = { endsAfterTermMs: undefined };
  const tookMs = await stopped(world, control);
  assert.ok(tookMs >= 5_000 && tookMs < 6_000, `${tookMs} ms`);
  assert.ok(world.starts("web-1")[0]?.signals.includes("SIGKILL"));
});

test("a time limit is kept, though nobody listens", async () => {
  const world = new World();
  const control = await started(world);
  for (const one of world.processes) one.behaviour = { endsAfterTermMs: undefined };
  const tookMs = await stopped(world, control, 3_000);
  assert.ok(tookMs <= 3_100, `${tookMs} ms`);
  assert.ok(world.processes.every((one) => !one.alive));
});

test("a layer that uses up its share of the time does not use up the others'", async () => {
  const world = new World();
  const control = await started(world);
  for (const one of world.processes) one.behaviour = { endsAfterTermMs: 600 };
  world.process("web-1").behaviour = { endsAfterTermMs: undefined };
  const tookMs = await stopped(world, control, 3_000);
  assert.ok(tookMs <= 3_000, `${tookMs} ms`);
  for (const one of [...world.starts("api-1"), ...world.starts("db-1")]) {
    assert.deepEqual(one.signals, ["SIGTERM", "SIGKILL"], "the last for what it left behind");
    assert.equal(one.endedBy, "exited");
  }
});

test("what not even SIGKILL ends is left behind, by name", async () => {
  const world = new World();
  const control = await started(world);
  world.process("api-2").behaviour = { endsAfterTermMs: undefined, unkillable: true };
  const tookMs = await stopped(world, control, 3_000);
  assert.ok(tookMs <= 6_000, `${tookMs} ms`);
  const left = world.processes.filter((one) => one.alive).map((one) => one.request.name);
  assert.deepEqual(left, ["api-2"]);
  assert.ok(world.events.some((one) => one.kind === "instance.left-behind"));
  assert.ok(world.kept.has("instances/api-2"), "the next control finds it by its record");
});

test("it ends from wherever it is: waiting, launching, starting, draining, held back", async () => {
  const world = new World();
  const control = world.control();
  const config = configOf([
    commandService("crashing", two),
    commandService("starting", two),
    commandService("waiting", { ...two, dependsOn: ["starting"] }),
    commandService("draining", two),
    commandService("launching", two),
  ]);
  for (const ordinal of [1, 2]) {
    world.behaviours.set(`crashing-${ordinal}`, { exitsAfterMs: 10 });
    world.behaviours.set(`starting-${ordinal}`, { readyAfterMs: undefined });
    world.busy.add(`draining-${ordinal}`);
  }
  control.start(config);
  await world.advance(5_000);
  control.restart("draining-1");
  control.restart("launching-1");
  await world.until(() => control.registry.get("launching-1")?.phase !== "draining", 1_000);
  await stopped(world, control);
  assert.ok(world.processes.every((one) => !one.alive));
  assert.deepEqual(control.registry.instances(), []);
});

test("a stop asked for twice is one stop, and nothing starts after it", async () => {
  const world = new World();
  const control = await started(world);
  const first = control.stop();
  assert.equal(control.stop(), first);
  control.apply(configOf([...shop.services, commandService("new", two)]));
  control.restart("web");
  await world.advance(20_000);
  await first;
  assert.ok(world.processes.every((one) => !one.alive));
  assert.equal(world.processes.length, 5);
  assert.deepEqual(control.registry.instances(), []);
});

test("released, it leaves everything running and holds on to nothing", async () => {
  const world = new World();
  const control = await started(world);
  control.release();
  assert.equal(world.leftovers, 0);
  await world.advance(60_000);
  assert.equal(world.processes.filter((one) => one.alive).length, 5);
});

// Changes of what runs: always all but one serve.

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandService, configOf, phases, World } from "./world.fixture.ts";

const three = { replicas: { min: 3, max: 6 } };

/** Instances of web that take traffic, by the table in force. */
function serving(world: World): number {
  return ["web-1", "web-2", "web-3"].filter((id) => world.verdict(id) === "up").length;
}

test("a changed start is rolled out one at a time: two of three serve all along", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  for (const id of ["web-1", "web-2", "web-3"]) world.behaviours.set(id, { readyAfterMs: 700 });
  control.apply(configOf([commandService("web", { ...three, command: ["node", "new.js"] })]));
  let fewest = 3;
  await world.until(() => {
    fewest = Math.min(fewest, serving(world));
    return world.processes.length === 6 && serving(world) === 3;
  }, 20_000);
  assert.equal(fewest, 2);
  const commands = world.processes.filter((one) => one.alive).map((one) => one.request.command[1]);
  assert.deepEqual(commands, ["new.js", "new.js", "new.js"]);
  assert.ok(
    world
      .sentences("web-2")
      .includes("web-2 gets no new traffic and is to end: its command changed in the file"),
  );
  assert.equal(control.registry.get("web-1")?.restarts, 0, "nothing failed");
});

test("what a start does not depend on changes without one", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  const health = { ...commandService("web").health, intervalMs: 200 };
  control.apply(configOf([commandService("web", { ...three, health, stopGraceMs: 1 })]));
  await world.advance(10_000);
  assert.equal(world.processes.length, 3);
});

test("a new version that does not get ready stops the change, the old ones serve on", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  for (const id of ["web-1", "web-2", "web-3"]) {
    world.behaviours.set(id, { readyAfterMs: undefined, exitsAfterMs: 50 });
  }
  control.apply(configOf([commandService("web", { ...three, command: ["node", "broken.js"] })]));
  await world.advance(60_000);
  assert.equal(serving(world), 2);
  assert.equal(control.registry.get("web-1")?.phase, "crash-loop");
  assert.equal(world.starts("web-2").length, 1);
  assert.equal(world.starts("web-3").length, 1);
  world.behaviours.clear();
  control.apply(configOf([commandService("web", { ...three, command: ["node", "mended.js"] })]));
  await world.until(() => serving(world) === 3 && world.starts("web-3").length === 2, 5_000);
});

test("a file that goes back in the middle of a change ends it, nothing is half-way", async () => {
  const world = new World();
  const control = world.control();
  const old = configOf([commandService("web", three)]);
  control.start(old);
  await world.advance(1_000);
  control.apply(configOf([commandService("web", { ...three, environment: { A: "1" } })]));
  await world.until(() => world.starts("web-1").length === 2, 5_000);
  control.apply(old);
  await world.advance(10_000);
  assert.equal(serving(world), 3);
  for (const one of world.processes.filter((process) => process.alive)) {
    assert.equal(one.request.environment["A"], undefined);
  }
  assert.equal(world.starts("web-3").length, 1, "it never left the old version");
});

test("restarting a service restarts each instance, one at a time", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  control.restart("web");
  let fewest = 3;
  await world.until(() => {
    fewest = Math.min(fewest, serving(world));
    return world.processes.length === 6 && serving(world) === 3;
  }, 10_000);
  assert.equal(fewest, 2);
  await world.advance(10_000);
  assert.equal(world.processes.length, 6, "and once");
  assert.throws(() => control.restart("nobody"), { code: "NINES_TARGET_UNKNOWN" });
});

test("fewer replicas, a service gone, one that is new: the world follows the file", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three), commandService("old", three)]));
  await world.advance(1_000);
  const fewer = { replicas: { min: 2, max: 2 } };
  world.busy.add("old-1");
  control.apply(configOf([commandService("web", fewer), commandService("new", fewer)]));
  await world.advance(1_000);
  assert.equal(world.alive("old-1").length, 1, "what has requests under way is waited for");
  assert.equal(world.verdict("old-1"), undefined);
  world.busy.delete("old-1");
  await world.advance(1_000);
  assert.deepEqual(
    control.registry.instances().map((record) => record.id),
    ["web-1", "web-2", "new-1", "new-2"],
  );
  assert.deepEqual(phases(control), ["running", "running", "running", "running"]);
  assert.equal(world.processes.filter((one) => one.alive).length, 4);
  const whys = [world.sentences("web-3").at(-1), world.sentences("old-1").at(-1)];
  assert.match(whys[0] ?? "", /the changed file wants fewer/);
  assert.match(whys[1] ?? "", /the file does not name it/);
});

test("a change that control dies in the middle of is finished by the next control", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  const changed = configOf([commandService("web", { ...three, command: ["node", "new.js"] })]);
  control.apply(changed);
  await world.until(() => world.starts("web-1").length === 2, 5_000);
  world.killControl();
  await world.advance(3_000);
  const next = world.control(2);
  next.start(changed);
  let fewest = 3;
  await world.until(() => {
    fewest = Math.min(fewest, serving(world));
    return world.processes.length === 6 && serving(world) === 3;
  }, 20_000);
  assert.ok(fewest >= 2);
});

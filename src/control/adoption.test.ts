// A control that dies, and the one that comes after it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Control } from "./control.ts";
import { commandService, configOf, endpointService, phases, World } from "./world.fixture.ts";

const three = { replicas: { min: 3, max: 6 } };

test("a control that comes back adopts all, restarts none, and says so", async () => {
  const world = new World();
  const config = configOf([commandService("web", three)]);
  world.control().start(config);
  await world.advance(60_000);
  world.killControl();
  await world.advance(10_000);
  const next = world.control(2);
  next.start(config);
  assert.deepEqual(phases(next), ["running", "running", "running"]);
  await world.advance(10_000);
  assert.equal(world.processes.length, 3);
  const { pid } = world.process("web-2");
  const said = `web-2 adopted: pid ${pid} has run for 1 min; its exit code will be unknown`;
  assert.ok(world.sentences("web-2").includes(said));
});

test("no traffic moves because control came back: no table takes an instance out", async () => {
  const world = new World();
  world.answering.add("10.0.0.7:80");
  const config = configOf([
    commandService("web", three),
    endpointService("api", ["10.0.0.7:80", "10.0.0.8:80"]),
  ]);
  world.control().start(config);
  await world.advance(5_000);
  world.hung.add("web-3");
  await world.until(() => world.verdict("web-3") === "failing", 4_000);
  const told = world.tables.at(-1)?.services;
  const before = world.tables.length;
  world.killControl();
  world.control(2).start(config);
  await world.advance(100);
  assert.ok(world.tables.length > before);
  for (const table of world.tables.slice(before)) assert.deepEqual(table.services, told);
});

test("versions only grow, whoever is control and whatever the disk refuses", async () => {
  const world = new World();
  const config = configOf([commandService("web", three)]);
  for (let controls = 0; controls < 4; controls++) {
    const control = world.control(controls);
    // Every other one finds the disk full at its start and publishes all the same.
    world.diskRefuses = controls % 2 === 1;
    control.start(config);
    await world.advance(1_000);
    world.diskRefuses = true;
    world.hung.add("web-1");
    await world.until(() => world.verdict("web-1") === "failing", 4_000);
    world.hung.delete("web-1");
    await world.until(() => world.verdict("web-1") === "up", 4_000);
    world.killControl();
    world.diskRefuses = false;
  }
  const versions = world.tables.map((table) => table.version);
  assert.deepEqual(
    versions,
    [...new Set(versions)].sort((a, b) => a - b),
  );
});

test("what ended while control was away is started again, and said", async () => {
  const world = new World();
  const config = configOf([commandService("web", three)]);
  world.control().start(config);
  await world.advance(1_000);
  world.killControl();
  const { pid, port } = world.process("web-2");
  world.crash("web-2");
  const next = world.control(2);
  next.start(config);
  await world.until(() => world.starts("web-2").length === 2, 1_000);
  await world.until(() => world.verdict("web-2") === "up", 1_000);
  const said = `web-2 ended while control was away: pid ${pid}, exit code unknown`;
  assert.ok(world.sentences("web-2").includes(said));
  assert.equal(world.process("web-2").port, port);
  assert.equal(next.registry.get("web-2")?.restarts, 1);
});

test("an adopted instance that ends is restarted; its exit code is unknown, and said", async () => {
  const world = new World();
  const config = configOf([commandService("web", three)]);
  world.control().start(config);
  await world.advance(1_000);
  world.killControl();
  world.control(2).start(config);
  await world.advance(1_000);
  world.crash("web-1");
  await world.until(() => world.verdict("web-1") === "up", 2_000);
  const said = world.sentences("web-1").find((one) => one.includes("restarts in"));
  assert.match(said ?? "", /exit code unknown, it was adopted/);
});

test("a pid that now belongs to another program is not adopted", async () => {
  const world = new World();
  const config = configOf([commandService("web", three)]);
  world.control().start(config);
  await world.advance(1_000);
  world.killControl();
  const record = JSON.parse(world.kept.get("instances/web-1") ?? "{}");
  record.process.startTime = "another boot";
  world.kept.set("instances/web-1", JSON.stringify(record));
  world.control(2).start(config);
  await world.advance(1_000);
  assert.equal(world.starts("web-1").length, 2);
});

/** Ends control in each moment of each of its first starts; the next one begins at once. */
async function midStart(end: (world: World, control: Control) => void): Promise<void> {
  for (const moment of ["port", "program", "announced"] as const) {
    for (let starts = 1; starts <= 3; starts++) {
      const world = new World();
      const config = configOf([commandService("web", three)]);
      const control = world.control();
      let met = 0;
      world.onStart = (now) => {
        if (now !== moment || ++met !== starts) return;
        world.onStart = undefined;
        end(world, control);
        world.control(2).start(config);
      };
      control.start(config);
      await world.advance(2_000);
      assert.equal(met, starts);
      for (const id of ["web-1", "web-2", "web-3"]) {
        assert.equal(world.alive(id).length, 1, `${id}, ended at ${moment} of start ${starts}`);
      }
    }
  }
}

test("killed in the middle of a start, it leaves nothing that its successor does not know", () =>
  midStart((world) => world.killControl()));

test("released in the middle of a start, it leaves nothing that its successor does not know", () =>
  midStart((_world, control) => control.release()));

test("a start that fails after its control let go takes no record of the next control", async () => {
  const world = new World();
  const config = configOf([commandService("web", { replicas: { min: 1, max: 1 } })]);
  const control = world.control();
  let letGoOn = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    letGoOn = resolve;
  });
  world.onStart = (moment) => (moment === "program" ? held : undefined);
  control.start(config);
  await world.advance(100);
  control.release();
  world.onStart = undefined;
  world.control(2).start(config);
  await world.advance(1_000);
  letGoOn();
  await world.advance(100);
  const kept = JSON.parse(world.kept.get("instances/web-1") ?? "{}") as { process?: unknown };
  assert.deepEqual(kept.process, world.process("web-1").identity);
});

test("an instance that was still starting goes on starting, without traffic", async () => {
  const world = new World();
  const config = configOf([commandService("web", three)]);
  world.behaviours.set("web-1", { readyAfterMs: 5_000 });
  world.control().start(config);
  await world.advance(1_000);
  world.killControl();
  const next = world.control(2);
  next.start(config);
  await world.advance(1_000);
  assert.equal(next.registry.get("web-1")?.phase, "starting");
  assert.equal(world.verdict("web-1"), "down");
  await world.until(() => world.verdict("web-1") === "up", 5_000);
  assert.equal(world.starts("web-1").length, 1);
});

test("what the file does not name any more is drained and ended", async () => {
  const world = new World();
  world.control().start(configOf([commandService("web", three), commandService("old", three)]));
  await world.advance(1_000);
  world.killControl();
  world.busy.add("old-2");
  const next = world.control(2);
  next.start(configOf([commandService("web", { replicas: { min: 2, max: 2 } })]));
  await world.advance(2_000);
  assert.deepEqual(
    next.registry.instances().map((record) => record.id),
    ["web-1", "web-2", "old-2"],
  );
  world.busy.delete("old-2");
  await world.advance(1_000);
  assert.equal(next.registry.get("old-2"), undefined);
  assert.equal(world.processes.filter((one) => one.alive).length, 2);
  assert.deepEqual(
    [...world.kept.keys()].filter((key) => key.startsWith("instances/")),
    ["instances/web-1", "instances/web-2"],
  );
});

test("an adopted process that the file would start otherwise is rolled, too", async () => {
  const world = new World();
  world.control().start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  world.killControl();
  const command = ["node", "new.js"];
  world.control(2).start(configOf([commandService("web", { ...three, command })]));
  let fewest = 3;
  await world.until(() => {
    const up = ["web-1", "web-2", "web-3"].filter((id) => world.verdict(id) === "up").length;
    fewest = Math.min(fewest, up);
    return world.processes.length === 6 && up === 3;
  }, 20_000);
  assert.equal(fewest, 2);
});

test("a record that is torn or foreign is forgotten, not believed", async () => {
  const world = new World();
  world.kept.set("instances/web-1", JSON.stringify({ process: { pid: "x" } }));
  world.kept.set("operator/words", JSON.stringify({ scale: { web: { replicas: "all" } } }));
  world.kept.set("routing/told", JSON.stringify([1, 2, 3]));
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(1_000);
  assert.deepEqual(phases(control), ["running", "running", "running"]);
});

test("a control that was stopped judges nobody by what it did not see", async () => {
  const service = commandService("web", three);
  // For long, and so that it goes on right before or after the start timeout.
  const startedMs = 1_000;
  const restMs = service.startTimeoutMs - startedMs;
  for (const stoppedMs of [60_000, restMs - 50, restMs, restMs + 100, restMs + 700]) {
    const world = new World();
    const control = world.control();
    world.behaviours.set("web-1", { readyAfterMs: 2_000 });
    control.start(configOf([service]));
    await world.advance(startedMs);
    await world.stopControlFor(stoppedMs);
    await world.advance(5_000);
    assert.deepEqual(phases(control), ["running", "running", "running"], `${stoppedMs} ms`);
    assert.equal(world.processes.length, 3);
    const down = world.events.filter((one) => one.kind === "instance.down");
    assert.deepEqual(down, []);
  }
});

test("a check that control itself was late to hear of is asked again, not believed", async () => {
  const world = new World();
  const control = world.control();
  const health = { ...commandService("web").health, fall: 1 };
  control.start(configOf([commandService("web", { ...three, health })]));
  await world.advance(5_000);
  world.hung.add("web-1");
  await world.until(() => world.probesUnderWay === 1, 2_000);
  await world.advance(20);
  world.hung.clear();
  await world.stopControlFor(10_000);
  await world.advance(5_000);
  assert.deepEqual(
    world.events.filter((one) => one.kind === "instance.down"),
    [],
  );
});

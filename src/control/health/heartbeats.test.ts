// Heartbeats in control: alone and beside a check, silent, late, and when control itself was away.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthConfig, HeartbeatConfig } from "../../config/config.ts";
import { commandService, configOf, World } from "../world.fixture.ts";

const heartbeat: HeartbeatConfig = {
  everyMs: 1_000,
  detector: "misses",
  misses: 3,
  phi: 8,
  file: "heartbeat",
};
const one = { replicas: { min: 1, max: 1 } };
const base = commandService("web").health;

function service(over: Partial<HealthConfig>) {
  return commandService("web", { ...one, health: { ...base, heartbeat, ...over } });
}

/** Beats every half second, as `startHeartbeat` does, for so long. */
async function beats(world: World, seconds: number): Promise<void> {
  for (let half = 0; half < 2 * seconds; half++) {
    world.listeners.get("web-1")?.();
    await world.advance(500);
  }
}

test("its first heartbeat makes it ready, however long that takes", async () => {
  const world = new World();
  world.control().start(configOf([service({ check: { kind: "none" } })]));
  await world.advance(20_000);
  assert.notEqual(world.verdict("web-1"), "up");
  await beats(world, 1);
  assert.equal(world.verdict("web-1"), "up");
  assert.equal(world.probesBegun, 0);
  assert.match(world.processes[0]?.request.environment["NINES_HEARTBEAT_FILE"] ?? "", /heartbeat$/);
});

test("silence for three and a half intervals is down; two beats end it", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([service({ check: { kind: "none" } })]));
  await world.advance(10);
  await beats(world, 5);
  const lastMs = world.nowMs - 500;
  await world.until(() => world.verdict("web-1") !== "up");
  assert.ok(Math.abs(world.nowMs - lastMs - 3_500) <= 20, `${world.nowMs - lastMs} ms`);
  assert.equal(
    control.registry.get("web-1")?.why,
    "web-1 is down: no heartbeat for 3.5 s, 3 heartbeats of one every 1 s missed",
  );
  await beats(world, 1);
  assert.equal(world.verdict("web-1"), "up");
  assert.match(
    control.registry.get("web-1")?.why ?? "",
    /^web-1 is up again after .*2 heartbeats in a row/,
  );
});

test("it has failed since the first beat that did not come, also while it beats again", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([service({ check: { kind: "none" } })]));
  await world.advance(10);
  await beats(world, 5);
  const missedMs = world.nowMs - 500 + 1_000;
  await world.until(() => world.verdict("web-1") !== "up");
  assert.equal(control.registry.get("web-1")?.failingSinceMs, missedMs);
  await beats(world, 0.5);
  assert.notEqual(world.verdict("web-1"), "up", "one beat is not enough");
  assert.equal(control.registry.get("web-1")?.failingSinceMs, missedMs);
  await beats(world, 0.5);
  assert.equal(control.registry.get("web-1")?.failingSinceMs, undefined);
});

test("phi is quicker than three missed ones when heartbeats come regularly", async () => {
  const world = new World();
  const control = world.control();
  const phi = { ...heartbeat, detector: "phi" } as const;
  control.start(configOf([service({ check: { kind: "none" }, heartbeat: phi })]));
  await world.advance(10);
  await beats(world, 120);
  const lastMs = world.nowMs - 500;
  await world.until(() => world.verdict("web-1") !== "up");
  assert.ok(world.nowMs - lastMs < 2_500, `${world.nowMs - lastMs} ms`);
  assert.match(control.registry.get("web-1")?.why ?? "", /no heartbeat for 2.* phi above 8/);
});

test("beside a check both must be well", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([service({})]));
  await world.advance(2_000);
  assert.notEqual(world.verdict("web-1"), "up", "its check passes, but it has not beaten yet");
  await beats(world, 3);
  assert.equal(world.verdict("web-1"), "up");
  world.hung.add("web-1");
  await beats(world, 5);
  assert.notEqual(world.verdict("web-1"), "up", "it beats, and answers no check");
  world.hung.clear();
  await beats(world, 5);
  assert.equal(world.verdict("web-1"), "up");
  await world.advance(5_000);
  assert.notEqual(world.verdict("web-1"), "up", "it answers, and does not beat");
});

test("one that was started without heartbeats is replaced in turn, not called dead", async () => {
  const world = new World();
  const control = world.control();
  const two = { replicas: { min: 2, max: 2 } };
  const { heartbeat: _, ...before } = service({}).health;
  control.start(configOf([commandService("web", { ...two, health: before })]));
  await world.advance(3_000);
  const after = service({ check: { kind: "none" } }).health;
  control.apply(configOf([commandService("web", { ...two, health: after })]));
  await world.advance(20_000);
  const said = world.sentences();
  assert.ok(said.some((sentence) => sentence.includes("its heartbeat changed in the file")));
  assert.equal(world.starts("web-1").length, 2, "which beats not yet");
  assert.equal(world.verdict("web-2"), "up", "and web-2 waits for its turn");
  assert.ok(!said.some((sentence) => sentence.includes("no heartbeat")), said.join("\n"));
});

test("a start that nobody asks anything of any more is not ready for that", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([service({ check: { kind: "none" } })]));
  await world.advance(100);
  const slower = { ...heartbeat, everyMs: 2_000 };
  control.apply(configOf([service({ check: { kind: "none" }, heartbeat: slower })]));
  assert.equal(control.registry.get("web-1")?.health, "unknown");
});

test("a control that was stopped first hears what waits for it, and blames nobody", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([service({ check: { kind: "none" } })]));
  await world.advance(10);
  await beats(world, 5);
  await world.stopControlFor(60_000);
  await world.advance(300);
  await beats(world, 20);
  assert.deepEqual(
    world.events.filter(({ kind }) => kind === "instance.down"),
    [],
  );
  // Silence that goes on is believed all the same, and soon.
  const silentMs = world.nowMs;
  await world.until(() => world.verdict("web-1") !== "up");
  assert.ok(world.nowMs - silentMs < 3_600);
});

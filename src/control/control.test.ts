import assert from "node:assert/strict";
import { test } from "node:test";
import { commandService, configOf, phases, World } from "./world.fixture.ts";

test("instances start, get ready and get traffic; one that ends is down at once and starts again", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { readyAfterMs: 600 });
  control.start(configOf([commandService("web", { replicas: { min: 2, max: 2 } })]));
  await world.advance(100);
  assert.deepEqual(phases(control), ["starting", "running"]);
  assert.equal(world.verdict("web-1"), "down");
  assert.equal(world.verdict("web-2"), "up");
  await world.advance(1_000);
  assert.equal(world.verdict("web-1"), "up");
  world.crash("web-2");
  await world.advance(0);
  assert.equal(world.verdict("web-2"), "down");
  await world.advance(1_000);
  assert.equal(world.verdict("web-2"), "up");
  await Promise.all([control.stop(), world.advance(1_000)]);
  control.release();
  assert.equal(world.leftovers, 0);
});

// Control's doubt in itself: a control that was away, or hears nobody, blames nobody.

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandService, configOf, endpointService, World } from "../world.fixture.ts";

const three = { replicas: { min: 3, max: 3 } };

function said(world: World, kind: string): readonly string[] {
  return world.events.filter((event) => event.kind === kind).map(({ sentence }) => sentence);
}

test("a control that was stopped for ten seconds blames nobody, and says so", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(5_000);
  await world.stopControlFor(10_000);
  await world.advance(5_000);
  assert.deepEqual(said(world, "instance.down"), []);
  assert.equal(said(world, "control.sick-observer").length, 1);
  assert.match(
    said(world, "control.sick-observer")[0] ?? "",
    /held up for .* s; its checks wait 8 times as long/,
  );
  await world.advance(10_000);
  assert.equal(control.patience(), 1, "and it is well again");
});

test("when all are silent at once, control waits three times as long, and says so", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(5_000);
  for (const id of ["web-1", "web-2", "web-3"]) world.hung.add(id);
  const hungMs = world.nowMs;
  let worst = 1;
  await world.until(() => {
    worst = Math.max(worst, control.patience());
    return said(world, "instance.down").length === 3;
  });
  assert.equal(worst, 3);
  assert.ok(world.nowMs - hungMs < 10_000, `${world.nowMs - hungMs} ms`);
  assert.match(said(world, "control.sick-observer")[0] ?? "", /instances were silent at once/);
});

test("endpoints that never answered are not there: their silence raises no doubt", async () => {
  const world = new World();
  const addresses = ["10.0.0.7:80", "10.0.0.8:80", "10.0.0.9:80"];
  for (const address of addresses) world.hung.add(address);
  const control = world.control();
  control.start(configOf([endpointService("api", addresses)]));
  await world.advance(8_000);
  let worst = 1;
  for (let passed = 0; passed < 30; passed++) {
    await world.advance(1_000);
    worst = Math.max(worst, control.patience());
  }
  assert.equal(worst, 1);
  assert.deepEqual(said(world, "control.sick-observer"), []);
});

test("at its start control has the patience of one who is held up, and nothing to tell", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.stopControlFor(900);
  await world.advance(0);
  assert.ok(control.patience() > 1);
  await world.advance(20_000);
  assert.equal(control.patience(), 1);
  assert.deepEqual(said(world, "control.sick-observer"), []);
});

test("no start holds control up for four seconds: that is told however young it is", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.stopControlFor(4_000);
  await world.advance(0);
  assert.match(said(world, "control.sick-observer")[0] ?? "", /was held up for 3.8 s/);
});

test("instances that start and are silent so far raise no doubt", async () => {
  const world = new World();
  const control = world.control();
  for (const id of ["web-1", "web-2", "web-3"]) world.hung.add(id);
  control.start(configOf([commandService("web", three)]));
  for (let seconds = 0; seconds < 8; seconds++) {
    await world.advance(1_000);
    assert.equal(control.patience(), 1);
  }
});

test("one silent instance of three raises no doubt", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three)]));
  await world.advance(5_000);
  world.hung.add("web-2");
  await world.until(() => {
    assert.equal(control.patience(), 1);
    return world.verdict("web-2") === "down";
  });
});

test("right after it was stopped, control has many times the patience with silence", async () => {
  for (const fall of [1, 3]) {
    const world = new World();
    const health = { ...commandService("web").health, fall };
    world.control().start(configOf([commandService("web", { ...three, health })]));
    await world.advance(5_000);
    await world.stopControlFor(10_000);
    world.hung.add("web-2");
    const hungMs = world.nowMs;
    await world.until(() => said(world, "instance.down").length > 0);
    assert.ok(world.nowMs - hungMs > 5_000, `${world.nowMs - hungMs} ms`);
    assert.match(said(world, "instance.down")[0] ?? "", /[2-6] checks in a row failed/);
  }
});

test("a silence through which control slept condemns nobody, also where one would", async () => {
  const world = new World();
  const { health } = commandService("web");
  const one = { ...three, health: { ...health, fall: 1 } };
  world.control().start(configOf([commandService("web", one)]));
  await world.advance(5_000);
  world.hung.add("web-2");
  await world.until(() => world.silentUnderWay > 0);
  world.hung.clear();
  await world.stopControlFor(10_000);
  await world.advance(10_000);
  assert.deepEqual(said(world, "instance.down"), []);
});

// What control makes of what it sees: one account of each trouble, and none where somebody only
// asked for something.

import assert from "node:assert/strict";
import { test } from "node:test";
import { plainFailover } from "../../core/failover/settings.ts";
import { type Incident, timesOf } from "../../core/incident/incident.ts";
import type { Control } from "../control.ts";
import { commandService, configOf, workerReport as report, World } from "../world.fixture.ts";

const three = { replicas: { min: 3, max: 6 } };
const config = configOf([commandService("web", three)]);

async function running(world: World): Promise<Control> {
  const control = world.control();
  control.start(config);
  await world.advance(2_000);
  assert.deepEqual(control.incidents(), [], "a start is no incident");
  return control;
}

function only(control: Control): Incident {
  const incidents = control.incidents();
  assert.equal(incidents.length, 1, incidents.map(({ cause }) => cause).join("; "));
  return incidents[0] as Incident;
}

function announced(world: World): readonly string[] {
  return world.events.map(({ kind }) => kind).filter((kind) => kind.startsWith("incident."));
}

test("an instance that ends: found out at once, traffic elsewhere, and back", async () => {
  const world = new World();
  const control = await running(world);
  world.workers.report(report(1, { tableVersion: control.table()?.version ?? 0 }));
  world.crash("web-2");
  await world.advance(100);
  assert.equal(only(control).state, "detected", "the worker has not said what it follows");
  world.workers.report(report(1, { tableVersion: control.table()?.version ?? 0 }));
  assert.equal(only(control).state, "transferred");
  await world.until(() => world.verdict("web-2") === "up", 2_000);
  const incident = only(control);
  assert.equal(incident.state, "recovered");
  assert.match(incident.cause, /^web-2 restarts in .*: exit code 1 after 2 s$/);
  assert.deepEqual([timesOf(incident).detectMs, timesOf(incident).transferMs], [0, 100]);
  await world.advance(12_000);
  assert.equal(only(control).state, "closed");
  assert.deepEqual([...world.history.values()], control.incidents(), "as it was kept");
  const kinds = ["opened", "detected", "transferred", "recovered"];
  assert.deepEqual(
    announced(world),
    kinds.map((kind) => `incident.${kind}`),
  );
});

test("what an operator asks for is no incident", async () => {
  const world = new World();
  const control = await running(world);
  control.restart("web");
  await world.advance(20_000);
  control.drain("web-1");
  await world.advance(1_000);
  control.observe({ instance: "web-1", detail: "web-1 ejected", kind: "ejected" });
  control.undrain("web-1");
  control.scale("web", 4);
  await world.advance(5_000);
  control.scale("web", 3);
  await world.advance(5_000);
  control.apply(configOf([commandService("web", { ...three, command: ["node", "new.js"] })]));
  await world.advance(20_000);
  void control.stop();
  await world.advance(20_000);
  assert.deepEqual(control.incidents(), []);
});

test("a silent instance: the first sign is the first check that it missed", async () => {
  const world = new World();
  const control = await running(world);
  world.hung.add("web-1");
  const sinceMs = world.nowMs;
  await world.until(() => world.verdict("web-1") === "failing", 5_000);
  const { health } = commandService("web");
  const incident = only(control);
  assert.match(incident.cause, /^web-1 is down: 3 checks in a row failed/);
  assert.ok(incident.startedMs >= sinceMs);
  assert.ok(incident.startedMs <= sinceMs + 1.1 * health.intervalMs + 5, "its beginning counts");
  const { detectMs } = timesOf(incident);
  assert.equal(detectMs, (incident.detectedMs ?? 0) - incident.startedMs);
  assert.ok((detectMs ?? 0) >= 2 * health.timeoutMs);
});

test("an ejection alone is an incident, until no worker ejects it any more", async () => {
  const world = new World();
  const control = await running(world);
  const ejected = (pid: number, count: number) =>
    world.workers.report(report(pid, { ejected: ["web-3"], requests: { "web-3": count } }));
  world.workers.report(report(1, { requests: { "web-3": 5 } }));
  world.workers.report(report(2, { requests: { "web-3": 5 } }));
  await world.advance(100);
  control.observe({
    instance: "web-3",
    detail: "web-3 ejected: 5 answers of 500",
    kind: "ejected",
  });
  await world.advance(10);
  ejected(1, 9);
  world.workers.report(report(2, { requests: { "web-3": 7 } }));
  assert.equal(only(control).state, "detected", "worker 2 still sends there");
  world.workers.report(report(2, { requests: { "web-3": 7 } }));
  assert.equal(only(control).state, "transferred");
  await world.advance(2_000);
  assert.equal(only(control).state, "transferred", "worker 1 still ejects it");
  world.workers.report(report(1, { requests: { "web-3": 12 } }));
  assert.equal(only(control).state, "recovered");
  assert.equal(only(control).cause, "web-3 ejected: 5 answers of 500");
});

test("lost requests are an incident, with or without anybody to blame", async () => {
  const world = new World();
  const control = await running(world);
  world.workers.report(report(1, { lost: 7 }));
  await world.advance(250);
  assert.deepEqual(control.incidents(), [], "what was lost before it was heard is not known");
  world.workers.report(report(1, { lost: 9 }));
  const { state, losses, startedMs } = only(control);
  assert.deepEqual([state, losses.lost], ["open", 2]);
  assert.equal(startedMs, world.nowMs - 250, "not later than the first loss");
  await world.advance(20_000);
  const closed = only(control);
  assert.equal(closed.state, "closed");
  assert.deepEqual(timesOf(closed), {
    detectMs: undefined,
    transferMs: undefined,
    recoverMs: undefined,
    totalMs: 250,
  });
});

test("the only instance: traffic goes elsewhere when it is back, and not before", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.advance(2_000);
  world.crash("web-1");
  await world.advance(0);
  assert.equal(only(control).state, "detected");
  await world.until(() => world.verdict("web-1") === "up", 5_000);
  const { transferMs, recoverMs, totalMs } = timesOf(only(control));
  assert.deepEqual([transferMs, recoverMs], [totalMs, 0]);
});

for (const mode of ["active-active", "hot-standby"] as const) {
  test(`${mode}: one that flaps and is held back is out until it takes traffic again`, async () => {
    const world = new World();
    const control = world.control();
    const failover = { ...plainFailover, mode };
    control.start(configOf([commandService("web", { ...three, failover })]));
    await world.advance(2_000);
    for (let round = 0; round < 2; round++) {
      await world.until(() => world.verdict("web-1") === "up", 2_000);
      world.crash("web-1");
      await world.advance(0);
    }
    await world.until(() => control.registry.get("web-1")?.health === "up", 5_000);
    await world.advance(0);
    assert.equal(world.verdict("web-1"), "standby");
    await world.advance(20_000);
    assert.notEqual(only(control).state, "recovered");
    await world.until(() => world.verdict("web-1") === "up", 60_000);
    await world.advance(0);
    const { state, recoveredMs, timeline } = only(control);
    assert.equal(state, "recovered");
    assert.ok(world.nowMs - (recoveredMs ?? 0) <= 5, "when its hold was over");
    assert.equal(timeline.filter(({ kind }) => kind === "mended").length, 2);
  });
}

test("the next control goes on with what its predecessor left open, and says what it missed", async () => {
  const world = new World();
  await running(world);
  world.crash("web-2");
  await world.advance(10);
  world.killControl();
  await world.advance(5_000);
  const next = world.control(2);
  next.start(config);
  await world.until(() => world.verdict("web-2") === "up", 5_000);
  await world.advance(10);
  const incident = only(next);
  assert.equal(incident.id, "1-1");
  assert.equal(incident.state, "recovered");
  assert.match(
    incident.notes.at(-1) ?? "",
    /^control was away for 5 s at most, until its term 2: /,
  );
  assert.ok((timesOf(incident).totalMs ?? 0) > 5_000);
});

test("an incident of an earlier boot is closed as one whose end nobody saw", async () => {
  const later: readonly Partial<Incident>[] = [
    { startedMs: 9e9, detectedMs: 9e9, lastSignMs: 9e9 },
    // It began after the start of its machine sooner than we after that of ours, and lasted longer.
    { timeline: [{ atMs: 9e9, kind: "mended", sentence: "web-2 is up again" }] },
  ];
  for (const known of later) {
    const world = new World();
    await running(world);
    world.crash("web-2");
    await world.advance(10);
    world.killControl();
    const [kept] = world.history.values();
    assert.ok(kept);
    world.history.set(kept.id, { ...kept, ...known });
    const next = world.control(2);
    next.start(config);
    await world.advance(100);
    const incident = next.incidents().find(({ id }) => id === kept.id);
    assert.equal(incident?.state, "closed");
    assert.equal(incident?.recoveredMs, undefined);
    assert.match(incident?.notes.join() ?? "", /the machine was started anew/);
  }
});

test("services in trouble at one moment are told of each other, and of a starved machine", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", three), commandService("shop", three)]));
  await world.advance(2_000);
  await world.advance(5_000);
  world.workers.report(report(1, { loopDelayMs: 700 }));
  world.crash("web-1");
  world.crash("shop-1");
  await world.advance(10);
  const notes = control.incidents().map((one) => [one.service, one.notes]);
  const starved = "the machine was short of processor time: a worker's event loop was 700 ms late";
  assert.deepEqual(notes, [
    ["web", [starved, "began within 0 ms of incident 1-2 of shop"]],
    ["shop", ["began within 0 ms of incident 1-1 of web", starved]],
  ]);
});

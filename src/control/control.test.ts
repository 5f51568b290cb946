// What control promises of instances, one promise a test, on the small world of world.fixture.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandService, configOf, endpointService, phases, World } from "./world.fixture.ts";

const two = { min: 2, max: 4 };

test("no traffic before readiness, and from readiness on", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { readyAfterMs: 600 });
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(100);
  assert.deepEqual(phases(control), ["starting", "running"]);
  assert.equal(world.verdict("web-1"), "down");
  assert.equal(world.verdict("web-2"), "up");
  await world.until(() => world.verdict("web-1") === "up", 1_000);
  assert.deepEqual(phases(control), ["running", "running"]);
});

test("what ended is down at once, and up again with a larger generation", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(100);
  const before = control.registry.get("web-2")?.generation ?? 0;
  world.crash("web-2");
  assert.deepEqual(world.starts("web-2")[0]?.signals, ["SIGKILL"], "for children it left behind");
  await world.advance(0);
  assert.equal(world.verdict("web-2"), "down");
  assert.equal(world.verdict("web-1"), "up");
  await world.until(() => world.verdict("web-2") === "up", 1_000);
  const instance = control.table()?.services[0]?.instances[1];
  assert.ok((instance?.generation ?? 0) > before);
  assert.equal(control.registry.get("web-2")?.restarts, 1);
  assert.equal(instance?.port, world.starts("web-2")[0]?.port, "it keeps its port");
});

test("a program finds its place in its environment, and nobody overrides that", async () => {
  const world = new World();
  const environment = { GREETING: "hello", PORT: "1", PATH: "/usr/bin" };
  const service = commandService("web", {
    replicas: { min: 1, max: 1 },
    environment,
    portBase: 3_000,
    user: "www",
    limits: { memoryBytes: 1_024, openFiles: 64 },
  });
  world.control().start(configOf([service]));
  await world.advance(10);
  const { request } = world.process("web-1");
  assert.deepEqual(request.environment, {
    PATH: "/usr/bin",
    GREETING: "hello",
    PORT: "3000",
    HOST: "127.0.0.1",
    NINES_INSTANCE: "web-1",
    NINES_SERVICE: "web",
    NINES_ORDINAL: "1",
    NINES_DATA_DIR: "/data/web-1",
  });
  const { user, memoryBytes, openFiles, logFile, workingDirectory } = request;
  assert.deepEqual([user, memoryBytes, openFiles], ["www", 1_024, 64]);
  assert.deepEqual([logFile, workingDirectory], ["/logs/web-1.log", "/srv"]);
});

test("endpoints are checked and routed, never started", async () => {
  const world = new World();
  const control = world.control();
  world.answering.add("10.0.0.7:6379");
  const cache = endpointService("cache", ["10.0.0.7:6379", "10.0.0.8:6379"]);
  control.start(configOf([cache]));
  await world.advance(2_000);
  assert.equal(world.verdict("cache-10.0.0.7:6379"), "up");
  assert.equal(world.verdict("cache-10.0.0.8:6379"), "failing");
  assert.equal(world.processes.length, 0);
  world.answering.add("10.0.0.8:6379");
  await world.until(() => world.verdict("cache-10.0.0.8:6379") === "up", 2_000);
  control.apply(configOf([endpointService("cache", ["10.0.0.8:6379"])]));
  await world.advance(0);
  assert.equal(control.registry.get("cache-10.0.0.7:6379"), undefined);
  assert.equal(world.verdict("cache-10.0.0.8:6379"), "up", "what stays keeps its verdict");
  control.release();
  assert.equal(world.leftovers, 0);
});

test("a drain or its end that is asked for twice happens once", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  const why = control.registry.get("web-1")?.why;
  control.undrain("web-1");
  assert.equal(control.registry.get("web-1")?.why, why, "it was not drained");
  control.drain("web-1");
  const drained = control.registry.get("web-1");
  await world.advance(1_000);
  control.drain("web-1");
  assert.equal(control.registry.get("web-1")?.sinceWallMs, drained?.sinceWallMs);
  control.undrain("web-1");
  const said = world.sentences("web-1").filter((sentence) => sentence.includes("operator"));
  assert.deepEqual(said, [
    "web-1 gets no new traffic: an operator drained it",
    "web-1 gets traffic: an operator ended its drain",
  ]);
});

test("why a start was refused is a part of a sentence", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { refused: "NINES_PROCESS_NOT_FOUND" });
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.until(() => control.registry.get("web-1")?.phase === "crash-loop");
  for (const sentence of world.sentences("web-1")) assert.match(sentence, /[^.]$/);
  assert.match(control.registry.get("web-1")?.why ?? "", /is not there$/);
});

test("a shell's word for a program that it did not find is explained", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.crash("web-1", { kind: "exited", code: 127 });
  assert.match(
    control.registry.get("web-1")?.why ?? "",
    /exit code 127 \(in a shell: the program was not found\) after/,
  );
});

test("a dependency that an operator drained is ready all the same", async () => {
  const world = new World();
  const control = world.control();
  const services = [
    commandService("web", { replicas: two, dependsOn: ["db"] }),
    commandService("db", { replicas: { min: 1, max: 1 } }),
  ];
  control.start(configOf(services));
  await world.advance(1_000);
  control.drain("db-1");
  world.crash("web-1");
  await world.until(() => world.verdict("web-1") === "up", 2_000);
});

test("a service starts when one instance of each dependency is ready, and not before", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("db-1", { readyAfterMs: 2_000 });
  world.behaviours.set("db-2", { readyAfterMs: undefined });
  const services = [
    commandService("web", { replicas: two, dependsOn: ["db", "cache"] }),
    commandService("db", { replicas: two }),
    endpointService("cache", ["10.0.0.7:6379"]),
  ];
  control.start(configOf(services));
  await world.advance(1_000);
  assert.equal(world.starts("web-1").length, 0);
  const why = control.registry.get("web-1")?.why;
  assert.equal(why, "web-1 waits for db: none of its instances is ready");
  await world.advance(1_500);
  assert.equal(control.registry.get("db-1")?.phase, "running");
  assert.equal(world.starts("web-1").length, 0);
  assert.match(control.registry.get("web-1")?.why ?? "", /waits for cache/);
  world.answering.add("10.0.0.7:6379");
  await world.until(() => world.verdict("web-1") === "up", 2_000);
  const startedMs = world.process("web-1").startedAtMs;
  assert.ok(startedMs >= 2_000);
});

test("what already runs is not ended because a dependency went away", async () => {
  const world = new World();
  const control = world.control();
  const services = [
    commandService("web", { replicas: two, dependsOn: ["db"] }),
    commandService("db", { replicas: { min: 1, max: 1 } }),
  ];
  control.start(configOf(services));
  await world.advance(1_000);
  world.behaviours.set("db-1", { readyAfterMs: undefined });
  world.crash("db-1");
  await world.advance(5_000);
  assert.equal(world.verdict("web-1"), "up");
  assert.equal(world.starts("web-1").length, 1);
});

test("restarts back off, a crash loop is named and held back, and said", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { readyAfterMs: undefined, exitsAfterMs: 20, exitCode: 3 });
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.advance(120_000);
  assert.equal(control.registry.get("web-1")?.phase, "crash-loop");
  const starts = world.starts("web-1").map((one) => one.startedAtMs);
  const gaps = starts.slice(1).map((atMs, index) => atMs - (starts[index] ?? 0));
  for (const [index, gapMs] of gaps.entries()) {
    const wholeMs = index < 4 ? 200 * 2 ** index : 30_000;
    assert.ok(gapMs >= wholeMs / 2 && gapMs <= wholeMs + 100, `gap ${index}: ${gapMs} ms`);
  }
  assert.ok(starts.length <= 5 + 8, `${starts.length} starts in two minutes`);
  const why = control.registry.get("web-1")?.why ?? "";
  assert.match(why, /^web-1 is in a crash loop, held back for \d+ s: ended 5 times within 1 min,/);
  assert.match(why, /\d+ in a row, the last: exit code 3 after 20 ms$/);
  assert.ok(
    world.events.some((one) => one.kind === "instance.crash-loop" && one.level === "error"),
  );
});

test("a program that is not there is said, and tried again", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { refused: "NINES_PROCESS_NOT_FOUND" });
  control.start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  await world.advance(50);
  assert.match(control.registry.get("web-1")?.why ?? "", /restarts in .*The program "node" is not/);
  world.behaviours.delete("web-1");
  await world.until(() => world.verdict("web-1") === "up", 1_000);
});

test("a start that takes too long is ended and restarted, with what its checks met", async () => {
  const world = new World();
  const control = world.control();
  world.behaviours.set("web-1", { readyAfterMs: undefined });
  const service = commandService("web", { replicas: { min: 1, max: 1 }, startTimeoutMs: 3_000 });
  control.start(configOf([service]));
  await world.advance(3_100);
  const said =
    "web-1 is told to end and restarted: not ready 3 s after its start, connection refused";
  assert.ok(world.sentences("web-1").includes(said));
  await world.until(() => world.starts("web-1").length === 2, 1_000);
});

test("a process that runs while its checks fail is restarted, with the reason", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.hung.add("web-2");
  await world.until(() => world.verdict("web-2") === "failing", 4_000);
  assert.equal(world.starts("web-2").length, 1, "it is given time");
  world.hung.delete("web-2");
  await world.until(() => world.verdict("web-2") === "up", 4_000);
  await world.advance(20_000);
  assert.equal(world.starts("web-2").length, 1, "and left alone when it recovers");
  world.hung.add("web-2");
  await world.until(() => world.alive("web-2").length === 0, 20_000);
  const said = world.sentences("web-2").find((one) => one.includes("told to end and restarted"));
  assert.match(said ?? "", /its process runs, but its checks fail: no answer in 500 ms/);
});

test("memory past the limit restarts it, where the kernel does not keep the limit", async () => {
  const world = new World();
  const control = world.control();
  const limits = { memoryBytes: 256 * 1024 * 1024, openFiles: 0 };
  control.start(configOf([commandService("web", { replicas: two, limits })]));
  await world.advance(100);
  world.process("web-1").residentBytes = 255 * 1024 * 1024;
  await world.advance(3_000);
  assert.equal(world.starts("web-1").length, 1);
  world.process("web-1").residentBytes = 300 * 1024 * 1024;
  await world.until(() => world.starts("web-1").length === 2, 4_000);
  assert.ok(
    world
      .sentences("web-1")
      .includes("web-1 is ended and restarted: it uses 300 MiB of its 256 MiB of memory"),
  );
});

test("an instance is told to end when no request can reach it: drained, told, idle", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.busy.add("web-1");
  control.restart("web-1");
  await world.advance(3_000);
  assert.equal(world.verdict("web-1"), "draining");
  assert.deepEqual(world.process("web-1").signals, [], "requests are still under way");
  world.busy.delete("web-1");
  const before = world.process("web-1");
  await world.until(() => before.signals.includes("SIGTERM"), 100);
  await world.until(() => world.verdict("web-1") === "up", 1_000);
  assert.notEqual(world.process("web-1"), before);
});

test("requests that never end are waited for until the drain deadline, no longer", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.busy.add("web-1");
  control.restart("web-1");
  await world.advance(9_900);
  assert.deepEqual(world.process("web-1").signals, []);
  await world.advance(200);
  assert.equal(world.starts("web-1")[0]?.signals[0], "SIGTERM");
});

test("an operator's drain outlasts the instance's process and control, until undrain", async () => {
  const world = new World();
  const config = configOf([commandService("web", { replicas: two })]);
  const control = world.control();
  control.start(config);
  await world.advance(1_000);
  control.drain("web-1");
  await world.advance(0);
  assert.equal(world.verdict("web-1"), "draining");
  world.crash("web-1");
  await world.advance(2_000);
  assert.equal(control.registry.get("web-1")?.phase, "running");
  assert.equal(world.verdict("web-1"), "draining");
  world.killControl();
  const next = world.control(2);
  next.start(config);
  await world.advance(2_000);
  assert.equal(world.verdict("web-1"), "draining");
  next.undrain("web-1");
  await world.advance(0);
  assert.equal(world.verdict("web-1"), "up");
  assert.throws(() => next.drain("web-9"), { code: "NINES_TARGET_UNKNOWN" });
});

test("an endpoint can be drained, too", async () => {
  const world = new World();
  const control = world.control();
  world.answering.add("10.0.0.7:80");
  control.start(configOf([endpointService("api", ["10.0.0.7:80"])]));
  await world.advance(100);
  control.drain("api-10.0.0.7:80");
  await world.advance(0);
  assert.equal(world.verdict("api-10.0.0.7:80"), "draining");
});

test("scaling adds, and removes the highest ordinals after their drain; it is kept", async () => {
  const world = new World();
  const config = configOf([commandService("web", { replicas: two })]);
  const control = world.control();
  control.start(config);
  await world.advance(1_000);
  control.scale("web", 4);
  await world.advance(1_000);
  assert.deepEqual(phases(control), ["running", "running", "running", "running"]);
  world.killControl();
  const next = world.control(2);
  next.start(config);
  await world.advance(1_000);
  assert.equal(next.registry.instances().length, 4);
  next.scale("web", 2);
  await world.advance(1_000);
  assert.deepEqual(
    next.registry.instances().map((record) => record.id),
    ["web-1", "web-2"],
  );
  assert.equal(world.processes.filter((one) => one.alive).length, 2);
  assert.throws(() => next.scale("web", 5), { code: "NINES_SCALE_RANGE" });
  assert.throws(() => next.scale("web", 2.5), { code: "NINES_SCALE_RANGE" });
  assert.throws(() => next.scale("nobody", 2), { code: "NINES_SERVICE_UNKNOWN" });
});

test("scaled down and up again before it has ended: it comes back", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  control.scale("web", 3);
  await world.advance(1_000);
  world.busy.add("web-3");
  control.scale("web", 2);
  await world.advance(100);
  control.scale("web", 3);
  world.busy.delete("web-3");
  await world.until(() => world.starts("web-3").length === 2, 1_000);
  await world.until(() => world.verdict("web-3") === "up", 1_000);
});

test("a word that cannot be kept is refused, and has no effect", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.diskRefuses = true;
  assert.throws(() => control.scale("web", 4), { code: "NINES_STATE_WRITE" });
  assert.throws(() => control.drain("web-1"), { code: "NINES_STATE_WRITE" });
  await world.advance(1_000);
  assert.equal(control.registry.instances().length, 2);
  assert.equal(world.verdict("web-1"), "up");
});

test("a changed file is followed on a full disk, too", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  control.scale("web", 3);
  await world.advance(1_000);
  world.diskRefuses = true;
  control.apply(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  assert.equal(control.registry.instances().length, 2);
});

test("a scale is forgotten at the next apply, and when the file's range is another", async () => {
  const world = new World();
  const config = configOf([commandService("web", { replicas: two })]);
  const control = world.control();
  control.start(config);
  control.scale("web", 4);
  await world.advance(1_000);
  control.apply(config);
  await world.advance(1_000);
  assert.equal(control.registry.instances().length, 2);
  control.scale("web", 4);
  await world.advance(1_000);
  world.killControl();
  const next = world.control(2);
  next.start(configOf([commandService("web", { replicas: { min: 3, max: 4 } })]));
  await world.advance(1_000);
  assert.equal(next.registry.instances().length, 3);
});

test("a disk that refuses writes costs no instance that runs, and no table", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.diskRefuses = true;
  world.hung.add("web-2");
  await world.until(() => world.verdict("web-2") === "failing", 4_000);
  assert.equal(world.verdict("web-1"), "up");
  assert.equal(world.events.filter((one) => one.kind === "records.refused").length, 1);
});

test("a process is not started without its record: nobody could adopt it", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })]));
  await world.advance(1_000);
  world.diskRefuses = true;
  world.crash("web-1");
  await world.advance(1_000);
  assert.equal(world.alive("web-1").length, 0);
  assert.match(control.registry.get("web-1")?.why ?? "", /The disk is full/);
  world.diskRefuses = false;
  await world.until(() => world.verdict("web-1") === "up", 10_000);
});

test("without a gateway services are only supervised", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: two })], "none"));
  await world.advance(1_000);
  assert.deepEqual(phases(control), ["running", "running"]);
  assert.equal(control.table(), undefined);
  world.busy.add("web-1");
  control.restart("web-1");
  await world.until(() => world.starts("web-1").length === 2, 1_000);
});

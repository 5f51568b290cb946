// Who takes traffic, on the small world: one promise a test, and control killed at every write.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandService } from "../../config/config.ts";
import { NinesError } from "../../core/base/errors.ts";
import { plainFailover } from "../../core/failover/settings.ts";
import { type Control, createControl } from "../control.ts";
import {
  commandService,
  configOf,
  endpointService,
  workerReport,
  World,
} from "../world.fixture.ts";

function standby(failover: Partial<CommandService["failover"]> = {}): CommandService {
  return commandService("db", {
    replicas: { min: 2, max: 3 },
    failover: { ...plainFailover, mode: "primary-standby", fenceMs: 500, ...failover },
  });
}

/** Started, settled, with the first one as the primary. */
async function settled(world: World, service: CommandService = standby()): Promise<Control> {
  const control = world.control();
  control.start(configOf([service]));
  await world.until(() => verdicts(world) === "up standby", 5_000);
  await world.advance(500);
  return control;
}

function verdicts(world: World): string {
  return `${world.verdict("db-1")} ${world.verdict("db-2")}`;
}

function epoch(world: World): number {
  return world.tables.at(-1)?.services[0]?.epoch ?? 0;
}

/** In no table that was ever published did two take traffic. */
function onePrimary(world: World): void {
  for (const { version, services } of world.tables) {
    const taking = services[0]?.instances.filter(({ verdict }) => verdict !== "standby") ?? [];
    assert.ok(taking.length <= 1, `version ${version}: ${taking.map(({ id }) => id).join(", ")}`);
  }
}

test("one takes traffic, the other is kept ready", async () => {
  const world = new World();
  const control = await settled(world);
  assert.equal(control.registry.get("db-2")?.health, "up");
  assert.equal(world.tables.at(-1)?.services[0]?.mode, "primary-standby");
  assert.equal(epoch(world), 1_000_001);
  onePrimary(world);
});

test("a primary that ends is replaced in the same turn, with a larger epoch", async () => {
  const world = new World();
  await settled(world);
  world.crash("db-1");
  await world.advance(0);
  assert.equal(verdicts(world), "standby up");
  assert.equal(epoch(world), 1_000_002);
  assert.deepEqual(JSON.parse(world.kept.get("failover/db") ?? ""), {
    epoch: 1_000_002,
    primary: "db-2",
    pinned: false,
  });
  await world.advance(2_000);
  assert.equal(world.alive("db-1").length, 1, "it is started again, to stand by");
  onePrimary(world);
});

test("a primary that hangs is cut off first; nobody is promoted while a worker has it", async () => {
  const world = new World();
  const control = await settled(world);
  world.busy.add("db-1");
  world.hung.add("db-1");
  control.observe({ instance: "db-1", detail: "silent" });
  await world.until(() => verdicts(world) === "standby standby", 1_000);
  await world.advance(300);
  assert.equal(verdicts(world), "standby standby");
  world.busy.clear();
  await world.advance(50);
  assert.equal(verdicts(world), "standby up");
  assert.deepEqual(world.process("db-1").signals, [], "every worker has said so");
  onePrimary(world);
});

test("a worker that does not answer: the old primary is killed, and starts only when it does", async () => {
  const world = new World();
  const control = await settled(world);
  world.hung.add("db-1");
  world.strayWorker = true;
  control.observe({ instance: "db-1", detail: "silent" });
  await world.until(() => verdicts(world) === "standby up", 2_000);
  assert.deepEqual(world.starts("db-1")[0]?.signals.includes("SIGKILL"), true);
  world.hung.clear();
  await world.advance(10_000);
  assert.equal(world.alive("db-1").length, 0, "a worker may still send to it");
  assert.match(control.registry.get("db-1")?.why ?? "", /waits for its start/);
  world.strayWorker = false;
  await world.advance(1_000);
  assert.equal(world.alive("db-1").length, 1);
  onePrimary(world);
});

test("failback by itself after the hold, by hand when the file says so", async () => {
  const automatic = new World();
  await settled(automatic);
  automatic.crash("db-1");
  await automatic.advance(0);
  await automatic.until(() => verdicts(automatic) === "up standby", 60_000);
  const holds = automatic.sentences().filter((each) => each.includes("stayed well for 30 s"));
  assert.equal(holds.length, 1);
  assert.ok(automatic.events.some(({ kind }) => kind === "failover.failed-back"));
  onePrimary(automatic);

  const manual = new World();
  const control = await settled(manual, standby({ failback: "manual" }));
  manual.crash("db-1");
  await manual.advance(120_000);
  assert.equal(verdicts(manual), "standby up");
  control.failback("db");
  await manual.advance(100);
  assert.equal(verdicts(manual), "up standby");
  onePrimary(manual);
});

test("a planned failover waits for what is under way, and stays until a word", async () => {
  const world = new World();
  const control = await settled(world);
  world.busy.add("db-1");
  control.failover("db");
  await world.advance(500);
  assert.equal(verdicts(world), "draining standby");
  world.busy.clear();
  await world.advance(50);
  assert.equal(verdicts(world), "standby up");
  await world.advance(120_000);
  assert.equal(verdicts(world), "standby up");
  assert.throws(() => control.failover("db", "db-2"), refused(/db-2 is its primary already/));
  assert.throws(() => control.failover("db", "db-9"), { code: "NINES_TARGET_UNKNOWN" });
  assert.throws(() => control.failover("nobody"), NinesError);
  control.failback("db");
  await world.advance(50);
  assert.equal(verdicts(world), "up standby");
});

function refused(what: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof NinesError &&
    error.code === "NINES_FAILOVER_REFUSED" &&
    what.test(error.message);
}

test("a restart of the whole service hands the primary's place over and is no failure", async () => {
  const world = new World();
  const control = await settled(world);
  control.restart("db");
  await world.until(() => world.starts("db-1").length === 2 && world.starts("db-2").length === 2);
  await world.until(() => verdicts(world).includes("up"), 5_000);
  onePrimary(world);
  const kills = world.processes.flatMap(({ signals }) => signals.slice(0, -1));
  assert.deepEqual(new Set(kills), new Set(["SIGTERM"]));
});

test("maintenance is kept, holds everybody where they are, and a person may still move", async () => {
  const world = new World();
  const control = await settled(world);
  control.maintain(true, "db");
  world.hung.add("db-1");
  control.observe({ instance: "db-1", detail: "silent" });
  await world.advance(2_000);
  assert.equal(verdicts(world), "failing standby");
  world.killControl();
  const next = world.control();
  next.start(configOf([standby()]));
  await world.advance(3_000);
  assert.ok(next.isInMaintenance("db"));
  assert.equal(verdicts(world), "failing standby");
  next.maintain(false, "db");
  await world.until(() => verdicts(world) === "standby up", 2_000);
  onePrimary(world);
});

test("an order says what follows, or that it is so already", async () => {
  const world = new World();
  const control = await settled(world);
  const over = control.failover("db");
  assert.match(over, /^db-1 hands over to db-2, requests wait meanwhile, at most 2 s: an operator/);
  await world.advance(100);
  assert.match(control.failback("db"), /^db-2 hands over to db-1/);
  await world.advance(100);
  assert.equal(control.failback("db"), "db-1 serves db already");
  assert.equal(control.maintain(false), "no service is in maintenance");
  assert.equal(control.maintain(false, "db"), "db is not in maintenance");
  assert.match(control.maintain(true, "db"), /^maintenance begins for db: no standby takes over/);
  assert.match(control.maintain(true, "db"), /^maintenance of db goes on/);
  assert.match(control.maintain(false), /^maintenance is over for all services/);
  const said = world.events.filter(({ kind }) => kind.startsWith("maintenance."));
  assert.deepEqual(
    said.map(({ kind }) => kind),
    ["maintenance.on", "maintenance.off"],
    "what changes nothing is no event",
  );
});

test("maintenance of all says whom it does not hold", () => {
  const control = new World().control();
  const failover = {
    ...plainFailover,
    mode: "hot-standby",
    backups: { "web-1": "web-3" },
  } as const;
  control.start(configOf([standby(), commandService("web", { failover })]));
  assert.match(control.maintain(true), /by itself; backups of web do, for each worker decides/);
});

test("one service does not leave a maintenance that is of all", async () => {
  const world = new World();
  const control = await settled(world);
  control.maintain(true, undefined);
  const refused = { code: "NINES_FAILOVER_REFUSED", message: /All services are in maintenance/ };
  assert.throws(() => control.maintain(false, "db"), refused);
  assert.ok(control.isInMaintenance("db"));
  assert.ok(!world.sentences().some((each) => each.includes("maintenance is over")));
  control.maintain(false, undefined);
  assert.ok(!control.isInMaintenance("db"));
});

test("maintenance of one service is of one that has a primary", () => {
  const control = new World().control();
  control.start(configOf([commandService("db")]));
  assert.throws(() => control.maintain(true, "nobody"), { code: "NINES_SERVICE_UNKNOWN" });
  assert.throws(() => control.maintain(true, "db"), { code: "NINES_FAILOVER_MODE" });
  control.maintain(false, "db");
});

test("a disk that refuses: nobody is promoted whom the next control would not know", async () => {
  const world = new World();
  await settled(world);
  world.diskRefuses = true;
  world.crash("db-1");
  await world.advance(3_000);
  assert.notEqual(world.verdict("db-2"), "up");
  assert.equal(world.sentences().filter((each) => each.includes("is not promoted")).length, 1);
  world.diskRefuses = false;
  await world.until(() => verdicts(world).includes("up"), 2_000);
  onePrimary(world);
});

test("a disk that refuses: a planned move does not begin, and nobody waits for it", async () => {
  const world = new World();
  const control = await settled(world);
  world.diskRefuses = true;
  assert.throws(() => control.failover("db"), refused(/the disk refuses/));
  await world.advance(0);
  assert.equal(verdicts(world), "up standby");
  world.diskRefuses = false;
  world.crash("db-1");
  await world.until(() => world.alive("db-1").length === 1, 5_000);
  world.diskRefuses = true;
  await world.advance(60_000);
  assert.equal(verdicts(world), "standby up", "its hold is over, and it is not given its place");
  const published = world.tables.flatMap(({ services }) => services[0]?.instances ?? []);
  assert.ok(!published.some(({ verdict }) => verdict === "draining"), "no request waited for it");
  world.diskRefuses = false;
  await world.until(() => verdicts(world) === "up standby", 2_000);
  onePrimary(world);
});

test("a promotion that was refused and is wanted no more is not waited for", async () => {
  const world = new World();
  const ports = world.ports();
  let timers = 0;
  const after: typeof ports.clock.after = (delayMs, run) => {
    timers++;
    return ports.clock.after(delayMs, run);
  };
  createControl({ ...ports, clock: { ...ports.clock, after } }).start(configOf([standby()]));
  await world.until(() => verdicts(world) === "up standby", 5_000);
  world.diskRefuses = true;
  world.crash("db-1");
  await world.advance(100);
  world.crash("db-2");
  await world.advance(1_000);
  timers = 0;
  await world.advance(5_000);
  assert.ok(timers < 1_000, `${timers} timers in 5 s`);
});

test("endpoints move as well, and are never signalled", async () => {
  const world = new World();
  const service = endpointService("db", ["10.0.0.1:1", "10.0.0.2:1"]);
  const failover = { ...plainFailover, mode: "primary-standby" } as const;
  world.answering.add("10.0.0.1:1").add("10.0.0.2:1");
  const control = world.control();
  control.start(configOf([{ ...service, failover }]));
  await world.until(() => world.verdict("db-10.0.0.1:1") === "up", 5_000);
  world.answering.delete("10.0.0.1:1");
  await world.until(() => world.verdict("db-10.0.0.2:1") === "up", 5_000);
  assert.equal(world.verdict("db-10.0.0.1:1"), "standby");
  onePrimary(world);
});

test("control killed at every write and every table: never two, and one in the end", async () => {
  for (let moment = 0; moment < 14; moment++) {
    const world = new World();
    await settled(world);
    let left = moment;
    // Each record that is written from now on is a moment to die at, before it and after it.
    world.onWrite = () => {
      if (left-- === 0) world.killControl();
    };
    world.hung.add("db-1");
    await world.advance(4_000);
    world.onWrite = undefined;
    world.killControl();
    world.hung.clear();
    const next = world.control();
    next.start(configOf([standby({ failback: "manual" })]));
    await world.advance(10_000);
    onePrimary(world);
    assert.match(verdicts(world), /^(up standby|standby up)$/, `killed at ${moment}`);
  }
});

test("a lost record makes no second primary", async () => {
  const world = new World();
  await settled(world);
  world.crash("db-1");
  await world.advance(1_000);
  const before = epoch(world);
  world.killControl();
  world.kept.delete("failover/db");
  world.strayWorker = true;
  const next = world.control();
  next.start(configOf([standby()]));
  await world.advance(5_000);
  assert.equal(verdicts(world), "standby standby", "not before the worker has said so");
  world.strayWorker = false;
  await world.advance(500);
  assert.equal(verdicts(world), "up standby");
  assert.ok(epoch(world) > before);
});

test("active-active: a quick return is at once, flapping is held while others serve", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 3, max: 3 } })]));
  await world.until(() => world.verdict("web-3") === "up", 5_000);
  for (let round = 0; round < 2; round++) {
    await world.until(() => world.verdict("web-1") === "up", 2_000);
    world.crash("web-1");
    await world.advance(0);
    assert.equal(world.verdict("web-1"), "down");
  }
  await world.advance(5_000);
  assert.equal(world.verdict("web-1"), "standby");
  assert.match(control.registry.get("web-1")?.standingWhy ?? "", /held back for/);
  world.crash("web-2");
  await world.advance(10);
  assert.equal(world.verdict("web-1"), "up", "two of three are needed");
  const alone = new World();
  alone.control().start(configOf([commandService("web", { replicas: { min: 1, max: 1 } })]));
  for (let round = 0; round < 4; round++) {
    await alone.until(() => alone.verdict("web-1") === "up", 5_000);
    alone.crash("web-1");
    await alone.advance(0);
  }
});

test("what workers eject counts with what control takes out: the fourth change waits", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 3, max: 3 } })]));
  await world.until(() => world.verdict("web-3") === "up", 5_000);
  const ejection = { kind: "ejected", cause: "silence", detail: "web-1 ejected for 1 s" } as const;
  control.observe({ instance: "web-1", ...ejection });
  world.workers.report(workerReport(1, { ejected: ["web-1"] }));
  await world.advance(2_000);
  world.workers.report(workerReport(1, {}));
  assert.equal(world.verdict("web-1"), "up");
  world.crash("web-1");
  await world.advance(5_000);
  assert.equal(world.verdict("web-1"), "standby");
  assert.match(control.registry.get("web-1")?.standingWhy ?? "", /held back for/);
});

test("who starts anew is not away for what workers had against it before", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 3, max: 3 } })]));
  await world.until(() => world.verdict("web-3") === "up", 5_000);
  for (let round = 0; round < 2; round++) {
    world.workers.report(workerReport(1, { ejected: ["web-1"] }));
    world.crash("web-1");
    await world.advance(0);
    assert.equal(world.verdict("web-1"), "down");
    if (round === 0) await world.until(() => world.verdict("web-1") === "up", 5_000);
  }
  await world.advance(5_000);
  assert.equal(world.verdict("web-1"), "standby", "the worker has said nothing since");
});

test("what a worker ejects anew counts, though another still holds the old one out", async () => {
  const world = new World();
  const control = world.control();
  control.start(configOf([commandService("web", { replicas: { min: 3, max: 3 } })]));
  await world.until(() => world.verdict("web-3") === "up", 5_000);
  world.workers.report(workerReport(1, { ejected: ["web-1"] }));
  world.crash("web-1");
  await world.until(() => world.verdict("web-1") === "down", 5_000);
  await world.until(() => world.verdict("web-1") === "up", 5_000);
  await world.advance(1_000);
  const ejection = { kind: "ejected", cause: "silence", detail: "web-1 ejected for 1 s" } as const;
  control.observe({ instance: "web-1", ...ejection });
  world.workers.report(workerReport(2, { ejected: ["web-1"] }));
  await world.advance(1_000);
  for (const pid of [1, 2]) world.workers.report(workerReport(pid, {}));
  await world.advance(0);
  assert.equal(world.verdict("web-1"), "standby", "it went and came twice");
});

test("hot-standby: the table says who stands in for whom, and workers decide", async () => {
  const world = new World();
  const failover = {
    ...plainFailover,
    mode: "hot-standby",
    backups: { "web-1": "web-3" },
  } as const;
  const service = commandService("web", { replicas: { min: 3, max: 3 }, failover });
  world.control().start(configOf([service]));
  await world.until(() => world.verdict("web-3") === "up", 5_000);
  const instances = world.tables.at(-1)?.services[0]?.instances ?? [];
  assert.deepEqual(
    instances.map(({ backupOf }) => backupOf),
    [undefined, undefined, "web-1"],
  );
});

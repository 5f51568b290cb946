// Deploys: who runs which version, how many at a time, and the way back.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandService, Config } from "../config/config.ts";
import { defaultDeploy, type DeploySettings } from "../core/deploy/settings.ts";
import { plainFailover } from "../core/failover/settings.ts";
import type { Control } from "./control.ts";
import type { DeployWish } from "./supervisor/rollout.ts";
import { startPartsOf } from "./supervisor/start-parts.ts";
import { commandService, configOf, World } from "./world.fixture.ts";

const three = { replicas: { min: 3, max: 6 } };
const web = commandService("web", three);
const quick: DeploySettings = { ...defaultDeploy, minimumHealthyMs: 1_000, stepTimeMs: 5_000 };

function versionOf(name: string): CommandService {
  return commandService("web", { ...three, command: ["node", `${name}.js`] });
}

function wish(name: string, settings: Partial<DeploySettings> = {}): DeployWish {
  const parts = startPartsOf(versionOf(name));
  return {
    parts,
    settings: { ...quick, ...settings },
    by: "alice",
    fromFile: true,
    replace: false,
  };
}

async function started(service = web): Promise<{ world: World; control: Control; config: Config }> {
  const world = new World();
  const control = world.control();
  const config = configOf([service]);
  control.start(config);
  await world.advance(10_000);
  return { world, control, config };
}

/** What is alive, by instance, as the name of its program. */
function running(world: World): Readonly<Record<string, string>> {
  const alive = world.processes.filter((one) => one.alive);
  const names = alive.map((one) => [one.request.name, one.request.command[1] ?? ""] as const);
  return Object.fromEntries(names.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function all(program: string): Readonly<Record<string, string>> {
  return { "web-1": program, "web-2": program, "web-3": program };
}

function serving(world: World): readonly string[] {
  const listed = world.tables.at(-1)?.services.flatMap((one) => one.instances) ?? [];
  return listed.filter((one) => one.verdict === "up").map((one) => one.id);
}

function share(world: World, id: string): number | undefined {
  const listed = world.tables.at(-1)?.services.flatMap((one) => one.instances) ?? [];
  return listed.find((one) => one.id === id)?.share;
}

function phase(control: Control): string | undefined {
  return control.versions("web").deploy?.phase;
}

/** Runs until the deploy is over; the fewest that served and the most that ran meanwhile. */
async function untilOver(world: World, control: Control, withinMs = 120_000) {
  let [fewest, most] = [Number.POSITIVE_INFINITY, 0];
  const over = new Set(["finished", "rolled-back", "superseded"]);
  await world.until(() => {
    fewest = Math.min(fewest, serving(world).length);
    most = Math.max(most, world.processes.filter((one) => one.alive).length);
    return over.has(phase(control) ?? "");
  }, withinMs);
  await world.advance(1_000);
  return { fewest, most };
}

test("one at a time, each well for a while before the next", async () => {
  const { world, control } = await started();
  const answer = control.deploy("web", wish("new"));
  assert.deepEqual(answer, { version: 2, from: 1, changed: ["command"] });
  const { fewest, most } = await untilOver(world, control);
  assert.deepEqual([fewest, most], [2, 3]);
  assert.deepEqual(running(world), all("new.js"));
  const starts = ["web-1", "web-2", "web-3"].map((id) => world.process(id).startedAtMs);
  assert.ok(
    (starts[1] ?? 0) - (starts[0] ?? 0) >= 1_000 && (starts[2] ?? 0) - (starts[1] ?? 0) >= 1_000,
  );
  assert.deepEqual(
    control.registry.instances().map((record) => record.version),
    [2, 2, 2],
  );
  const said = world.sentences().filter((one) => /^web( |:)/.test(one));
  assert.equal(
    said[0],
    "web goes from version 1 to version 2 (command changed): alice asked for it",
  );
  assert.match(said.at(-1) ?? "", /^web is at version 2, .* after it began$/);
});

test("with an extra instance none is ever missing, and it leaves at the end", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new", { maxSurge: { count: 1 }, maxUnavailable: { count: 0 } }));
  await world.until(() => world.alive("web-4").length === 1, 1_000);
  const extra = world.process("web-4").request.environment;
  assert.equal(extra["NINES_DATA_DIR"], "/data/web-4");
  const { fewest, most } = await untilOver(world, control);
  assert.deepEqual([fewest, most], [3, 4]);
  assert.deepEqual(running(world), all("new.js"));
  assert.equal(control.registry.get("web-4"), undefined);
});

test("a canary gets its share of the traffic, is held, and more follow", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new", { canary: [0.1, 0.5] }));
  const shares = new Set<number>();
  await world.until(() => {
    if (serving(world).includes("web-1") && running(world)["web-1"] === "new.js") {
      shares.add(share(world, "web-1") ?? 0);
    }
    return phase(control) === "holding";
  }, 5_000);
  assert.deepEqual([...shares], [0.2 / 0.9], "never more than its share, not for a moment");
  assert.deepEqual(running(world), { ...all("server.js"), "web-1": "new.js" });
  await world.advance(4_000);
  assert.equal(running(world)["web-2"], "server.js", "held for its time");
  await world.until(
    () => control.versions("web").deploy?.step === 1 && phase(control) === "holding",
  );
  assert.deepEqual(running(world), { ...all("new.js"), "web-3": "server.js" });
  assert.deepEqual(
    [share(world, "web-1"), share(world, "web-2"), share(world, "web-3")],
    [0.5, 0.5, 1],
  );
  await untilOver(world, control);
  assert.deepEqual(running(world), all("new.js"));
  assert.equal(share(world, "web-1"), 1);
});

const failures: readonly (readonly [string, (world: World) => void, RegExp])[] = [
  [
    "ends at its start",
    (world) => world.behaviours.set("web-1", { readyAfterMs: undefined, exitsAfterMs: 50 }),
    /web-1 failed: exit code 1/,
  ],
  [
    "does not get ready",
    (world) => world.behaviours.set("web-1", { readyAfterMs: undefined }),
    /web-1 failed: it was not ready in time/,
  ],
  [
    "cannot be started",
    (world) => world.behaviours.set("web-1", { refused: "NINES_PROCESS_NOT_FOUND" }),
    /web-1 failed: The program "node" is not there/,
  ],
  [
    "ends right after it was ready",
    (world) => world.behaviours.set("web-1", { exitsAfterMs: 600 }),
    /web-1 failed: exit code 1/,
  ],
];

for (const [name, breaks, cause] of failures) {
  test(`a version that ${name} is rolled back, and the others never left`, async () => {
    const { world, control } = await started();
    breaks(world);
    control.deploy("web", wish("broken"));
    await world.until(() => phase(control) === "rolling-back", 60_000);
    world.behaviours.clear();
    const { fewest } = await untilOver(world, control);
    assert.ok(fewest >= 2);
    assert.deepEqual(running(world), all("server.js"));
    assert.equal(world.starts("web-2").length + world.starts("web-3").length, 2);
    const { versions, inForce } = control.versions("web");
    assert.equal(inForce, 1);
    assert.match(versions.at(-1)?.outcome ?? "", cause);
  });
}

test("a version whose checks fail once it serves is rolled back", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new", { minimumHealthyMs: 10_000 }));
  await world.until(() => running(world)["web-1"] === "new.js" && serving(world).includes("web-1"));
  world.hung.add("web-1");
  await world.until(() => phase(control) === "rolling-back", 5_000);
  world.hung.clear();
  await untilOver(world, control);
  assert.deepEqual(running(world), all("server.js"));
});

test("the way back keeps its promise, too: none is missing where none may be", async () => {
  const { world, control } = await started();
  const surge = { maxSurge: { count: 1 }, maxUnavailable: { count: 0 } };
  control.deploy("web", wish("new", { ...surge, minimumHealthyMs: 3_000 }));
  await world.until(() => running(world)["web-2"] === "new.js" && serving(world).length === 4);
  const errors = { kind: "ejected", cause: "errors", detail: "5 errors in a row" } as const;
  control.observe({ instance: "web-2", ...errors });
  await world.until(() => phase(control) === "rolling-back", 100);
  const { fewest, most } = await untilOver(world, control);
  assert.deepEqual([fewest, most], [3, 4]);
  assert.deepEqual(running(world), all("server.js"));
});

test("when old and new are down alike, it is not for the new version", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new", { minimumHealthyMs: 10_000 }));
  await world.until(() => running(world)["web-1"] === "new.js" && serving(world).includes("web-1"));
  for (const id of ["web-2", "web-3"]) world.hung.add(id);
  await world.until(() => !serving(world).includes("web-3"), 5_000);
  world.hung.add("web-1");
  await world.advance(4_000);
  assert.equal(phase(control), "rolling", control.versions("web").deploy?.cause);
  world.hung.clear();
  await untilOver(world, control);
  assert.deepEqual(running(world), all("new.js"));
});

test("a version that answers clearly more errors is rolled back, and they are counted", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new", { minimumHealthyMs: 60_000 }));
  await world.until(() => running(world)["web-1"] === "new.js" && serving(world).includes("web-1"));
  const add = (id: string, requests: number, errors: number): void => {
    const before = world.counts.get(id) ?? { requests: 0, errors: 0 };
    world.counts.set(id, { requests: before.requests + requests, errors: before.errors + errors });
  };
  for (const id of ["web-1", "web-2", "web-3"]) add(id, 1_000, 900);
  await world.advance(1_000);
  assert.equal(phase(control), "rolling", "what was before is nobody's");
  await world.until(() => {
    add("web-1", 10, 3);
    add("web-2", 10, 0);
    add("web-3", 10, 0);
    return phase(control) === "rolling-back";
  }, 10_000);
  assert.match(
    control.versions("web").deploy?.cause ?? "",
    /requests \(30%\) of the new version failed/,
  );
  await untilOver(world, control);
  assert.deepEqual(running(world), all("server.js"));
});

test("what a worker ejects for its answers or silence has failed; an old one's is its own", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new", { minimumHealthyMs: 60_000 }));
  await world.until(() => running(world)["web-1"] === "new.js" && serving(world).includes("web-1"));
  const errors = { kind: "ejected", cause: "errors", detail: "5 errors in a row" } as const;
  control.observe({ instance: "web-2", ...errors });
  for (const cause of ["connect", "broken", "flapping"] as const) {
    const other = { kind: "ejected", cause, detail: `ejected: ${cause}` } as const;
    control.observe({ instance: "web-1", ...other });
  }
  await world.advance(1_000);
  assert.equal(phase(control), "rolling", control.versions("web").deploy?.cause);
  control.observe({ instance: "web-1", ...errors });
  await world.until(() => phase(control) === "rolling-back", 100);
  assert.match(control.versions("web").deploy?.cause ?? "", /5 errors in a row/);
});

test("with rollback by hand it stops where it is; a person turns it round", async () => {
  const { world, control } = await started();
  world.behaviours.set("web-1", { readyAfterMs: undefined, exitsAfterMs: 50 });
  control.deploy("web", wish("broken", { rollback: "manual" }));
  await world.until(() => phase(control) === "stopped", 5_000);
  await world.advance(20_000);
  assert.equal(phase(control), "stopped");
  assert.equal(world.starts("web-2").length, 1);
  world.behaviours.clear();
  control.rollback("web", undefined, "bob");
  await untilOver(world, control);
  assert.deepEqual(running(world), all("server.js"));
});

test("without progress it goes back: here an old instance is down", async () => {
  const { world, control } = await started();
  world.behaviours.set("web-3", { readyAfterMs: undefined });
  world.crash("web-3");
  await world.advance(1_000);
  control.deploy("web", wish("new", { deadlineMs: 20_000 }));
  await world.until(() => phase(control) === "rolling-back", 40_000);
  assert.match(control.versions("web").deploy?.cause ?? "", /no progress in 20 s/);
});

test("one deploy at a time: a second is refused, or takes the first one's place", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("second"));
  await world.advance(500);
  assert.throws(() => control.deploy("web", wish("third")), { code: "NINES_DEPLOY_UNDER_WAY" });
  const answer = control.deploy("web", { ...wish("third"), replace: true });
  assert.deepEqual([answer.from, answer.version], [1, 3]);
  await untilOver(world, control);
  assert.deepEqual(running(world), all("third.js"));
  assert.match(control.versions("web").versions[1]?.outcome ?? "", /given up/);
});

test("back to the version before, or to any that is remembered", async () => {
  const { world, control } = await started();
  for (const name of ["two", "three"]) {
    control.deploy("web", wish(name));
    await untilOver(world, control);
  }
  control.rollback("web", undefined, "alice");
  await untilOver(world, control);
  assert.deepEqual(running(world), all("two.js"));
  control.rollback("web", 3, "alice");
  await untilOver(world, control);
  assert.deepEqual(running(world), all("three.js"));
  assert.throws(() => control.rollback("web", 9, "alice"), { code: "NINES_VERSION_UNKNOWN" });
  assert.equal(control.rollback("web", 3, "alice").from, undefined, "there already");
  assert.throws(() => control.rollback("nobody", 1, "alice"), { code: "NINES_SERVICE_UNKNOWN" });
});

test("after a rollback neither an apply nor a new control tries the file's version again", async () => {
  const { world, control } = await started();
  world.behaviours.set("web-1", { readyAfterMs: undefined, exitsAfterMs: 50 });
  control.deploy("web", wish("broken"));
  await world.until(() => phase(control) === "rolling-back", 5_000);
  world.behaviours.clear();
  await untilOver(world, control);
  const file = configOf([versionOf("broken")]);
  const [stays = ""] = control.apply(file);
  assert.match(stays, /^web stays at version 1, though the file says version 2 \(web is back/);
  await world.advance(5_000);
  world.killControl();
  const next = world.control(2);
  next.start(file);
  await world.advance(20_000);
  assert.deepEqual(running(world), all("server.js"));
  assert.equal(world.starts("web-3").length, 1);
  // Whoever asks for it gets it; and another file is a newer word.
  next.deploy("web", wish("broken"));
  await untilOver(world, next);
  assert.deepEqual(running(world), all("broken.js"));
  next.apply(configOf([versionOf("mended")]));
  await world.until(
    () => Object.values(running(world)).every((one) => one === "mended.js"),
    20_000,
  );
});

test("what came from another file stays until the followed one changes", async () => {
  const { world, control, config } = await started();
  control.deploy("web", { ...wish("elsewhere"), fromFile: false });
  await untilOver(world, control);
  assert.match(control.apply(config)[0] ?? "", /^web stays at version 2, though the file says/);
  world.killControl();
  const next = world.control(2);
  next.start(config);
  await world.advance(20_000);
  assert.deepEqual(running(world), all("elsewhere.js"));
  next.apply(configOf([versionOf("newer")]));
  await world.until(() => running(world)["web-3"] === "newer.js", 20_000);
});

test("a file that contradicts a deploy is refused whole; another is followed", async () => {
  const { world, control } = await started();
  control.deploy("web", wish("new"));
  await world.advance(500);
  const other = commandService("other", three);
  assert.throws(() => control.apply(configOf([versionOf("else"), other])), {
    code: "NINES_DEPLOY_UNDER_WAY",
  });
  assert.equal(control.registry.get("other-1"), undefined);
  control.apply(configOf([versionOf("new"), other]));
  await untilOver(world, control);
  assert.equal(control.registry.get("other-3")?.phase, "running");
  assert.deepEqual(running(world)["web-3"], "new.js");
});

test("killed at any of its writes, control goes on with the deploy, or the way back", async () => {
  for (const broken of [false, true]) {
    for (let kills = 1; kills <= 24; kills++) {
      const { world, control } = await started();
      const config = configOf([versionOf("new")]);
      world.killAtWrite = kills;
      const settings = { maxSurge: { count: 1 }, canary: [0.5] };
      if (broken) world.behaviours.set("web-4", { readyAfterMs: undefined, exitsAfterMs: 50 });
      control.deploy("web", wish("new", settings));
      await world.advance(kills * 1_000);
      world.killControl();
      world.killAtWrite = 0;
      // Nobody hears whether it was accepted; so the file decides when it was not.
      const next = world.control(2);
      next.start(config);
      let extra = 0;
      await world.until(() => {
        extra = Math.max(extra, world.processes.filter((one) => one.alive).length - 3);
        const deploy = next.versions("web").deploy;
        return deploy === undefined || ["finished", "rolled-back"].includes(deploy.phase);
      }, 60_000);
      await world.advance(20_000);
      const programs = new Set(Object.values(running(world)));
      assert.deepEqual(Object.keys(running(world)), ["web-1", "web-2", "web-3"], `kill ${kills}`);
      assert.equal(programs.size, 1, `one version, killed at write ${kills}`);
      assert.ok(extra <= 1);
      if (broken && next.versions("web").deploy !== undefined) {
        assert.deepEqual([...programs], ["server.js"]);
      }
    }
  }
});

test("a deploy that cannot be written down is refused, and changes nothing", async () => {
  const { world, control } = await started();
  world.diskRefuses = true;
  assert.throws(() => control.deploy("web", wish("new")), { code: "NINES_STATE_WRITE" });
  world.diskRefuses = false;
  await world.advance(10_000);
  assert.deepEqual(running(world), all("server.js"));
  assert.equal(phase(control), undefined);
});

test("endpoints are not deployed; a version that is there already changes nothing", async () => {
  const { world, control } = await started();
  assert.equal(control.deploy("web", wish("server")).from, undefined);
  await world.advance(5_000);
  assert.equal(world.processes.length, 3);
});

test("of a primary and its standbys the primary is last, and hands its place over once", async () => {
  const failover = { ...plainFailover, mode: "primary-standby" } as const;
  const { world, control } = await started(commandService("web", { ...three, failover }));
  assert.deepEqual(serving(world), ["web-1"]);
  control.deploy("web", wish("new"));
  const primaries: string[] = [];
  const order: string[] = [];
  await world.until(() => {
    const [primary = "", ...more] = serving(world);
    assert.deepEqual(more, [], "one at a time");
    if (primary !== "" && primary !== primaries.at(-1)) primaries.push(primary);
    for (const [id, program] of Object.entries(running(world))) {
      if (program === "new.js" && !order.includes(id)) order.push(id);
    }
    return phase(control) === "finished";
  }, 60_000);
  assert.deepEqual(order, ["web-2", "web-3", "web-1"]);
  assert.deepEqual(primaries.slice(0, 2), ["web-1", "web-2"]);
  assert.deepEqual(running(world), all("new.js"));
});

test("two instances restarted one after another: the second waits for the first", async () => {
  const { world, control } = await started();
  control.restart("web-1");
  control.restart("web-2");
  let fewest = 3;
  await world.until(() => {
    fewest = Math.min(fewest, serving(world).length);
    return world.starts("web-2").length === 2 && serving(world).length === 3;
  }, 10_000);
  assert.equal(fewest, 2);
  assert.equal(world.starts("web-3").length, 1);
});

test("a restart that must wait says for what; with force it does not wait", async () => {
  const { world, control } = await started();
  world.behaviours.set("web-3", { readyAfterMs: undefined });
  world.crash("web-3");
  await world.advance(1_000);
  control.restart("web-1");
  await world.advance(1_000);
  assert.equal(world.starts("web-1").length, 1);
  assert.match(control.registry.get("web-1")?.why ?? "", /waits for its restart/);
  control.restart("web-1", true);
  await world.until(() => world.starts("web-1").length === 2, 2_000);
});

test("no value of an environment is ever said", async () => {
  const { world, control } = await started();
  const secret = "hunter2";
  const parts = startPartsOf(commandService("web", { environment: { PASSWORD: secret } }));
  control.deploy("web", { ...wish("new"), parts });
  await untilOver(world, control);
  assert.ok(!JSON.stringify(control.versions("web")).includes(secret));
  assert.ok(!JSON.stringify(world.events).includes(secret));
  assert.deepEqual(control.versions("web").versions.at(-1)?.changed, ["env"]);
});

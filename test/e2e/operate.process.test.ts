// What an operator does to a running Nines, under load: no request fails through any of it.

import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ask, createNines, freePort, load, until } from "./nines.fixture.ts";

describe("operating, under load", () => {
  it("apply replaces what has changed, one after another, and nothing else", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const before = await nines.instances();
    const clients = load(t, nines.port);
    assert.match((await nines.run("apply")).stdout, /Nothing has changed/);
    nines.write({ more: "    env: { COLOUR: green }" });
    const applied = await nines.run("apply");
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /web has changed: environment/);
    const after = await nines.untilStatus("all three are new", ({ services }) =>
      (services[0]?.instances ?? []).every(
        ({ state, pid }, index) => state === "up" && pid !== before[index]?.pid,
      ),
    );
    assert.deepEqual(after.gateway?.workers.length, 2);
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("a wrong file changes nothing, by apply and by SIGHUP, and is explained", async (t) => {
    const nines = await createNines(t);
    const running = await nines.up();
    const before = await nines.instances();
    writeFileSync(nines.file, readFileSync(nines.file, "utf8").replace("replicas:", "replikas:"));
    const applied = await nines.run("apply");
    assert.equal(applied.code, 2);
    assert.match(applied.stderr, /nines\.yaml:5:\d+/);
    assert.match(applied.stderr, /replicas/);
    running.child.kill("SIGHUP");
    await until(() => /nothing has changed: .*replikas/s.test(running.said()), running.said);
    assert.deepEqual(await nines.instances(), before);
    nines.write({ replicas: 2 });
    running.child.kill("SIGHUP");
    await nines.untilStatus("two are left", ({ services }) => services[0]?.instances.length === 2);
  });

  it("scale adds and takes away, within the file's range", async (t) => {
    const nines = await createNines(t);
    nines.write({ replicas: "{ min: 1, max: 4 }" });
    await nines.up();
    const clients = load(t, nines.port);
    assert.equal((await nines.run("scale", "web", "3")).code, 0);
    await nines.untilStatus("three are up", ({ services }) => services[0]?.up === 3);
    assert.equal((await nines.run("scale", "web", "1")).code, 0);
    await nines.untilStatus("one is left", ({ services }) => services[0]?.instances.length === 1);
    const over = await nines.run("scale", "web", "5");
    assert.equal(over.code, 1);
    assert.match(over.stderr, /NINES_SCALE_RANGE/);
    const nobody = await nines.run("scale", "wbe", "2");
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /NINES_SERVICE_UNKNOWN/);
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("drain keeps traffic away until undrain, and outlasts control", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const clients = load(t, nines.port);
    assert.equal((await nines.run("drain", "web-2")).code, 0);
    const stateOf = (status: Awaited<ReturnType<typeof nines.status>>) =>
      status.services[0]?.instances.find(({ id }) => id === "web-2")?.state;
    await nines.untilStatus("it drains", (status) => stateOf(status) === "draining");
    assert.equal((await nines.run("control", "restart")).code, 0);
    await nines.untilStatus("control is back", ({ control }) => control.term === 2);
    await nines.untilStatus("the others are up", ({ services }) => services[0]?.up === 2);
    const seen = new Set<string>();
    for (let turn = 0; turn < 20; turn++) seen.add((await nines.get()).body.instance);
    assert.deepEqual([...seen].sort(), ["web-1", "web-3"]);
    assert.equal((await nines.run("undrain", "web-2")).code, 0);
    await nines.untilStatus("it is up", (status) => stateOf(status) === "up");
    await until(
      async () => (await nines.get()).body.instance === "web-2",
      () => "it gets traffic",
    );
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("restart, and gateway restart, renew every process", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const before = await nines.status();
    const clients = load(t, nines.port);
    assert.equal((await nines.run("restart", "web")).code, 0);
    assert.equal((await nines.run("gateway", "restart")).code, 0);
    const old = new Set([
      ...(before.services[0]?.instances ?? []).map(({ pid }) => pid),
      ...(before.gateway?.workers ?? []).map(({ pid }) => pid),
    ]);
    await nines.untilStatus("all are new", ({ services, gateway }) => {
      const instances = services[0]?.instances ?? [];
      const workers = gateway?.workers ?? [];
      return (
        workers.length === 2 &&
        instances.every(({ state }) => state === "up") &&
        workers.every(({ state }) => state === "serving") &&
        [...instances, ...workers].every(({ pid }) => !old.has(pid))
      );
    });
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("a listener moves to another port with the file", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const port = await freePort();
    nines.write({ port });
    assert.equal((await nines.run("apply")).code, 0);
    await until(
      async () => (await statusOn(port)) === 200,
      () => "the new port answers",
    );
    await until(
      async () => (await statusOn(nines.port)) === 0,
      () => "the old port is closed",
    );
  });

  it("logs and events are told apart, followed, and kept private", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const logs = await nines.run("logs");
    assert.match(logs.stdout, /^web-1 \| web-1 listens$/m);
    assert.match((await nines.run("logs", "web-3")).stdout, /^web-3 listens$/m);
    const unknown = await nines.run("logs", "wbe");
    assert.match(unknown.stderr, /No log is of "wbe"; there are: .*web/);
    // Its first line says that it looks; started side by side, the drain may be quicker.
    const following = nines.start("events", "-f", "-n", "1");
    await until(() => following.said() !== "", following.said);
    await nines.run("drain", "web-1");
    await until(() => /web-1 .*no new traffic/.test(following.said()), following.said);
    following.child.kill("SIGINT");
    assert.equal((await following.ended).code, 0);
    assert.equal(statSync(join(nines.folder, ".nines")).mode & 0o777, 0o700);
    const metrics = await nines.run("metrics");
    assert.match(metrics.stdout, /^nines_instance_up\{service="web",instance="web-2"\} 1$/m);
  });
});

/** The status, or 0 when nobody listens. */
function statusOn(port: number): Promise<number> {
  return ask(port, "/", undefined).then(
    ({ status }) => status,
    () => 0,
  );
}

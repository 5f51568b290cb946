// A service with a primary, in real processes: killed, stopped, moved by plan, left without
// control.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { ServiceReport } from "../../src/program/status/report.ts";
import { createNines, kill, load, type Nines, type Running, until } from "./nines.fixture.ts";

/** Two instances, the first of them primary. */
async function createPrimary(t: TestContext, more = ""): Promise<Nines> {
  const nines = await createNines(t);
  const failover = `mode: primary-standby, minimumHealthy: 1h${more}`;
  nines.write({ replicas: 2, more: `    failover: { ${failover} }` });
  return nines;
}

async function web(nines: Nines): Promise<ServiceReport> {
  const { services } = await nines.status();
  const [service] = services;
  assert.ok(service, "the service is known");
  return service;
}

async function untilPrimary(nines: Nines, primary: string): Promise<ServiceReport> {
  let last: ServiceReport | undefined;
  await until(
    async () => (last = await web(nines)).primary === primary && last.up === 2,
    () => `${primary} is primary: ${JSON.stringify(last)}`,
  );
  return last as unknown as ServiceReport;
}

/** On a busy machine the second may be fit first. */
async function upWithFirst(nines: Nines): Promise<Running> {
  const running = await nines.up();
  let last = await web(nines);
  await until(
    async () => (last = await web(nines)).primary !== null && last.up === 2,
    () => `somebody is primary: ${JSON.stringify(last)}`,
  );
  if (last.primary !== "web-1") assert.equal((await nines.run("failback", "web")).code, 0);
  return running;
}

function pidOf(service: ServiceReport, id: string): number {
  const pid = service.instances.find((one) => one.id === id)?.pid ?? 0;
  assert.ok(pid > 1, `${id} has a process`);
  return pid;
}

/** Who answers, of some requests that are answered. */
async function answering(nines: Nines): Promise<readonly string[]> {
  const who = new Set<string>();
  for (let count = 0; count < 20; count++) {
    const { status, body } = await nines.get();
    if (status === 200) who.add(body.instance);
  }
  return [...who];
}

describe("a service with a primary", () => {
  it("is moved and moved back by plan without a failed request", async (t) => {
    const nines = await createPrimary(t);
    await upWithFirst(nines);
    const first = await untilPrimary(nines, "web-1");
    assert.deepEqual(await answering(nines), ["web-1"]);
    const { stop } = load(t, nines.port);
    const moved = await nines.run("failover", "web");
    assert.equal(moved.code, 0, moved.stderr);
    const second = await untilPrimary(nines, "web-2");
    assert.ok(second.epoch > first.epoch);
    assert.equal((await nines.run("failback", "web")).code, 0);
    await untilPrimary(nines, "web-1");
    const { asked, failures } = await stop();
    assert.deepEqual(failures, [], `of ${asked}`);
    const refused = await nines.run("failover", "web", "--to", "web-1");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /web-1 is its primary already.*NINES_FAILOVER_REFUSED/s);
  });

  it("has another primary when its own is killed, and the old one stands by", async (t) => {
    const nines = await createPrimary(t);
    await upWithFirst(nines);
    kill(pidOf(await untilPrimary(nines, "web-1"), "web-1"));
    await untilPrimary(nines, "web-2");
    assert.deepEqual(await answering(nines), ["web-2"]);
    const { stdout } = await nines.run("events", "-n", "200");
    assert.match(stdout, /web-2 is primary of web \(epoch \d+\.\d+\): web-1 restarts in/);
  });

  it("has another primary when its own is stopped, which is killed, and stands by", async (t) => {
    const nines = await createPrimary(t);
    await upWithFirst(nines);
    const pid = pidOf(await untilPrimary(nines, "web-1"), "web-1");
    process.kill(pid, "SIGSTOP");
    const service = await untilPrimary(nines, "web-2");
    assert.notEqual(pidOf(service, "web-1"), pid);
    assert.deepEqual(await answering(nines), ["web-2"]);
  });

  it("is not killed where the file gives it time, and every worker says its word", async (t) => {
    const nines = await createPrimary(t, ", fence: 10s");
    await upWithFirst(nines);
    const pid = pidOf(await untilPrimary(nines, "web-1"), "web-1");
    process.kill(pid, "SIGSTOP");
    await until(
      async () => (await web(nines)).primary === "web-2",
      () => "web-2 is primary",
    );
    process.kill(pid, "SIGCONT");
    const service = await untilPrimary(nines, "web-2");
    assert.equal(pidOf(service, "web-1"), pid);
    assert.deepEqual(await answering(nines), ["web-2"]);
  });

  it("has one primary again when control and the primary were killed together", async (t) => {
    const nines = await createPrimary(t);
    const { child, ended } = await upWithFirst(nines);
    const before = await untilPrimary(nines, "web-1");
    child.kill("SIGKILL");
    await ended;
    kill(pidOf(before, "web-1"));
    await nines.up();
    // Whichever is fit first: the one that is left, or the one that is started again.
    let after = before;
    await until(
      async () => (after = await web(nines)).primary !== null && after.up === 2,
      () => `somebody is primary: ${JSON.stringify(after)}`,
    );
    assert.ok(after.epoch > before.epoch);
    assert.deepEqual(await answering(nines), [after.primary]);
    const explained = await nines.run("explain", "failover", "web");
    assert.match(explained.stdout, new RegExp(`^${after.primary} is primary of web`));
  });

  it("keeps its primary in workers that start by a table from before the promotion", async (t) => {
    const nines = await createPrimary(t);
    const { child, ended } = await upWithFirst(nines);
    const before = await untilPrimary(nines, "web-1");
    // The table cannot be written any more; the promotion can.
    const gateway = join(nines.folder, ".nines", "gateway");
    mkdirSync(join(gateway, `table.json.${child.pid}`, "full"), { recursive: true });
    kill(pidOf(before, "web-1"));
    const { gateway: known } = await nines.untilStatus(
      "web-2 is primary",
      ({ services }) => services[0]?.primary === "web-2",
    );
    child.kill("SIGKILL");
    await ended;
    for (const { pid } of known?.workers ?? []) kill(pid);
    await until(
      () =>
        nines.get().then(
          ({ status }) => status === 200,
          () => false,
        ),
      () => "a new worker answers",
    );
    assert.deepEqual(await answering(nines), ["web-2"]);
  });

  it("stays where it is in maintenance, which outlives control", async (t) => {
    const nines = await createPrimary(t);
    const { child, ended } = await upWithFirst(nines);
    await untilPrimary(nines, "web-1");
    assert.equal((await nines.run("maintenance", "on", "web")).code, 0);
    child.kill("SIGKILL");
    await ended;
    await nines.up();
    const service = await untilPrimary(nines, "web-1");
    assert.ok(service.maintenance);
    kill(pidOf(service, "web-1"));
    await untilPrimary(nines, "web-1");
    assert.match((await nines.run("status")).stdout, /in maintenance: nobody takes over by itself/);
    assert.equal((await nines.run("maintenance", "off")).code, 0);
    await nines.untilStatus("maintenance is over", ({ services }) => !services[0]?.maintenance);
    const table = await nines.run("explain", "failover");
    assert.match(table.stdout, /primary-failing, if another is fit: fencing/);
  });
});

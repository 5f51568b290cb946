// In the background, and without control: what keeps going, what comes back, what `down` ends.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { StatusReport } from "../../src/program/status/report.ts";
import { identify } from "../../src/runtime/process-identity.ts";
import { createNines, load, type Nines, until } from "./nines.fixture.ts";

describe("up --detach", () => {
  it("returns when all is ready, and down ends all of it", async (t) => {
    const nines = await createNines(t);
    const up = await nines.run("up", "--detach");
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, /Ready after .*: web 3\/3/);
    assert.equal((await nines.get()).status, 200);
    const again = await nines.run("up", "--detach");
    assert.equal(again.code, 0);
    assert.match(again.stdout, /It is up already/);
    const down = await nines.run("down");
    assert.equal(down.code, 0, down.stderr);
    assert.match(down.stdout, /Everything is down\./);
    await assert.rejects(nines.get(), /ECONNREFUSED/);
    assert.match((await nines.run("down")).stdout, /Nothing runs here/);
  });

  it("a killed control is back within two seconds and adopts all", async (t) => {
    const nines = await createNines(t);
    await nines.run("up", "--detach");
    const before = await nines.status();
    const clients = load(t, nines.port);
    const killedAtMs = performance.now();
    process.kill(before.control.pid ?? 0, "SIGKILL");
    await nines.untilStatus("another control", ({ control }) => control.state === "running");
    const tookMs = performance.now() - killedAtMs;
    assert.ok(tookMs < 2000, `it took ${tookMs} ms`);
    const after = await nines.untilStatus("all up", ({ services }) => services[0]?.up === 3);
    assert.notEqual(after.control.pid, before.control.pid);
    assert.deepEqual(pidsOfInstances(after), pidsOfInstances(before));
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("a killed keeper is replaced by control, and the new one keeps control", async (t) => {
    const nines = await createNines(t);
    await nines.run("up", "--detach");
    const { control } = await nines.status();
    process.kill(holderOf(nines, "keeper", 1), "SIGKILL");
    await until(
      () => holderOf(nines, "keeper", 2) > 0,
      () => "a second keeper",
    );
    process.kill(control.pid ?? 0, "SIGKILL");
    await nines.untilStatus("another control", (status) => status.control.state === "running");
  });

  it("control comes back though the file has become wrong, with the last right one", async (t) => {
    const nines = await createNines(t);
    await nines.run("up", "--detach");
    const before = await nines.status();
    nines.write({ command: "node service.mjs", more: "    nonsense: true" });
    process.kill(before.control.pid ?? 0, "SIGKILL");
    const after = await nines.untilStatus("control and all three", ({ control, services }) => {
      return control.state === "running" && services[0]?.up === 3;
    });
    assert.deepEqual(pidsOfInstances(after), pidsOfInstances(before));
    assert.match((await nines.run("logs", "control")).stdout, /configuration in force stays/);
  });

  it("says why when it cannot come up, and leaves nothing behind", async (t) => {
    const nines = await createNines(t);
    const other = await createNines(t);
    await other.up();
    nines.write({ port: other.port });
    const up = await nines.run("up", "--detach");
    assert.equal(up.code, 1);
    assert.match(up.stderr, new RegExp(`port ${other.port} is taken`));
    await nines.untilStatus("nothing runs", ({ control, gateway, services }) => {
      return control.state === "not-running" && gateway === null && services.length === 0;
    });
  });
});

describe("without control", () => {
  it("down adopts what runs and stops it", async (t) => {
    const nines = await createNines(t);
    const { child, ended } = await nines.up();
    const { gateway, services } = await nines.status();
    child.kill("SIGKILL");
    await ended;
    const status = await nines.run("status");
    assert.equal(status.code, 3);
    assert.match(status.stdout, /web-2 +\d+ +alive/);
    for (const { pid } of gateway?.workers ?? []) assert.match(status.stdout, new RegExp(`${pid}`));
    const down = await nines.run("down");
    assert.equal(down.code, 0, down.stderr);
    assert.ok(!down.stdout.includes("SIGKILL"), "all ended by themselves");
    const pids = [...(services[0]?.instances ?? []), ...(gateway?.workers ?? [])];
    for (const { pid } of pids) assert.equal(isAlive(pid), false, `${pid} has ended`);
  });

  it("status and down do not wait for a control that is stopped", async (t) => {
    const nines = await createNines(t);
    const { child } = await nines.up();
    child.kill("SIGSTOP");
    const status = await nines.run("status");
    assert.match(status.stdout, /^Control does not answer \(pid \d+\)/);
    assert.equal((await nines.get()).status, 200, "it serves without control");
    const down = await nines.run("down");
    assert.equal(down.code, 0, down.stderr);
    assert.match(down.stdout, /does not answer, and is killed/);
    await assert.rejects(nines.get(), /ECONNREFUSED/);
  });

  it("one that finds itself replaced lets go of everything, and ends nothing", async (t) => {
    const nines = await createNines(t);
    const { child, ended, said } = await nines.up();
    const before = await nines.status();
    // Some process takes the office, as another control would that thought the first one dead.
    const other = nines.start("events", "-f");
    const claim = join(nines.folder, ".nines", "control", "term-2");
    writeFileSync(claim, `${JSON.stringify(identify(other.child.pid ?? 0))}\n`);
    await until(() => child.exitCode !== null, said);
    const { code, stderr } = await ended;
    assert.equal(code, 1);
    assert.match(stderr, /Another control has taken over/);
    for (const pid of pidsOfInstances(before)) assert.ok(isAlive(pid), `${pid} goes on`);
    assert.equal((await nines.get()).status, 200);
  });

  it("commands that need it say so, with exit code 3", async (t) => {
    const nines = await createNines(t);
    for (const words of [["apply"], ["scale", "web", "1"], ["status"], ["logs"]]) {
      const { code, stderr } = await nines.run(...words);
      assert.equal(code, 3, `${words[0]}: ${stderr}`);
      assert.match(stderr, /`nines up`/);
    }
  });
});

function pidsOfInstances({ services }: StatusReport) {
  return services.flatMap(({ instances }) => instances.map(({ pid }) => pid));
}

/** The pid that holds a term of an office; 0 when nobody took it. */
function holderOf(nines: Nines, office: string, term: number): number {
  try {
    const text = readFileSync(join(nines.folder, ".nines", office, `term-${term}`), "utf8");
    return (JSON.parse(text) as { pid: number }).pid;
  } catch {
    return 0;
  }
}

/** A zombie has ended; who collects it is not ours to say. */
function isAlive(pid: number | null): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

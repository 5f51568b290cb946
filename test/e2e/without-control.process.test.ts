// Without control: what keeps going, what can be told, what `down` ends.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { identify } from "../../src/runtime/process-identity.ts";
import { createNines, kill, until } from "./nines.fixture.ts";

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

  it("down ends dependents before what they depend on", async (t) => {
    const nines = await createNines(t);
    const node = "command: node service.mjs, health: { http: / }";
    nines.write({
      replicas: 1,
      more: `    dependsOn: [api]\n  api: { ${node}, dependsOn: [db] }\n  db: { ${node} }`,
    });
    const { child, ended } = await nines.up();
    child.kill("SIGKILL");
    await ended;
    const down = await nines.run("down");
    assert.equal(down.code, 0, down.stderr);
    const told = [...down.stdout.matchAll(/(\w+-1) (is told to end|has ended)/g)];
    const order = ["web-1", "api-1", "db-1"].flatMap((id) => [
      `${id} is told to end`,
      `${id} has ended`,
    ]);
    assert.deepEqual(
      told.map(([words]) => words),
      order,
    );
  });

  it("down finishes what a control killed while it stopped has begun", async (t) => {
    const nines = await createNines(t);
    const deaf = "process.exit = () => undefined; setInterval(() => {}, 1e6);";
    writeFileSync(join(nines.folder, "deaf.mjs"), `${deaf} await import("./service.mjs");`);
    nines.write({ command: "node deaf.mjs", more: "    stopGrace: 1s" });
    const { child, said } = await nines.up();
    const down = nines.run("down");
    await until(() => /web-1 is told to end/.test(said()), said);
    child.kill("SIGKILL");
    const { code, stdout, stderr } = await down;
    assert.equal(code, 0, stderr);
    assert.match(stdout, /web-1 adopted/);
    assert.match(stdout, /Everything is down\./);
  });

  it("workers without a parent are told of, and ended by down", async (t) => {
    const nines = await createNines(t);
    writeFileSync(nines.file, endpointsOnly(nines.port));
    const { child, ended } = await nines.up();
    const { gateway } = await nines.status();
    const workers = (gateway?.workers ?? []).map(({ pid }) => pid ?? 0);
    assert.equal(workers.length, 2);
    // Stopped, they choose no new parent: the moment between two lasts as long as we like.
    for (const pid of workers) process.kill(pid, "SIGSTOP");
    child.kill("SIGKILL");
    await ended;
    kill(gateway?.parent?.pid);
    const status = await nines.run("status");
    assert.match(status.stdout, /gateway +no parent/);
    for (const pid of workers) assert.match(status.stdout, new RegExp(`pid ${pid}`));
    const down = await nines.run("down");
    assert.equal(down.code, 0, down.stderr);
    for (const pid of workers) assert.equal(isAlive(pid), false, `${pid} has ended`);
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
    const instances = before.services.flatMap((service) => service.instances);
    for (const { pid } of instances) assert.ok(isAlive(pid), `${pid} goes on`);
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

function endpointsOnly(port: number): string {
  return `
services:
  web: { endpoints: ["127.0.0.1:9"] }
gateway:
  workers: 2
  listen: [{ address: "127.0.0.1:${port}" }]
  routes: [{ match: { path: / }, service: web }]
`;
}

/** A zombie has ended; who collects it is not ours to say. */
function isAlive(pid: number | null): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

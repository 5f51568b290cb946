// In the background: what is ready, what comes back, what `down` ends.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { StatusReport } from "../../src/program/status/report.ts";
import { createNines, kill, load, type Nines, openNines, until } from "./nines.fixture.ts";

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

  it("a killed keeper is replaced by control, and the new one keeps control", async (t) => {
    const nines = await createNines(t);
    await nines.run("up", "--detach");
    const { control } = await nines.status();
    kill(holderOf(nines, "keeper", 1));
    await until(
      () => holderOf(nines, "keeper", 2) > 0,
      () => "a second keeper",
    );
    kill(control.pid);
    await nines.untilStatus("another control", (status) => status.control.state === "running");
  });

  it("an instance whose record is damaged is found again, and never run twice", async (t) => {
    const nines = await createNines(t);
    await nines.run("up", "--detach");
    const before = await nines.status();
    const first = before.services[0]?.instances[1]?.pid;
    writeFileSync(join(nines.folder, ".nines", "records", "instances+web-2.json"), "torn");
    const clients = load(t, nines.port);
    kill(before.control.pid);
    await nines.untilStatus("web-2 anew, all up", ({ control, services }) => {
      const [web] = services;
      const anew = web?.instances[1]?.pid !== first;
      return control.state === "running" && web?.up === 3 && anew;
    });
    assert.deepEqual((await clients.stop()).failures, []);
    assert.equal(runningAs(nines, "web-2").length, 1);
    assert.match((await nines.run("events", "-n", "100")).stdout, /record of web-2 was damaged/);
  });

  it("down ends an instance whose record is damaged", async (t) => {
    const nines = await createNines(t);
    nines.write({ replicas: 1 });
    const { child, ended } = await nines.up();
    assert.equal(runningAs(nines, "web-1").length, 1);
    writeFileSync(join(nines.folder, ".nines", "records", "instances+web-1.json"), "torn");
    child.kill("SIGKILL");
    await ended;
    const down = await nines.run("down");
    assert.equal(down.code, 0, down.stderr);
    assert.deepEqual(runningAs(nines, "web-1"), []);
  });

  it("follows the file that `up` names, not the one that ran when all was killed", async (t) => {
    const nines = await createNines(t);
    await nines.run("up", "--detach");
    const { control } = await nines.status();
    kill(holderOf(nines, "keeper", 1));
    kill(control.pid);
    const other = join(nines.folder, "other.yaml");
    writeFileSync(other, readFileSync(nines.file, "utf8").replaceAll("web", "shop"));
    const up = await nines.run("up", "--detach", "--file", other);
    assert.equal(up.code, 0, up.stderr);
    const after = await nines.status();
    assert.equal(after.file, other);
    // What an `apply` has named since is what a killed control comes back to.
    assert.equal((await nines.run("apply", "--file", nines.file)).code, 0);
    kill(after.control.pid);
    const last = await nines.untilStatus("control", (status) => status.control.state === "running");
    assert.equal(last.file, nines.file);
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

describe("a killed control that a keeper keeps", () => {
  let nines: Nines;
  before(async () => {
    nines = await openNines();
    assert.equal((await nines.run("up", "--detach")).code, 0);
  });
  after(() => nines.close());

  it("comes back and adopts all", async (t) => {
    const before = await nines.status();
    const clients = load(t, nines.port);
    kill(before.control.pid);
    const after = await untilAnother(nines, before);
    assert.deepEqual(pidsOfInstances(after), pidsOfInstances(before));
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("comes back though the file has become wrong, with the last right one", async () => {
    const before = await nines.status();
    nines.write({ command: "node service.mjs", more: "    nonsense: true" });
    kill(before.control.pid);
    const after = await untilAnother(nines, before);
    assert.deepEqual(pidsOfInstances(after), pidsOfInstances(before));
    assert.match((await nines.run("logs", "control")).stdout, /configuration in force stays/);
    nines.write({});
  });

  it("comes back though its record of the file is damaged: there is the file", async () => {
    const before = await nines.status();
    writeFileSync(join(nines.folder, ".nines", "records", "program+config.json"), "torn");
    kill(before.control.pid);
    const after = await untilAnother(nines, before);
    assert.deepEqual(pidsOfInstances(after), pidsOfInstances(before));
  });
});

/** Until another control runs, and all three are up. */
function untilAnother(nines: Nines, before: StatusReport): Promise<StatusReport> {
  return nines.untilStatus("another control and all three", ({ control, services }) => {
    const isAnother = control.state === "running" && control.pid !== before.control.pid;
    return isAnother && services[0]?.up === 3;
  });
}

/** Processes with this instance's name and folder in their environment. */
function runningAs(nines: Nines, instance: string): readonly number[] {
  const folder = `NINES_DATA_DIR=${join(nines.folder, ".nines", "data", instance)}`;
  return readdirSync("/proc").flatMap((name) => {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8").split("\0");
      return environment.includes(folder) ? [Number(name)] : [];
    } catch {
      return []; // no process, or it has ended
    }
  });
}

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

// Without control: what keeps going, what can be told, what `down` ends.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { identify } from "../../src/runtime/process-identity.ts";
import { createNines, until } from "./nines.fixture.ts";

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

/** A zombie has ended; who collects it is not ours to say. */
function isAlive(pid: number | null): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

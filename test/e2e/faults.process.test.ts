// `kill -9` of any process while it serves, by the shipped build: what clients notice.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createNines, load, until, kill } from "./nines.fixture.ts";

describe("under load, with kill -9", () => {
  it("an instance dies, no request fails, and it is started again", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const clients = load(t, nines.port);
    const [victim] = await nines.instances();
    assert.ok(victim?.pid);
    kill(victim.pid);
    const after = await nines.untilStatus("web-1 has a new process", ({ services }) =>
      services.some(({ up, instances }) => {
        const one = instances.find(({ id }) => id === victim.id);
        return up === 3 && one?.pid !== victim.pid;
      }),
    );
    const { asked, failures } = await clients.stop();
    assert.deepEqual(failures, []);
    assert.ok(asked > 20, `${asked} requests were made`);
    const again = after.services[0]?.instances.find(({ id }) => id === victim.id);
    assert.equal(again?.restarts, 1);
    assert.equal(again?.address, victim.address, "it keeps its port");
    const { stdout } = await nines.run("events", "-n", "100");
    assert.match(stdout, /web-1 .*SIGKILL/);
  });

  it("control dies, nothing else does, and the next one adopts it all", async (t) => {
    const nines = await createNines(t);
    const first = await nines.up();
    const before = await nines.status();
    const clients = load(t, nines.port);
    first.child.kill("SIGKILL");
    await first.ended;
    const alone = await nines.run("status");
    assert.equal(alone.code, 3);
    assert.match(alone.stdout, /^Control is not running\. What it started goes on/);
    const second = await nines.up();
    const after = await nines.status();
    const { failures } = await clients.stop();
    assert.deepEqual(failures, []);
    assert.deepEqual(pidsIn(after), pidsIn(before), "nothing was restarted");
    assert.equal(after.control.term, (before.control.term ?? 0) + 1);
    assert.equal(second.said().match(/web-\d adopted: pid \d+/g)?.length, 3, second.said());
  });

  it("the gateway's parent dies twice, and each time exactly one follows", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const clients = load(t, nines.port);
    const before = await nines.status();
    for (const round of [1, 2]) {
      const { gateway } = await nines.status();
      assert.ok(gateway?.parent);
      const { pid, term } = gateway.parent;
      kill(pid);
      await nines.untilStatus(`parent ${round} has a successor`, (status) => {
        const parent = status.gateway?.parent;
        const followed = parent !== null && parent !== undefined && parent.term > term;
        return followed && status.gateway?.workers.length === 2;
      });
    }
    const after = await nines.status();
    const { failures } = await clients.stop();
    assert.deepEqual(failures, []);
    assert.deepEqual(pidsIn(after), pidsIn(before), "no worker and no instance was restarted");
  });

  it("a worker dies: only what was in flight on it is lost, and it is replaced", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const { gateway } = await nines.status();
    const [victim] = gateway?.workers ?? [];
    assert.ok(victim);
    const clients = load(t, nines.port);
    await until(
      async () => (await nines.get()).status === 200,
      () => "it serves",
    );
    kill(victim.pid);
    await nines.untilStatus("two workers serve", (status) => {
      const serving = (status.gateway?.workers ?? []).filter(({ state }) => state === "serving");
      return serving.length === 2 && serving.every(({ pid }) => pid !== victim.pid);
    });
    const { failures } = await clients.stop();
    const refused = failures.filter((failure) => !/ECONNRESET|socket hang up/.test(failure));
    assert.deepEqual(refused, [], "none was refused or answered with an error");
    assert.ok(failures.length <= 4, `in flight on it: ${failures.join("; ")}`);
  });
});

function pidsIn(status: Awaited<ReturnType<Awaited<ReturnType<typeof createNines>>["status"]>>) {
  return {
    instances: status.services.flatMap(({ instances }) => instances.map(({ pid }) => pid)),
    workers: status.gateway?.workers.map(({ pid }) => pid),
  };
}

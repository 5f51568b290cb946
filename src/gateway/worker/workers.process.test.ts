// Workers end, hang, are replaced and drained while clients come in, and no connection is refused.

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { identify } from "../../runtime/process-identity.ts";
import type { FromControl, ToControl } from "../contract.ts";
import { readToControl } from "../link/messages.ts";
import { serveLinks } from "../link/server.ts";
import {
  ask,
  freePort,
  hammer,
  keepAlive,
  startGateway,
  type TestGateway,
  testPaths,
  until,
} from "../process/harness.fixture.ts";

describe("gateway workers", { timeout: 120_000 }, async () => {
  const gateways: TestGateway[] = [];
  const start = async (workers = 2, openFiles?: number): Promise<TestGateway> => {
    const gateway = await startGateway(workers, openFiles);
    gateways.push(gateway);
    return gateway;
  };
  after(async () => {
    for (const gateway of gateways) await gateway.end();
  });

  const serving = (gateway: TestGateway): readonly number[] =>
    gateway.steward
      .status()
      .workers.filter((worker) => worker.state === "serving")
      .map((worker) => worker.pid);
  const replaced = async (gateway: TestGateway, pids: readonly number[]): Promise<void> =>
    await until("others serve in their place", () => {
      const now = serving(gateway);
      return now.length === 2 && pids.every((pid) => !now.includes(pid));
    });
  const refused = (failures: readonly string[]): readonly string[] =>
    failures.filter((why) => why === "ECONNREFUSED");

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    it(`one that gets ${signal} is replaced, and nobody is refused`, async () => {
      const gateway = await start();
      const load = hammer(gateway.port);
      const [victim = 0, other = 0] = serving(gateway);
      process.kill(victim, signal);
      await replaced(gateway, [victim]);
      await until("it is dead", () => identify(victim) === undefined);
      const { answered, failures } = await load.end();
      assert.deepEqual(refused(failures), []);
      assert.ok(answered > 0);
      assert.ok(serving(gateway).includes(other));
      assert.ok(gateway.events.some((event) => event.kind.startsWith("gateway.worker-")));
    });
  }

  it("all of them killed at once come back, and those who waited are answered", async () => {
    const gateway = await start();
    const pids = serving(gateway);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    // Nobody accepts; the parent's socket keeps the connection until somebody does.
    assert.match(await ask(gateway.port), /^worker/);
    await replaced(gateway, pids);
  });

  it("after a succession the new parent replaces the workers that it adopted", async () => {
    const gateway = await start();
    const before = serving(gateway);
    const parent = gateway.steward.status().parent?.pid ?? 0;
    process.kill(parent, "SIGKILL");
    await until("a new parent", () => {
      const now = gateway.steward.status().parent;
      return now !== undefined && now.pid !== parent;
    });
    const load = hammer(gateway.port);
    for (const victim of before) process.kill(victim, "SIGKILL");
    await replaced(gateway, before);
    const { failures } = await load.end();
    assert.deepEqual(refused(failures), []);
  });

  it("replacing them all loses no request", async () => {
    const gateway = await start();
    const before = serving(gateway);
    const load = hammer(gateway.port);
    const slow = Promise.all([1, 2, 3, 4].map(() => ask(gateway.port, "/slow")));
    assert.ok(gateway.steward.replaceWorkers());
    await replaced(gateway, before);
    await slow;
    await until("the old are gone", () => gateway.pids("worker").length === 2);
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
  });

  it("SIGTERM drains one, and another serves before", async () => {
    const gateway = await start();
    const [victim = 0] = serving(gateway);
    const load = hammer(gateway.port);
    process.kill(victim, "SIGTERM");
    await replaced(gateway, [victim]);
    await until("it has ended", () => identify(victim) === undefined);
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
  });

  it("their number follows the table", async () => {
    const gateway = await start();
    for (const workers of [4, 1, 2]) {
      const load = hammer(gateway.port);
      gateway.publish({ workers });
      await until(`${workers} workers`, () => gateway.pids("worker").length === workers);
      const { failures } = await load.end();
      assert.deepEqual(failures, []);
    }
  });

  it("what one lets in by a limit, the other is told", async () => {
    const gateway = await start();
    const load = hammer(gateway.port);
    const heard = new Map<string, number>();
    for (let asked = 0; asked < 5000 && heard.size < 2; asked++) {
      const words = /^worker (\d+) .*heard (\d+)$/.exec(await ask(gateway.port));
      if (Number(words?.[2]) > 0) heard.set(words?.[1] ?? "", Number(words?.[2]));
    }
    await load.end();
    assert.equal(heard.size, 2, "each has heard of the other");
  });

  it("they follow tables, and keep the last one when control is away", async () => {
    const gateway = await start();
    gateway.publish({});
    await gateway.steward.ready(20_000);
    gateway.steward.release();
    assert.match(await ask(gateway.port), /table 2,/);
    const before = gateway.pids("worker");
    await gateway.reopenSteward();
    gateway.publish({});
    await gateway.steward.ready(20_000);
    assert.deepEqual(gateway.pids("worker"), before);
    assert.match(await ask(gateway.port), /table 3,/);
  });

  it("a new one does not take control for away before it could speak", async () => {
    const gateway = await start();
    for (const pid of gateway.pids("worker")) process.kill(pid, "SIGKILL");
    const first = await Promise.all(Array.from({ length: 20 }, () => ask(gateway.port)));
    for (const answer of first) assert.match(answer, /control there/);
    gateway.steward.release();
    for (const pid of gateway.pids("worker")) process.kill(pid, "SIGKILL");
    while (!(await ask(gateway.port)).includes("control away")) await wait(10);
    await gateway.reopenSteward();
  });

  it("they take a control that says nothing for one that is away, and the next one spares them", async (t) => {
    const gateway = await start();
    const before = serving(gateway);
    gateway.steward.release();
    // Control stopped right after its hello: its links stay open.
    const stopped = await serveLinks<ToControl, FromControl>({
      path: testPaths(gateway.state).controlSocket,
      parse: readToControl,
      onPeer: (_hello, link) => {
        link.send({ type: "alive" });
        return { onMessage: () => undefined, onClose: () => undefined };
      },
    });
    t.after(() => stopped[Symbol.dispose]());
    // Lost, found to talk again for its hello, and lost again: nobody takes a link for a life.
    const answers = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(await ask(gateway.port))) await wait(10);
    };
    await answers(/lost [2-9] times/);
    await gateway.reopenSteward();
    gateway.publish({});
    await answers(/control there/);
    await until("the workers link", () => serving(gateway).length === 2);
    assert.deepEqual(new Set(serving(gateway)), new Set(before));
  });

  it("a listener is added and removed without a lost request on the others", async () => {
    const gateway = await start();
    const load = hammer(gateway.port);
    const port = await freePort();
    const [first] = gateway.table.listeners;
    assert.ok(first);
    gateway.publish({ listeners: [first, { host: "127.0.0.1", port, protocol: "http" }] });
    await until("it listens", () => gateway.log().split(" serves").length === 5);
    assert.match(await ask(port), /^worker/);
    gateway.publish({ listeners: [first] });
    let last = "";
    await until("it is closed", () => {
      void ask(port).catch((error: Error) => {
        last = error.message;
      });
      return last === "ECONNREFUSED";
    });
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
  });

  it("a worker at its limit of connections leaves the next ones to others", async () => {
    const gateway = await start();
    gateway.publish({ limits: { ...gateway.table.limits, connections: 4 } });
    await gateway.steward.ready(20_000);
    await fillAndWait(gateway);
  });

  it("a worker takes no more connections than it has descriptors for, and says so", async () => {
    const gateway = await start(2, 104);
    await fillAndWait(gateway);
    const said = gateway.events.filter(({ kind }) => kind === "gateway.connections-bounded");
    assert.match(said[0]?.sentence ?? "", /has 4 connections/);
  });

  /** Each of two workers has room for four. */
  async function fillAndWait(gateway: TestGateway): Promise<void> {
    const sockets: Socket[] = [];
    for (let count = 0; count < 8; count++) sockets.push((await keepAlive(gateway.port)).socket);
    await until("both are full", () => {
      const { stats } = gateway.steward.status();
      return stats.length === 2 && stats.every(({ connections }) => connections === 4);
    });
    const ninth = ask(gateway.port);
    // It waits in the kernel until one of the eight has gone.
    assert.equal(await Promise.race([ninth, keptWaiting(gateway)]), "waits");
    sockets[0]?.destroy();
    assert.match(await ninth, /^worker/);
    for (const socket of sockets) socket.destroy();
  }

  /** Two more reports of each worker with no connection more. */
  async function keptWaiting(gateway: TestGateway): Promise<string> {
    const seen = new Set<object>();
    await until("reports", () => {
      for (const stats of gateway.steward.status().stats) {
        assert.ok(stats.connections <= 4);
        seen.add(stats);
      }
      return seen.size >= 6;
    });
    return "waits";
  }
});

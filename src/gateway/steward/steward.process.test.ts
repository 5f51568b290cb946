// Control's hand on the gateway: there is one when there should be, none when there should not, and
// one that serves is left alone.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import {
  quietInstance,
  quietService,
  quietWorker,
  type WorkerStats,
} from "../../core/measure/gateway-stats.ts";
import { identify } from "../../runtime/process-identity.ts";
import type { FromControl, ToControl } from "../contract.ts";
import { keepLinked, type LinkClient } from "../link/client.ts";
import { readFromControl } from "../link/messages.ts";
import { launchedLine, openBoard } from "../process/board.ts";
import { loadTable } from "../process/table-file.ts";
import {
  ask,
  freePort,
  hammer,
  startGateway,
  type TestGateway,
  testPaths,
  until,
} from "../process/harness.fixture.ts";

describe("the steward", { timeout: 120_000 }, async () => {
  const gateways: TestGateway[] = [];
  const start = async (workers = 2): Promise<TestGateway> => {
    const gateway = await startGateway(workers);
    gateways.push(gateway);
    return gateway;
  };
  after(async () => {
    for (const gateway of gateways) await gateway.end();
  });

  const everyone = (gateway: TestGateway): readonly number[] => [
    ...gateway.pids("parent"),
    ...gateway.pids("worker"),
  ];
  const occupy = async (port: number): Promise<Server> => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    return server;
  };
  const vacate = async (server: Server): Promise<void> => {
    await new Promise((resolve) => server.close(resolve));
  };

  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    it(`brings a new gateway when all of it gets ${signal}`, async () => {
      const gateway = await start();
      const before = everyone(gateway);
      assert.equal(before.length, 3);
      for (const pid of before) process.kill(pid, signal);
      await until("none of the old is left", () =>
        before.every((pid) => identify(pid) === undefined),
      );
      await until("a new gateway is whole", () => everyone(gateway).length === 3);
      await gateway.steward.ready(20_000);
      assert.match(await ask(gateway.port), /^worker/);
    });
  }

  it("starts nothing when one comes back to a gateway that serves", async () => {
    const gateway = await start();
    const before = everyone(gateway);
    const load = hammer(gateway.port);
    await gateway.reopenSteward();
    gateway.publish({});
    await gateway.steward.ready(20_000);
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
    assert.deepEqual(everyone(gateway), before);
    assert.ok(!gateway.events.slice(1).some((event) => event.kind === "gateway.started"));
  });

  it("says at the start which port is taken, and leaves nothing behind", async () => {
    const gateway = await start(0);
    const taken = await occupy(gateway.port);
    gateway.steward.publish(gateway.table);
    await assert.rejects(gateway.steward.ready(20_000), {
      code: "NINES_GATEWAY_PORT_TAKEN",
      message: `cannot listen on 127.0.0.1:${gateway.port}: port ${gateway.port} is taken by another program`,
    });
    await gateway.steward.stop(0);
    assert.deepEqual(everyone(gateway), []);
    await vacate(taken);
  });

  it("a taken port in a later table is said, costs nothing else, and is used once free", async () => {
    const gateway = await start();
    const port = await freePort();
    const taken = await occupy(port);
    const load = hammer(gateway.port);
    const listeners = [
      ...gateway.table.listeners,
      { host: "127.0.0.1", port, protocol: "http" } as const,
    ];
    gateway.publish({ listeners });
    await until("it is said", () => gateway.steward.status().listenFailures.length === 1);
    const said = gateway.events.find((event) => event.kind === "gateway.listen-failed");
    assert.match(said?.sentence ?? "", new RegExp(`port ${port} is taken`));
    await vacate(taken);
    await until("it is used", () => gateway.steward.status().listenFailures.length === 0);
    assert.match(await ask(port), /^worker/);
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
  });

  it("stops a gateway: requests under way are answered, then the port is free", async () => {
    const gateway = await start();
    const slow = ask(gateway.port, "/slow");
    await until("it is under way", () =>
      gateway.steward.status().stats.some((stats) => stats.connections === 1),
    );
    await gateway.steward.stop(5_000);
    assert.match(await slow, /^worker/);
    assert.deepEqual(everyone(gateway), []);
    await vacate(await occupy(gateway.port));
  });

  it("stops a gateway whose processes hang", async () => {
    const gateway = await start();
    for (const pid of everyone(gateway)) process.kill(pid, "SIGSTOP");
    await gateway.steward.stop(100);
    assert.deepEqual(everyone(gateway), []);
  });

  it("no count that was told goes back, whoever of gateway and control is killed or replaced", async () => {
    const gateway = await start();
    const load = hammer(gateway.port);
    let told = 0;
    const look = (): number => {
      const { connectionsAccepted } = gateway.steward.tellTotals();
      assert.ok(connectionsAccepted >= told, `${connectionsAccepted} after ${told} was told`);
      told = connectionsAccepted;
      return told;
    };
    const grown = async (): Promise<void> => {
      const enough = look() + 50;
      await until("more is told", () => look() >= enough);
    };
    const [first = 0] = gateway.pids("worker");
    const killed = async (worker: number): Promise<void> => {
      process.kill(worker, "SIGKILL");
      await until("another worker serves", () => {
        const pids = gateway.pids("worker");
        return pids.length === 2 && !pids.includes(worker);
      });
    };
    await grown();
    await killed(first);
    await grown();
    await gateway.reopenSteward();
    assert.ok(look() > 0, "what had been told is known at once");
    gateway.publish({});
    await grown();
    look();
    const counted = gateway.pids("worker");
    gateway.steward.release();
    for (const worker of counted) await killed(worker);
    await gateway.reopenSteward();
    assert.ok(look() > 0, "also when all that had counted were replaced meanwhile");
    gateway.publish({});
    await grown();
    await load.end();
    look();
  });

  it("counts anew when nothing of the gateway lives that had counted", async () => {
    const gateway = await start();
    assert.match(await ask(gateway.port), /^worker/);
    await until("it is told", () => gateway.steward.tellTotals().connectionsAccepted > 0);
    await gateway.steward.stop(0);
    await gateway.reopenSteward();
    assert.equal(gateway.steward.tellTotals().connectionsAccepted, 0);
  });

  it("numbers are told also when the disk does not take them, and it is said once", async () => {
    const gateway = await start(0);
    const { countersFile } = testPaths(gateway.state);
    mkdirSync(join(`${countersFile}.${process.pid}`, "full"), { recursive: true });
    assert.equal(gateway.steward.tellTotals().connectionsAccepted, 0);
    gateway.steward.tellTotals();
    assert.deepEqual(
      gateway.events.map(({ kind }) => kind),
      ["gateway.counters-unkept"],
    );
    rmSync(`${countersFile}.${process.pid}`, { recursive: true });
  });

  it("a full disk under the log, and a failed write of it, end nobody", async () => {
    const gateway = await start(0);
    symlinkSync("/dev/full", testPaths(gateway.state).logFile);
    gateway.steward.publish(gateway.table);
    await gateway.steward.ready(20_000);
    const workers = gateway.pids("worker");
    const parent = gateway.steward.status().parent?.pid ?? 0;
    process.kill(parent, "SIGKILL");
    await until("another parent serves", () => {
      const now = gateway.steward.status().parent;
      return now !== undefined && now.pid !== parent;
    });
    assert.match(await ask(gateway.port), /^worker/);
    assert.deepEqual(gateway.pids("worker"), workers);
  });

  it("nobody is fenced by a table that is not on disk, and it is kept when there is room", async () => {
    const gateway = await start();
    const { tableFile } = testPaths(gateway.state);
    // As on a full disk: nothing can be written beside it.
    const beside = `${tableFile}.${process.pid}`;
    mkdirSync(join(beside, "full"), { recursive: true });
    gateway.publish({});
    gateway.publish({});
    const { version } = gateway.table;
    await gateway.steward.ready(20_000);
    assert.ok(gateway.steward.isIdle("db-1", version));
    assert.ok(!gateway.steward.isFenced("db-1", version), "a worker that starts now knows less");
    rmSync(beside, { recursive: true });
    await until("it is on disk", () => loadTable(tableFile)?.version === version);
    await until("it is fenced", () => gateway.steward.isFenced("db-1", version));
    const said = gateway.events.map(({ kind }) => kind).filter((kind) => kind.includes("table"));
    assert.deepEqual(said, ["gateway.table-unkept", "gateway.table-kept"]);
  });

  it("ends the gateway when nothing is left to listen on, and starts one again", async () => {
    const gateway = await start();
    const { listeners } = gateway.table;
    gateway.publish({ listeners: [] });
    await until("all have ended", () => everyone(gateway).length === 0);
    gateway.publish({ listeners });
    await gateway.steward.ready(20_000);
    assert.match(await ask(gateway.port), /^worker/);
  });

  it("after an upgrade the gateway is renewed process by process, without a lost request", async () => {
    const gateway = await start();
    const before = everyone(gateway);
    const load = hammer(gateway.port);
    writeFileSync(join(gateway.state, "version"), "1.1.0");
    await gateway.reopenSteward();
    gateway.publish({});
    await until("none of the old is left", () =>
      before.every((pid) => identify(pid) === undefined),
    );
    await until("the new gateway is whole", () => everyone(gateway).length === 3);
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
  });
});

describe("what workers tell the steward", { timeout: 60_000 }, async () => {
  const gateway = await startGateway(0);
  const heard: FromControl[] = [];
  const links: LinkClient<ToControl>[] = [];
  after(async () => {
    for (const link of links) link.end();
    await gateway.end();
    standIn.kill("SIGKILL");
  });

  // A stand-in for the worker's process, since a steward that stops ends whoever said hello.
  const standIn = spawn("sleep", ["60"], { stdio: "ignore" });
  const identity = identify(standIn.pid ?? 0);
  assert.ok(identity);
  const link = (worker: number): LinkClient<ToControl> => {
    const client = keepLinked<FromControl, ToControl>({
      path: testPaths(gateway.state).controlSocket,
      hello: () => ({ type: "hello", role: "worker", identity, term: 1, worker, version: "1.0.0" }),
      parse: readFromControl,
      onOpen: () => undefined,
      onMessage: (message) => heard.push(message),
      onLost: () => undefined,
    });
    links.push(client);
    return client;
  };
  const stats = (tableVersion: number, active: number): WorkerStats => {
    const instance = { ...quietInstance, id: "web-1", requests: 7, active, answers: [0, 7] };
    const service = { ...quietService, name: "web", requests: 7, active, latency: [7] };
    const services = [{ ...service, instances: [instance] }];
    const own = { worker: 1, pid: identity.pid, connections: 1, connectionsAccepted: 9 };
    return { ...quietWorker, ...own, tableVersion, services };
  };

  it("an instance is idle when every worker follows the table and has nothing on it", async () => {
    const client = link(1);
    await until("control says that it lives", () => heard.some(({ type }) => type === "alive"));
    const reported = async (tableVersion: number, active: number): Promise<void> => {
      client.sendLatest({ type: "stats", stats: stats(tableVersion, active) });
      await until("it is heard", () => {
        const [last] = gateway.steward.status().stats;
        return last?.tableVersion === tableVersion && last.services[0]?.active === active;
      });
    };
    assert.equal(gateway.steward.isIdle("web-1", 5), false);
    await reported(4, 0);
    assert.equal(gateway.steward.isIdle("web-1", 5), false);
    await reported(5, 1);
    assert.equal(gateway.steward.isIdle("web-1", 5), false);
    assert.equal(gateway.steward.isIdle("web-2", 5), true);
    await reported(6, 0);
    assert.equal(gateway.steward.isIdle("web-1", 5), true);
    assert.equal(gateway.steward.status().totals.services[0]?.requests, 7);
  });

  it("an instance is fenced when every worker that lives has said so, linked or not", async () => {
    assert.equal(gateway.steward.isFenced("web-1", 6), false, "there is no table on disk");
    gateway.steward.publish({ ...gateway.table, version: 7, listeners: [] });
    assert.equal(gateway.steward.isFenced("web-1", 6), true);
    assert.equal(gateway.steward.isFenced("web-1", 7), false, "an older table");
    const stray = spawn("sleep", ["60"], { stdio: "ignore" });
    const strayIdentity = identify(stray.pid ?? 0);
    assert.ok(strayIdentity);
    using board = openBoard(testPaths(gateway.state).boardFile);
    board.publish(launchedLine(2, strayIdentity));
    assert.equal(gateway.steward.isIdle("web-1", 6), true, "nobody waits for a stray");
    assert.equal(gateway.steward.isFenced("web-1", 6), false);
    stray.kill("SIGKILL");
    await once(stray, "exit");
    assert.equal(gateway.steward.isFenced("web-1", 6), true, "the dead send nothing");
    board.clear(2);
  });

  it("notices become observations, ejections also events, each once", async () => {
    const [client] = links;
    const notice = (kind: "reset" | "ejected"): void =>
      client?.send({
        type: "notice",
        notice: { kind, instance: "web-1", sentence: `web-1 ${kind}` },
      });
    notice("reset");
    notice("ejected");
    notice("ejected");
    await until("all are heard", () => gateway.observations.length === 3);
    const told = gateway.observations.map(({ detail, kind }) => [detail, kind]);
    assert.deepEqual(told[0], ["web-1 reset", "seen"]);
    assert.deepEqual(told[1], ["web-1 ejected", "ejected"]);
    const said = gateway.events.filter((event) => event.kind === "gateway.instance-ejected");
    assert.equal(said.length, 1);
    assert.equal(said[0]?.sentence, "web-1 ejected");
  });
});

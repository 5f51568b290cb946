// The parent of the gateway may die or hang at any point, and clients do not notice.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { identify } from "../../runtime/process-identity.ts";
import { hammer, startGateway, type TestGateway, until } from "../process/harness.fixture.ts";

describe("when the gateway's parent is gone", { timeout: 120_000 }, async () => {
  const gateways: TestGateway[] = [];
  const start = async (workers = 2): Promise<TestGateway> => {
    const gateway = await startGateway(workers);
    gateways.push(gateway);
    return gateway;
  };
  after(async () => {
    for (const gateway of gateways) await gateway.end();
  });

  const parentOf = (gateway: TestGateway): number => gateway.steward.status().parent?.pid ?? 0;
  const served = async (gateway: TestGateway, before: number): Promise<void> => {
    await until("another parent serves", () => {
      const { parent, workers } = gateway.steward.status();
      const serving = workers.filter((worker) => worker.state === "serving");
      return parent !== undefined && parent.pid !== before && serving.length === 2;
    });
  };

  it("one new parent takes over, twice in a row, and no worker restarts", async () => {
    const gateway = await start();
    const workers = gateway.pids("worker");
    const load = hammer(gateway.port);
    for (let round = 0; round < 2; round++) {
      const parent = parentOf(gateway);
      process.kill(parent, "SIGKILL");
      await served(gateway, parent);
    }
    const { answered, failures } = await load.end();
    assert.deepEqual(failures, []);
    assert.ok(answered > 0);
    assert.deepEqual(gateway.pids("worker"), workers);
    assert.equal(gateway.pids("parent").length, 1);
  });

  it("and it does not matter that control is away", async () => {
    const gateway = await start();
    gateway.steward.release();
    const [parent = 0] = gateway.pids("parent");
    process.kill(parent, "SIGKILL");
    await until("a new parent runs", () => gateway.claims.holder()?.alive === true);
    await gateway.reopenSteward();
    gateway.publish({});
    await served(gateway, parent);
    assert.equal(gateway.pids("parent").length, 1);
  });

  it("a new parent killed before it could claim is replaced as well", async () => {
    const gateway = await start();
    const load = hammer(gateway.port);
    const parent = parentOf(gateway);
    process.kill(parent, "SIGKILL");
    await until("another starts", () => gateway.pids("parent").length === 1);
    for (const pid of gateway.pids("parent")) process.kill(pid, "SIGKILL");
    await served(gateway, parent);
    const { failures } = await load.end();
    assert.deepEqual(failures, []);
  });

  /** Nobody but the workers can help: control is away until another parent has announced itself. */
  const mendAlone = async (gateway: TestGateway, fault: string): Promise<void> => {
    const parent = parentOf(gateway);
    writeFileSync(join(gateway.state, fault), "");
    gateway.steward.release();
    process.kill(parent, "SIGKILL");
    const announced = /gateway parent of term \d+ holds/g;
    await until("a parent takes over", () => gateway.log().match(announced)?.length === 2);
    await gateway.reopenSteward();
    gateway.publish({});
    await served(gateway, parent);
    await until("there is one parent", () => gateway.pids("parent").length === 1);
    await until("there are two workers", () => gateway.pids("worker").length === 2);
  };

  for (const fault of ["die-after-claim-worker", "stop-after-claim-worker"]) {
    it(`a claimant that suffers ${fault} is passed over, and nobody is refused`, async () => {
      const gateway = await start();
      const load = hammer(gateway.port);
      await mendAlone(gateway, fault);
      const { failures } = await load.end();
      // What the suffering worker had accepted is lost with it.
      assert.deepEqual(
        failures.filter((why) => why === "ECONNREFUSED"),
        [],
      );
    });
  }

  for (const fault of ["die-after-claim-parent", "stop-after-claim-parent"]) {
    it(`a new parent that suffers ${fault} is replaced, and no request fails`, async () => {
      const gateway = await start();
      const workers = gateway.pids("worker");
      const load = hammer(gateway.port);
      await mendAlone(gateway, fault);
      const { failures } = await load.end();
      assert.deepEqual(failures, []);
      assert.deepEqual(gateway.pids("worker"), workers);
    });
  }

  it("a stopped parent is replaced, by control or without it", async () => {
    for (const controlled of [true, false]) {
      const gateway = await start();
      const workers = gateway.pids("worker");
      const [parent = 0] = gateway.pids("parent");
      if (!controlled) gateway.steward.release();
      process.kill(parent, "SIGSTOP");
      await until("the stopped one is dead", () => identify(parent) === undefined);
      if (!controlled) {
        await gateway.reopenSteward();
        gateway.publish({});
      }
      await served(gateway, parent);
      assert.deepEqual(gateway.pids("worker"), workers);
      assert.equal(gateway.pids("parent").length, 1);
    }
  });

  it("a parent whose term has passed ends, and starts nothing", async () => {
    const gateway = await start();
    const workers = gateway.pids("worker");
    const [parent = 0] = gateway.pids("parent");
    const usurper = spawn("sleep", ["60"], { stdio: "ignore" });
    const identity = identify(usurper.pid ?? 0);
    assert.notEqual(gateway.claims.claim(identity, gateway.claims.holder()?.term), undefined);
    await until("the old parent ends", () => identify(parent) === undefined);
    // The usurper never serves, so the workers pass over it too.
    await served(gateway, parent);
    assert.deepEqual(gateway.pids("worker"), workers);
    assert.match(gateway.log(), /ends: replaced/);
    usurper.kill("SIGKILL");
  });

  it("a second parent cannot claim while the first lives", async () => {
    const gateway = await start(2);
    const program = join(import.meta.dirname, "../process/gateway-program.fixture.js");
    const child = spawn(process.execPath, [program, gateway.state, "parent", "--term", "0"]);
    const [code] = await new Promise<unknown[]>((resolve) =>
      child.on("exit", (...args) => resolve(args)),
    );
    assert.equal(code, 3);
    assert.equal(gateway.pids("parent").length, 1);
  });
});

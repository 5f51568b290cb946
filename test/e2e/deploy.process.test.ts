// New versions under load, with real processes: a good one, bad ones, one that control dies over.
// No request fails through any of it, but those that the bad version itself answers with errors.

import assert from "node:assert/strict";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { DeploysReport } from "../../src/program/status/versions.ts";
import { createNines, load, type Nines, until } from "./nines.fixture.ts";

/** A step is long enough to be looked at, however busy the machine. */
const quick = "minimumHealthy: 300ms, stepTime: 6s";

/** With an environment and the way to deploy it. */
function write(nines: Nines, version: string, deploy = "", more = ""): void {
  const env = `    env: { VERSION: "${version}", PASSWORD: hunter2 }`;
  nines.write({ more: `${env}\n    deploy: { ${quick}${deploy} }\n${more}` });
}

async function deploys(nines: Nines): Promise<DeploysReport> {
  const { stdout, stderr } = await nines.run("deploys", "web", "--json");
  assert.notEqual(stdout, "", stderr);
  assert.ok(!stdout.includes("hunter2"));
  return JSON.parse(stdout) as DeploysReport;
}

/** A service that fails in the way that its environment says. */
function writeFailing(nines: Nines): void {
  const text = `
    if (process.env.VERSION === "crashes") setTimeout(() => process.exit(3), 100);
    else if (process.env.VERSION === "silent") setInterval(() => undefined, 1000);
    else await import("./service.mjs");
  `;
  writeFileSync(join(nines.folder, "maybe.mjs"), text);
}

describe("a deploy, under load", () => {
  it("replaces all instances, loses no request, and can be taken back", async (t) => {
    const nines = await createNines(t);
    write(nines, "1");
    await nines.up();
    const before = await nines.instances();
    const clients = load(t, nines.port);
    write(nines, "2");
    const done = await nines.run("deploy", "web");
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^web goes from version 1 to version 2 \(env changed\): /);
    assert.match(done.stdout, /web is at version 2, .* after it began\n$/);
    const after = await nines.instances();
    assert.ok(after.every(({ pid }, index) => pid !== before[index]?.pid));
    assert.deepEqual(
      (await nines.status()).services[0]?.instances.map(({ version }) => version),
      [2, 2, 2],
    );
    assert.match((await nines.run("apply")).stdout, /Nothing has changed/);
    const back = await nines.run("rollback", "web");
    assert.equal(back.code, 0, back.stderr);
    assert.equal((await deploys(nines)).inForce, 1);
    assert.match((await nines.run("apply")).stdout, /web stays at version 1/);
    const listed = (await nines.run("deploys", "web")).stdout;
    assert.match(listed, /^\* 1 .* start by the file/m);
    assert.ok(!listed.includes("hunter2"));
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("with an extra instance and a canary: it comes, tries, and leaves", async (t) => {
    const nines = await createNines(t);
    write(nines, "1", ", maxSurge: 1, maxUnavailable: 0");
    await nines.up();
    const clients = load(t, nines.port);
    write(nines, "2", ", maxSurge: 1, maxUnavailable: 0");
    const running = nines.start("deploy", "web", "--canary", "10%");
    await until(() => running.said().includes("has 10% of the traffic"), running.said);
    const [web] = (await nines.status()).services;
    assert.deepEqual(
      web?.instances.map(({ version }) => version),
      [1, 1, 1, 2],
    );
    const share = web?.instances[3]?.share ?? 0;
    assert.ok(Math.abs(share / (share + 3) - 0.1) < 0.001, `${share}`);
    const { code, stderr } = await running.ended;
    assert.equal(code, 0, stderr);
    await nines.untilStatus(
      "three are left",
      ({ services }) => services[0]?.instances.length === 3,
    );
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("goes back when the new version crashes or is silent, and says so by its exit code", async (t) => {
    const nines = await createNines(t);
    writeFailing(nines);
    const file = (env: string) =>
      nines.write({
        command: "node maybe.mjs",
        more: `    env: { VERSION: ${env} }\n    startTimeout: 3s\n    deploy: { ${quick} }`,
      });
    file("good");
    await nines.up();
    const clients = load(t, nines.port);
    for (const version of ["crashes", "silent"]) {
      const before = await nines.instances();
      file(version);
      const { code, stdout, stderr } = await nines.run("deploy", "web");
      assert.equal(code, 1, stderr);
      assert.match(stdout, /web is back at version 1, .*: web-1 failed: /);
      const after = await nines.instances();
      assert.deepEqual(
        after.slice(1).map(({ pid }) => pid),
        before.slice(1).map(({ pid }) => pid),
        "the others never ended",
      );
    }
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("goes back when the new version answers errors, and only they are seen", async (t) => {
    const nines = await createNines(t);
    const failing = `
      import { createServer } from "node:http";
      const broken = process.env.VERSION === "2";
      const server = createServer((request, response) => {
        const fails = broken && request.url !== "/healthz";
        response.writeHead(fails ? 500 : 200, { "content-type": "application/json" });
        response.end(JSON.stringify({ instance: process.env.NINES_INSTANCE }));
      });
      server.listen(Number(process.env.PORT), process.env.HOST);
      process.on("SIGTERM", () => {
        server.close(() => process.exit(0));
        server.closeIdleConnections();
      });
    `;
    writeFileSync(join(nines.folder, "service.mjs"), failing);
    write(nines, "1");
    await nines.up();
    const clients = load(t, nines.port);
    write(nines, "2", ", deadline: 1m");
    const { code, stdout, stderr } = await nines.run("deploy", "web", "--canary", "20%");
    assert.equal(code, 1, stderr);
    assert.match(stdout, /web is back at version 1, .*: (\d+ of \d+ requests|.* ejected for )/);
    const [web] = (await nines.status()).services;
    assert.deepEqual(
      web?.instances.map(({ version, state }) => [version, state]),
      [1, 2, 3].map(() => [1, "up"]),
    );
    const { failures } = await clients.stop();
    assert.ok(
      failures.every((failure) => failure.includes("500")),
      failures.join("\n"),
    );
  });

  it("goes on, or back, when control is killed in the middle", async (t) => {
    const nines = await createNines(t);
    write(nines, "1");
    assert.equal((await nines.run("up", "--detach")).code, 0);
    const clients = load(t, nines.port);
    write(nines, "2", ", maxSurge: 1");
    const running = nines.start("deploy", "web");
    await nines.untilStatus("the first is new", ({ services }) =>
      (services[0]?.instances ?? []).some(({ version, state }) => version === 2 && state === "up"),
    );
    const { pid } = (await nines.status()).control;
    process.kill(pid ?? 0, "SIGKILL");
    const { code, stdout, stderr } = await running.ended;
    assert.equal(code, 0, stdout + stderr);
    const { inForce } = await deploys(nines);
    assert.equal(inForce, 2);
    const [web] = (await nines.status()).services;
    assert.deepEqual(
      web?.instances.map(({ version }) => version),
      [2, 2, 2],
    );
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("refuses a second one, a file that contradicts it, and what it cannot deploy", async (t) => {
    const nines = await createNines(t);
    write(nines, "1");
    await nines.up();
    write(nines, "2", ", deadline: 1m");
    assert.equal((await nines.run("deploy", "web", "--no-wait", "--canary", "50%")).code, 0);
    const second = await nines.run("deploy", "web");
    assert.equal(second.code, 1);
    assert.match(second.stderr, /NINES_DEPLOY_UNDER_WAY/);
    write(nines, "3");
    assert.match((await nines.run("apply")).stderr, /NINES_DEPLOY_UNDER_WAY/);
    const back = await nines.run("rollback", "web");
    assert.equal(back.code, 0, back.stderr);
    assert.match((await nines.run("deploy", "nobody")).stderr, /NINES_SERVICE_UNKNOWN/);
    assert.match((await nines.run("rollback", "web", "--to", "9")).stderr, /NINES_VERSION_UNKNOWN/);
    assert.equal((await nines.run("deploy", "web", "--canary", "50%,10%")).code, 2);
  });
});

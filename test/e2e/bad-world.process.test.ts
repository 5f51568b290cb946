// What the world gets wrong: ports taken, programs missing or failing. Each is said clearly, and
// nothing else suffers.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createNines, freePort, until } from "./nines.fixture.ts";

describe("a wrong world", () => {
  it("whose port is taken is told which, nothing is left running; --next-free-port goes one further", async (t) => {
    const first = await createNines(t);
    await first.up();
    const second = await createNines(t);
    second.write({ port: first.port });
    const { code, stderr } = await second.run("up");
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`port ${first.port} is taken.*\n.*NINES_GATEWAY_PORT_TAKEN`));
    assert.equal((await first.get()).status, 200);
    assert.match((await second.run("status")).stdout, /Nothing else does, either/);
    const further = await second.up("--next-free-port");
    assert.match(further.said(), new RegExp(`Port ${first.port} is taken .* uses (\\d+) instead`));
    const { gateway } = await second.status();
    const [address] = gateway?.addresses ?? [];
    assert.ok(address !== undefined && !address.endsWith(`:${first.port}`), address);
    assert.equal((await fetch(address)).status, 200);
  });

  it("where the command is not found says so, and holds back", async (t) => {
    const nines = await createNines(t);
    nines.write({ command: "[/no/such/program]" });
    const running = nines.start("up");
    await until(() => /\/no\/such\/program/.test(running.said()), running.said);
    const status = await nines.untilStatus("it is held back", ({ services }) =>
      (services[0]?.instances ?? []).every(({ state }) => /backoff|crash-loop/.test(state)),
    );
    assert.match(status.services[0]?.instances[0]?.why ?? "", /\/no\/such\/program/);
    running.child.kill("SIGTERM");
    assert.equal((await running.ended).code, 0);
  });

  it("where it ends at its start: the exit code, a longer and longer wait", async (t) => {
    const nines = await createNines(t);
    nines.write({ command: "sh -c 'echo no database here; exit 7'", replicas: 1 });
    const file = readFileSync(nines.file, "utf8");
    writeFileSync(nines.file, `${file}  timeouts: { queue: 300ms }\n`);
    const running = nines.start("up");
    await until(() => /web-1 .*exit code 7/.test(running.said()), running.said);
    const { stdout } = await nines.run("logs", "web");
    assert.match(stdout, /no database here/);
    const answer = await nines.get();
    assert.equal(answer.status, 503);
    assert.notEqual(answer.reason, "");
  });

  it("with an endpoint that is up says so when ready, with one that is not as well", async (t) => {
    const somebody = await createNines(t);
    await somebody.up();
    const nines = await createNines(t);
    const endpoints = [`127.0.0.1:${somebody.port}`, `127.0.0.1:${await freePort()}`];
    writeFileSync(
      nines.file,
      `
services:
  far: { endpoints: ${JSON.stringify(endpoints)}, health: { fastInterval: 1s } }
gateway:
  listen: [{ address: "127.0.0.1:${nines.port}" }]
`,
    );
    assert.match((await nines.up()).said(), /Ready after .*: far 1\/2/);
    const states = (await nines.instances()).map(({ state }) => state);
    assert.deepEqual(states.sort(), ["down", "up"], "ready when both are known");
    assert.equal((await nines.get("/healthz")).status, 200);
  });

  it("with a second up for another file is told so, and changes nothing", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const other = join(nines.folder, "other.yaml");
    copyFileSync(nines.file, other);
    for (const words of [["up"], ["up", "--detach"]]) {
      const { code, stderr } = await nines.run(...words, "-f", other);
      assert.equal(code, 1);
      assert.match(stderr, /follows .*nines\.yaml\.\n.*--state-dir.*NINES_CONTROL_OTHER_FILE/);
    }
    symlinkSync(nines.file, join(nines.folder, "same.yaml"));
    const same = await nines.run("up", "--detach", "-f", "same.yaml");
    assert.match(same.stdout, /It is up already/);
    assert.equal((await nines.get()).status, 200);
  });

  it("with a second up: it waits, and takes over what a killed one leaves", async (t) => {
    const nines = await createNines(t);
    const first = await nines.up();
    const second = nines.start("up");
    await until(() => /Control runs already \(pid \d+\)/.test(second.said()), second.said);
    first.child.kill("SIGKILL");
    await until(() => second.said().includes("Ready after"), second.said);
    assert.equal(second.said().match(/adopted/g)?.length, 3);
  });
});

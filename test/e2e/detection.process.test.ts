// How the shipped build finds out: heartbeats of real processes, checks by commands, and a control
// that was stopped and blames nobody.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { InstanceReport } from "../../src/program/status/report.ts";
import { createNines, type Nines, until } from "./nines.fixture.ts";

const sdk = join(import.meta.dirname, "..", "..", "src", "sdk", "heartbeat.js");

/** None of these listens on a port. */
const services = `
services:
  beats:
    command: node beats.mjs
    replicas: 2
    health: { heartbeat: {} }
  shell:
    command: 'while touch "$NINES_HEARTBEAT_FILE"; do sleep 0.1; done'
    health: { heartbeat: { every: 500ms, detector: phi } }
  batch:
    command: sleep 1000
    health: { command: 'echo "port $PORT of $NINES_INSTANCE"', interval: 2s }
`;

function prepare(nines: Nines): void {
  const script = `import { startHeartbeat } from ${JSON.stringify(sdk)};
    startHeartbeat();
    setInterval(() => {}, 1000);`;
  writeFileSync(join(nines.folder, "beats.mjs"), script);
  writeFileSync(nines.file, services);
}

async function one(nines: Nines, id: string): Promise<InstanceReport> {
  const found = (await nines.instances()).find((instance) => instance.id === id);
  assert.ok(found, id);
  return found;
}

async function saying(nines: Nines, pattern: RegExp): Promise<string> {
  let said = "";
  await until(
    async () => pattern.test((said = (await nines.run("events", "-n", "1000")).stdout)),
    () => `${pattern} in:\n${said}`,
    // A control that is itself short of CPU has eight times the patience.
    60_000,
  );
  return said;
}

describe("services without a port", () => {
  it("are kept up by heartbeats and commands, and a silent one is found", async (t) => {
    const nines = await createNines(t);
    prepare(nines);
    const first = await nines.up();
    const { pid } = await one(nines, "beats-2");
    assert.ok(pid);
    process.kill(pid, "SIGSTOP");
    await saying(
      nines,
      /beats-2 is down: no heartbeat for .*, 3 heartbeats of one every 1 s missed/,
    );
    process.kill(pid, "SIGCONT");
    await saying(nines, /beats-2 is up again after .*: 2 heartbeats in a row came/);

    // A new control knows the signs of what it adopts, and misses them.
    first.child.kill("SIGKILL");
    await first.ended;
    await nines.up();
    assert.equal((await one(nines, "beats-2")).pid, pid);
    const shell = await one(nines, "shell-1");
    assert.ok(shell.pid);
    for (const silenced of [pid, shell.pid]) process.kill(silenced, "SIGSTOP");
    const said = await saying(nines, /shell-1 is down: no heartbeat.* phi above 8[^]*/);
    await saying(nines, /beats-2 is down[^]*beats-2 is down/);
    assert.doesNotMatch(said, /(beats-1|batch-1) is down/);
    for (const silenced of [pid, shell.pid]) process.kill(silenced, "SIGCONT");
  });
});

describe("a control that was stopped", () => {
  it("blames nobody for the time that it missed, and says that it was away", async (t) => {
    const nines = await createNines(t);
    prepare(nines);
    const { child } = await nines.up();
    child.kill("SIGSTOP");
    await wait(4_000);
    child.kill("SIGCONT");
    const said = await saying(nines, /Control doubts itself .* held up for/);
    assert.doesNotMatch(said, / is down/);
    await nines.untilStatus("all are well", (status) =>
      status.services.every(({ up, wanted }) => up === wanted),
    );
    assert.doesNotMatch((await nines.run("events", "-n", "1000")).stdout, / is down/);
  });
});

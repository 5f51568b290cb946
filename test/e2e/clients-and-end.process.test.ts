// What wrong clients are answered, and how everything ends.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { createNines, type Nines, until } from "./nines.fixture.ts";

describe("a wrong client", () => {
  it("that sends half a head and falls silent is answered and cut; others go on", async (t) => {
    const nines = await createNines(t);
    const file = readFileSync(nines.file, "utf8");
    writeFileSync(nines.file, `${file}  timeouts: { head: 500ms }\n`);
    await nines.up();
    const client = connect(nines.port, "127.0.0.1");
    let said = "";
    client.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const closed = new Promise((resolve) => client.on("close", resolve));
    client.write("GET / HTTP/1.1\r\nHost: half");
    assert.equal((await nines.get()).status, 200);
    await closed;
    assert.match(said, /^HTTP\/1\.1 408 /);
  });

  it("that sends ten thousand bytes of header gets a limit's answer", async (t) => {
    const nines = await createNines(t);
    await nines.up();
    const client = connect(nines.port, "127.0.0.1");
    let said = "";
    client.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const closed = new Promise((resolve) => client.on("close", resolve));
    client.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`);
    client.on("error", () => undefined);
    await closed;
    assert.match(said, /^HTTP\/1\.1 431 /);
    assert.equal((await nines.get()).status, 200);
  });
});

describe("the end", () => {
  it("by SIGTERM answers what is under way and frees the port", async (t) => {
    const nines = await createNines(t);
    const { child, ended, said } = await nines.up();
    const slow = ["/?ms=1500", "/?ms=1500"].map((path) => nines.get(path));
    await nines.untilStatus("they are under way", ({ gateway }) => {
      return (gateway?.workers ?? []).reduce((sum, one) => sum + one.connections, 0) === 2;
    });
    child.kill("SIGTERM");
    for (const answer of await Promise.all(slow)) assert.equal(answer.status, 200);
    assert.equal((await ended).code, 0, said());
    await assert.rejects(nines.get(), /ECONNREFUSED/);
  });

  it("does not wait for a client that keeps its connection and asks nothing", async (t) => {
    const nines = await createNines(t);
    const running = await nines.up();
    const client = connect(nines.port, "127.0.0.1");
    const answered = new Promise((resolve) => client.once("data", resolve));
    const closed = new Promise((resolve) => client.on("close", resolve));
    client.on("error", () => undefined);
    client.write("GET / HTTP/1.1\r\nHost: kept\r\n\r\n");
    await answered;
    running.child.kill("SIGTERM");
    await Promise.all([running.ended, closed]);
    const tookMs = await timeBetween(nines, "control.stopping", "gateway.worker-ended");
    assert.ok(tookMs < 1500, `the gateway took ${tookMs} ms; patience alone would be 3200`);
  });

  it("of a service that will not end comes within ten seconds, at once when asked twice", async (t) => {
    const nines = await createNines(t);
    const deaf = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('deaf')";
    nines.write({ command: `[node, -e, "${deaf}"]`, replicas: 1, more: "    stopGrace: 60s" });
    const running = nines.start("up");
    await until(async () => /deaf/.test((await nines.run("logs")).stdout), running.said);
    running.child.kill("SIGINT");
    await until(() => /told to end/.test(running.said()), running.said);
    await until(() => {
      running.child.kill("SIGINT");
      return running.child.exitCode !== null;
    }, running.said);
    assert.equal((await running.ended).code, 0);
    const tookMs = await timeBetween(nines, "control.stopping", "control.stopped");
    assert.ok(tookMs < 5000, `it took ${tookMs} ms; its grace is a minute, and the bound nine s`);
    assert.match((await nines.run("status")).stdout, /Nothing else does, either/);
  });
});

/** By the event log, from the last event of one kind to the last of another. */
async function timeBetween(nines: Nines, from: string, to: string): Promise<number> {
  const { stdout } = await nines.run("events", "--json", "-n", "100");
  const lines = stdout.trim().split("\n");
  const timeOf = (kind: string) => {
    const line = lines.findLast((event) => event.includes(`"${kind}"`)) ?? "{}";
    return Date.parse((JSON.parse(line) as { time: string }).time);
  };
  return timeOf(to) - timeOf(from);
}

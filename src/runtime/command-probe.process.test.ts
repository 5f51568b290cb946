// Checks by a command: what its end means, whose environment it has, and that nothing of it is
// left.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ProbeRequest, ProbeResult } from "../ports/probe.ts";
import { realWorld } from "../../test/conformance/world.ts";
import { createProbes } from "./probes.ts";
import { isRunning, identify } from "./process-identity.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-command-probe-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const target = { host: "127.0.0.1", port: 0 };
const probes = createProbes();

function check(script: string, over: Partial<ProbeRequest> = {}): Promise<ProbeResult> {
  const request = {
    kind: "command",
    timeoutMs: 10_000,
    command: ["/bin/sh", "-c", script],
    workingDirectory: folder,
    environment: { PATH: "/usr/bin:/bin", PORT: "8123", NINES_INSTANCE: "web-2" },
    ...over,
  } as ProbeRequest;
  return probes.probe(target, request);
}

test("code 0 passes, any other fails, and its last line says why", async () => {
  const passed = await check("echo looking; echo all is well; exit 0");
  assert.ok(passed.passed);
  assert.equal(passed.detail, 'its check command ended with code 0, saying "all is well"');
  const failed = await check("echo so far; echo 'the queue is full' >&2; exit 3");
  assert.ok(!failed.passed);
  assert.equal(failed.detail, 'its check command ended with code 3, saying "the queue is full"');
  assert.equal(failed.silent, undefined, "that was an answer");
  const killed = await check("kill -9 $$");
  assert.equal(killed.detail, "its check command was ended by SIGKILL");
});

test("it has the instance's environment and nothing else, and its folder", async () => {
  process.env["NINES_TEST_SECRET"] = "not for others";
  const said = await check('echo "$PORT $NINES_INSTANCE $(pwd) [$NINES_TEST_SECRET]"');
  assert.equal(
    said.detail,
    `its check command ended with code 0, saying "8123 web-2 ${folder} []"`,
  );
});

test("at its deadline it is killed with all that it started", async () => {
  const file = join(folder, "pids");
  const script = `sleep 600 & echo $! > ${file}; echo $$ >> ${file}; wait`;
  const late = await check(script, { timeoutMs: 1_000 });
  assert.ok(!late.passed && late.silent === true);
  assert.equal(late.detail, "its check command did not end in 1000 ms");
  const pids = readFileSync(file, "utf8").trim().split("\n").map(Number);
  assert.equal(pids.length, 2);
  for (const pid of pids) await gone(pid);
});

test("what it leaves behind is ended as well, and does not hold up the verdict", async () => {
  const file = join(folder, "left");
  const passed = await check(`sleep 600 & echo $! > ${file}; exit 0`);
  assert.ok(passed.passed);
  await gone(Number(readFileSync(file, "utf8")));
});

test("a program that is not there is a failed check, and says so", async () => {
  const missing = await check("", { command: ["/no/such/program"] } as Partial<ProbeRequest>);
  assert.match(missing.detail, /^its check command could not be run: .*ENOENT/);
  const noUser = await check("true", { user: "no-such-user-here" } as Partial<ProbeRequest>);
  assert.match(noUser.detail, /could not be run: User no-such-user-here is not known$/);
});

test("output without end is read and forgotten", async () => {
  const loud = await check("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo done");
  assert.equal(loud.detail, 'its check command ended with code 0, saying "done"');
});

function gone(pid: number): Promise<unknown> {
  return realWorld.until(() => {
    const identity = identify(pid);
    return identity === undefined || !isRunning(identity);
  }, `${pid} has ended`);
}

// The command line asks a Nines elsewhere: whatever the admin API offers, from a folder in which
// nothing lies, with a token that no argument ever holds.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Actions } from "../../src/program/cli/actions.ts";
import {
  buildCommandLine,
  leavesOf,
  overNetwork,
  pathOf,
} from "../../src/program/cli/command-line.ts";
import type { RecordedEvent } from "../../src/runtime/event-log.ts";
import type { StatusReport } from "../../src/program/status/report.ts";
import {
  createNines,
  type Finished,
  freePort,
  type Nines,
  type Running,
  until,
} from "./nines.fixture.ts";

const program = join(import.meta.dirname, "..", "..", "src", "program", "main.js");
const ALL = "a".repeat(32);
const LOOK = "b".repeat(32);

interface Elsewhere {
  readonly nines: Nines;
  readonly control: Running;
  readonly url: string;
  readonly tokenFile: string;
  /** A command from another folder, with the token in its environment. */
  readonly run: (...words: readonly string[]) => Promise<Finished>;
  readonly runAs: (token: string | undefined, ...words: readonly string[]) => Promise<Finished>;
  readonly follow: (...words: readonly string[]) => { readonly said: () => string };
}

async function createElsewhere(t: TestContext): Promise<Elsewhere> {
  const nines = await createNines(t);
  const port = await freePort();
  const tokenFile = join(nines.folder, "all.token");
  writeFileSync(tokenFile, ALL, { mode: 0o600 });
  writeFileSync(join(nines.folder, "look.token"), LOOK, { mode: 0o600 });
  nines.write({
    replicas: "{ min: 2, max: 3 }",
    more: `    failover: { mode: primary-standby }
admin: { listen: "127.0.0.1:${port}", tokenFile: all.token, readTokenFile: look.token }`,
  });
  const control = await nines.up();
  const cwd = join(nines.folder, "elsewhere");
  mkdirSync(cwd);
  const url = `http://127.0.0.1:${port}`;
  const start = (token: string | undefined, words: readonly string[]) => {
    const { NINES_ADMIN_TOKEN: _, ...rest } = process.env;
    const env = { ...rest, ...(token === undefined ? {} : { NINES_ADMIN_TOKEN: token }) };
    const child = spawn(process.execPath, [program, ...words], { cwd, env });
    t.after(() => child.kill("SIGKILL"));
    return child;
  };
  const runAs = (token: string | undefined, ...words: readonly string[]): Promise<Finished> =>
    new Promise((resolve, reject) => {
      const child = start(token, words);
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (text) => (stdout += String(text)));
      child.stderr.on("data", (text) => (stderr += String(text)));
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
  const run = (...words: readonly string[]) => runAs(ALL, "--admin", url, ...words);
  const follow = (...words: readonly string[]) => {
    let said = "";
    start(ALL, ["--admin", url, ...words]).stdout.on("data", (text) => (said += String(text)));
    return { said: () => said };
  };
  return { nines, control, url, tokenFile, run, runAs, follow };
}

async function status({ run }: Elsewhere): Promise<StatusReport> {
  const { stdout, stderr } = await run("status", "--json");
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as StatusReport;
}

describe("the command line over the network", { timeout: 300_000 }, () => {
  it("names commands that there are", () => {
    const leaves = leavesOf(buildCommandLine({} as Actions, "", () => undefined)).map(pathOf);
    for (const path of overNetwork) assert.ok(leaves.includes(path), path);
  });

  it("does whatever the admin API offers", async (t) => {
    const there = await createElsewhere(t);
    const { run, nines } = there;
    const does = async (words: string, says: RegExp, code = 0): Promise<void> => {
      const finished = await run(...words.split(" "));
      assert.equal(finished.code, code, `${words}: ${finished.stderr}`);
      assert.match(finished.stdout + finished.stderr, says, words);
    };
    await nines.untilStatus("a primary", ({ services }) => services[0]?.primary === "web-1");
    assert.equal((await status(there)).services[0]?.primary, "web-1");
    await does("events -n 1000", /web-1 is primary of web/);
    await does("metrics", /nines_/);
    await does("incidents", /No incident is known/);
    await does("incidents -n 0", /from 1 to 10000/, 2);
    await does("incidents show 9-9", /NINES_INCIDENT_UNKNOWN/, 2);
    await does("scale web 3", /web goes to 3/);
    await does("scale web 4", /NINES_SCALE_RANGE/, 1);
    await does("drain web-2", /web-2 gets no new traffic/);
    await does("undrain web-2", /web-2 gets traffic again/);
    await does("failover web", /web-1 hands over to web-[23]/);
    await nines.untilStatus("another", ({ services }) => services[0]?.primary !== "web-1");
    await does("failback web", /web-[23] hands over to web-1/);
    await does("maintenance on", /^maintenance begins for all services/);
    await does("maintenance off", /by themselves again/);
    await does("explain failover web", /is primary of web/);
    await does("restart web-2", /web-2 restarts/);
    await does("deploys web", /web runs/);
    await does("deploy web --no-wait", /at version 1 already/);
    await does("rollback web --no-wait", /NINES_/, 1);
    await does("apply", /Nothing has changed|web/);
    await does("gateway restart", /one after another/);
    await does("control restart", /Control restarts/);
    await nines.untilStatus("another control", ({ control }) => control.term === 2);
    await until(
      async () => (await run("status")).code === 0,
      () => "another control answers",
    );
    await does("down", /Control has ended/);
    assert.equal((await nines.run("status")).code, 3);
    await does("status", /Nothing answers on http.*NINES_NOT_RUNNING/s, 3);
  });

  it("takes its token from the environment or a private file, and says none", async (t) => {
    const { runAs, url, tokenFile } = await createElsewhere(t);
    const fails = async (
      finished: Promise<Finished>,
      says: RegExp,
      code: number,
    ): Promise<void> => {
      const { code: actual, stdout, stderr } = await finished;
      assert.equal(actual, code, stderr);
      assert.match(stderr, says);
      for (const token of [ALL, LOOK, "wrong"]) assert.ok(!(stdout + stderr).includes(token));
    };
    await fails(runAs(undefined, "status", "--admin", url), /is not set.*NINES_ADMIN_TOKEN/s, 1);
    await fails(runAs("wrong", "status", "--admin", url), /NINES_ADMIN_TOKEN\)/, 1);
    await fails(runAs(LOOK, "drain", "web-1", "--admin", url), /NINES_ADMIN_READ_ONLY/, 1);
    const withToken = url.replace("//", `//x:${ALL}@`);
    const { code, stderr } = await runAs(ALL, "status", "--admin", withToken);
    assert.equal(code, 2, stderr);
    await fails(runAs(ALL, "logs", "--admin", url), /takes no --admin/, 2);
    const byFile = ["status", "--admin", url, "--token-file", tokenFile];
    assert.equal((await runAs(undefined, ...byFile)).code, 0);
    assert.equal((await runAs(LOOK, "status", "--admin", url)).code, 0);
    chmodSync(tokenFile, 0o644);
    await fails(runAs(undefined, ...byFile), /mode 644.*NINES_ADMIN_TOKEN_FILE/s, 1);
  });

  it("follows events over a restart of control", async (t) => {
    const { run, follow } = await createElsewhere(t);
    const { said } = follow("events", "--follow", "--json");
    await until(() => said().includes("is ready"), said);
    assert.equal((await run("control", "restart")).code, 0);
    await until(
      async () => (await run("drain", "web-2")).code === 0,
      () => "another control takes the order",
    );
    await until(() => said().includes("web-2 gets no new traffic"), said);
    assert.equal((await run("undrain", "web-2")).code, 0);
    await until(() => /ended its drain.*\n/.test(said()), said);
    const lines = said().trimEnd().split("\n");
    const numbers = lines.map((line) => (JSON.parse(line) as RecordedEvent).number);
    const inOrder = [...new Set(numbers)].sort((a, b) => a - b);
    assert.deepEqual(numbers, inOrder, "each event once");
  });

  it("does not take a control that was stopped for one that has ended", async (t) => {
    const { nines, control, run } = await createElsewhere(t);
    const ended = run("down");
    nines.get("/?ms=5000").catch(() => undefined); // for this the gateway's drain waits
    await until(() => control.said().includes("Stopping:"), control.said);
    await run("status"); // once this is answered, so is the order
    control.child.kill("SIGSTOP");
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 1, stdout);
    assert.match(stderr, /has not ended: Control did not answer.*NINES_DOWN_INCOMPLETE/s);
  });
});

// The gateway ends when it is told to, whatever becomes of a disk.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { RoutingTable } from "../../core/route/table.ts";
import { ask, freePort, testTable, until } from "../../gateway/process/harness.fixture.ts";
import { saveTable } from "../../gateway/process/table-file.ts";
import { openStateDirectory } from "../../state/directory.ts";
import { gatewayCommand } from "./gateway-places.ts";

const accessLog = {
  format: "json",
  sampleRatio: 1,
  query: false,
  rotateBytes: 1e9,
  keep: 1,
} as const;

/** A parent and its worker, as the program runs them. */
function startProgram(folder: string, table: RoutingTable) {
  const state = openStateDirectory(join(folder, "state"));
  mkdirSync(dirname(state.gatewayTable), { recursive: true });
  saveTable(state.gatewayTable, table);
  const [program = "", ...words] = gatewayCommand("parent", state);
  const log = openSync(state.gatewayLog, "a");
  const child = spawn(program, [...words, "--term", "0"], { stdio: ["ignore", log, log] });
  closeSync(log);
  return {
    child,
    said: (): string => readFileSync(state.gatewayLog, "utf8"),
    ended: (): boolean => child.exitCode !== null || child.signalCode !== null,
  };
}

test("with an answer of the access log's disk owed, a worker ends by itself", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nines-hung-"));
  // Opening a pipe that nobody reads does not return.
  const file = join(folder, "access.log");
  assert.equal(spawnSync("mkfifo", [file]).status, 0);
  const port = await freePort();
  // Past it the parent would kill whoever is left.
  const drainMs = 600_000;
  const table = { ...testTable(port, 1), drainMs, accessLog: { ...accessLog, file } };
  const { child, said, ended } = startProgram(folder, table);
  t.after(async () => {
    // Lets a worker go that hangs after all.
    closeSync(openSync(file, constants.O_RDONLY | constants.O_NONBLOCK));
    child.kill("SIGTERM");
    await until("nothing is left running", ended);
    rmSync(folder, { recursive: true, force: true });
  });
  await until("a worker serves", () => /worker 1 serves/.test(said()));
  assert.notEqual(await ask(port), "");
  child.kill("SIGTERM");
  await until("both have ended", ended);
  assert.match(said(), /worker 1 has drained and ended/);
  assert.deepEqual([child.exitCode, child.signalCode], [0, null]);
});

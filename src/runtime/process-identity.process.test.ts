// Who runs: told from /proc, where the program's own name may be made to mislead.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { realWorld } from "../../test/conformance/world.ts";
import {
  identify,
  isRunning,
  parsePsLine,
  parseProcStat,
  readAllProcessStats,
} from "./process-identity.ts";

const needsLinux = process.platform === "linux" ? false : "reads /proc";

function line(name: string): string {
  const tail = Array.from({ length: 30 }, (_, index) => `${900 + index}`).join(" ");
  return `4711 (${name}) S 1 4711 4710 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 ${tail}`;
}

test("whatever the program calls itself, the fields are found", () => {
  const names = fc.oneof(
    fc.string({ maxLength: 15 }),
    fc.constantFrom(") R 1 (", "))", ") S 1 2 3"),
  );
  fc.assert(
    fc.property(names, (name) => {
      assert.deepEqual(parseProcStat(line(name), "b007"), {
        pid: 4711,
        state: "S",
        processGroup: 4711,
        session: 4710,
        startTime: "987654@b007",
      });
    }),
  );
});

test("what is no line of /proc is no process", () => {
  for (const text of ["", "4711", "4711 (x", "4711 (x)", "4711 (x) S 1 2", "x (y) S 1 2 3"]) {
    assert.equal(parseProcStat(text, ""), undefined);
  }
});

test("where there is no /proc, a line of ps tells the same", () => {
  const startTime = "Sat Nov 21 01:19:13 2026";
  const stat = { pid: 4711, state: "S", processGroup: 4700, session: 4700, startTime };
  assert.deepEqual(parsePsLine(`  4711 Ss+   4700 ${startTime}   `), [stat]);
  assert.deepEqual(parsePsLine(`12 Z 12 ${startTime}`)[0]?.state, "Z");
  for (const line of ["", "PID STAT PGID STARTED", "4711 S"])
    assert.deepEqual(parsePsLine(line), []);
});

test("a real program with a misleading name is identified", { skip: needsLinux }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nines-identity-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "x) R 1 (y");
  copyFileSync(
    spawnSync("sh", ["-c", "command -v sleep"], { encoding: "utf8" }).stdout.trim(),
    program,
  );
  const child = spawn(program, ["60"]);
  t.after(() => child.kill("SIGKILL"));
  const identity = identify(child.pid ?? 0);
  const seen = readAllProcessStats().find((stat) => stat.pid === child.pid);
  assert.ok(identity !== undefined && seen !== undefined);
  assert.equal(identity.startTime, seen.startTime);
  assert.match(identity.startTime, /^\d+@[0-9a-f]{8}$/);
});

test("a stopped process runs; a zombie does not", { skip: needsLinux }, async (t) => {
  // The second program never asks after the child that the first left it.
  const parent = spawn("sh", ["-c", "sleep 0.01 & exec sleep 60"], { detached: true });
  t.after(() => parent.kill("SIGKILL"));
  const session = () => readAllProcessStats().filter((stat) => stat.session === parent.pid);
  await realWorld.until(() => session().some((stat) => stat.state === "Z"), "there is a zombie");
  const zombie = session().find((stat) => stat.state === "Z");
  assert.equal(identify(zombie?.pid ?? 0), undefined);

  const identity = identify(parent.pid ?? 0);
  assert.ok(identity);
  process.kill(identity.pid, "SIGSTOP");
  await realWorld.until(() => session().some((stat) => stat.state === "T"), "it is stopped");
  assert.ok(isRunning(identity));
});

// What can be told of the processes of a state directory when no control is there.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { keptInstances } from "../core/supervise/kept-instance.ts";
import { openStateDirectory } from "./directory.ts";
import { inspect } from "./inspect.ts";
import { createRecords } from "./records.ts";
import { createTermClaims } from "./term-claims.ts";

test("it names every recorded process and whether it lives, and changes nothing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nines-inspect-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const state = openStateDirectory(join(folder, ".nines"));
  const living = new Map([10, 12].map((pid) => [pid, { pid, startTime: "1" }]));
  const identify = (pid: number) => living.get(pid);

  createTermClaims({ folder: state.controlTerms, identify }).claim({ pid: 9, startTime: "1" });
  createTermClaims({ folder: state.gatewayTerms, identify }).claim({ pid: 10, startTime: "1" });
  const records = createRecords(state.records);
  for (const [ordinal, pid, startTime] of [
    [1, 11, "1"],
    [2, 12, "1"],
    // Its pid is another's by now.
    [3, 12, "0"],
  ] as const) {
    records.write(`${keptInstances}web-${ordinal}`, {
      service: "web",
      ordinal,
      process: { pid, startTime },
      port: 12_000 + ordinal,
      restarts: 0,
      fingerprint: {},
      startedAtMs: 1,
      stopGraceMs: 5_000,
    });
  }
  records.write(`${keptInstances}web-4`, "nonsense");
  records.write("scale/web", 3);
  writeFileSync(join(state.records, "instances+web-5.json"), "torn");

  const before = readdirSync(state.path, { recursive: true, encoding: "utf8" }).sort();
  const view = inspect(state, identify);
  assert.deepEqual(view.control, { term: 1, identity: { pid: 9, startTime: "1" }, alive: false });
  assert.deepEqual(view.gateway, { term: 1, identity: { pid: 10, startTime: "1" }, alive: true });
  assert.equal(view.keeper, undefined);
  assert.deepEqual(
    view.instances.map(({ id, kept, alive }) => [id, kept.process.pid, alive]),
    [
      ["web-1", 11, false],
      ["web-2", 12, true],
      ["web-3", 12, false],
    ],
  );
  assert.deepEqual(view.damaged, ["web-4", "web-5"]);
  assert.deepEqual(readdirSync(state.path, { recursive: true, encoding: "utf8" }).sort(), before);
});

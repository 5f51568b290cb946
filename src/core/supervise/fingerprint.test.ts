// What makes a start differ, and what does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { changedParts, fingerprintOf, type StartParts } from "./fingerprint.ts";

const parts: StartParts = {
  command: ["node", "server.js"],
  workingDirectory: "/srv",
  environment: { A: "1", B: "2" },
  limits: { memoryBytes: 0, openFiles: 0 },
  portBase: 0,
};

test("what starts the same has the same fingerprint", () => {
  const reordered = { ...parts, environment: { B: "2", A: "1" } };
  assert.deepEqual(changedParts(fingerprintOf(parts), fingerprintOf(reordered)), []);
});

test("each part that changes the start is named", () => {
  const changes: readonly (readonly [Partial<StartParts>, string])[] = [
    [{ command: ["node", "server.js", "--fast"] }, "command"],
    [{ command: ["node server.js"] }, "command"],
    [{ workingDirectory: "/srv/new" }, "workingDirectory"],
    [{ environment: { A: "1", B: "3" } }, "env"],
    [{ environment: { A: "1" } }, "env"],
    [{ user: "www" }, "user"],
    [{ limits: { memoryBytes: 1, openFiles: 0 } }, "limits"],
    [{ limits: { memoryBytes: 0, openFiles: 1 } }, "limits"],
    [{ portBase: 3_000 }, "port"],
  ];
  for (const [change, name] of changes) {
    const after = fingerprintOf({ ...parts, ...change });
    assert.deepEqual(changedParts(fingerprintOf(parts), after), [name]);
  }
});

test("values do not show: an environment holds passwords", () => {
  const secret = fingerprintOf({ ...parts, environment: { PASSWORD: "hunter2" } });
  assert.doesNotMatch(JSON.stringify(secret), /hunter2|PASSWORD/);
});

test("a part that an older version did not know counts as changed", () => {
  const { limits: _limits, ...older } = fingerprintOf(parts) as Record<string, string>;
  assert.deepEqual(changedParts(older, fingerprintOf(parts)), ["limits"]);
});

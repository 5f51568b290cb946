// The order of instances and the order of changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "./create-registry.ts";
import type { InstanceRecord, RegistryChange } from "./registry.ts";

function record(service: string, ordinal: number): InstanceRecord {
  return {
    id: `${service}-${ordinal}`,
    service,
    ordinal,
    origin: "command",
    host: "127.0.0.1",
    port: 0,
    weight: 1,
    backup: false,
    zone: "",
    phase: "waiting",
    health: "unknown",
    draining: false,
    standing: "active",
    standingWhy: "",
    startHeld: "",
    generation: 0,
    pid: undefined,
    restarts: 0,
    why: "",
    sinceWallMs: 0,
    readyAtMs: undefined,
  };
}

test("instances come in the order of the file, by ordinal, then what it does not name", () => {
  const registry = createRegistry();
  for (const one of [record("old", 1), record("web", 10), record("db", 1), record("web", 2)]) {
    registry.add(one);
  }
  registry.orderServices(["web", "db"]);
  const ids = registry.instances().map(({ id }) => id);
  assert.deepEqual(ids, ["web-2", "web-10", "db-1", "old-1"]);
  assert.throws(() => registry.add(record("web", 2)), /registered once/);
});

test("a change is announced once, and one that changes nothing is not", () => {
  const registry = createRegistry();
  const changes: RegistryChange[] = [];
  const subscription = registry.subscribe((change) => void changes.push(change));
  registry.add(record("web", 1));
  registry.patch("web-1", { port: 1 });
  registry.patch("web-1", { port: 1 });
  registry.remove("web-1");
  registry.remove("web-1");
  assert.deepEqual(
    changes.map(({ before, after }) => [before?.port, after?.port]),
    [
      [undefined, 0],
      [0, 1],
      [1, undefined],
    ],
  );
  subscription[Symbol.dispose]();
  registry.add(record("web", 1));
  assert.equal(changes.length, 3);
});

test("a listener that writes: everybody sees all changes in one order", () => {
  const registry = createRegistry();
  const seen: string[] = [];
  registry.add(record("web", 1));
  registry.subscribe(({ after }) => {
    if (after?.port === 1) registry.patch("web-1", { port: 2 });
    seen.push(`first ${after?.port}`);
  });
  registry.subscribe(({ after }) => void seen.push(`second ${after?.port}`));
  registry.patch("web-1", { port: 1 });
  assert.deepEqual(seen, ["first 1", "second 1", "first 2", "second 2"]);
});

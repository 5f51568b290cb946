// Replaced before it fails: whom, when, and when not.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandService } from "../../config/config.ts";
import { plainFailover } from "../../core/failover/settings.ts";
import { commandService, configOf, World } from "../world.fixture.ts";

const MIB = 1024 * 1024;
const limits = { memoryBytes: 256 * MIB, openFiles: 0 };

function predictive(replicas: number, over: Partial<CommandService> = {}): CommandService {
  const failover = { ...plainFailover, predictive: true };
  return commandService("web", { replicas: { min: replicas, max: 6 }, limits, failover, ...over });
}

/** So many minutes, in which each instance's memory is as told. */
async function live(
  world: World,
  minutes: number,
  bytesOf: (id: string, ageMs: number) => number,
): Promise<void> {
  for (let step = 0; step < minutes * 12; step++) {
    for (const process of world.processes) {
      const ageMs = world.nowMs - process.startedAtMs;
      process.residentBytes = bytesOf(process.request.name, ageMs);
    }
    await world.advance(5_000);
  }
}

function leak(id: string, ageMs: number): number {
  const tooth = (ageMs / 1_000) % 7;
  return id === "web-2" ? (200 + (3.1 * ageMs) / 60_000 + tooth) * MIB : (90 + tooth) * MIB;
}

function said(world: World): readonly string[] {
  return world.events
    .filter(({ kind }) => kind === "instance.degrading")
    .map(({ sentence }) => sentence);
}

test("a leak is replaced before its limit, in its turn, and it says why", async () => {
  const world = new World();
  world.control().start(configOf([predictive(3)]));
  await live(world, 12, leak);
  assert.equal(said(world).length, 1);
  const why = /memory grows 3(\.\d)? MiB\/min and reaches its limit of 256 MiB in about \d+ min$/;
  assert.match(said(world)[0] ?? "", /^web-2 is replaced ahead of time: /);
  assert.match(said(world)[0] ?? "", why);
  assert.equal(world.starts("web-2").length, 2);
  assert.equal(world.starts("web-1").length + world.starts("web-3").length, 2);
  const ended = world.sentences("web-2").filter((sentence) => sentence.includes("is to end"));
  assert.match(ended[0] ?? "", /it is replaced ahead of time/);
  assert.equal(world.events.filter(({ kind }) => kind === "instance.down").length, 0);
});

test("without the word nobody is replaced", async () => {
  const world = new World();
  world.control().start(configOf([predictive(3, { failover: plainFailover })]));
  await live(world, 16, leak);
  assert.deepEqual(said(world), []);
  assert.equal(world.starts("web-2").length, 1);
});

test("one that grows and stops, and one that grows far from its limit, are left alone", async () => {
  const world = new World();
  world.control().start(configOf([predictive(2)]));
  await live(world, 20, (id, ageMs) =>
    id === "web-1" ? (100 + Math.min(120, ageMs / 1_000)) * MIB : (50 + ageMs / 60_000) * MIB,
  );
  assert.deepEqual(said(world), []);
});

test("the only instance is not replaced, and that is said once", async () => {
  const world = new World();
  world.control().start(configOf([predictive(1)]));
  await live(world, 16, (_, ageMs) => (200 + (3 * ageMs) / 60_000) * MIB);
  assert.equal(said(world).length, 1);
  assert.match(said(world)[0] ?? "", /^web-1 is not replaced ahead of time, since no other could/);
  assert.equal(world.starts("web-1").length, 1);
});

test("while another is not well it waits, and is replaced when that is well again", async () => {
  const world = new World();
  world
    .control()
    .start(
      configOf([
        predictive(3, { restart: { ...commandService("web").restart, unhealthyAfterMs: 0 } }),
      ]),
    );
  await live(world, 5, leak);
  world.hung.add("web-3");
  await live(world, 7, leak);
  assert.equal(world.starts("web-2").length, 1);
  assert.match(said(world)[0] ?? "", /^web-2 is not replaced ahead of time, since not all of web/);
  world.hung.clear();
  await live(world, 2, leak);
  assert.equal(world.starts("web-2").length, 2);
});

test("checks that take longer and longer are a trend as well", async () => {
  const world = new World();
  world.control().start(configOf([predictive(2)]));
  world.latencyMs = (instance) => (instance === "web-1" ? world.nowMs / 4_000 : 1);
  await live(world, 40, () => 50 * MIB);
  assert.match(
    said(world)[0] ?? "",
    /^web-1 is replaced ahead of time: its checks take 15 ms longer/,
  );
  assert.match(
    said(world)[0] ?? "",
    /each minute and reach their timeout of 500 ms in about \d+ min$/,
  );
});

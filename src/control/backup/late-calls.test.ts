// A call that was given up may still be under way: whatever it was given or gives belongs to it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Bulk } from "../../core/vault/crypto.ts";
import { type Target, TargetError } from "../../ports/target.ts";
import { passedOn } from "./passed-on.ts";
import { restore } from "./restore.ts";
import { runBackup } from "./run-backup.ts";
import {
  master,
  MemoryPlace,
  newDisks,
  noise,
  settings,
  TestSource,
  type TestTree,
  TestWorld,
  treeOf,
} from "./vault.fixture.ts";
import { openVault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";

const opening = { master, create: false, withIndex: true };
const options = { master, service: "shop", subjectOf: () => undefined };
const tree: TestTree = Object.fromEntries(
  Array.from({ length: 12 }, (_, at) => [`file-${10 + at}`, noise(at, 3_000)]),
);

async function worldWith(seed: number, change: (target: Target) => Target): Promise<TestWorld> {
  const world = new TestWorld(await newDisks(4), seed);
  const [first, ...others] = world.targets;
  return Object.assign(world, { targets: [change(first ?? assert.fail()), ...others] });
}

/** Chunks are opened after others have had their turns, as on threads. */
function slowToOpen({ crypto }: TestWorld): Pick<Bulk, "open"> {
  return {
    open: async (...words) => {
      for (let turn = 0; turn < 30; turn++) await Promise.resolve();
      return crypto.bulk.open(...words);
    },
  };
}

describe("a pack that could not be read", () => {
  it("is tried again by the same reader once its disks may be well", async () => {
    let isFailing = false;
    const world = await worldWith(3, (target) => target);
    const failing = world.targets.map((target) =>
      passedOn(target, {
        read: (name, ...rest) => {
          if (!isFailing) return target.read(name, ...rest);
          return Promise.reject(new TargetError("io", "the device failed"));
        },
      }),
    );
    Object.assign(world, { targets: failing });
    const { snapshot } = await runBackup(world, settings, new TestSource("data", tree), options);
    const vault = await openVault(world, settings, opening);
    const reader = new VaultReader(vault);
    const names: Uint8Array[] = [];
    for await (const { kind, content } of reader.entries(snapshot.root)) {
      for (const segment of content.segments) {
        if (kind === "file" && segment.kind === "chunk") names.push(segment.name);
      }
    }
    const name = names[0] ?? assert.fail();
    const plain = await reader.chunk(name);
    const other = new VaultReader(vault);
    isFailing = true;
    await assert.rejects(other.chunk(name), { code: "NINES_VAULT_LOST" });
    isFailing = false;
    await assert.rejects(other.chunk(name), { code: "NINES_VAULT_LOST" });
    world.clock.nowMs += 10_000;
    assert.deepEqual(await other.chunk(name), plain);
  });
});

describe("calls that were given up", () => {
  it("still have the bytes that they were to put, when all else is done", async () => {
    // By its seed a run gives the first target data, which lie in the pack itself, or parity.
    for (let seed = 1; seed <= 6; seed++) {
      const late: { readonly pieces: readonly Uint8Array[]; readonly before: Buffer }[] = [];
      const put = async (target: Target, name: string, pieces: readonly Uint8Array[]) => {
        if (!name.startsWith("pack/")) return target.put(name, pieces);
        late.push({ pieces, before: Buffer.concat(pieces) });
        throw new TargetError("timeout", "it did not put within 1 s");
      };
      const world = await worldWith(seed, (target) =>
        passedOn(target, { put: (name, pieces) => put(target, name, pieces) }),
      );
      const { snapshot } = await runBackup(world, settings, new TestSource("data", tree), options);
      assert.ok(late.length > 0);
      for (const { pieces, before } of late) assert.deepEqual(Buffer.concat(pieces), before);
      const vault = await openVault(world, settings, opening);
      assert.deepEqual(await treeOf(vault, snapshot), tree);
    }
  });

  it("may fill the memory that they were to read into whenever they like", async () => {
    const late: Uint8Array[] = [];
    let isLate = false;
    const read: (target: Target) => Target["read"] =
      (target) =>
      (name, offset, length, allocate = (size) => new Uint8Array(size)) => {
        for (const bytes of late) bytes.fill(0xff);
        if (!isLate || !name.startsWith("pack/")) {
          return target.read(name, offset, length, allocate);
        }
        late.push(allocate(2_000));
        return Promise.reject(new TargetError("timeout", "it did not read within 1 s"));
      };
    const world = await worldWith(1, (target) => passedOn(target, { read: read(target) }));
    const { snapshot } = await runBackup(world, settings, new TestSource("data", tree), options);
    isLate = true;
    const vault = await openVault(world, settings, opening);
    for (let again = 0; again < 3; again++) {
      const place = new MemoryPlace(slowToOpen(world));
      const { lost } = await restore(vault, snapshot, place, { path: [] });
      assert.deepEqual(lost, []);
      assert.deepEqual(Object.fromEntries(place.files), tree);
    }
    assert.ok(late.length > 0);
  });
});

describe("an examination that fails", () => {
  it("ends after all that reads the bytes which it has looked at", async () => {
    const wide = { ...settings, geometry: { ...settings.geometry, parityShards: 2 } };
    const world = await worldWith(1, (target) => target);
    await runBackup(world, wide, new TestSource("data", tree), options);
    let reading = 0;
    const { bulk } = world.crypto;
    const encode: Bulk["encode"] = async (...words) => {
      reading++;
      for (let turns = 0; turns < 30; turns++) await Promise.resolve();
      const sums = await bulk.encode(...words);
      reading--;
      return sums;
    };
    const crypto = { ...world.crypto, bulk: { ...bulk, encode } };
    const { store, packs } = await openVault({ ...world, crypto }, wide, opening);
    const [id = assert.fail()] = packs.keys();
    const looked: number[] = [];
    const look = async () => {
      looked.push(reading);
      throw new Error("it cannot be looked at");
    };
    for (const way of ["at a glance", "with a shard missing"]) {
      const [place = assert.fail()] = store.catalog.find("pack", id)?.places ?? [];
      if (way !== "at a glance") await store.removeShard(place);
      await assert.rejects(store.examine("pack", id, look), /cannot be looked at/);
      assert.equal(reading, 0, way);
    }
    assert.deepEqual(looked, [1, 1], "while the sums were made");
  });
});

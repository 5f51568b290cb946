// A machine that may add and not remove: its backups, mends and prunes take nothing away, and one
// that may remove goes on from there.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError } from "../../core/base/errors.ts";
import type { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { withoutRemoval } from "./append-only.ts";
import { erase } from "./erase.ts";
import { createFolderTarget } from "./folder-target.ts";
import { redundancyOf } from "./look.ts";
import { prune } from "./prune.ts";
import { rebalance } from "./rebalance.ts";
import { rotateKey } from "./rotate-key.ts";
import { runBackup } from "./run-backup.ts";
import { scrub, verify } from "./scrub.ts";
import {
  flip,
  filesOf,
  master,
  newDisks,
  noise,
  settings,
  shardFiles,
  TestSource,
  TestWorld,
  treeOf,
} from "./vault.fixture.ts";
import { openVault } from "./vault.ts";
import { leaseMs } from "./world.ts";

const options = { master, service: "shop", subjectOf: () => undefined };
const opening = { master, create: false, withIndex: true };
const pruning = { master, keep: { last: 1, hourly: 0, daily: 0, weekly: 0 }, forget: [] };

/** The same disks as a machine sees them that may not remove. */
function writerOn(disks: readonly SimulatedDisk[], seed: number, from?: TestWorld): TestWorld {
  return new TestWorld(disks, seed, from, (disk, about) =>
    withoutRemoval(createFolderTarget(disk, about)),
  );
}

function allFiles(disks: readonly SimulatedDisk[]): readonly string[] {
  return disks.flatMap((disk, at) =>
    [...shardFiles(disk), ...filesOf(disk, "lease"), ...filesOf(disk, "vault")].map(
      (file) => `${at} ${file}`,
    ),
  );
}

/** A vault with a subject, of which one target lets nothing go. */
async function erasable() {
  const disks = await newDisks(3);
  const mixed = (seed: number, from?: TestWorld) =>
    new TestWorld(disks, seed, from, (disk, about) => {
      const target = createFolderTarget(disk, about);
      return about.name === "disk-a" ? withoutRemoval(target) : target;
    });
  const world = mixed(1);
  const source = new TestSource("data", { ann: { mail: noise(1, 500) }, text: "all the same" });
  const subjectOf = ([name]: readonly string[]) => (name === "ann" ? name : undefined);
  await runBackup(world, settings, source, { ...options, subjectOf });
  return { world, mixed, disks };
}

describe("a machine that may only add", () => {
  it("backs up and prunes without taking anything away; one that may remove does", async () => {
    const disks = await newDisks(3);
    const writer = writerOn(disks, 1);
    const source = new TestSource("data", { first: noise(1, 9_000) });
    await runBackup(writer, settings, source, options);
    source.tree = { second: noise(2, 9_000) };
    await runBackup(writer, settings, source, options);
    const before = allFiles(disks);
    const condemned = await prune(writer, settings, pruning);
    assert.equal(condemned.condemnedSnapshots.length, 1);
    assert.ok(condemned.condemnedPacks > 0);
    writer.clock.nowMs += settings.graceMs;
    const withheld = await prune(writer, settings, pruning);
    assert.deepEqual([withheld.destroyedSnapshots, withheld.withheld], [0, 1]);
    assert.match(
      withheld.sentence,
      /; 1 record waits for a prune that may remove from disk-a, disk-b, disk-c\.$/,
    );
    const there = allFiles(disks);
    assert.ok(before.every((file) => there.includes(file)));

    const owner = new TestWorld(disks, 2, writer);
    const destroyed = await prune(owner, settings, pruning);
    assert.equal(destroyed.destroyedSnapshots, 1);
    assert.equal(destroyed.destroyedPacks, condemned.condemnedPacks);
    const vault = await openVault(owner, settings, opening);
    assert.equal((await verify(vault)).missingCount, 0);
    assert.deepEqual(await treeOf(vault, vault.snapshots.at(-1) ?? assert.fail()), source.tree);
  });

  it("prunes after any number of backups, whose indexes it cannot merge", async () => {
    const writer = writerOn(await newDisks(3), 1);
    const source = new TestSource("data", {});
    for (let run = 0; run < 18; run++) {
      source.tree = { file: noise(run, 200) };
      await runBackup(writer, settings, source, options);
    }
    const { condemnedSnapshots } = await prune(writer, settings, pruning);
    assert.equal(condemnedSnapshots.length, 17);
    const { catalog } = await openVault(writer, settings, opening);
    assert.equal(catalog.ids("index").length, 18);
  });

  it("is at work no longer once it has ended, though its lease stays", async () => {
    const disks = await newDisks(3);
    const writer = writerOn(disks, 1);
    await runBackup(writer, settings, new TestSource("data", { a: "1" }), options);
    await prune(writer, settings, pruning);
    assert.ok(filesOf(disks[0] ?? assert.fail(), "lease").length > 0);
    const owner = new TestWorld(disks, 2, writer);
    const to = new Uint8Array(32).fill(9);
    await rotateKey(owner, settings, { from: master, to });
    owner.clock.nowMs += 3 * leaseMs;
    await prune(owner, settings, { ...pruning, master: to });
    assert.deepEqual(filesOf(disks[0] ?? assert.fail(), "lease"), []);
  });

  it("mends what has rotted beside it; the rotten shard goes when somebody may remove it", async () => {
    const disks = await newDisks(3);
    const writer = writerOn(disks, 1);
    const source = new TestSource("data", { first: noise(1, 3_000) });
    await runBackup(writer, settings, source, options);
    const [disk = assert.fail()] = disks;
    const rotten = shardFiles(disk);
    for (const file of rotten) flip(disk, file, 131);
    const mended = await scrub(await openVault(writer, settings, opening));
    const later = new TestWorld(disks, 3, writer);
    const mends = writer.recorded.filter(({ kind }) => kind === "vault.mended").length;
    assert.equal(mends, rotten.length);
    assert.ok(mended.degraded + mended.lost.length === 0);
    assert.ok(writer.recorded.every(({ kind }) => kind !== "target.refused"));
    assert.equal((await scrub(await openVault(later, settings, opening))).mended, 0);
    const left = shardFiles(disk);
    assert.ok(rotten.every((file) => !left.includes(file)));
    assert.equal(left.length, rotten.length);
  });

  it("leaves shards where they lie, and cannot change the key", async () => {
    const disks = await newDisks(3);
    const writer = writerOn(disks, 1);
    await runBackup(writer, settings, new TestSource("data", { a: noise(1, 3_000) }), options);
    const four = writerOn([...disks, ...(await newDisks(1))], 2, writer);
    assert.equal((await rebalance(four, settings, master)).moved, 0);
    const rotating = rotateKey(four, settings, { from: master, to: new Uint8Array(32) });
    await assert.rejects(
      rotating,
      (error) => error instanceof NinesError && /disk-a is append-only/.test(error.message),
    );
  });

  it("erases where it may, names where it may not, and counts what is left there for no loss", async () => {
    const { world, mixed, disks } = await erasable();
    const record = await erase(world, settings, { master, service: "shop", subject: "ann" });
    assert.deepEqual(record.pending, ["disk-a"]);
    const later = await openVault(mixed(2), settings, opening);
    assert.equal(redundancyOf(later).unreadable, 0);
    assert.deepEqual(redundancyOf(later).erasures?.[0]?.pending, ["disk-a"]);
    assert.deepEqual((await scrub(later)).lost, []);
    const able = await openVault(new TestWorld(disks, 3), settings, opening);
    assert.deepEqual(redundancyOf(able).erasures, []);
  });

  it("names where a copy of the key stays that is not believed to be one", async () => {
    const { world } = await erasable();
    const { catalog, keys } = await openVault(world, settings, opening);
    const places = catalog.ids("key").flatMap((id) => catalog.find("key", id)?.places ?? []);
    for (const place of places) if (place.target.name === "disk-a") catalog.distrust(place);
    const tombstones = await keys.erase("shop/ann", world.clock.wallMs());
    assert.deepEqual(
      tombstones.flatMap(({ pending }) => pending),
      ["disk-a"],
    );
  });
});

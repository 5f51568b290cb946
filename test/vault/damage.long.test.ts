// A byte turned at every offset of a small vault: restored bit for bit each time, and mended.

import assert from "node:assert/strict";
import * as operations from "../../src/control/backup/operations.ts";
import {
  diskPlaceOf,
  filesOf,
  flip,
  master,
  newDisks,
  noise,
  settings,
  shardFiles,
  TestSource,
  TestWorld,
  treeOf,
} from "../../src/control/backup/vault.fixture.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { damageEverything } from "./damage.ts";

const { openVault, runBackup, verify } = operations;
const tree = { "a.txt": "hello", folder: { part: noise(1, 300) } };
const opening = { master, create: false, withIndex: true };

async function smallVault(): Promise<TestWorld> {
  const world = new TestWorld(await newDisks(3), 1);
  const options = { master, service: "shop", subjectOf: () => undefined };
  await runBackup(world, settings, new TestSource("data", tree), options);
  return world;
}

await testUntracked({
  "four vaults outlive all that may happen, and then any loss of as many domains": async () => {
    for (let seed = 100; seed < 104; seed++) {
      await damageEverything(operations, { seed, lossesMax: Number.POSITIVE_INFINITY });
    }
    assert.ok(true, "no promise was broken");
  },

  "a byte turned at every offset of every file of one target loses nothing": async (tell) => {
    const world = await smallVault();
    const [first] = world.disks;
    let turned = 0;
    assert.ok(first !== undefined);
    for (const file of [...shardFiles(first), ...filesOf(first, "vault")]) {
      const { folder, leaf } = diskPlaceOf(file);
      const { sizeBytes } = first.content(folder, leaf);
      for (let offset = 0; offset < sizeBytes; offset++) {
        const disks = world.disks.map((disk) => disk.afterKill());
        flip(disks[0] ?? assert.fail(), file, offset);
        const now = new TestWorld(disks, 2, world);
        const vault = await openVault(now, settings, opening);
        const last = vault.snapshots.at(-1) ?? assert.fail("no snapshot");
        assert.deepEqual(await treeOf(vault, last), tree, `${file} at ${offset}`);
        const { lost, missingCount } = await verify(vault);
        assert.deepEqual([lost.length, missingCount], [0, 0]);
        turned++;
      }
    }
    tell(`${turned} bytes turned`);
    assert.ok(turned > 1_000);
  },

  "a file of a target cut short anywhere loses nothing": async () => {
    const world = await smallVault();
    for (const file of shardFiles(world.disks[1] ?? assert.fail())) {
      const { folder, leaf } = diskPlaceOf(file);
      for (const keptRatio of [0, 0.1, 0.5, 0.99]) {
        const disks = world.disks.map((disk) => disk.afterKill());
        const content = (disks[1] ?? assert.fail()).content(folder, leaf);
        content.truncate(Math.floor(content.sizeBytes * keptRatio));
        const vault = await openVault(new TestWorld(disks, 2, world), settings, opening);
        assert.deepEqual(await treeOf(vault, vault.snapshots.at(-1) ?? assert.fail()), tree);
      }
    }
  },
});

// What goes into a vault comes out of it, and what is there already is not put again.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError } from "../../core/base/errors.ts";
import type { SourceDriver } from "../../ports/tree-source.ts";
import { type BackupOptions, runBackup } from "./run-backup.ts";
import { scrub } from "./scrub.ts";
import {
  filesOf,
  flip,
  master,
  newDisks,
  noise,
  settings,
  TestSource,
  type TestTree,
  TestWorld,
  treeOf,
} from "./vault.fixture.ts";
import { openVault } from "./vault.ts";

const options: BackupOptions = { master, service: "shop", subjectOf: () => undefined };
const tree: TestTree = {
  "a.txt": "hello",
  empty: "",
  folder: { large: noise(1, 20_000), inner: { deep: "x".repeat(5_000) } },
  none: {},
};

const opening = { master, create: false, withIndex: true };

async function lastTree(world: TestWorld): Promise<TestTree> {
  const vault = await openVault(world, settings, opening);
  const last = vault.snapshots.at(-1);
  assert.ok(last !== undefined, "there is a snapshot");
  return treeOf(vault, last);
}

describe("a backup", () => {
  it("gives back the tree, byte by byte, to whoever opens the vault anew", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const { snapshot, sentence } = await runBackup(
      world,
      settings,
      new TestSource("data", tree),
      options,
    );
    assert.deepEqual(await lastTree(new TestWorld(world.disks, 2)), tree);
    assert.equal(snapshot.counts.files, 4);
    assert.match(sentence, /^Snapshot [0-9a-f]{8} of data: 4 files of 24 KiB, .* in 0\.0 s\.$/);
  });

  it("is none when the source says that what was read is no whole", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    // A dump by a driver of its own: two files that belong together, or not.
    const driver = {
      begin: async () =>
        Object.assign(new TestSource("data", { rows: noise(1, 9_000), position: "17" }), {
          confirm: () => Promise.reject(new NinesError("NINES_BACKUP_CHANGED", "It was 18.")),
        }),
    } satisfies SourceDriver;
    const backup = runBackup(world, settings, await driver.begin(), options);
    await assert.rejects(backup, { code: "NINES_BACKUP_CHANGED" });
    const { snapshots } = await openVault(world, settings, opening);
    assert.deepEqual(snapshots, []);
  });

  it("leaves out and names what may not be read, and keeps all the rest", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", tree);
    const { list, read } = source;
    const refuse = (path: readonly string[]) => {
      if (!["a.txt", "folder/inner"].includes(path.join("/"))) return;
      throw new NinesError("NINES_BACKUP_SOURCE", "It may not be read.");
    };
    source.list = async (path) => refuse(path) ?? list.call(source, path);
    source.read = async (path) => refuse(path) ?? read.call(source, path);
    const { left, snapshot } = await runBackup(world, settings, source, options);
    assert.deepEqual(left, ["a.txt: It may not be read.", "folder/inner: It may not be read."]);
    assert.equal(snapshot.counts.left, 2);
    const { "a.txt": _, ...rest } = tree;
    assert.deepEqual(await lastTree(world), { ...rest, folder: { large: noise(1, 20_000) } });
  });

  it("says once what its file names and the source has not, and is none the worse", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", tree);
    source.notMet = () => ["exclude cach", "exclude a/b"];
    const subjectOf = ([first, second, ...inner]: readonly string[]) =>
      first === "folder" && inner.length === 0 ? second : undefined;
    const subjects = { ...options, subjects: "folder/*" };
    const missed = await runBackup(world, settings, source, subjects);
    assert.match(
      missed.sentence,
      / s; not met: exclude cach, exclude a\/b, subjects folder\/\*\.$/,
    );
    assert.equal(missed.leftCount, 0);
    source.notMet = () => ["exclude a", "exclude b", "exclude c", "exclude d", "exclude e"];
    const met = await runBackup(world, settings, source, { ...subjects, subjectOf });
    assert.match(met.sentence, / s; not met: exclude a, exclude b, exclude c and 2 more\.$/);
    source.notMet = () => [];
    const { sentence } = await runBackup(world, settings, source, { ...subjects, subjectOf });
    assert.doesNotMatch(sentence, /not met/);
  });

  it("reads no file again that has not changed, and adds next to nothing", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", tree);
    const first = await runBackup(world, settings, source, options);
    source.reads.length = 0;
    const second = await runBackup(world, settings, source, options);
    assert.deepEqual(source.reads, []);
    assert.equal(second.snapshot.counts.addedBytes, 0);
    assert.ok(first.snapshot.counts.addedBytes > 20_000);
    assert.equal(second.snapshot.sequence, 2);
  });

  it("reads a file again whose list of chunks has rotted, and puts the list anew", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", { long: noise(1, 60_000), other: "x" });
    await runBackup(world, settings, source, options);
    const vault = await openVault(world, settings, opening);
    const lists = [...vault.packs.values()].filter(({ holds }) => holds === "tree");
    // The second run makes its folder anew, and no list.
    source.tree = { ...source.tree, other: "y" };
    await runBackup(world, settings, source, options);
    for (const disk of world.disks.slice(1)) {
      for (const file of filesOf(disk, "pack")) {
        if (lists.some(({ id }) => file.includes(id))) flip(disk, file, 130);
      }
    }
    source.reads.length = 0;
    const { snapshot } = await runBackup(world, settings, source, options);
    assert.deepEqual(source.reads, ["long"]);
    assert.ok(snapshot.counts.addedBytes > 0);
    await scrub(await openVault(world, settings, opening));
    assert.deepEqual(await lastTree(world), source.tree);
  });

  it("puts the changed part of a file only", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const large = noise(1, 200_000);
    const source = new TestSource("data", { large });
    await runBackup(world, settings, source, options);
    source.tree = { large: `${large.slice(0, 90_000)}inserted${large.slice(90_000)}` };
    const { snapshot } = await runBackup(world, settings, source, options);
    assert.ok(snapshot.counts.addedBytes < 30_000, `${snapshot.counts.addedBytes} bytes`);
    assert.deepEqual(await lastTree(world), source.tree);
  });

  it("keeps a subject's folder in its place, sealed for itself", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const people = {
      ann: { "mail.txt": "private" },
      bob: { "mail.txt": "also private" },
      index: "",
    };
    const source = new TestSource("data", { people });
    const subjectOf = (path: readonly string[]) =>
      path.length === 2 && path[0] === "people" ? path[1] : undefined;
    await runBackup(world, settings, source, { ...options, subjectOf });
    await runBackup(world, settings, source, { ...options, subjectOf });
    assert.deepEqual(await lastTree(world), { people });
    assert.deepEqual(source.reads.length, 3, "the second run has read nothing");
  });

  it("is whole as long as any two of three targets are there", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    await runBackup(world, settings, new TestSource("data", tree), options);
    for (let lost = 0; lost < 3; lost++) {
      const [empty] = await newDisks(1);
      const left = world.disks.with(lost, empty ?? assert.fail("a disk")).map((d) => d.afterKill());
      assert.deepEqual(await lastTree(new TestWorld(left, 3)), tree);
    }
  });
});

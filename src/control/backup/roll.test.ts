// Which targets are taken for the ones that they were, whatever has happened to their disks.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError } from "../../core/base/errors.ts";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { withLease } from "./leases.ts";
import { adoptTarget } from "./roll.ts";
import { runBackup } from "./run-backup.ts";
import { scrub, verify } from "./scrub.ts";
import {
  allFiles,
  master,
  newDisks,
  noise,
  settings,
  TestSource,
  TestWorld,
  treeOf,
} from "./vault.fixture.ts";
import { openVault, type Vault } from "./vault.ts";

const options = { master, service: "shop", subjectOf: () => undefined };
const tree = { file: noise(1, 3_000) };

async function backedUp(count = 3): Promise<TestWorld> {
  const world = new TestWorld(await newDisks(count), 1);
  await runBackup(world, settings, new TestSource("data", tree), options);
  return world;
}

function open(world: TestWorld): Promise<Vault> {
  return openVault(world, settings, { master, create: false, withIndex: true });
}

/** The same world with other disks, as a machine that remembers nothing sees it. */
function seen(disks: readonly (SimulatedDisk | undefined)[], seed: number): TestWorld {
  return new TestWorld(
    disks.map((disk) => disk ?? assert.fail()),
    seed,
  );
}

async function lastTree(vault: Vault): Promise<unknown> {
  return treeOf(vault, vault.snapshots.at(-1) ?? assert.fail());
}

/** The world without the disk at `at`: an empty one stands in its place. */
async function oneAway({ disks }: TestWorld) {
  const [empty = assert.fail()] = await newDisks(1);
  return (at: number, seed: number, from: TestWorld) =>
    new TestWorld(disks.with(at, empty), seed, from);
}

describe("a target", () => {
  it("that is empty is not written to by anything, and what to do is said", async () => {
    const { disks } = await backedUp();
    const [empty] = await newDisks(1);
    const world = seen(disks.with(2, empty ?? assert.fail()), 2);
    const source = new TestSource("data", { file: noise(2, 3_000) });
    const { degradedObjects } = await runBackup(world, settings, source, options);
    assert.ok(degradedObjects > 0);
    await withLease(world, "upkeep", async () => assert.deepEqual(filesOn(empty), []));
    const vault = await open(world);
    await scrub(vault);
    assert.deepEqual(filesOn(empty), []);
    assert.deepEqual(vault.catalog.away, ["disk-c"]);
    const said = world.recorded.find(({ kind }) => kind === "target.unreachable")?.sentence ?? "";
    assert.match(
      said,
      /^Target disk-c is away: it is empty, .*: nines backup target adopt disk-c\.$/,
    );
    assert.ok(
      !world.recorded.some(({ kind }) => kind === "vault.degraded"),
      "said once, not often",
    );
  });

  it("that is new is used once somebody has said so, and a scrub fills it", async () => {
    const { disks } = await backedUp();
    const [empty] = await newDisks(1);
    const world = seen(disks.with(2, empty ?? assert.fail()), 2);
    const { header } = await open(world);
    const { sentence } = await adoptTarget(world, header.vault, "disk-c");
    assert.match(sentence, /^Target disk-c is new/);
    assert.ok((await scrub(await open(world))).mended > 0);
    const vault = await open(seen([disks[0], ...(await newDisks(1)), empty], 3));
    assert.deepEqual(vault.catalog.away, ["disk-b"]);
    assert.deepEqual(await lastTree(vault), tree);
    const again = await adoptTarget(world, header.vault, "disk-c");
    assert.match(again.sentence, /in use already/);
    const nobody = adoptTarget(world, header.vault, "disk-x");
    await assert.rejects(nobody, hasCode("NINES_BACKUP_UNKNOWN"));
  });

  it("that is away holds what nobody else has: it is waited for, and not called lost", async () => {
    const { disks } = await backedUp();
    const opening = open(seen([disks[0], ...(await newDisks(2))], 2));
    await assert.rejects(opening, (error: Error) => {
      assert.ok(hasCode("NINES_VAULT_TARGETS")(error));
      assert.match(
        error.message,
        /own key cannot be read while disk-b, disk-c cannot be reached\. /,
      );
      assert.match(error.message, /The key \w+ cannot be read until targets are back: /);
      assert.doesNotMatch(error.message, /lost|\.\./);
      return true;
    });
  });

  it("that is away may hold the newest snapshot: nobody is said to have put old ones back", async () => {
    const world = await backedUp();
    const without = await oneAway(world);
    const second = without(2, 2, world);
    const source = new TestSource("data", { file: noise(2, 3_000) });
    await runBackup(second, settings, source, options);
    await assert.rejects(open(without(0, 3, second)), {
      code: "NINES_VAULT_TARGETS",
      message: /, number 2, cannot be read while disk-a cannot be reached\. /,
    });
    const back = await open(new TestWorld(world.disks, 4, second));
    assert.deepEqual(await lastTree(back), source.tree);
    // Where none is seen at all, it cannot be known either.
    const unmounted = Array.from(world.disks, () => new SimulatedDisk());
    const opening = open(new TestWorld(unmounted, 5, second));
    await assert.rejects(opening, hasCode("NINES_VAULT_TARGETS"));
  });

  it("that is away is named beside what a run without another one has left there", async () => {
    const world = await backedUp();
    const without = await oneAway(world);
    const second = without(2, 2, world);
    const source = new TestSource("data", { file: noise(2, 3_000) });
    await runBackup(second, settings, source, options);
    const third = new TestWorld(world.disks, 3, second);
    await runBackup(third, settings, source, options);
    const vault = await open(without(0, 4, third));
    const { lost, away, missing, sentence } = await verify(vault);
    assert.deepEqual(lost, []);
    assert.ok(away > 0 && missing.length > 0);
    assert.match(sentence, /objects are not to be read until targets are back/);
    const why = / in no pack that can be read while disk-a cannot be reached\.?$/;
    for (const { reason } of missing) assert.match(reason, why);
    const back = await verify(await open(new TestWorld(world.disks, 5, third)));
    assert.deepEqual([back.lost, back.away, back.missingCount], [[], 0, 0]);
  });

  it("that is away may have all of an object of which nothing is seen: it is not lost", async () => {
    const copies = { ...settings, geometry: { ...settings.geometry, dataShards: 1 } };
    const world = new TestWorld(await newDisks(2), 1);
    await runBackup(world, copies, new TestSource("data", tree), options);
    const [, second = assert.fail()] = world.targets;
    for (const name of await second.list("pack", "")) await second.remove(name);
    const [empty = assert.fail(), old = assert.fail()] = [...(await newDisks(1)), world.disks[1]];
    const opening = { master, create: false, withIndex: true };
    const alone = await openVault(new TestWorld([empty, old], 2, world), copies, opening);
    const { lost, away, missingCount } = await verify(alone);
    assert.deepEqual([lost, away > 0, missingCount > 0], [[], true, true]);
    const { lost: mended } = await verify(await openVault(world, copies, opening));
    assert.deepEqual(mended, []);
  });

  it("that is away may have all of what was put before there were others", async () => {
    const shared = { ...settings, shareDomains: true };
    const opening = { master, create: false, withIndex: true };
    const disks = await newDisks(3);
    const first = new TestWorld(disks.slice(0, 1), 1);
    await runBackup(first, shared, new TestSource("data", tree), options);
    const all = new TestWorld(disks, 2, first);
    const { store, catalog } = await openVault(all, shared, opening);
    for (const kind of ["key", "index", "snapshot"] as const) {
      for (const id of catalog.ids(kind)) await store.settle(kind, id);
    }
    const without = await oneAway(all);
    const vault = await openVault(without(0, 3, all), shared, opening);
    const { lost, away, missing } = await verify(vault);
    assert.deepEqual([lost, away > 0], [[], true]);
    assert.deepEqual(
      missing.map(({ isAway }) => isAway),
      [true],
    );
  });

  it("that the file names for the first time needs no word", async () => {
    const { disks } = await backedUp();
    const world = seen([...disks, ...(await newDisks(1))], 2);
    assert.deepEqual((await open(world)).catalog.away, []);
    // From then on it is one of them.
    const [empty] = await newDisks(1);
    assert.deepEqual((await open(seen([...disks, empty], 3))).catalog.away, ["disk-d"]);
  });

  it("whose disk has changed places with another is as good as before", async () => {
    const { disks } = await backedUp();
    const vault = await open(seen([disks[1], disks[2], disks[0]], 2));
    assert.deepEqual(vault.catalog.away, []);
    assert.deepEqual(await lastTree(vault), tree);
    assert.deepEqual((await open(seen(disks, 3))).catalog.away, [], "and when they change back");
  });

  it("that is new beside disks that have changed places is taken for none of them", async () => {
    const { disks } = await backedUp();
    const [empty] = await newDisks(1);
    // The disk of the first is in place of the second, and the second's is gone.
    const world = seen([empty, disks[0], disks[2]], 2);
    const { header } = await open(world);
    await adoptTarget(world, header.vault, "disk-a");
    const vault = await open(world);
    assert.deepEqual(vault.catalog.away, []);
    assert.ok((await scrub(vault)).mended > 0);
    assert.deepEqual(
      (await open(seen([disks[0], empty, disks[2]], 3))).catalog.away,
      [],
      "wherever",
    );
  });

  it("that shows another one's disk counts once, and is not adopted", async () => {
    const { disks } = await backedUp();
    const world = seen([disks[0], disks[1], disks[1]], 2);
    const vault = await open(world);
    assert.deepEqual(vault.catalog.away, ["disk-c"]);
    assert.deepEqual(await lastTree(vault), tree);
    const adopting = adoptTarget(world, vault.header.vault, "disk-c");
    await assert.rejects(adopting, hasCode("NINES_VAULT_TARGETS"));
  });

  it("is no place for a second vault while the first cannot be seen", async () => {
    const world = new TestWorld(await newDisks(2), 1);
    const thin = { ...settings, geometry: { ...settings.geometry, dataShards: 1 } };
    await runBackup(world, thin, new TestSource("data", tree), options);
    const [empty] = await newDisks(1);
    const next = seen([world.disks[0], empty], 2);
    await runBackup(next, thin, new TestSource("data", tree), options);
    assert.deepEqual(filesOn(empty), []);
    assert.equal((await open(next)).snapshots.length, 2);
  });
});

function filesOn(disk: SimulatedDisk | undefined): readonly string[] {
  return allFiles(disk ?? assert.fail());
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof NinesError && error.code === code;
}

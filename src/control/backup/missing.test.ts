// What is not there is told by its own reason: lost, away with a target, or erased.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError } from "../../core/base/errors.ts";
import { readWrappedKey } from "../../core/vault/keys.ts";
import type { ObjectKind } from "../../core/vault/names.ts";
import { type TargetErrorKind, TargetError } from "../../ports/target.ts";
import { leaveOut } from "./catalog.ts";
import { compare } from "./compare.ts";
import { erase } from "./erase.ts";
import { verdictOf } from "./examination.ts";
import { createFolderTarget } from "./folder-target.ts";
import { lookAtSources } from "./look.ts";
import { passedOn } from "./passed-on.ts";
import { prune } from "./prune.ts";
import { entriesAt, restore } from "./restore.ts";
import { type BackupOptions, runBackup } from "./run-backup.ts";
import { scrub, verify } from "./scrub.ts";
import {
  diskPlaceOf,
  filesOf,
  flip,
  master,
  MemoryPlace,
  newDisks,
  noise,
  settings,
  TestSource,
  type TestTree,
  TestWorld,
} from "./vault.fixture.ts";
import { openVault, type Vault } from "./vault.ts";

const options: BackupOptions = {
  master,
  service: "shop",
  subjectOf: ([name, ...inner]) => (inner.length === 0 && name !== "plain" ? name : undefined),
};
const keep = { last: 3, hourly: 0, daily: 0, weekly: 0 };
const tree: TestTree = { ann: { mail: "private" }, bob: { mail: "of bob" }, plain: { file: "x" } };

async function open(world: TestWorld): Promise<Vault> {
  return openVault(world, settings, { master, create: false, withIndex: true });
}

async function backedUp(from: TestTree = tree): Promise<TestWorld> {
  const world = new TestWorld(await newDisks(3), 1);
  await runBackup(world, settings, new TestSource("data", from), options);
  return world;
}

/** The shards of an object on the disks of these numbers, taken away. */
async function take({ disks }: TestWorld, kind: ObjectKind, id: string, from: readonly number[]) {
  for (const at of from) {
    const disk = disks[at] ?? assert.fail();
    for (const file of filesOf(disk, kind)) {
      const { folder, leaf } = diskPlaceOf(file);
      if (leaf.startsWith(id))
        await (await disk.openFolder(folder, { create: false })).remove(leaf);
    }
  }
}

async function keyOf(vault: Vault, subject?: string): Promise<string> {
  const domain =
    subject === undefined
      ? vault.keys.findNamed("service", "shop")
      : vault.keys.findNamed("subject", `shop/${subject}`);
  for (const id of vault.catalog.ids("key")) {
    const bytes = (await vault.store.read("key", id)).all();
    if (readWrappedKey(bytes).domainId === domain?.id) return id;
  }
  assert.fail(`no key of ${subject}`);
}

/** The same disks, of which the first is not mounted. */
async function withoutFirst(world: TestWorld): Promise<TestWorld> {
  const [empty = assert.fail()] = await newDisks(1);
  return new TestWorld(world.disks.with(0, empty), 2, world);
}

async function restored(vault: Vault, path: readonly string[] = []) {
  const snapshot = vault.snapshots.at(-1) ?? assert.fail();
  return restore(vault, snapshot, new MemoryPlace(), { path });
}

describe("a subject whose key is lost", () => {
  it("is named by whoever comes to its folder, and is in nobody's way", async () => {
    const world = await backedUp();
    await take(world, "key", await keyOf(await open(world), "ann"), [1, 2]);
    const vault = await open(world);
    const why = "The key of a subject's folder here cannot be read";
    const { missing, verdict } = await verify(vault);
    assert.equal(verdict, "1 file or folder cannot be restored whole.");
    assert.deepEqual(
      missing.map(({ path, hidesMore, reason, isAway }) => [path, hidesMore, reason, isAway]),
      [["", true, why, false]],
    );
    const [seen] = await lookAtSources(vault, ["data"]);
    assert.equal(seen?.restorable, undefined);
    const { lost, away, files } = await restored(vault);
    assert.deepEqual([lost, away, files], [[`the root: ${why}`], [], 2]);
    await assert.rejects(restored(vault, ["ann"]), {
      code: "NINES_VAULT_LOST",
      message: `${why}.`,
    });
    assert.equal((await restored(vault, ["bob"])).files, 1);
    await assert.rejects(erase(world, settings, { master, service: "shop", subject: "ann" }), {
      code: "NINES_SUBJECT_UNKNOWN",
      message: "There is no subject shop/ann among those whose keys can be read; 1 key cannot be.",
    });
    const [snapshot = assert.fail()] = vault.snapshots;
    const [names, lacks]: [string[], string[]] = [[], []];
    const lacking = ({ message }: Error) => void lacks.push(message);
    for await (const { name } of entriesAt(vault, snapshot, [], lacking)) names.push(name);
    assert.deepEqual([names.sort(), lacks], [["bob", "plain"], [`${why}.`]]);
    const source = new TestSource("data", { ...tree, cat: { mail: "new" } });
    await runBackup(world, settings, source, { ...options, subjectOf: () => undefined });
    const later = await open(world);
    const [old = assert.fail(), now = assert.fail()] = later.snapshots;
    const differences = [];
    for await (const { kind, path, what } of compare(later, now, old)) {
      differences.push([kind, path, what]);
    }
    // Whether ann and cat are in what cannot be read nobody knows.
    assert.deepEqual(differences, [
      ["unknown", "", why],
      ["changed", "bob/mail", "its key, and perhaps its content"],
    ]);
  });

  it("is one reason with all others, for who asks what is in a folder", async () => {
    const world = await backedUp();
    for (const subject of ["ann", "bob"]) {
      await take(world, "key", await keyOf(await open(world), subject), [1, 2]);
    }
    const vault = await open(world);
    const lacks: string[] = [];
    const lacking = ({ message }: Error) => void lacks.push(message);
    const [snapshot = assert.fail()] = vault.snapshots;
    for await (const { name } of entriesAt(vault, snapshot, [], lacking)) {
      assert.equal(name, "plain");
    }
    assert.deepEqual(lacks, ["The key of a subject's folder here cannot be read."]);
  });

  it("keeps all that it may need from a prune, which lets go of all else", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", tree);
    await runBackup(world, settings, source, options);
    source.tree = { ...tree, bob: { mail: "another" } };
    await runBackup(world, settings, source, options);
    const key = await keyOf(await open(world), "ann");
    const pruned = await prunedTwice(world, [key], { ...keep, last: 1 });
    assert.match(pruned, /1 snapshot and [1-9]\d* packs of [^,]+ destroyed/);
    const { missing } = await verify(await open(world));
    assert.deepEqual(missing, []);
  });

  it("is looked at once, however often it is asked for, and anew when a target falls silent", async () => {
    const world = await backedUp();
    await take(world, "key", await keyOf(await open(world), "ann"), [1, 2]);
    const { catalog, keys } = await open(world);
    const lackNow = () => keys.lack("It").code;
    assert.equal(lackNow(), "NINES_VAULT_LOST");
    const [, second = assert.fail()] = world.targets;
    leaveOut(catalog, world.events, second, "it is silent");
    assert.equal(lackNow(), "NINES_VAULT_TARGETS");
    catalog.isAway = () => assert.fail("it was looked at again");
    assert.equal(lackNow(), "NINES_VAULT_TARGETS");
  });

  it("is away where what is left of its key lies on a target that is", async () => {
    const world = await backedUp();
    await take(world, "key", await keyOf(await open(world), "ann"), [2]);
    const vault = await open(await withoutFirst(world));
    const why = /^the root: The key .* cannot be read while disk-a cannot be reached$/;
    const { lost, away } = await restored(vault);
    assert.deepEqual([lost, away.length], [[], 1]);
    assert.match(away[0] ?? "", why);
    const { missing, verdict } = await verify(vault);
    assert.deepEqual(
      missing.map(({ isAway }) => isAway),
      [true],
    );
    assert.equal(verdict, "1 file or folder cannot be restored whole until targets are back.");
  });

  it("is passed over once it was erased", async () => {
    const world = await backedUp();
    await erase(world, settings, { master, service: "shop", subject: "ann" });
    const { missingCount } = await verify(await open(world));
    assert.equal(missingCount, 0);
  });
});

describe("a long file whose list of chunks is lost", () => {
  it("is not told by the length of the list, and keeps from a prune what that may name", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", { long: noise(1, 60_000) });
    const { snapshot: first } = await runBackup(world, settings, source, options);
    const lists = [...(await open(world)).packs.values()].filter(({ holds }) => holds === "tree");
    // The second run makes its folder anew, and no list.
    source.tree = { ...source.tree, other: "x" };
    await runBackup(world, settings, source, options);
    for (const { id } of lists) await take(world, "pack", id, [1, 2]);
    const { missing } = await verify(await open(world));
    const said = missing.filter(({ snapshot }) => snapshot.id !== first.id);
    assert.deepEqual(
      said.map(({ path, hidesMore }) => [path, hidesMore]),
      [["long", true]],
    );
    assert.match(said[0]?.reason ?? "", /^The chunk [0-9a-f]{64} is in no pack that can be read$/);
    const pruning = prune(world, settings, { master, keep, forget: [first.id] });
    await assert.rejects(pruning, { code: "NINES_VAULT_LOST", message: /^"long" of snapshot / });
  });
});

describe("a prune beside disks that refuse something for now", () => {
  it("destroys nothing of what a snapshot needs whose record it cannot read", async () => {
    const { world, first } = await backedUpTwice();
    const pruning = prunedTwice(world, [first], keep);
    const what = `^1 snapshot cannot be read, so that nobody knows what is needed: ${first} \\(`;
    await assert.rejects(pruning, { code: "NINES_VAULT_LOST", message: new RegExp(what) });
    assert.deepEqual((await verify(await open(world))).missing, []);
    // Whoever gives it up goes on.
    const pruned = await prunedTwice(world, [first], keep, [first]);
    assert.match(pruned, /1 snapshot and [1-9]\d* packs? of [^,]+ destroyed/);
    const vault = await open(world);
    assert.deepEqual([vault.snapshots.length, (await verify(vault)).missing], [1, []]);
  });

  it("destroys no pack of which nobody knows what is in it, and no index", async () => {
    const { world, before } = await backedUpTwice();
    const { catalog, packs } = await open(world);
    const data = [...packs.values()].filter(({ holds }) => holds === "data").map(({ id }) => id);
    const refused = [...catalog.ids("index"), ...data].filter((id) => !before.includes(id));
    assert.equal(refused.length, 2);
    const pruned = await prunedTwice(world, refused, { ...keep, last: 1 });
    assert.match(pruned, /0 snapshots and 0 packs condemned, 1 snapshot and 2 packs of /);
    const vault = await open(world);
    assert.deepEqual([vault.condemnations, (await verify(vault)).missing], [[], []]);
    assert.ok(refused.some((id) => vault.catalog.ids("index").includes(id)));
  });
});

async function backedUpTwice() {
  const world = new TestWorld(await newDisks(3), 1);
  const source = new TestSource("data", { plain: { a: noise(1, 900) } });
  const { snapshot } = await runBackup(world, settings, source, options);
  const { catalog } = await open(world);
  const before = [...catalog.ids("index"), ...catalog.ids("pack")];
  source.tree = { plain: { other: noise(2, 900) } };
  await runBackup(world, settings, source, options);
  return { world, first: snapshot.id, before };
}

/** Two prunes, a grace apart, while two of three disks refuse these objects; what the last says. */
async function prunedTwice(
  world: TestWorld,
  refused: readonly string[],
  rules: typeof keep,
  forget: readonly string[] = [],
): Promise<string> {
  let sentence = "";
  for (const seed of [5, 6]) {
    const now = new TestWorld(world.disks, seed, world, (disk, place) => {
      const target = createFolderTarget(disk, place);
      if (place.name === "disk-a") return target;
      return passedOn(target, {
        read: async (name, ...rest) => {
          if (!refused.some((id) => name.includes(id))) return target.read(name, ...rest);
          throw new TargetError("io", `${name} could not be read: EIO`);
        },
      });
    });
    if (seed === 6) now.clock.nowMs += 2 * settings.graceMs;
    ({ sentence } = await prune(now, settings, { master, keep: rules, forget }));
  }
  return sentence;
}

describe("a service whose key is lost", () => {
  it("is not called erased", async () => {
    const world = await backedUp();
    await take(world, "key", await keyOf(await open(world)), [1, 2]);
    const { lost, erased } = await restored(await open(world));
    assert.deepEqual([lost.length, erased], [1, []]);
    assert.match(lost[0] ?? "", /^the root: The key of pack \w+ cannot be read$/);
  });
});

describe("while a target is away", () => {
  it("is away what only it keeps from being read, and lost what all others have lost", async () => {
    const world = await backedUp({ plain: { far: noise(1, 900) } });
    const packsNow = async () => [...(await open(world)).packs.values()].map(({ id }) => id);
    const source = new TestSource("data", {});
    const added = async (file: string, seed: number) => {
      const before = await packsNow();
      const folder = (source.tree["plain"] ?? { far: noise(1, 900) }) as TestTree;
      source.tree = { plain: { ...folder, [file]: noise(seed, 900) } };
      await runBackup(world, settings, source, options);
      return (await packsNow()).filter((id) => !before.includes(id));
    };
    const [far] = [await packsNow()];
    const dataOf = async (packs: readonly string[]) => {
      const { packs: all } = await open(world);
      return packs.filter((id) => all.get(id)?.holds === "data");
    };
    const [farData, rotten, gone] = [
      await dataOf(far),
      await dataOf(await added("rotten", 2)),
      await dataOf(await added("gone", 3)),
    ];
    for (const id of farData) await take(world, "pack", id, [1]);
    for (const id of gone) await take(world, "pack", id, [1, 2]);
    for (const disk of world.disks.slice(1)) {
      for (const file of filesOf(disk, "pack")) {
        if (rotten.some((id) => file.includes(id))) flip(disk, file, 130);
      }
    }
    for (const known of ["nothing", "it was lost", "a scrub's findings"]) {
      const vault = await open(await withoutFirst(world));
      if (known === "it was lost") for (const id of rotten) vault.index.lose(id);
      if (known === "a scrub's findings") await scrub(vault);
      const { lost, away } = await restored(vault);
      assert.deepEqual(lost.map(pathOf).sort(), ["plain/gone", "plain/rotten"]);
      assert.deepEqual(away.map(pathOf), ["plain/far"]);
      assert.match(away[0] ?? "", /in no pack that can be read while disk-a cannot be reached$/);
      for (const line of lost) assert.doesNotMatch(line, /while|until/);
    }
    const { missing, missingCount, verdict } = await verify(await open(await withoutFirst(world)));
    const away = missing.filter(({ isAway }) => isAway).length;
    const told = `${missingCount} files or folders cannot be restored whole`;
    assert.equal(verdict, `${told}, ${away} of them until targets are back.`);
    const said = missing.map(({ path, isAway }) => `${path} is ${isAway ? "away" : "lost"}`);
    const wanted = ["plain/far is away", "plain/gone is lost", "plain/rotten is lost"];
    assert.deepEqual([...new Set(said)].sort(), wanted);
  });
});

describe("targets that fail once they were listed", () => {
  async function failing(kind: TargetErrorKind, isOf: (target: string, name: string) => boolean) {
    const { disks, ...before } = await backedUp({ plain: { a: noise(1, 900), b: noise(3, 900) } });
    let isWell = true;
    const world = new TestWorld(disks, 5, before, (disk, place) => {
      const target = createFolderTarget(disk, place);
      return passedOn(target, {
        read: async (name, ...rest) => {
          if (isWell || !isOf(place.name, name)) return target.read(name, ...rest);
          throw new TargetError(kind, `Target ${place.name} could not read ${name}`);
        },
      });
    });
    const vault = await open(world);
    isWell = false;
    return vault;
  }

  it("and that nobody reaches any more are away, and nothing there is lost", async () => {
    const vault = await failing("unreachable", (target) => target !== "disk-a");
    const { lost, away } = await restored(vault);
    assert.deepEqual([lost, away.length], [[], 1]);
    const verified = await verify(vault);
    assert.deepEqual(vault.catalog.away.toSorted(), ["disk-b", "disk-c"]);
    assert.deepEqual([verified.lost, vault.damages], [[], []]);
  });

  it("and that refuse a file are there, and so is all else that they have", async () => {
    const isPack = (target: string, name: string) =>
      target === "disk-a" && name.startsWith("pack/");
    const vault = await failing("io", isPack);
    assert.equal((await restored(vault)).files, 2);
    assert.deepEqual(vault.catalog.away, []);
  });
});

function pathOf(line: string): string {
  return line.slice(0, line.indexOf(":"));
}

describe("reasons", () => {
  it("are parts of the sentence in which they stand", () => {
    const why = new NinesError("NINES_VAULT_DAMAGED", "The key was changed.");
    const verdict = verdictOf(() => {
      throw why;
    });
    assert.deepEqual(verdict, { forged: "The key was changed" });
  });

  it("of several keys that cannot be read are one sentence after the other", async () => {
    const world = await backedUp();
    const vault = await open(world);
    for (const id of vault.catalog.ids("key")) await take(world, "key", id, [1, 2]);
    await assert.rejects(open(world), ({ message }: Error) => {
      const keys = "(The key \\w+ is lost: [^.]*\\. ){3}So it is with 1 more key\\.";
      assert.match(message, new RegExp(`^The vault's own key cannot be read\\. ${keys}$`));
      return true;
    });
  });
});

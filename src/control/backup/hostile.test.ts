// Targets in the hands of somebody who knows the format and not the key: hashes are right, and what
// they are of was made up. What comes out is what went in, or a refusal; never anything else.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { NinesError, type ErrorCode } from "../../core/base/errors.ts";
import { headerName, type VaultHeader, writeHeader } from "../../core/vault/header.ts";
import { masterIdOf } from "../../core/vault/keys.ts";
import { sharedBytes } from "../../core/vault/memory.ts";
import type { Geometry } from "../../core/vault/shard.ts";
import { type ObjectId, type ObjectKind, objectKinds, shardName } from "../../core/vault/names.ts";
import { ObjectCoder } from "../../core/vault/object-coder.ts";
import { bytesOf } from "../../core/vault/wire.ts";
import { type Target, TargetError } from "../../ports/target.ts";
import { withoutRemoval } from "./append-only.ts";
import { createFolderTarget } from "./folder-target.ts";
import { masterOfPassphrase } from "./master-key.ts";
import { passedOn } from "./passed-on.ts";
import { rebalance } from "./rebalance.ts";
import { runBackup } from "./run-backup.ts";
import { scrub, verify } from "./scrub.ts";
import {
  allFiles,
  master,
  newDisks,
  noise,
  settings,
  shardFiles,
  targetPath,
  TestSource,
  TestWorld,
  treeOf,
} from "./vault.fixture.ts";
import { openVault, type Vault } from "./vault.ts";
import type { VaultSettings } from "./world.ts";

const options = { master, service: "shop", subjectOf: () => undefined };
const opening = { master, create: false, withIndex: true };
const older = { "a.txt": "hello", b: noise(1, 3_000) };
const newer = { "a.txt": "hello", c: noise(2, 3_000), folder: { d: noise(3, 500) } };

const wide: VaultSettings = {
  ...settings,
  geometry: { codec: "rs-vand", dataShards: 4, parityShards: 2 },
};
const isOfPack = (name: string) => name.startsWith("pack/");

async function backedUp(as: VaultSettings = settings): Promise<TestWorld> {
  const { dataShards, parityShards } = as.geometry;
  const world = new TestWorld(await newDisks(dataShards + parityShards), 1);
  const source = new TestSource("data", older);
  await runBackup(world, as, source, options);
  source.tree = newer;
  await runBackup(world, as, source, options);
  return world;
}

function copyOf(world: TestWorld, seed: number): TestWorld {
  return new TestWorld(
    world.disks.map((disk) => disk.afterKill()),
    seed,
    world,
  );
}

function refuses(code: ErrorCode, pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof NinesError && error.code === code && pattern.test(error.message);
}

describe("objects that were made up, on all targets at once", () => {
  it("give back what went in, or are refused, whichever they stand for", async () => {
    const world = await backedUp();
    const { catalog } = await openVault(world, settings, opening);
    let refused = 0;
    for (const kind of objectKinds) {
      const ids = catalog.ids(kind);
      for (const [at, id] of ids.entries()) {
        const now = copyOf(world, 100 + at);
        const { store } = await openVault(now, settings, opening);
        const other = ids[(at + 1) % ids.length] ?? id;
        const own = await store.read(kind, id);
        const theirs = await store.read(kind, other);
        const forgeries = [
          bytesOf(noise(at, 400)),
          Uint8Array.of(0),
          Uint8Array.from(theirs.slice(0, theirs.length)),
          own.slice(0, own.length).map((byte, where) => (where === 70 ? byte ^ 1 : byte)),
        ];
        const forged = forgeries[at % forgeries.length] ?? assert.fail();
        await store.put(kind, id, forged);
        const before = refused;
        for (const tree of [older, newer]) {
          refused += await restores(now, tree).then(
            () => 0,
            (error: unknown) => {
              assert.ok(error instanceof NinesError, String(error));
              return 1;
            },
          );
        }
        // Indexes are shortcuts; a pack that is made up must cost something.
        if (kind === "pack") assert.ok(refused > before, `a pack that was made up, ${at}`);
      }
    }
    assert.ok(refused > 4);
  });
});

async function restores(world: TestWorld, tree: typeof older | typeof newer): Promise<void> {
  const vault = await openVault(world, settings, opening);
  const wanted = vault.snapshots.find(({ sequence }) => sequence === (tree === older ? 1 : 2));
  if (wanted === undefined) throw new NinesError("NINES_SNAPSHOT_UNKNOWN", "It is not there.");
  assert.deepEqual(await treeOf(vault, wanted), tree);
}

describe("a header that was made up", () => {
  async function withHeader(change: Partial<VaultHeader>): Promise<TestWorld> {
    const world = await backedUp();
    const { header } = await openVault(world, settings, opening);
    const forged = { ...header, ...change };
    const [target] = world.targets;
    await target?.put(headerName(forged.masterId), [writeHeader(forged, world.crypto)]);
    return world;
  }

  it("with sizes or costs that cannot be is refused before anything is allotted", async () => {
    const gigabytes = { minBytes: 1, averageBytes: 2 ** 30, maxBytes: 2 ** 32 - 1 };
    const salt = new Uint8Array(16);
    const cases: readonly [Partial<VaultHeader>, RegExp][] = [
      [{ chunks: gigabytes }, /chunk sizes that cannot be/],
      [{ chunks: { minBytes: 0, averageBytes: 0, maxBytes: 0 } }, /chunk sizes that cannot be/],
      [{ passphrase: { n: 2 ** 31, r: 8, p: 1, salt } }, /costs more than 1 GiB/],
      [{ passphrase: { n: 3, r: 8, p: 1, salt } }, /cost of a passphrase that cannot be/],
    ];
    for (const [change, expected] of cases) {
      const vault = openVault(await withHeader(change), settings, opening);
      await assert.rejects(vault, refuses("NINES_VAULT_DAMAGED", expected));
    }
  });

  it("of another vault is refused, and where it lies is said", async () => {
    const vault = openVault(await withHeader({ vault: "0f".repeat(16) }), settings, opening);
    await assert.rejects(vault, refuses("NINES_VAULT_FOREIGN", /disk-a has 0f0f/));
  });

  it("with another salt does not lock a passphrase out", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const passphrase = bytesOf("correct horse battery");
    const cost = { n: 2, r: 1, p: 1, salt: new Uint8Array(16).fill(1) };
    const key = await world.crypto.scrypt(passphrase, cost.salt, cost);
    const run = { ...options, master: key, passphrase: cost };
    await runBackup(world, settings, new TestSource("data", older), run);
    const forged = { ...cost, salt: new Uint8Array(16) };
    const { header } = await openVault(world, settings, { ...opening, master: key });
    for (const at of [0, 2]) {
      const bytes = writeHeader({ ...header, passphrase: forged }, world.crypto);
      await world.targets[at]?.put(headerName(masterIdOf(world.crypto, key)), [bytes]);
    }
    assert.deepEqual((await masterOfPassphrase(world, passphrase)).master, key);
  });
});

describe("a pack that was made up, with sums and parity that are right", () => {
  it("passes a scrub until a verify names it and the files in it, and no scrub after", async () => {
    const world = await backedUp();
    const vault = await openVault(world, settings, opening);
    const wanted = [...vault.packs.values()].find(({ holds }) => holds === "data");
    const id = wanted?.id ?? assert.fail();
    for (const at of [0, (wanted?.packBytes ?? 0) - 40]) {
      const bytes = Uint8Array.from((await vault.store.read("pack", id)).all());
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await vault.store.put("pack", id, bytes);
      const again = await openVault(world, settings, opening);
      assert.deepEqual((await scrub(again)).lost, []);
      const { lost, mended, missingCount } = await verify(
        await openVault(world, settings, opening),
      );
      const what = at === 0 ? "the chunk at 0" : "its table";
      assert.deepEqual(lost, [`pack ${id}: ${what} is not what was sealed there`]);
      assert.equal(mended, 0);
      assert.ok(missingCount > 0);
      // A scrub does not take it for whole again, though all its sums are right.
      const scrubbed = await scrub(await openVault(world, settings, opening));
      assert.deepEqual(scrubbed.lost, lost);
      assert.ok((await openVault(world, settings, opening)).isDamaged(id));
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await vault.store.put("pack", id, bytes);
      assert.deepEqual((await verify(await openVault(world, settings, opening))).lost, []);
    }
  });
});

/** Puts shards in the place of an object's, right in all but what they are of. */
async function makeUp(
  vault: Vault,
  id: ObjectId,
  shards: readonly number[],
  lieOf: (shard: number) => number = () => 1,
  kind: ObjectKind = "pack",
): Promise<void> {
  const { crypto } = vault.world;
  const whole = (await vault.store.read(kind, id)).all();
  const name = { kind, id, vault: vault.header.vault };
  const coder = new ObjectCoder(crypto, vault.settings.geometry);
  for (const { target, ...shard } of vault.catalog.find(kind, id)?.places ?? []) {
    if (!shards.includes(shard.shard)) continue;
    const bytes = Uint8Array.from(whole, (byte) => byte ^ lieOf(shard.shard));
    const made = await coder.encode(name, bytes, sharedBytes);
    await target.put(shardName(shard), made[shard.shard] ?? []);
  }
}

describe("shards that were made up", () => {
  it("are made anew from the others by a scrub, one of any number wherever it is", async () => {
    const { dataShards, parityShards } = settings.geometry;
    for (let made = 0; made < dataShards + parityShards; made++) {
      const world = await backedUp();
      const vault = await openVault(world, settings, opening);
      const [id = assert.fail()] = vault.packs.keys();
      await makeUp(vault, id, [made]);
      const { lost, mended } = await scrub(await openVault(world, settings, opening));
      assert.deepEqual([lost, mended], [[], 1]);
      const after = await openVault(world, settings, opening);
      const verified = await verify(after);
      assert.deepEqual([verified.lost, verified.mended, verified.missingCount], [[], 0, 0]);
      assert.deepEqual(await treeOf(after, after.snapshots.at(-1) ?? assert.fail()), newer);
    }
  });

  it("are found as far as parity goes, with one lie or one each, beside one that is gone", async () => {
    const world = await backedUp(wide);
    const open = () => openVault(world, wide, opening);
    const [id = assert.fail()] = (await open()).packs.keys();
    for (let first = 0; first < 6; first++) {
      for (let second = first + 1; second < 6; second++) {
        const vault = await open();
        await makeUp(vault, id, [first, second], (first + second) % 2 ? () => 1 : (own) => own + 1);
        const scrubbed = await scrub(await open());
        assert.deepEqual([scrubbed.lost, scrubbed.mended], [[], 2], `${first} and ${second}`);
        const { sentence } = await verify(await open());
        assert.match(sentence, /every shard is there and right/);
      }
      const vault = await open();
      await makeUp(vault, id, [first]);
      const gone = vault.catalog.find("pack", id)?.places.find(({ shard }) => shard !== first);
      await vault.store.removeShard(gone ?? assert.fail());
      assert.equal((await scrub(await open())).mended, 2);
    }
    const after = await open();
    assert.deepEqual(await treeOf(after, after.snapshots.at(-1) ?? assert.fail()), newer);
  });

  it("lose their pack where they are more than parity, and nothing is written over it", async () => {
    const world = await backedUp(wide);
    const open = () => openVault(world, wide, opening);
    const [id = assert.fail()] = (await open()).packs.keys();
    await makeUp(await open(), id, [0, 2, 5], (own) => own + 1);
    const packsOn = () => world.disks.map((disk) => shardFiles(disk).filter(isOfPack));
    const before = packsOn();
    const { lost, mended } = await verify(await open());
    const why = "is not what was sealed there, whichever 4 of its shards it is read from";
    assert.deepEqual(lost, [`pack ${id}: the chunk at 0 ${why}`]);
    assert.deepEqual([mended, packsOn()], [0, before]);
  });

  it("hide no record and no key, be they found by who opens the vault or by a scrub", async () => {
    for (const kind of objectKinds.filter((each) => each !== "pack")) {
      const world = await backedUp(wide);
      const open = () => openVault(world, wide, opening);
      for (const [first, second] of [
        [0, 1],
        [0, 5],
        [4, 5],
      ] as const) {
        const before = await open();
        for (const id of before.catalog.ids(kind)) {
          await makeUp(before, id, [first, second], () => 1, kind);
        }
        if (first === 0 && second === 5) assert.deepEqual((await scrub(before)).lost, []);
        const vault = await open();
        assert.deepEqual([...vault.unreadable, ...vault.keys.unreadable], []);
        assert.deepEqual(await treeOf(vault, vault.snapshots.at(-1) ?? assert.fail()), newer);
        const { lost } = await verify(vault);
        assert.deepEqual(lost, []);
      }
      assert.match((await verify(await open())).sentence, /every shard is there and right/);
    }
  });

  it("are no loss while targets that could tell are silent", async () => {
    const world = await backedUp(wide);
    const open = () => openVault(world, wide, opening);
    const vault = await open();
    const [id = assert.fail()] = vault.packs.keys();
    await makeUp(vault, id, [0]);
    const places = vault.catalog.find("pack", id)?.places ?? [];
    const silent = places.filter(({ shard }) => shard > 3).map(({ target }) => target.name);
    const targets = world.targets.map((target) => {
      const read: Target["read"] = async (name, ...rest) => {
        if (!isOfPack(name) || !silent.includes(target.name)) return target.read(name, ...rest);
        throw new TargetError("timeout", "no answer");
      };
      return passedOn(target, { read });
    });
    const now = Object.assign(Object.create(world) as TestWorld, { targets });
    const { lost, away } = await verify(await openVault(now, wide, opening));
    assert.deepEqual([lost, away > 0], [[], true]);
    const later = await open();
    assert.deepEqual(later.damages, []);
    assert.equal((await verify(later)).mended, 1);
  });

  it("are said, and nothing is written over them, where nobody has the key to tell", async () => {
    const world = await backedUp(wide);
    const open = () => openVault(world, wide, opening);
    const vault = await open();
    const [id = assert.fail()] = vault.packs.keys();
    await makeUp(vault, id, [1]);
    Object.assign(vault.keys, { find: () => undefined });
    const { degraded, mended, lost } = await scrub(vault);
    assert.deepEqual([degraded, mended, lost], [1, 0, []]);
    assert.equal((await scrub(await open())).mended, 1);
  });

  it("are looked for in a bounded number of ways, which is said", async () => {
    const many = { ...settings, geometry: { ...wide.geometry, dataShards: 10, parityShards: 5 } };
    const vault = await openVault(await backedUp(many), many, opening);
    const [id = assert.fail()] = vault.packs.keys();
    await makeUp(vault, id, [0, 1, 2, 3, 4, 5], (own) => own + 1);
    const { lost } = await verify(vault);
    const why = "is not what was sealed there; what it was is not found in 1000 ways to read it";
    assert.deepEqual(lost, [`pack ${id}: the chunk at 0 ${why}`]);
  });
});

interface Lie {
  readonly what: string;
  /** How the vault is laid over its targets. */
  readonly as: VaultSettings;
  readonly geometry: Geometry;
  /** Bytes that are said to be there, beyond those that are. */
  readonly longer?: number;
  /** Whether only shards are made up that the liars hold, and not whole objects beside them. */
  readonly isInPlace?: boolean;
  /** How many of its shards each liar says that it has, where it is not all. */
  readonly few?: number;
  /** Whether all that is right is there too, and most targets say so. */
  readonly isBeside?: boolean;
}

/**
 * Has the first of the targets, as many as there are parity shards, lie about every object. The
 * world in which they are heard first.
 */
async function lieAbout(world: TestWorld, lie: Lie): Promise<Pick<TestWorld, keyof TestWorld>> {
  const { as, geometry, longer = 0, few } = lie;
  const { catalog, store, header } = await openVault(world, as, opening);
  const liars = world.targets.slice(0, as.geometry.parityShards);
  const coder = new ObjectCoder(world.crypto, geometry);
  for (const kind of objectKinds) {
    for (const id of catalog.ids(kind)) {
      const whole = (await store.read(kind, id)).all();
      const forged = new Uint8Array(whole.length + longer);
      forged.set(whole.map((byte) => byte ^ 1));
      const made = await coder.encode({ kind, id, vault: header.vault }, forged, sharedBytes);
      const names = made.map((_, shard) => ({ kind, id, ...geometry, shard, attempt: 1 }));
      const { places } = catalog.find(kind, id) ?? assert.fail();
      for (const target of liars) {
        const held = places.filter((each) => each.target === target);
        if (lie.isBeside !== true)
          await Promise.all(held.map((at) => target.remove(shardName(at))));
        for (const name of lie.isInPlace === true ? held : names.slice(0, few)) {
          await target.put(shardName(name), made[name.shard] ?? []);
        }
      }
    }
  }
  const late = (target: Target): Target => {
    const list: Target["list"] = async (...page) => {
      await setImmediate();
      return target.list(...page);
    };
    return passedOn(target, { list });
  };
  const targets = world.targets.map((each) => (liars.includes(each) ? each : late(each)));
  return { ...world, targets };
}

describe("targets that lie about every object, as many as there is parity", () => {
  const rsVand = (dataShards: number, parityShards: number): Geometry => {
    return { codec: "rs-vand", dataShards, parityShards };
  };
  const laid = (geometry: Geometry): VaultSettings => ({ ...settings, geometry });
  const half = laid(rsVand(2, 2));
  const most = laid(rsVand(1, 2));
  const codec = "rs-xor";
  const lies: readonly Lie[] = [
    { what: "beside it, as 2 + 1", as: wide, geometry: rsVand(2, 1), isBeside: true },
    { what: "beside it, as 9 + 3", as: wide, geometry: rsVand(9, 3), isBeside: true },
    { what: "of all its shards", as: wide, geometry: wide.geometry },
    { what: "of its length", as: wide, geometry: wide.geometry, longer: 700, isInPlace: true },
    { what: "of its codec", as: wide, geometry: { ...wide.geometry, codec }, isInPlace: true },
    { what: "and are half", as: half, geometry: rsVand(1, 1) },
    { what: "and have few shards", as: half, geometry: rsVand(9, 3), few: 1 },
    {
      what: "of its length, half",
      as: half,
      geometry: half.geometry,
      longer: 700,
      isInPlace: true,
    },
    { what: "and are most", as: most, geometry: rsVand(2, 1) },
    { what: "of all its shards, most", as: most, geometry: most.geometry },
  ];

  for (const lie of lies) {
    it(`are not believed: ${lie.what}`, async () => {
      const honest = await backedUp(lie.as);
      const open = () => openVault(world, lie.as, opening);
      const before = shardsOf(honest);
      const world = await lieAbout(honest, lie);
      const vault = await open();
      assert.deepEqual([...vault.unreadable, ...vault.keys.unreadable], []);
      // What is beside the right one, and said by fewer, misleads nobody before it is found.
      const { sentence, lost } = await (lie.isBeside === true ? scrub : verify)(await open());
      assert.deepEqual(lost, [], sentence);
      const reader = lie.isBeside === true ? vault : await open();
      assert.deepEqual(await treeOf(reader, reader.snapshots.at(-1) ?? assert.fail()), newer);
      assert.deepEqual(shardsOf(world), before);
      assert.match((await verify(await open())).sentence, /every shard is there and right/);
    });
  }

  it("have nothing moved over what is right", async () => {
    for (const lie of lies.slice(0, 3)) {
      const world = await lieAbout(await backedUp(wide), lie);
      await rebalance(world, wide, master);
      assert.deepEqual((await verify(await openVault(world, wide, opening))).lost, []);
    }
  });

  it("are said, and nothing is taken away for them, where nobody has the key to tell", async () => {
    const lie = { what: "", as: most, geometry: rsVand(2, 1), few: 2 };
    const world = await lieAbout(await backedUp(most), lie);
    const packs = () => shardsOf(world).filter(isOfPack);
    const before = packs();
    const vault = await openVault(world, most, opening);
    Object.assign(vault.keys, { find: () => undefined });
    await scrub(vault);
    assert.deepEqual(packs(), before);
    assert.deepEqual((await verify(await openVault(world, most, opening))).lost, []);
  });

  it("mislead nobody for long where nothing can be taken away", async () => {
    const lie = { what: "", as: wide, geometry: wide.geometry, isBeside: true };
    const world = await lieAbout(await backedUp(wide), lie);
    const targets = world.targets.map(withoutRemoval);
    const vault = await openVault({ ...world, targets }, wide, opening);
    assert.deepEqual((await verify(vault)).lost, []);
    assert.deepEqual(await treeOf(vault, vault.snapshots.at(-1) ?? assert.fail()), newer);
    assert.ok(world.recorded.every(({ sentence }) => !sentence.includes("rid of")));
  });
});

/** Which shards of which objects lie anywhere. */
function shardsOf(world: Pick<TestWorld, "disks">): readonly string[] {
  const shards = world.disks.flatMap(shardFiles).map((name) => name.replace(/\.\d+$/, ""));
  return [...new Set(shards)].sort();
}

describe("a target that is full", () => {
  it("keeps nothing of what it could not take", async () => {
    const disk = (await newDisks(1))[0] ?? assert.fail();
    const about = { name: "disk", domain: "room", path: targetPath };
    const target = createFolderTarget(disk, about);
    disk.capacityBytes = 1_000;
    const pieces = [new Uint8Array(600), new Uint8Array(600)];
    await assert.rejects(target.put("pack/0f", pieces), { kind: "full" });
    assert.deepEqual(allFiles(disk), []);
    await target.put("pack/0f", pieces.slice(1));
    await target.close();
  });
});

describe("a target that answers too much", () => {
  it("may list names that lead elsewhere, and send more than a shard", async () => {
    const world = await backedUp();
    const [first, ...others] = world.targets;
    const hostile: Target = {
      ...withoutRemoval(first ?? assert.fail()),
      list: async (kind, after) => [
        ...(await (first ?? assert.fail()).list(kind, after)),
        `${kind}/../../etc/passwd`,
        `${kind}/${"0".repeat(32)}.255.255.0.0`,
        `${kind}/${"f".repeat(32)}.1.1.0.9999999999`,
      ],
      read: async (name, offset, length) => {
        const bytes = await (first ?? assert.fail()).read(name, offset, length);
        return Buffer.concat([bytes, new Uint8Array(100_000)]);
      },
    };
    const now = { ...world, targets: [hostile, ...others] };
    const vault = await openVault(now, settings, opening);
    assert.deepEqual(await treeOf(vault, vault.snapshots.at(-1) ?? assert.fail()), newer);
  });
});

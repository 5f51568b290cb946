// What a restore does in which order, and what it reads for it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Content, writeEntry, writeSegments } from "../../core/vault/tree.ts";
import { ByteWriter, byteStringOf } from "../../core/vault/wire.ts";
import { shardBytesOf } from "../../core/vault/shard.ts";
import type { Target } from "../../ports/target.ts";
import type { PlaceWriter, TreePath } from "../../ports/tree-place.ts";
import { restore } from "./restore.ts";
import { runBackup } from "./run-backup.ts";
import {
  flip,
  master,
  memoryFile,
  newDisks,
  noise,
  settings,
  shardFiles,
  testFacts,
  TestPlace,
  TestSource,
  type TestTree,
  TestWorld,
} from "./vault.fixture.ts";
import { openVault, type Vault } from "./vault.ts";
import { VaultReader } from "./vault-reader.ts";

const opening = { master, create: false, withIndex: true };
const options = { master, service: "shop", subjectOf: () => undefined };
const chunks = { minBytes: 4_096, averageBytes: 65_536, maxBytes: 262_144 };
const largeBytes = 1_200_000;

/** The names of packs' shards that are read from now on. */
function noteReads(world: TestWorld): string[] {
  const reads: string[] = [];
  const noting = (target: Target): Target =>
    Object.assign(Object.create(target) as Target, {
      list: (...words: Parameters<Target["list"]>) => target.list(...words),
      put: (...words: Parameters<Target["put"]>) => target.put(...words),
      remove: (name: string) => target.remove(name),
      read: (...words: Parameters<Target["read"]>) => {
        if (words[0].startsWith("pack/")) reads.push(words[0]);
        return target.read(...words);
      },
    });
  Object.assign(world, { targets: world.targets.map(noting) });
  return reads;
}

/** How many shards, of all that come into memory from now on, were there at a time at most. */
function countHeld({ store }: Vault): { readonly most: number } {
  const counts = { now: 0, most: 0 };
  const { memory } = store;
  const { take } = memory;
  const give = memory.give.bind(memory);
  Object.assign(memory, {
    take: (length: number) => {
      counts.most = Math.max(counts.most, ++counts.now);
      return take(length);
    },
    give: (bytes: Uint8Array) => {
      counts.now--;
      give(bytes);
    },
  });
  return counts;
}

/** Notes what is finished when; each write of a large file takes long. */
class NotedPlace extends TestPlace {
  readonly finished: string[] = [];

  async finishFolder(path: TreePath): Promise<void> {
    this.finished.push(path.join("/"));
  }

  async openFile(path: TreePath, sizeBytes: number): Promise<PlaceWriter> {
    const file = memoryFile(sizeBytes, () => void this.finished.push(path.join("/")));
    return {
      ...file,
      write: async (chunk, offset) => {
        for (let turn = 0; turn < 200 * Math.sign(offset); turn++) await Promise.resolve();
        return file.write(chunk, offset);
      },
    };
  }

  async makeFolder(): Promise<void> {}
  async linkSame(): Promise<void> {}
  async makeLink(): Promise<void> {}
}

describe("a restore", () => {
  it("goes on to what is small, and finishes a folder after all that is in it", async () => {
    const tree: TestTree = {
      a: { large: noise(1, largeBytes), inner: { small: "x", empty: "" } },
      b: { large: noise(2, largeBytes), other: noise(3, largeBytes) },
      c: Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`small-${at}`, `${at}`])),
      none: {},
    };
    const world = new TestWorld(await newDisks(3), 1);
    const large = { ...settings, chunks, packBytes: 1_048_576 };
    const { snapshot } = await runBackup(world, large, new TestSource("data", tree), options);
    const vault = await openVault(world, large, opening);
    const place = new NotedPlace();
    const outcome = await restore(vault, snapshot, place, { path: [] });
    assert.deepEqual([outcome.files, outcome.folders, outcome.lostCount], [75, 5, 0]);
    const { finished } = place;
    assert.equal(finished.length, 80);
    for (const [at, path] of finished.entries()) {
      const later = finished.slice(at + 1).find((other) => other.startsWith(`${path}/`));
      assert.equal(later, undefined, `${path} was finished before ${later}`);
    }
    // Nobody small waits for who is large.
    assert.ok(finished.indexOf("c/small-0") < finished.indexOf("b/other"));
  });

  it("ends with the first thing that its place refuses, whoever came to it", async () => {
    const small = Array.from({ length: 1_000 }, (_, at) => [`small-${1_000 + at}`, `${at}`]);
    const tree: TestTree = { "a-large": noise(1, largeBytes), b: Object.fromEntries(small) };
    const world = new TestWorld(await newDisks(3), 1);
    const wide = { ...settings, chunks, packBytes: 1_048_576 };
    const { snapshot } = await runBackup(world, wide, new TestSource("data", tree), options);
    const place = new NotedPlace();
    let refuse = () => {};
    const refused = new Promise<void>((resolve) => {
      refuse = resolve;
    });
    place.openFile = async (path, sizeBytes) => ({
      ...memoryFile(sizeBytes, () => assert.fail(`${path.join("/")} is finished`)),
      write: () => Promise.reject(new Error("the file is too large")),
      abandon: async () => refuse(),
    });
    let batches = 0;
    place.putFiles = async (_, files) => {
      batches++;
      await refused;
      return files.map(() => "made");
    };
    const vault = await openVault(world, wide, opening);
    await assert.rejects(restore(vault, snapshot, place, { path: [] }), /file is too large/);
    // Of 32 those that were under way, and the one that the walk had in its hands.
    assert.ok(batches <= 9, `${batches} batches`);
  });

  it("names files whose chunks are not of the length that their folder says", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const contentOfFile = async (bytes: string): Promise<Content> => {
      const source = new TestSource("data", { file: bytes });
      const { snapshot } = await runBackup(world, settings, source, options);
      const vault = await openVault(world, settings, opening);
      for await (const { content } of new VaultReader(vault).entries(snapshot.root)) return content;
      assert.fail();
    };
    const { segments } = await contentOfFile(noise(1, 60));
    const list = new ByteWriter();
    writeSegments(list, segments);
    const lists = await contentOfFile(byteStringOf(list.done()));
    const [chunk = assert.fail()] = segments;
    const contents: Readonly<Record<string, Content>> = {
      "1-right": { bytes: 60, depth: 0, segments },
      "2-short": { bytes: 59, depth: 0, segments: [{ ...chunk, length: 59 }] },
      "3-listed": { ...lists, bytes: 60, depth: 1 },
      "4-endless": { ...lists, bytes: 2_000_000, depth: 1 },
    };
    const entries = Object.entries(contents).map(([name, content]) => {
      const own = { name, facts: testFacts, pointsTo: "", fingerprint: "", sameFile: "" };
      return byteStringOf(writeEntry({ kind: "file", ...own, content }));
    });
    // A folder is kept as a file is, so one of these bytes may stand for it.
    const root = await contentOfFile(entries.join(""));
    const vault = await openVault(world, settings, opening);
    const [snapshot = assert.fail()] = vault.snapshots;
    const place = new NotedPlace();
    const { lost } = await restore(vault, { ...snapshot, root }, place, { path: [] });
    assert.deepEqual(place.finished.sort(), ["1-right", "3-listed"]);
    const [short = "", endless = "", ...others] = [...lost].sort();
    assert.match(short, /^2-short: The chunk .* is not what its table says/);
    assert.match(endless, /^4-endless: Its chunks hold 60 bytes, .* says 2000000/);
    assert.deepEqual(others, []);
  });

  it("holds a bound of packs at a time, however many its small files lie in", async () => {
    const copies = { codec: "rs-vand", dataShards: 1, parityShards: 2 } as const;
    const short = { ...settings, geometry: copies, packBytes: 512 };
    const world = new TestWorld(await newDisks(3), 1);
    // Each round puts a file beside each of those before: neighbours lie in different packs.
    const source = new TestSource("data", {});
    for (let round = 0; round < 8; round++) {
      const names = Array.from({ length: 36 }, (_, at) => `file-${10 + at}-${round}`);
      const added = names.map((name, at) => [name, noise(100 * round + at, 60)]);
      source.tree = { ...source.tree, ...Object.fromEntries(added) };
      await runBackup(world, short, source, options);
    }
    const reads = noteReads(world);
    for (const isRotten of [false, true]) {
      const vault = await openVault(world, short, opening);
      const snapshot = vault.snapshots.at(-1) ?? assert.fail();
      if (isRotten) {
        const [disk = assert.fail()] = world.disks;
        for (const name of shardFiles(disk)) if (name.startsWith("pack/")) flip(disk, name, 300);
      }
      const held = countHeld(vault);
      reads.length = 0;
      const options = { path: [], partBytesMax: 4 * 131_072 };
      const outcome = await restore(vault, snapshot, new NotedPlace(), options);
      assert.deepEqual([outcome.files, outcome.lostCount], [288, 0]);
      // Who mends has all shards of an object beside what it reads, until it has mended.
      const most = isRotten ? 4 * (2 + 3) : 4;
      assert.ok(held.most > 1 && held.most <= most, `${held.most} shards`);
      // Each of nine batches lies in some twenty packs, and comes to none of them twice.
      assert.ok(isRotten || reads.length < 250, `${reads.length} reads`);
    }
  });

  it("reads no pack for what an earlier one has finished, and misses none of them", async () => {
    const world = new TestWorld(await newDisks(3), 1);
    const tree = { a: noise(1, 60), b: noise(2, 60), none: "" };
    const { snapshot } = await runBackup(world, settings, new TestSource("data", tree), options);
    const reads = noteReads(world);
    const vault = await openVault(world, settings, opening);
    const packs = new Set<string>();
    for await (const { content } of new VaultReader(vault).entries(snapshot.root)) {
      for (const segment of content.segments) {
        const place = segment.kind === "chunk" ? vault.index.find(segment.name) : undefined;
        packs.add(place?.pack.id ?? assert.fail());
      }
    }
    const place = new NotedPlace();
    place.findFinished = async (_, files) => files.map(() => true);
    for (const isLost of [false, true]) {
      if (isLost) for (const id of packs) vault.index.lose(id);
      reads.length = 0;
      const outcome = await restore(vault, snapshot, place, { path: [] });
      assert.deepEqual([outcome.passedOver, outcome.files, outcome.lost], [3, 0, []]);
      assert.ok(reads.length > 0);
      assert.ok(!reads.some((name) => packs.has(name.slice(5, 37))));
    }
  });
});

/** The names of a file's chunks, and what is read of packs from now on. */
async function chunksIn(
  world: TestWorld,
  fileBytes = 40_000,
): Promise<{
  readonly vault: Vault;
  readonly names: readonly Uint8Array[];
  readonly reads: string[];
}> {
  const source = new TestSource("data", { file: noise(1, fileBytes) });
  const wide = { ...settings, packBytes: 65_536 };
  const { snapshot } = await runBackup(world, wide, source, options);
  const reads = noteReads(world);
  const vault = await openVault(world, wide, opening);
  const reader = new VaultReader(vault);
  const names: Uint8Array[] = [];
  for await (const entry of reader.entries(snapshot.root)) {
    for await (const segment of reader.segments(entry.content)) {
      if (segment.kind === "chunk") names.push(segment.name);
    }
  }
  reads.length = 0;
  return { vault, names, reads };
}

/** Of each pack of two shards: a chunk in the first, one in the second, and one across both. */
function perPack(vault: Vault, names: readonly Uint8Array[]) {
  const packs = new Map<string, { first?: Uint8Array; second?: Uint8Array; across?: Uint8Array }>();
  for (const name of names) {
    const { pack, chunk } = vault.index.find(name) ?? assert.fail();
    const half = shardBytesOf(pack.packBytes, 2);
    const isInFirst = chunk.offset + chunk.sealedBytes <= half;
    const where = isInFirst ? "first" : chunk.offset < half ? "across" : "second";
    packs.set(pack.id, { ...packs.get(pack.id), [where]: name });
  }
  const all = [...packs.values()];
  return all.map(({ first, second, across }) => ({
    first: first ?? assert.fail(),
    second: second ?? assert.fail(),
    across: across ?? assert.fail(),
  }));
}

describe("parts of packs", () => {
  it("are let go of where what is in them cannot be used", async () => {
    const world = new TestWorld(await newDisks(4), 1);
    const { vault, names } = await chunksIn(world, 100_000);
    const [one = assert.fail(), two = assert.fail()] = perPack(vault, names);
    const reader = new VaultReader(vault, 1);
    const { mac } = world.crypto;
    Object.assign(world.crypto, { mac: () => assert.fail("no key for it") });
    await assert.rejects(reader.sealed(one.across), /no key for it/);
    Object.assign(world.crypto, { mac });
    // Only who is alone has room for both of its shards beside two others.
    const held = await reader.sealedNow(two.across);
    assert.ok(held !== undefined);
    held.release();
  });

  it("of a pack that is shorter than its table says are refused", async () => {
    const { vault, names } = await chunksIn(new TestWorld(await newDisks(4), 1));
    const [{ across } = assert.fail()] = perPack(vault, names);
    const { pack } = vault.index.find(across) ?? assert.fail();
    const whole = (await vault.store.read("pack", pack.id)).all();
    await vault.store.put("pack", pack.id, Uint8Array.from(whole.subarray(0, 30_000)));
    const why = { code: "NINES_VAULT_DAMAGED", message: /has 30000 bytes in 2 shards, and its/ };
    await assert.rejects(new VaultReader(vault).chunk(across), why);
  });

  it("keep their memory while they are read, whoever has given them up", async () => {
    const world = new TestWorld(await newDisks(4), 1);
    const { vault, names } = await chunksIn(world, 160_000);
    const [one = assert.fail(), ...others] = perPack(vault, names);
    const reader = new VaultReader(vault, 1);
    const { bulk } = world.crypto;
    const slow: { readonly shard: Uint8Array; readonly before: Buffer; sum: () => void }[] = [];
    let sums = 0;
    const sum: typeof bulk.sum = async (shard) => {
      if (++sums === 1) throw new Error("a thread has ended");
      if (sums > 2) return bulk.sum(shard);
      await new Promise<void>((resolve) => {
        slow.push({ shard, before: Buffer.from(shard), sum: resolve });
      });
      return bulk.sum(shard);
    };
    Object.assign(world.crypto, { bulk: Object.assign(Object.create(bulk), { sum }) });
    await assert.rejects(reader.chunk(one.across), /a thread has ended/);
    for (const { across } of others) await reader.chunk(across);
    const [late = assert.fail()] = slow;
    assert.deepEqual(Buffer.from(late.shard), late.before);
    late.sum();
  });

  it("that are only kept do not make way where that makes no room", async () => {
    const { vault, names, reads } = await chunksIn(new TestWorld(await newDisks(4), 1), 160_000);
    const [one = assert.fail(), two = assert.fail(), other = assert.fail()] = perPack(vault, names);
    const reader = new VaultReader(vault, 1);
    const held = [await reader.sealed(one.first), await reader.sealed(one.second)];
    await reader.chunk(two.first);
    reads.length = 0;
    assert.equal(await reader.sealedNow(other.across), undefined);
    held.push((await reader.sealedNow(two.first)) ?? assert.fail());
    assert.deepEqual(reads, []);
    for (const { release } of held) release();
  });
});

describe("a chunk", () => {
  it("takes the one shard that it lies in, once for all that lie there", async () => {
    const { vault, names, reads } = await chunksIn(new TestWorld(await newDisks(4), 1));
    const reader = new VaultReader(vault);
    await reader.chunk(names[0] ?? assert.fail());
    assert.equal(reads.length, 1);
    for (const name of names) await reader.chunk(name);
    assert.equal(reads.length, 2);
  });

  it("is made from the others where its shard is rotten, which is mended, or away", async () => {
    const world = new TestWorld(await newDisks(4), 1);
    const { vault, names, reads } = await chunksIn(world);
    const [name = assert.fail()] = names;
    const plain = await new VaultReader(vault).chunk(name);
    const [read = assert.fail()] = reads;
    const disk = world.disks.find((each) => shardFiles(each).includes(read)) ?? assert.fail();
    flip(disk, read, 300);
    const mending = new VaultReader(vault);
    assert.deepEqual(await mending.chunk(name), plain);
    assert.equal(vault.store.mendedShards, 1);
    assert.ok(world.recorded.some(({ kind }) => kind === "vault.mended"));
    for (const shard of vault.catalog.find("pack", read.slice(5, 37))?.places ?? []) {
      if (shard.shard === 0) vault.catalog.remove(shard);
    }
    reads.length = 0;
    const degraded = new VaultReader(vault);
    for (const each of names) await degraded.chunk(each);
    assert.deepEqual(await degraded.chunk(name), plain);
    vault.index.lose(vault.index.find(name)?.pack.id ?? assert.fail());
    assert.match(degraded.wrong(name).message, /of a lost pack is not what/);
  });
});

// Scrub, verify, prune, rebalance, key rotation and erasure, each with what could go wrong beside
// it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError, type ErrorCode } from "../../core/base/errors.ts";
import { readWrappedKey } from "../../core/vault/keys.ts";
import { parseShardName } from "../../core/vault/names.ts";
import { writeCondemnation } from "../../core/vault/records.ts";
import { type Target, TargetError } from "../../ports/target.ts";
import { erase } from "./erase.ts";
import { createFolderTarget } from "./folder-target.ts";
import { lookAtSources, redundancyOf } from "./look.ts";
import { HeldLease } from "./leases.ts";
import { passedOn } from "./passed-on.ts";
import { prune } from "./prune.ts";
import { rebalance } from "./rebalance.ts";
import { adoptTarget } from "./roll.ts";
import { rotateKey } from "./rotate-key.ts";
import { type BackupOptions, runBackup } from "./run-backup.ts";
import { scrub, verify } from "./scrub.ts";
import {
  filesOf,
  flip,
  master,
  newDisks,
  noise,
  settings,
  shardFiles,
  TestSource,
  type TestTree,
  TestWorld,
  treeOf,
} from "./vault.fixture.ts";
import { openVault, type Vault } from "./vault.ts";
import { answerMs, leaseMs } from "./world.ts";

const options: BackupOptions = { master, service: "shop", subjectOf: () => undefined };
const opening = { master, create: false, withIndex: true };
const tree: TestTree = {
  "a.txt": "hello",
  folder: { large: noise(1, 12_000), more: noise(2, 900) },
};
const keepOne = { last: 1, hourly: 0, daily: 0, weekly: 0 };

function refuses(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof NinesError && error.code === code;
}

async function backedUp(count = 3): Promise<{ world: TestWorld; source: TestSource }> {
  const world = new TestWorld(await newDisks(count), 1);
  const source = new TestSource("data", tree);
  await runBackup(world, settings, source, options);
  return { world, source };
}

async function open(world: TestWorld): Promise<Vault> {
  return openVault(world, settings, opening);
}

/** Its clock goes on by as much as is waited for. */
function passing({ clock }: TestWorld): TestWorld["clock"] {
  clock.after = (delayMs?: number, run?: () => void) => {
    clock.nowMs += delayMs ?? 0;
    queueMicrotask(run ?? (() => undefined));
    return { [Symbol.dispose]: () => {} };
  };
  return clock;
}

async function lastTree(world: TestWorld): Promise<TestTree> {
  const vault = await open(world);
  return treeOf(vault, vault.snapshots.at(-1) ?? assert.fail("no snapshot"));
}

describe("a lease", () => {
  it("leaves nothing behind, whoever renews it meanwhile", async () => {
    const { world } = await backedUp();
    const lease = new HeldLease(world, "backup");
    await lease.take();
    world.clock.nowMs += leaseMs / 8 + 1;
    const kept = [lease.keep()];
    world.clock.nowMs += 1;
    kept.push(lease.keep());
    await lease.release();
    await Promise.all(kept);
    world.clock.nowMs += leaseMs / 8 + 1;
    await assert.rejects(lease.keep(), refuses("NINES_VAULT_BUSY"));
    assert.deepEqual(
      world.disks.flatMap((disk) => filesOf(disk, "lease")),
      [],
    );
  });
});

describe("a lease beside a target that hangs", () => {
  it("is kept by who has waited for it once, whenever that was", async () => {
    const { world } = await backedUp();
    const [first = assert.fail(), ...others] = world.targets;
    const put: Target["put"] = async (name, pieces) => {
      if (hangs) world.clock.nowMs += answerMs;
      hangs = false;
      return first.put(name, pieces);
    };
    let hangs = true;
    const targets = [passedOn(first, { put }), ...others];
    const now = Object.assign(Object.create(world) as TestWorld, { targets });
    const lease = new HeldLease(now, "backup");
    await lease.take();
    // Opening a vault keeps no lease, and may meet one that hangs as well.
    world.clock.nowMs += answerMs;
    await lease.keep();
    // As old as it may be without being renewed; then a call waits, and another takes its time.
    world.clock.nowMs += leaseMs / 8;
    await lease.keep();
    world.clock.nowMs += answerMs + 30_000;
    await lease.keep();
    await lease.release();
  });
});

describe("scrub", () => {
  it("makes a lost target's shards anew, and says how many", async () => {
    const { world } = await backedUp();
    const [empty] = await newDisks(1);
    const now = new TestWorld(world.disks.with(1, empty ?? assert.fail()), 2, world);
    await adoptTarget(now, (await open(now)).header.vault, "disk-b");
    const outcome = await scrub(await open(now));
    assert.ok(outcome.mended > 0);
    assert.match(outcome.sentence, /shards were made anew\.$/);
    const again = await scrub(await open(new TestWorld(now.disks, 3, now)));
    assert.equal(again.mended, 0);
    assert.match(again.sentence, /every shard is there and right\.$/);
  });

  it("finds a turned bit in every shard of one target, and mends each by a new shard", async () => {
    const { world } = await backedUp();
    const [, disk] = world.disks;
    const files = shardFiles(disk ?? assert.fail());
    for (const file of files) flip(disk ?? assert.fail(), file, 130);
    const outcome = await verify(await open(world));
    assert.equal(outcome.lost.length, 0);
    assert.equal(outcome.missingCount, 0);
    assert.ok(world.recorded.some(({ kind }) => kind === "vault.mended"));
    assert.deepEqual(await lastTree(world), tree);
    const left = shardFiles(disk ?? assert.fail());
    assert.ok(
      files.every((file) => !left.includes(file)),
      "no shard was changed in its place",
    );
  });

  it("ends soon when it is asked to, however low its rate, and goes on where it was", async () => {
    const { world } = await backedUp();
    const clock = passing(world);
    const untilMs = clock.nowMs + 10_000;
    const stop = () => clock.nowMs >= untilMs;
    const vault = await open(world);
    const { cursor, objects } = await scrub(vault, { bytesPerSecond: 1, stop });
    assert.ok(clock.nowMs <= untilMs + 1_000, `${clock.nowMs - untilMs} ms later`);
    assert.equal(objects, 1);
    const all = await scrub(vault);
    const rest = await scrub(vault, { after: cursor ?? assert.fail("it was cut short") });
    assert.equal(rest.objects, all.objects - 1);
  });

  it("takes nothing rotten away that it has no room to make anew", async () => {
    const { world } = await backedUp();
    const [, disk = assert.fail()] = world.disks;
    const before = shardFiles(disk);
    for (const file of before) flip(disk, file, 130);
    disk.capacityBytes = 1;
    assert.equal((await verify(await open(world))).mended, 0);
    assert.deepEqual(shardFiles(disk), before);
  });

  it("keeps to its rate in what it reads twice or in vain", async () => {
    for (const rotten of [0, 1, 2]) {
      const { world } = await backedUp();
      const clock = passing(world);
      for (const disk of world.disks.slice(0, rotten)) {
        for (const file of shardFiles(disk)) if (file.startsWith("pack/")) flip(disk, file, 140);
      }
      let bytes = 0;
      const counted = world.targets.map((target) =>
        passedOn(target, {
          read: async (name, ...rest) => {
            const read = await target.read(name, ...rest);
            if (parseShardName(name) !== undefined) bytes += read.length;
            return read;
          },
        }),
      );
      const vault = await open(
        Object.assign(Object.create(world) as TestWorld, { targets: counted }),
      );
      const before = { bytes, nowMs: clock.nowMs };
      const bytesPerSecond = 1_000;
      const { lost } = await scrub(vault, { bytesPerSecond });
      assert.equal(lost.length > 0, rotten === 2);
      const seconds = (clock.nowMs - before.nowMs) / 1_000;
      const most = seconds * bytesPerSecond;
      assert.ok(bytes - before.bytes <= most + 1, `${bytes - before.bytes} B of ${most} B`);
    }
  });

  it("with more lost than there is parity for, names what is lost and restores the rest", async () => {
    const { world, source } = await backedUp();
    source.tree = { ...tree, other: noise(9, 3_000) };
    const { snapshot } = await runBackup(world, settings, source, options);
    const vault = await open(world);
    const before = vault.snapshots.find(({ id }) => id !== snapshot.id);
    const needed = [...vault.packs.values()].at(-1) ?? assert.fail("a pack");
    for (const disk of world.disks.slice(0, 2)) {
      for (const file of shardFiles(disk)) if (file.includes(needed.id)) flip(disk, file, 140);
    }
    const outcome = await verify(await open(world));
    assert.equal(outcome.lost.length, 1);
    assert.match(outcome.lost[0] ?? "", new RegExp(`pack ${needed.id}: .*rotten`));
    assert.ok(outcome.missing.every((each) => each.snapshot.id === snapshot.id));
    const places = outcome.missing.map(({ path }) => path);
    assert.equal(new Set(places).size, outcome.missingCount, `each once: ${places.join(", ")}`);
    assert.deepEqual(await treeOf(await open(world), before ?? assert.fail()), tree);
  });
});

describe("prune", () => {
  it("destroys what no kept snapshot needs, but only after the grace", async () => {
    const { world, source } = await backedUp();
    source.tree = { only: noise(5, 6_000) };
    await runBackup(world, settings, source, options);
    const first = await prune(world, settings, { master, keep: keepOne, forget: [] });
    assert.equal(first.condemnedSnapshots.length, 1);
    assert.ok(first.condemnedPacks > 0);
    assert.equal(first.destroyedPacks, 0);
    world.clock.nowMs += settings.graceMs - 1;
    const early = await prune(world, settings, { master, keep: keepOne, forget: [] });
    assert.equal(early.destroyedPacks, 0);
    world.clock.nowMs += 1;
    const second = await prune(world, settings, { master, keep: keepOne, forget: [] });
    assert.equal(second.destroyedSnapshots, 1);
    assert.equal(second.destroyedPacks, first.condemnedPacks);
    assert.deepEqual(await lastTree(world), source.tree);
    assert.equal((await verify(await open(world))).missingCount, 0);
  });

  it("condemns nothing once a target has gone in the middle of it", async () => {
    const { world, source } = await backedUp();
    source.tree = { only: noise(5, 6_000) };
    await runBackup(world, settings, source, options);
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    world.clock.nowMs += settings.graceMs;
    const [first = assert.fail(), ...others] = world.targets;
    let isGone = false;
    const going = passedOn(first, {
      remove: (name) => {
        isGone = true;
        return first.remove(name);
      },
      list: async (kind, after) => {
        if (isGone) throw new TargetError("unreachable", "it is gone");
        return first.list(kind, after);
      },
    });
    const now = { ...world, targets: [going, ...others] };
    const pruning = prune(now, settings, { master, keep: keepOne, forget: [] });
    await assert.rejects(pruning, refuses("NINES_VAULT_TARGETS"));
    assert.deepEqual(await lastTree(world), source.tree);
  });

  it("keeps a condemned pack that a backup, at work since before, needs after all", async () => {
    const { world, source } = await backedUp();
    source.tree = {};
    await runBackup(world, settings, source, options);
    const running = new HeldLease(world, "backup");
    await running.take();
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    world.clock.nowMs += settings.graceMs;
    await renewed(world, running);
    const waiting = await prune(world, settings, { master, keep: keepOne, forget: [] });
    assert.equal(waiting.deferred, 1);
    assert.equal(waiting.destroyedPacks, 0);
    await running.release();
    const ended = await prune(world, settings, { master, keep: keepOne, forget: [] });
    assert.ok(ended.destroyedPacks > 0);
  });

  it("puts condemned chunks anew for a backup that begins after", async () => {
    const { world, source } = await backedUp();
    source.tree = {};
    await runBackup(world, settings, source, options);
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    source.tree = tree;
    const { snapshot } = await runBackup(world, settings, source, options);
    assert.ok(snapshot.counts.addedBytes > 12_000);
    world.clock.nowMs += settings.graceMs;
    const { destroyedPacks } = await prune(world, settings, { master, keep: keepOne, forget: [] });
    assert.ok(destroyedPacks > 0);
    assert.deepEqual(await lastTree(world), tree);
  });

  it("lets go what is to be forgotten and nothing else, and never the newest", async () => {
    const { world, source } = await backedUp();
    for (const seed of [5, 6]) {
      source.tree = { only: noise(seed, 600) };
      await runBackup(world, settings, source, options);
    }
    const [first, , newest] = (await open(world)).snapshots.map(({ id }) => id);
    const forgetting = { master, keep: keepOne, forget: [first ?? assert.fail()] };
    const rehearsal = await prune(world, settings, { ...forgetting, isRehearsal: true });
    assert.match(
      rehearsal.sentence,
      /^Prune: 1 snapshot and \d+ packs? would be condemned, 0 snapshots /,
    );
    assert.equal((await open(world)).condemnations.length, 0, "it has only said so");
    const { condemnedSnapshots } = await prune(world, settings, forgetting);
    assert.deepEqual(
      condemnedSnapshots.map(({ id }) => id),
      [first],
    );
    const wrong = prune(world, settings, { ...forgetting, forget: [newest ?? assert.fail()] });
    await assert.rejects(wrong, refuses("NINES_SNAPSHOT_KEPT"));
  });

  it("is refused beside another one", async () => {
    const { world } = await backedUp();
    await new HeldLease(world, "upkeep").take();
    const pruning = prune(world, settings, { master, keep: keepOne, forget: [] });
    await assert.rejects(pruning, refuses("NINES_VAULT_BUSY"));
  });

  it("empties packs that are mostly unneeded", async () => {
    const { world, source } = await backedUp();
    const parts = Array.from(
      { length: 40 },
      (_, at) => [`f${at}`, noise(100 + at, 1_000)] as const,
    );
    source.tree = Object.fromEntries(parts);
    await runBackup(world, settings, source, options);
    source.tree = Object.fromEntries(parts.filter((_, at) => at % 5 === 0));
    await runBackup(world, settings, source, options);
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    world.clock.nowMs += settings.graceMs;
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    const vault = await open(world);
    const bytes = [...vault.packs.values()].reduce((sum, { packBytes }) => sum + packBytes, 0);
    assert.ok(bytes < 16_000, `${bytes} bytes for 8,000`);
    assert.deepEqual(await lastTree(world), source.tree);
  });
});

/** As a run does that is still at work. */
async function renewed(world: TestWorld, lease: HeldLease): Promise<void> {
  const now = world.clock.nowMs;
  world.clock.nowMs = now - settings.graceMs;
  for (; world.clock.nowMs < now; world.clock.nowMs += 100_000) await lease.keep();
  world.clock.nowMs = now;
  await lease.keep();
}

describe("rebalance", () => {
  it("takes no shard away before it has seen that the one that stays is right", async () => {
    for (const away of [0, 1, 2, 3]) {
      const { world } = await backedUp(4);
      const { disks } = world;
      const [stand = assert.fail()] = await newDisks(1);
      // While a target is away its shards are made anew on others; on its own disk they rot.
      const without = new TestWorld(disks.with(away, stand), 2, world);
      await scrub(await open(without));
      const gone = disks[away] ?? assert.fail();
      for (const file of shardFiles(gone)) {
        if (file.startsWith("pack/")) flip(gone, file, 200);
      }
      const back = new TestWorld(disks, 3, world);
      await rebalance(back, settings, master);
      for (const lost of disks.keys()) {
        const [empty = assert.fail()] = await newDisks(1);
        const later = new TestWorld(disks.with(lost, empty), 4, world);
        assert.deepEqual(await lastTree(later), tree, `${away} rotted, then ${lost} was lost`);
      }
    }
  });

  it("moves what a retiring target has, and leaves it empty", async () => {
    const { world } = await backedUp(3);
    const four = new TestWorld([...world.disks, ...(await newDisks(1))], 2, world);
    const now = { ...settings, retiring: ["disk-a"] };
    const { moved } = await rebalance(four, now, master);
    assert.ok(moved > 0);
    const [left] = four.disks;
    assert.deepEqual(shardFiles(left ?? assert.fail()), []);
    const without = new TestWorld(four.disks.slice(1), 3, four);
    assert.deepEqual(await lastTree(without), tree);
    assert.equal((await scrub(await open(without))).mended, 0);
  });

  it("moves what it has looked at, whatever the disk gives whoever reads again", async () => {
    const { world } = await backedUp(3);
    const disks = [...world.disks, ...(await newDisks(1))];
    const read = new Set<string>();
    const four = new TestWorld(disks, 2, world, (disk, place) => {
      const target = createFolderTarget(disk, place);
      return passedOn(target, {
        read: async (name, ...rest) => {
          const bytes = await target.read(name, ...rest);
          if (read.has(name)) bytes.fill(0xff, -1);
          if (name.startsWith("pack/")) read.add(name);
          return bytes;
        },
      });
    });
    await rebalance(four, { ...settings, retiring: ["disk-a"] }, master);
    assert.ok(read.size > 0);
    const { sentence } = await verify(await open(new TestWorld(disks, 3, world)));
    assert.match(sentence, /every shard is there and right\.$/);
  });
});

describe("a change of the master key", () => {
  const to = new Uint8Array(32).fill(9);

  it("leaves one key that opens the vault, and it is the new one", async () => {
    const { world } = await backedUp();
    await rotateKey(world, settings, { from: master, to });
    await assert.rejects(open(world), refuses("NINES_VAULT_KEY"));
    const vault = await openVault(world, settings, { ...opening, master: to });
    assert.deepEqual(await treeOf(vault, vault.snapshots[0] ?? assert.fail()), tree);
    assert.equal(vault.keys.others.length, 0);
  });

  it("is refused while a backup runs", async () => {
    const { world } = await backedUp();
    await new HeldLease(world, "backup").take();
    const rotating = rotateKey(world, settings, { from: master, to });
    await assert.rejects(rotating, refuses("NINES_VAULT_BUSY"));
  });
});

describe("erasing a subject", () => {
  const subjectOf = (path: readonly string[]) =>
    path.length === 2 && path[0] === "people" ? path[1] : undefined;
  const people = { ann: { "mail.txt": "private" }, bob: { "mail.txt": "not private" } };

  async function withPeople(): Promise<{ world: TestWorld; source: TestSource }> {
    const world = new TestWorld(await newDisks(3), 1);
    const source = new TestSource("data", { people });
    await runBackup(world, settings, source, { ...options, subjectOf });
    return { world, source };
  }

  it("leaves nothing of it in any snapshot, and all the rest", async () => {
    const { world } = await withPeople();
    const before = world.disks.map((disk) => disk.afterKill());
    const record = await erase(world, settings, { master, service: "shop", subject: "ann" });
    assert.deepEqual(record.pending, []);
    const vault = await open(world);
    assert.equal((await verify(vault)).missingCount, 0);
    const left = await treeOf(vault, vault.snapshots[0] ?? assert.fail());
    assert.deepEqual(left, { people: { bob: people.bob } });
    assert.equal(vault.keys.domains.length, 3, "the vault, the service, and bob");
    // All targets go back to what they were: this machine has not forgotten.
    const back = new TestWorld(before, 5, world);
    assert.equal((await open(back)).keys.domains.length, 3);
  });

  it("wins over one target that brings the key back, and destroys it there", async () => {
    const { world } = await withPeople();
    const old = world.disks.map((disk) => disk.afterKill());
    await erase(world, settings, { master, service: "shop", subject: "ann" });
    const returned = [old[0], old[1], world.disks[2]].map((disk) => disk ?? assert.fail());
    const elsewhere = new TestWorld(returned, 6);
    assert.equal((await open(elsewhere)).keys.tombstones.length, 0, "one shard of it is too few");
    const two = new TestWorld([old[0] ?? assert.fail(), ...world.disks.slice(1)], 7);
    assert.equal((await open(two)).keys.domains.length, 3);
  });

  it("is pending while a target is away, and destroys what is there when it comes back", async () => {
    const { world } = await withPeople();
    const [away = assert.fail(), ...others] = world.disks;
    const without = new TestWorld(world.disks, 6, world, missing(0));
    const record = await erase(without, settings, { master, service: "shop", subject: "ann" });
    assert.deepEqual(record.pending, ["disk-a"]);
    const told = redundancyOf(await open(without)).erasures ?? [];
    assert.deepEqual(
      told.map(({ pending }) => pending),
      [["disk-a"]],
    );
    const keysThere = filesOf(away, "key").length;
    // One shard of its key is too few to say whose it is; the tombstone does.
    const back = new TestWorld([away, ...others], 7);
    const vault = await open(back);
    assert.equal(filesOf(away, "key").length, keysThere - 1);
    assert.equal(vault.keys.domains.length, 3, "the vault, the service, and bob");
    const { unreadable, erasures } = redundancyOf(vault);
    assert.deepEqual([unreadable, erasures], [0, []]);
    assert.deepEqual((await scrub(vault)).lost, []);
    assert.equal(filesOf(away, "tombstone").length, 1, "the tombstone has come to it as well");
    assert.deepEqual(redundancyOf(await open(new TestWorld(back.disks, 8))).erasures, []);
  });

  it("erases what two machines, that did not see each other, know of it", async () => {
    const { world, source } = await withPeople();
    const other = new TestWorld(world.disks, 3);
    const vault = await open(other);
    await vault.keys.erase("shop/ann", 1);
    const ids = vault.keys.tombstones.map(({ id }) => id);
    for (const id of ids) await vault.store.remove("tombstone", id);
    // As if there had been two keys: one for each of two runs that began at once.
    const one = await open(new TestWorld(world.disks, 4));
    const two = await open(new TestWorld(world.disks, 5));
    await one.keys.provide("subject", "shop/ann");
    await two.keys.provide("subject", "shop/ann");
    const record = await erase(other, settings, { master, service: "shop", subject: "ann" });
    assert.equal(record.keyDomains.length, 2);
    const { left } = await runBackup(other, settings, source, { ...options, subjectOf });
    assert.equal(left.length, 1);
    assert.equal((await open(other)).keys.domains.length, 3);
  });

  it("takes nothing from a file that has a name in another subject's folder as well", async () => {
    class LinkedSource extends TestSource {
      override async list(path: readonly string[]) {
        const listed = await super.list(path);
        const linked = listed?.entries.map((entry) =>
          entry.kind === "file" ? { ...entry, sameFile: "1:7" } : entry,
        );
        return listed && { ...listed, entries: linked ?? [] };
      }
    }
    const world = new TestWorld(await newDisks(3), 1);
    const both = { ann: { photo: "of both" }, bob: { photo: "of both", print: "of both" } };
    const source = new LinkedSource("data", { people: both });
    await runBackup(world, settings, source, { ...options, subjectOf });
    assert.deepEqual(source.reads, ["people/ann/photo", "people/bob/photo"]);
    await erase(world, settings, { master, service: "shop", subject: "ann" });
    assert.deepEqual(await lastTree(world), { people: { bob: both.bob } });
  });

  it("reaches a key that nobody could read when the subject was erased, once it is back", async () => {
    const { world, source } = await withPeople();
    const there = await open(world);
    const [first = assert.fail()] = there.keys.domains.filter(({ name }) => name === "shop/ann");
    // Too few shards of it are left while a target is away: a backup makes a second one.
    for (const id of there.catalog.ids("key")) {
      const { domainId } = readWrappedKey((await there.store.read("key", id)).all());
      const place = there.catalog
        .find("key", id)
        ?.places.find(({ target }) => target.name === "disk-c");
      if (domainId === first.id) await there.store.removeShard(place ?? assert.fail());
    }
    const without = new TestWorld(world.disks, 2, world, missing(0));
    await runBackup(without, settings, source, { ...options, subjectOf });
    await erase(without, settings, { master, service: "shop", subject: "ann" });
    for (const machine of [without, new TestWorld(world.disks, 4)]) {
      const back = new TestWorld(world.disks, 3, machine);
      const vault = await open(back);
      assert.equal(vault.keys.domains.length, 3, "the vault, the service, and bob");
      for (const snapshot of vault.snapshots) {
        assert.deepEqual(await treeOf(vault, snapshot), { people: { bob: people.bob } });
      }
      assert.equal(vault.keys.tombstones.length, 2);
      if (machine === without) assert.ok(back.mark.read()?.erased.includes(first.id));
    }
  });

  it("gives an erased subject no key again, and cannot be done twice", async () => {
    const { world, source } = await withPeople();
    await erase(world, settings, { master, service: "shop", subject: "ann" });
    const { left } = await runBackup(world, settings, source, { ...options, subjectOf });
    assert.deepEqual(left, ["people/ann: the subject was erased and gets no key again"]);
    const twice = erase(world, settings, { master, service: "shop", subject: "ann" });
    await assert.rejects(twice, refuses("NINES_VAULT_ERASED"));
    assert.deepEqual(await lastTree(world), { people: { bob: people.bob } });
  });
});

/** Targets whose folders are not there. */
function missing(...numbers: readonly number[]): typeof createFolderTarget {
  let made = 0;
  return (disk, about) => {
    const isMissing = numbers.includes(made++);
    return createFolderTarget(disk, isMissing ? { ...about, path: "/not-mounted" } : about);
  };
}

describe("a pack with more damage than there is parity for", () => {
  it("is built upon by nobody: the next run brings its chunks again, and a prune lets it go", async () => {
    const { world, source } = await backedUp();
    const before = await open(world);
    const [pack] = before.catalog.ids("pack");
    for (const disk of world.disks.slice(0, 2)) {
      for (const file of shardFiles(disk)) if (file.includes(pack ?? "?")) flip(disk, file, 140);
    }
    assert.equal((await verify(before)).lost.length, 1);
    const seen = await open(world);
    assert.equal(redundancyOf(seen).unreadable, 1, "though enough shards are listed");
    const { snapshot } = await runBackup(world, settings, source, options);
    assert.ok(snapshot.counts.addedBytes > 0);
    assert.deepEqual(await lastTree(world), tree);
    assert.equal((await verify(await open(world))).missingCount, 0, "the first one is whole again");
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    world.clock.nowMs += settings.graceMs;
    await prune(world, settings, { master, keep: keepOne, forget: [] });
    const after = await verify(await open(world));
    assert.deepEqual([after.lost, after.missingCount], [[], 0]);
    assert.equal(after.sentence.includes("every shard is there and right"), true);
    assert.deepEqual(
      world.disks.flatMap((disk) => shardFiles(disk).filter((file) => file.includes(pack ?? "?"))),
      [],
    );
  });

  it("holds nothing that is restorable, though it be condemned and needed after all", async () => {
    const { world } = await backedUp();
    const before = await open(world);
    const packs = before.catalog.ids("pack");
    const atMs = world.clock.nowMs;
    await before.putRecord("condemned", writeCondemnation({ atMs, snapshots: [], packs }));
    for (const disk of world.disks.slice(0, 2)) {
      for (const file of shardFiles(disk))
        if (packs.some((id) => file.includes(id))) flip(disk, file, 140);
    }
    for (const round of ["found", "known"]) {
      assert.ok((await verify(await open(world))).missingCount > 0, round);
    }
    const after = await open(world);
    assert.ok(packs.every((id) => after.isDamaged(id)));
    const [source] = await lookAtSources(after, ["data"]);
    assert.equal(source?.restorable, undefined);
  });

  it("is used again once a target has brought good shards back", async () => {
    const { world } = await backedUp();
    const old = world.disks.map((disk) => disk.afterKill());
    const [pack] = (await open(world)).catalog.ids("pack");
    for (const disk of world.disks.slice(0, 2)) {
      for (const file of shardFiles(disk)) if (file.includes(pack ?? "?")) flip(disk, file, 140);
    }
    assert.ok((await verify(await open(world))).missingCount > 0);
    const disks = [old[0] ?? assert.fail(), ...world.disks.slice(1)];
    const back = new TestWorld(disks, 5, world);
    assert.deepEqual((await verify(await open(back))).lost, []);
    const { missingCount, lost } = await verify(await open(back));
    assert.deepEqual([missingCount, lost, redundancyOf(await open(back)).unreadable], [0, [], 0]);
  });
});

describe("opening", () => {
  it("refuses the wrong key, and targets that together are older than before", async () => {
    const { world, source } = await backedUp();
    const old = world.disks.map((disk) => disk.afterKill());
    await runBackup(world, settings, source, options);
    await assert.rejects(
      openVault(world, settings, { ...opening, master: new Uint8Array(32) }),
      refuses("NINES_VAULT_KEY"),
    );
    await assert.rejects(open(new TestWorld(old, 5, world)), refuses("NINES_VAULT_ROLLED_BACK"));
    const mixed = [old[0], old[1], world.disks[2]].map((disk) => disk ?? assert.fail());
    await assert.rejects(open(new TestWorld(mixed, 5, world)), refuses("NINES_VAULT_ROLLED_BACK"));
    const one = [old[0] ?? assert.fail(), ...world.disks.slice(1)];
    assert.deepEqual(await lastTree(new TestWorld(one, 5, world)), tree);
  });

  it("finds what lies where when targets are swapped", async () => {
    const { world } = await backedUp();
    assert.deepEqual(await lastTree(new TestWorld([...world.disks].reverse(), 4, world)), tree);
  });

  it("makes no second vault where the first cannot be seen", async () => {
    const { world } = await backedUp();
    const fresh = new TestWorld(await newDisks(3), 4, world);
    const running = runBackup(fresh, settings, new TestSource("data", tree), options);
    await assert.rejects(running, refuses("NINES_VAULT_ROLLED_BACK"));
  });
});

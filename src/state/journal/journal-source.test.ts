// A copy of a journal that is written meanwhile opens, and holds all that was acknowledged before.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { createPrng, type Random } from "../../core/base/prng.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Disk, DiskFile, DiskFolder } from "../../ports/disk.ts";
import type { TreeSource } from "../../ports/tree-source.ts";
import { createJournalSource } from "./journal-source.ts";
import {
  appendNumbers,
  bytesOf,
  numbers,
  openRig,
  place,
  rejectsWith,
  settle,
  textsOf,
} from "./journal.fixture.ts";
import type { Journal } from "./journal.ts";

const facts = { mode: 0o600, userId: 0, groupId: 0, modifiedNs: 0n, attributes: [] };

function driverOf(disk: Disk) {
  return createJournalSource({ name: "ledger", path: place, disk, facts });
}

/** Copies the tree to a disk of its own, as a restore would. */
async function copyOf(
  tree: TreeSource,
  between: () => Promise<void> = async () => {},
): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  const folder = await disk.openFolder(place, { create: true });
  for (const { name, sizeBytes } of (await tree.list([]))?.entries ?? []) {
    const reader = (await tree.read([name])) ?? vanished();
    const file = await folder.create(name);
    const buffer = new Uint8Array(700);
    let offset = 0;
    for (;;) {
      const piece = await reader.next(buffer);
      if (piece.kind === "end") break;
      const bytes = piece.kind === "hole" ? new Uint8Array(piece.length) : buffer;
      await file.write(bytes.subarray(0, piece.length), offset);
      offset += piece.length;
      await between();
    }
    assert.equal(offset, sizeBytes);
    await file.flush();
    await file.close();
    await reader.close();
  }
  await folder.flush();
  await folder.close();
  await tree.confirm();
  await tree.close();
  return disk;
}

function vanished(): never {
  throw new NinesError("NINES_BACKUP_CHANGED", "A file has vanished.");
}

/** The copy, as often as it takes. */
async function copyAtLast(disk: Disk): Promise<SimulatedDisk> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await copyOf(await driverOf(disk).begin());
    } catch (error) {
      const isChanged = error instanceof NinesError && error.code === "NINES_BACKUP_CHANGED";
      if (!isChanged || attempt === 50) throw error;
    }
  }
}

/** The same disk, whose reads take their time, so that others get in between. */
function slow(disk: Disk, random: Random): Disk {
  const pause = async () => {
    for (let turns = random.below(4); turns > 0; turns--) await settle();
  };
  const slowFile = (file: DiskFile): DiskFile => ({
    sizeBytes: () => file.sizeBytes(),
    read: async (into, offset) => {
      await pause();
      return file.read(into, offset);
    },
    write: (bytes, offset) => file.write(bytes, offset),
    flush: () => file.flush(),
    truncate: (bytes) => file.truncate(bytes),
    close: () => file.close(),
  });
  const slowFolder = (folder: DiskFolder): DiskFolder => ({
    path: folder.path,
    list: () => folder.list(),
    create: (name) => folder.create(name),
    open: async (name, access) => slowFile(await folder.open(name, access)),
    rename: (from, to) => folder.rename(from, to),
    remove: (name) => folder.remove(name),
    flush: () => folder.flush(),
    lock: () => folder.lock(),
    close: () => folder.close(),
  });
  return {
    openFolder: async (path, options) => slowFolder(await disk.openFolder(path, options)),
    allocate: (sizeBytes) => disk.allocate(sizeBytes),
    soon: (run) => disk.soon(run),
  };
}

/** Appends, and compacts now and then, until it is told to end. */
async function write(journal: Journal, random: Random, until: () => boolean): Promise<void> {
  while (!until()) {
    await appendNumbers(journal, 1 + random.below(8));
    if (random.below(80) === 0) {
      const through = journal.durableThrough;
      await journal.checkpoint({ through, chunks: [bytesOf(`through ${through}`)] });
    }
    await settle();
  }
}

describe("a journal as a source", () => {
  it("gives a copy that opens and has every record, with the rest of the log as a hole", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 100);
    const copy = await openRig({}, await copyOf(await driverOf(disk).begin()));
    assert.deepEqual(await textsOf(copy.journal), numbers(1, 100));
    await appendNumbers(copy.journal, 1);
    const empty = await openRig();
    const again = await openRig({}, await copyOf(await driverOf(empty.disk).begin()));
    assert.equal(again.journal.lastSequence, 0);
  });

  it("leaves out what is written behind the end that it found", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 5);
    const tree = await driverOf(disk).begin();
    const image = await copyOf(tree, () => appendNumbers(journal, 1));
    assert.deepEqual(await textsOf((await openRig({}, image)).journal), numbers(1, 5));
  });

  it("does so while it is written and compacted: all that was acknowledged before is there", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = createPrng(seed);
      const { journal, disk } = await openRig();
      await appendNumbers(journal, random.below(200));
      const before = journal.durableThrough;
      let isOver = false;
      const writing = write(journal, random, () => isOver);
      const image = await copyAtLast(slow(disk, random)).finally(() => {
        isOver = true;
      });
      await writing;
      const copy = await openRig({}, image);
      const { firstSequence, lastSequence } = copy.journal;
      assert.ok(lastSequence >= before, `seed ${seed}: ${lastSequence} of ${before}`);
      assert.deepEqual(await textsOf(copy.journal), numbers(firstSequence, lastSequence));
      const snapshot = await copy.journal.latestSnapshot();
      assert.ok((snapshot?.through ?? 0) + 1 >= firstSequence, `seed ${seed}: no gap`);
    }
  });

  it("is no whole when it was compacted after the look", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 200);
    await journal.snapshot({ through: 150, chunks: [] });
    const tree = await driverOf(disk).begin();
    await journal.checkpoint({ through: 200, chunks: [] });
    await rejectsWith(tree.confirm(), "NINES_BACKUP_CHANGED");
  });

  it("takes no listing for the truth that was made in the middle of a compaction", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 200);
    await journal.snapshot({ through: 140, chunks: [] });
    await journal.checkpoint({ through: 150, chunks: [bytesOf("150")] });
    let looks = 0;
    const early: Disk = {
      openFolder: async (path, options) => {
        const folder = await disk.openFolder(path, options);
        const all = () => folder.list();
        // The new snapshot's name came after its place in the listing, the old log's end before.
        const list = async () => {
          const names = await all();
          return looks++ > 0 ? names : names.filter((name) => !name.endsWith(".snapshot"));
        };
        return Object.assign(Object.create(folder) as DiskFolder, {
          list,
          open: (name: string, access: "read") => folder.open(name, access),
          close: () => folder.close(),
        });
      },
      allocate: (sizeBytes) => disk.allocate(sizeBytes),
      soon: (run) => disk.soon(run),
    };
    const copy = await openRig({}, await copyOf(await driverOf(early).begin()));
    assert.equal((await copy.journal.latestSnapshot())?.through, 150);
  });

  it("gives nothing of a journal that is damaged, and says where", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 100);
    disk.content(place, "0000000000000001.log").flipBit(2_000, 3);
    const error = await rejectsWith(driverOf(disk).begin(), "NINES_JOURNAL_ROT");
    assert.match(error.message, /^0000000000000001\.log at byte \d+: .*no snapshot is made of it/);
    const nothing = new SimulatedDisk();
    await rejectsWith(driverOf(nothing).begin(), "NINES_JOURNAL_NOT_FOUND");
  });

  it("has the same fingerprint for a segment that is full, and another for one that grows", async () => {
    const { journal, disk } = await openRig();
    const prints = async () => {
      const tree = await driverOf(disk).begin();
      const entries = (await tree.list([]))?.entries ?? [];
      return new Map(entries.map(({ name, fingerprint }) => [name, fingerprint]));
    };
    await appendNumbers(journal, 40);
    const before = await prints();
    await appendNumbers(journal, 1);
    const after = await prints();
    const [first = "", last = ""] = [[...before.keys()][0], [...before.keys()].at(-1)];
    assert.notEqual(first, last);
    assert.equal(after.get(first), before.get(first));
    assert.notEqual(after.get(last), before.get(last));
  });
});

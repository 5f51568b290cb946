// Snapshots: whole or not there, and the log goes only when it is covered.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { segmentFileName, snapshotFileName } from "./format.ts";
import {
  appendNumbers,
  bytesOf,
  numbers,
  openReused,
  openRig,
  place,
  rejectsWith,
  settle,
  textOf,
  textsOf,
} from "./journal.fixture.ts";
import type { Journal, Snapshot } from "./journal.ts";

async function contentOf(snapshot: Snapshot | undefined): Promise<string> {
  let text = "";
  assert.ok(snapshot !== undefined, "there is a snapshot");
  for await (const chunk of snapshot.read()) text += textOf(chunk);
  return text;
}

async function latest(journal: Journal, through?: number): Promise<readonly [number, string]> {
  const snapshot = await journal.latestSnapshot(through);
  return [snapshot?.through ?? 0, snapshot === undefined ? "" : await contentOf(snapshot)];
}

describe("a snapshot", () => {
  it("comes back as it was given, however it was cut", async () => {
    const { journal } = await openRig();
    await appendNumbers(journal, 3);
    const large = new Uint8Array(700_001).fill(97);
    const chunks = [bytesOf("begin"), new Uint8Array(0), large, bytesOf("end")];
    const info = await journal.snapshot({ through: 3, chunks });
    assert.equal(info.contentBytes, 700_009);
    assert.equal(await contentOf(await journal.latestSnapshot()), `begin${"a".repeat(700_001)}end`);
  });

  it("may be empty", async () => {
    const { journal } = await openRig();
    await journal.snapshot({ through: 0, chunks: [] });
    assert.deepEqual(await latest(journal), [0, ""]);
  });

  it("stops no writer: appends go on between its chunks", async () => {
    const { journal } = await openRig();
    await appendNumbers(journal, 1);
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 5; count++) {
        await appendNumbers(journal, 1);
        yield bytesOf(String(count));
      }
    }
    await journal.snapshot({ through: 1, chunks: chunks() });
    assert.equal(journal.durableThrough, 6);
    assert.deepEqual(await latest(journal), [1, "01234"]);
  });

  it("is not named before all that it may hold is durable", async () => {
    const rig = await openRig();
    const { journal } = rig;
    await journal.append(bytesOf("1"), { durability: "buffered" });
    await journal.snapshot({ through: 1, chunks: [bytesOf("one")] });
    assert.equal(journal.durableThrough, 1);
    const again = await openRig(
      {},
      rig.disk.afterPowerLoss(() => 0, { stale: false }),
    );
    assert.deepEqual(await textsOf(again.journal), ["1"]);
    assert.deepEqual(await latest(again.journal), [1, "one"]);
  });

  it("whose source fails, or that finds no room, leaves all as it was", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 2);
    await journal.snapshot({ through: 1, chunks: [bytesOf("old")] });
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytesOf("new");
      throw new Error("cannot read the state");
    }
    const error = await rejectsWith(
      journal.snapshot({ through: 2, chunks: broken() }),
      "NINES_JOURNAL_SNAPSHOT",
    );
    assert.match(error.message, /cannot read the state/);
    await settle();
    disk.capacityBytes = 3 * 8_192;
    const large = [new Uint8Array(1_000_000)];
    await rejectsWith(journal.snapshot({ through: 2, chunks: large }), "NINES_JOURNAL_SNAPSHOT");
    assert.deepEqual(await latest(journal), [1, "old"]);
    assert.deepEqual(
      disk.names(place).filter((name) => name.endsWith(".tmp")),
      [],
    );
    await appendNumbers(journal, 1);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    await journal.snapshot({ through: 3, chunks: [bytesOf("new")] });
    assert.deepEqual(await latest(journal), [3, "new"]);
  });

  it("is given up when the journal is closed, though its source hangs", async () => {
    const { journal, disk } = await openRig();
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield bytesOf("some");
      await new Promise(() => {});
    }
    const snapshot = journal.snapshot({ through: 0, chunks: hanging() });
    const outcome = rejectsWith(snapshot, "NINES_JOURNAL_CLOSED");
    await settle();
    await rejectsWith(journal.compact(), "NINES_JOURNAL_BUSY");
    await journal.close();
    await outcome;
    assert.deepEqual(disk.names(place), [segmentFileName(1), segmentFileName(2)]);
  });

  it("fails the journal if the disk fails under it", async () => {
    const { journal, disk } = await openRig();
    await settle();
    disk.failure = { afterCalls: 1, forever: false, kind: "io" };
    await rejectsWith(journal.snapshot({ through: 0, chunks: [] }), "NINES_JOURNAL_FAILED");
    await rejectsWith(journal.append(bytesOf("x")), "NINES_JOURNAL_FAILED");
  });

  it("of a point in time is the newest one before it", async () => {
    const { journal } = await openRig();
    await appendNumbers(journal, 9);
    for (const through of [3, 6, 9]) {
      await journal.snapshot({ through, chunks: [bytesOf(`state ${through}`)] });
    }
    assert.deepEqual(await latest(journal), [9, "state 9"]);
    assert.deepEqual(await latest(journal, 8), [6, "state 6"]);
    assert.deepEqual(await latest(journal, 2), [0, ""]);
  });

  it("that has rotted anywhere is passed over for an older one, and said to be", async () => {
    const { journal, disk } = await openRig();
    await appendNumbers(journal, 5);
    await journal.snapshot({ through: 2, chunks: [bytesOf("older")] });
    await journal.snapshot({ through: 5, chunks: [bytesOf("newer")] });
    const name = snapshotFileName(5);
    const size = disk.content(place, name).sizeBytes;
    for (let offset = 0; offset < size; offset++) {
      disk.content(place, name).flipBit(offset, offset & 7);
      const found = await journal.latestSnapshot();
      assert.equal(await contentOf(found), "older", `byte ${offset}`);
      assert.deepEqual(
        found?.passedOver.map((damage) => damage.fileName),
        [name],
      );
      disk.content(place, name).flipBit(offset, offset & 7);
    }
    assert.deepEqual(await latest(journal), [5, "newer"]);
  });
});

describe("compaction", () => {
  it("keeps the newest two snapshots, and the log from the older of them on", async () => {
    const { journal, disk } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 50);
    for (const through of [10, 20, 30]) {
      await journal.snapshot({ through, chunks: [bytesOf(String(through))] });
    }
    const report = await journal.compact();
    assert.equal(report.removedSnapshots, 1);
    assert.ok(report.firstSequence <= 21 && report.firstSequence > 14);
    assert.equal(report.firstSequence, journal.firstSequence);
    assert.deepEqual(await textsOf(journal), numbers(journal.firstSequence, 50));
    const again = await openRig(
      {},
      disk.afterPowerLoss(() => 0, { stale: true }),
    );
    assert.deepEqual(await textsOf(again.journal), numbers(report.firstSequence, 50));
    assert.deepEqual(await latest(again.journal), [30, "30"]);
    assert.deepEqual(await latest(again.journal, 29), [20, "20"]);
  });

  it("removes nothing before two snapshots are whole", async () => {
    const { journal, disk } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 30);
    await journal.checkpoint({ through: 20, chunks: [] });
    assert.equal(journal.firstSequence, 1);
    await journal.close();
    disk.content(place, snapshotFileName(20)).flipBit(20, 1);
    const again = await openRig({ segmentBytes: 4_096 }, disk);
    await again.journal.checkpoint({ through: 30, chunks: [] });
    assert.equal(again.journal.firstSequence, 1);
    assert.deepEqual(await textsOf(again.journal), numbers(1, 30));
  });

  it("never removes the last group, which knows what comes next", async () => {
    const { journal, disk } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 14);
    await journal.snapshot({ through: 13, chunks: [] });
    await journal.checkpoint({ through: 14, chunks: [] });
    const again = await openRig({}, disk.afterKill());
    assert.equal(await again.journal.append(bytesOf("next")), 15);
  });

  it("stops where the disk fails, with a log that opens", async () => {
    const { journal, disk } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 50);
    await journal.snapshot({ through: 40, chunks: [] });
    await journal.snapshot({ through: 50, chunks: [] });
    await settle();
    disk.failure = { afterCalls: 3, forever: true, kind: "io" };
    await rejectsWith(journal.compact(), "NINES_JOURNAL_FAILED");
    disk.failure = undefined;
    const again = await openRig(
      {},
      disk.afterPowerLoss((ways) => ways - 1, { stale: false }),
    );
    assert.equal(again.journal.lastSequence, 50);
    assert.ok(again.journal.firstSequence > 1);
  });
});

describe("segments that compaction frees", () => {
  const segmentBytes = 4_096;
  const spares = (names: readonly string[]) => names.filter((name) => name.endsWith(".tmp"));

  /** Appends about two segments, and a checkpoint, so many times. */
  async function liveOn(journal: Journal, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      await appendNumbers(journal, 14);
      await journal.checkpoint({ through: journal.durableThrough, chunks: [] });
      await settle();
    }
  }

  it("are the next ones: no more zeros are written", async () => {
    const { journal, disk } = await openRig({ segmentBytes });
    await liveOn(journal, 4);
    let [made, reused] = [0, 0];
    disk.onStep = (step, what) => {
      if (step === "before" && /^create .*\.log/.test(what)) made++;
      if (step === "before" && /^write .*\.log\.tmp/.test(what)) reused++;
    };
    await liveOn(journal, 10);
    disk.onStep = undefined;
    assert.deepEqual([made, reused], [0, 20]);
    assert.deepEqual(await textsOf(journal), numbers(journal.firstSequence, 14 * 14));
    const again = await openRig(
      { segmentBytes },
      disk.afterPowerLoss(() => 0, { stale: true }),
    );
    assert.deepEqual(await textsOf(again.journal), numbers(journal.firstSequence, 14 * 14));
  });

  it("hold their new name before a record is acknowledged in them", async () => {
    const { disk, journal } = await openReused({ segmentBytes });
    const { lastSequence } = journal;
    const again = await openRig(
      { segmentBytes },
      disk.afterPowerLoss(() => 0, { stale: false }),
    );
    assert.equal(again.journal.lastSequence, lastSequence);
  });

  it("are kept as many as the log has, the others removed", async () => {
    const { journal, disk } = await openRig({ segmentBytes });
    await appendNumbers(journal, 200);
    await journal.snapshot({ through: 180, chunks: [] });
    await journal.checkpoint({ through: 200, chunks: [] });
    const names = disk.names(place).filter((name) => name.includes(".log"));
    // Those in use, the next one, and as many spares as there are in use.
    const left = 1 + Math.floor((200 - journal.firstSequence) / 7);
    assert.equal(spares(names).length, left);
    assert.equal(names.length, 2 * left + 1);
  });

  it("of another size than new ones have are removed", async () => {
    const first = await openRig({ segmentBytes: 8_192 });
    await appendNumbers(first.journal, 60);
    await first.journal.close();
    const { journal, disk } = await openRig({ segmentBytes }, first.disk);
    await journal.snapshot({ through: 40, chunks: [] });
    await journal.checkpoint({ through: 60, chunks: [] });
    assert.ok(journal.firstSequence > 1);
    assert.deepEqual(spares(disk.names(place)), []);
  });

  it("and are not used again are removed by a close, and by the start after a crash", async () => {
    const { journal, disk } = await openRig({ segmentBytes });
    await appendNumbers(journal, 50);
    await journal.snapshot({ through: 40, chunks: [] });
    await journal.checkpoint({ through: 50, chunks: [] });
    assert.ok(spares(disk.names(place)).length > 0);
    const image = disk.afterKill();
    await journal.close();
    assert.deepEqual(spares(disk.names(place)), []);
    await openRig({ segmentBytes }, image);
    assert.deepEqual(spares(image.names(place)), []);
  });
});

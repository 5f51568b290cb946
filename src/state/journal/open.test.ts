// Opening what a crash, a stranger or a newer version left behind.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { HandClock } from "../../../test/journal/hand-clock.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { segmentFileName, snapshotFileName, viewOf } from "./format.ts";
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
import { openJournal } from "./open.ts";

async function folderWith(name: string, bytes: Uint8Array): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await disk.openFolder(place, { create: true });
  disk.place(place, name, bytes);
  return disk;
}

function fileOf(disk: SimulatedDisk, name: string): Uint8Array {
  const content = disk.content(place, name);
  const bytes = new Uint8Array(content.sizeBytes);
  content.read(bytes, 0);
  return bytes;
}

describe("opening", () => {
  it("makes a journal where there is none, unless it is told not to", async () => {
    const disk = new SimulatedDisk();
    await rejectsWith(openRig({ create: false }, disk), "NINES_JOURNAL_NOT_FOUND");
    const { journal } = await openRig({}, disk);
    assert.equal(journal.recovery.created, true);
    assert.deepEqual(
      [journal.firstSequence, journal.lastSequence, journal.durableThrough],
      [1, 0, 0],
    );
    await journal.close();
    assert.equal((await openRig({ create: false }, disk)).journal.recovery.created, false);
  });

  it("refuses a second writer, in words, and lets it in when the first is gone", async () => {
    const disk = new SimulatedDisk();
    const first = await openRig({}, disk);
    await rejectsWith(openRig({}, disk), "NINES_JOURNAL_LOCKED");
    await first.journal.append(bytesOf("mine"));
    await first.journal.close();
    assert.deepEqual(await textsOf((await openRig({}, disk)).journal), ["mine"]);
  });

  it("refuses a folder with a file that is not a journal's, and changes nothing", async () => {
    const disk = await folderWith("holiday.jpg", bytesOf("picture"));
    const error = await rejectsWith(openRig({}, disk), "NINES_JOURNAL_FOREIGN");
    assert.match(error.message, /holiday\.jpg/);
    assert.deepEqual(disk.names(place), ["holiday.jpg"]);
  });

  it("refuses what a newer version has written, and tells rot from the future", async () => {
    const { disk, journal } = await openRig();
    await journal.close();
    const newer = fileOf(disk, segmentFileName(1));
    const view = viewOf(newer);
    view.setUint32(8, 3, true);
    await rejectsWith(
      openRig({}, await folderWith(segmentFileName(1), newer)),
      "NINES_JOURNAL_ROT",
    );
    view.setUint32(508, crc32c(0, view, 0, 508), true);
    const error = await rejectsWith(
      openRig({}, await folderWith(segmentFileName(1), newer)),
      "NINES_JOURNAL_NEWER",
    );
    assert.match(error.message, /beyond version 2/);
  });

  it("refuses what an earlier version has written, and changes nothing", async () => {
    const { disk, journal } = await openRig();
    await journal.close();
    const older = fileOf(disk, segmentFileName(1));
    const view = viewOf(older);
    view.setUint32(8, 1, true);
    view.setUint32(508, crc32c(0, view, 0, 508), true);
    const left = await folderWith(segmentFileName(1), older);
    const error = await rejectsWith(openRig({}, left), "NINES_JOURNAL_OLDER");
    assert.match(error.message, /before version 2/);
    assert.deepEqual(fileOf(left, segmentFileName(1)), older);
  });

  it("refuses a truncated segment and names it", async () => {
    const { disk, journal } = await openRig();
    await appendNumbers(journal, 3);
    for (const size of [0, 100, 512, 1_024, 8_191]) {
      const cut = fileOf(disk, segmentFileName(1)).subarray(0, size);
      const error = await rejectsWith(
        openRig({}, await folderWith(segmentFileName(1), cut)),
        "NINES_JOURNAL_ROT",
      );
      assert.match(error.message, /0000000000000001\.log/);
    }
  });

  it("refuses a log with a hole, or without its beginning or its end", async () => {
    const { disk, journal } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 20);
    await journal.close();
    const names = disk.names(place);
    assert.equal(names.length, 4);
    const [first = "", second = ""] = names;
    for (const name of [first, second]) {
      const holed = disk.afterKill();
      holed.takeAway(place, name);
      await rejectsWith(openRig({}, holed), "NINES_JOURNAL_ROT");
    }
    const beheaded = disk.afterKill();
    for (const name of names) beheaded.takeAway(place, name);
    beheaded.place(place, snapshotFileName(9), bytesOf("a snapshot"));
    await rejectsWith(openRig({}, beheaded), "NINES_JOURNAL_ROT");
    const emptied = disk.afterKill();
    for (const name of names.slice(0, -1)) emptied.takeAway(place, name);
    const empty = await rejectsWith(openRig({}, emptied), "NINES_JOURNAL_ROT");
    assert.match(empty.message, /its beginning is missing/);
    const ended = disk.afterKill();
    ended.place(place, snapshotFileName(21), bytesOf("a snapshot"));
    const early = await rejectsWith(openRig({}, ended), "NINES_JOURNAL_ROT");
    assert.match(early.message, /record 21.*0000000000000021\.snapshot/);
  });

  it("refuses a segment under the name of another", async () => {
    const { disk, journal } = await openRig();
    await journal.close();
    const first = fileOf(disk, segmentFileName(1));
    disk.takeAway(place, segmentFileName(2));
    disk.place(place, segmentFileName(2), first);
    const error = await rejectsWith(openRig({}, disk), "NINES_JOURNAL_ROT");
    assert.match(error.message, /this is segment 1, renamed/);
  });

  it("refuses a segment of another journal in the place of its own", async () => {
    const journals = await Promise.all(
      [1, 2].map(async (start) => {
        const clock = new HandClock();
        clock.advance(start);
        const rig = await openRig({ segmentBytes: 4_096 }, new SimulatedDisk(), clock);
        await appendNumbers(rig.journal, 10);
        return rig.disk;
      }),
    );
    const [mine, other] = journals;
    assert.ok(mine !== undefined && other !== undefined);
    const mixed = mine.afterKill();
    mixed.takeAway(place, segmentFileName(2));
    mixed.place(place, segmentFileName(2), fileOf(other, segmentFileName(2)));
    await rejectsWith(openRig({}, mixed), "NINES_JOURNAL_ROT");
  });

  it("removes what a crash left unfinished, and says so", async () => {
    const { disk, journal } = await openRig();
    await journal.append(bytesOf("1"));
    await journal.close();
    disk.place(place, `${segmentFileName(3)}.tmp`, new Uint8Array(100));
    disk.place(place, `${snapshotFileName(1)}.tmp`, new Uint8Array(100));
    const again = await openRig({}, disk);
    assert.deepEqual(again.journal.recovery.removedFiles, [
      `${snapshotFileName(1)}.tmp`,
      `${segmentFileName(3)}.tmp`,
    ]);
    assert.deepEqual(await textsOf(again.journal), ["1"]);
  });

  it("may come with another size of segments than before", async () => {
    const disk = new SimulatedDisk();
    for (const segmentBytes of [4_096, 65_536, 8_192]) {
      const { journal } = await openRig({ segmentBytes }, disk);
      await appendNumbers(journal, 20);
      await journal.append(new Uint8Array(journal.recordBytesMax));
      await journal.close();
    }
    const { journal } = await openRig({}, disk);
    assert.equal(journal.lastSequence, 63);
    assert.equal(await journal.replay({}, () => {}), 63);
  });

  it("writes the last group again: what only the kernel knew is durable before use", async () => {
    const { disk, journal } = await openRig();
    await journal.append(bytesOf("1"));
    await settle();
    disk.flushesLie = true;
    await journal.append(bytesOf("2"));
    disk.flushesLie = false;
    const again = await openRig({}, disk.afterKill());
    assert.deepEqual(await textsOf(again.journal), ["1", "2"]);
    const later = await openRig(
      {},
      again.disk.afterPowerLoss(() => 0, { stale: false }),
    );
    assert.deepEqual(await textsOf(later.journal), ["1", "2"]);
  });

  it("lets go of the folder when it refuses", async () => {
    const { disk, journal } = await openRig();
    await appendNumbers(journal, 3);
    await journal.close();
    disk.content(place, segmentFileName(1)).flipBit(600, 0);
    await rejectsWith(openRig({}, disk), "NINES_JOURNAL_ROT");
    disk.content(place, segmentFileName(1)).flipBit(600, 0);
    assert.deepEqual(await textsOf((await openRig({}, disk)).journal), numbers(1, 3));
  });

  it("that meets a disk which refuses says what it was doing", async () => {
    const { disk, journal } = await openRig();
    await journal.close();
    disk.readOnly = true;
    const error = await rejectsWith(
      openJournal(place, {}, disk, new HandClock()),
      "NINES_JOURNAL_DISK",
    );
    assert.match(error.message, /cannot be opened: .*read-only/);
  });
});

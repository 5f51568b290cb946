// Verifying, dumping and repairing name damage and never invent a record.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { HandClock } from "../../../test/journal/hand-clock.ts";
import { dumpJournal, verifyJournal } from "./examine-journal.ts";
import { segmentFileName, snapshotFileName } from "./format.ts";
import {
  appendNumbers,
  bytesOf,
  numbers,
  openRig,
  place,
  rejectsWith,
  textOf,
  textsOf,
} from "./journal.fixture.ts";
import { repairJournal } from "./repair.ts";

/** Forty records, one a group, seven groups a segment. */
async function soundDisk(...snapshots: readonly number[]): Promise<SimulatedDisk> {
  const { disk, journal } = await openRig({ segmentBytes: 4_096 });
  await appendNumbers(journal, 40);
  for (const through of snapshots) {
    await journal.snapshot({ through, chunks: [bytesOf(`state ${through}`)] });
  }
  await journal.close();
  return disk;
}

/** Turns a bit in the record with this sequence. */
function rot(disk: SimulatedDisk, sequence: number): void {
  const segment = 1 + Math.floor((sequence - 1) / 7);
  const group = 1 + ((sequence - 1) % 7);
  disk.content(place, segmentFileName(segment)).flipBit(group * 512 + 48, 2);
}

async function dumped(disk: SimulatedDisk): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const entry of dumpJournal(place, disk)) {
    lines.push(
      entry.kind === "record" ? textOf(entry.bytes) : `damage at ${entry.damage.sequence}`,
    );
  }
  return lines;
}

/** Repairs; with what it said it would do being what it did. */
async function repaired(disk: SimulatedDisk) {
  const names = disk.names(place);
  const said = await repairJournal(place, disk, new HandClock(), { apply: false });
  assert.deepEqual(disk.names(place), names, "saying so changes nothing");
  const done = await repairJournal(place, disk, new HandClock(), { apply: true });
  assert.deepEqual(done, said);
  assert.deepEqual((await verifyJournal(place, disk)).damages, []);
  const { journal } = await openRig(
    {},
    disk.afterPowerLoss(() => 0, { stale: false }),
  );
  return { ...done, journal };
}

describe("verifying", () => {
  it("a sound journal finds nothing, and says what there is", async () => {
    const report = await verifyJournal(place, await soundDisk(10, 30));
    assert.deepEqual(report.damages, []);
    assert.deepEqual([report.firstSequence, report.lastSequence, report.records], [1, 40, 40]);
    assert.equal(report.closedCleanly, true);
    assert.deepEqual(
      report.snapshots.map(({ through, whole }) => [through, whole]),
      [
        [10, true],
        [30, true],
      ],
    );
    assert.equal(report.segments[0]?.records, 7);
  });

  it("names every damage, and the dump reads on behind each", async () => {
    const disk = await soundDisk(10);
    rot(disk, 3);
    rot(disk, 20);
    disk.content(place, snapshotFileName(10)).flipBit(50, 0);
    const { damages } = await verifyJournal(place, disk);
    assert.deepEqual(
      damages.map(({ fileName, sequence }) => [fileName, sequence]),
      [
        [segmentFileName(1), 3],
        [segmentFileName(3), 20],
        [snapshotFileName(10), 0],
      ],
    );
    assert.deepEqual(await dumped(disk), [
      "1",
      "2",
      "damage at 3",
      ...numbers(4, 19),
      "damage at 20",
      ...numbers(21, 40),
    ]);
  });

  it("finds a turned bit all over a segment, and dumps no record that has it", async () => {
    const disk = await soundDisk();
    const segment = disk.content(place, segmentFileName(2));
    for (let offset = 0; offset < segment.sizeBytes; offset += 11) {
      segment.flipBit(offset, (offset * 5) & 7);
      const { damages } = await verifyJournal(place, disk);
      assert.ok(damages.length > 0, `byte ${offset}`);
      assert.equal(damages[0]?.fileName, segmentFileName(2), `byte ${offset}`);
      const records = (await dumped(disk)).filter((line) => !line.startsWith("damage"));
      assert.ok(records.every((line) => /^([1-9]|[1-3]\d|40)$/.test(line)));
      segment.flipBit(offset, (offset * 5) & 7);
    }
  });

  it("a folder without a journal is said to be one", async () => {
    const disk = await soundDisk();
    await rejectsWith(verifyJournal("/elsewhere", disk), "NINES_JOURNAL_NOT_FOUND");
  });
});

describe("repairing", () => {
  it("a sound journal does nothing", async () => {
    const { steps, lost } = await repaired(await soundDisk(10));
    assert.deepEqual([steps, lost], [[], undefined]);
  });

  it("loses nothing when a snapshot reaches beyond the damage", async () => {
    const disk = await soundDisk(20, 30);
    rot(disk, 10);
    rot(disk, 25);
    const { lost, journal } = await repaired(disk);
    assert.equal(lost, undefined);
    assert.equal((await journal.latestSnapshot())?.through, 30);
    assert.deepEqual(await textsOf(journal), numbers(26, 40));
    assert.equal(await journal.append(bytesOf("on")), 41);
  });

  it("keeps the log before the damage, and says which records are lost", async () => {
    const disk = await soundDisk(10);
    rot(disk, 25);
    const { lost, journal, steps } = await repaired(disk);
    assert.deepEqual(lost, { from: 25, through: 40 });
    assert.deepEqual(await textsOf(journal), numbers(1, 24));
    assert.ok(steps.some((step) => step.includes(segmentFileName(4))));
    assert.equal(await journal.append(bytesOf("on")), 25);
  });

  it("goes on behind a snapshot when the log before it is of no use", async () => {
    const disk = await soundDisk(10, 20);
    rot(disk, 15);
    rot(disk, 25);
    const { lost, journal } = await repaired(disk);
    assert.deepEqual(lost, { from: 21, through: 40 });
    assert.equal((await journal.latestSnapshot())?.through, 20);
    assert.deepEqual(await textsOf(journal), []);
    assert.equal(await journal.append(bytesOf("on")), 21);
  });

  it("sets rotten snapshots aside when the log does without them", async () => {
    const disk = await soundDisk(10, 20);
    disk.content(place, snapshotFileName(20)).flipBit(45, 0);
    const { lost, journal } = await repaired(disk);
    assert.equal(lost, undefined);
    assert.equal((await journal.latestSnapshot())?.through, 10);
    assert.ok(disk.names(place).includes(`${snapshotFileName(20)}.damaged`));
  });

  it("throws nothing away: every damaged byte is still there", async () => {
    const disk = await soundDisk();
    rot(disk, 10);
    const before = disk.afterKill();
    await repaired(disk);
    for (const name of before.names(place).filter((each) => each !== segmentFileName(1))) {
      const copy = disk.names(place).find((each) => each === `${name}.damaged`) ?? name;
      const size = before.content(place, name).sizeBytes;
      const [old, kept] = [new Uint8Array(size), new Uint8Array(size)];
      before.content(place, name).read(old, 0);
      disk.content(place, copy).read(kept, 0);
      assert.deepEqual(kept, old, name);
    }
  });

  it("of a missing segment, of a broken header, of a truncated file", async () => {
    const missing = await soundDisk();
    missing.takeAway(place, segmentFileName(3));
    assert.deepEqual((await repaired(missing)).lost, { from: 15, through: 40 });

    const header = await soundDisk();
    header.content(place, segmentFileName(3)).flipBit(20, 0);
    assert.deepEqual((await repaired(header)).lost, { from: 15, through: 40 });
    assert.deepEqual(await textsOf((await openRig({}, header)).journal), numbers(1, 14));

    const truncated = await soundDisk(21);
    truncated.content(place, segmentFileName(2)).truncate(600);
    const { lost, journal } = await repaired(truncated);
    assert.equal(lost, undefined);
    assert.deepEqual(await textsOf(journal), numbers(15, 40));
  });

  it("does not call what nothing shows any more not lost", async () => {
    const disk = await soundDisk(10, 38);
    disk.content(place, segmentFileName(6)).flipBit(20, 0);
    const { lost, journal } = await repaired(disk);
    assert.deepEqual(lost, { from: 39, through: 0 });
    assert.equal(journal.lastSequence, 38);
  });

  for (const through of [0, 38]) {
    it(`goes on behind the snapshot at ${through} when the whole log is missing`, async () => {
      const disk = await soundDisk(through);
      for (const name of disk.names(place).filter((each) => each.endsWith(".log"))) {
        disk.takeAway(place, name);
      }
      const { lost, journal, steps } = await repaired(disk);
      assert.deepEqual(lost, { from: through + 1, through: 0 }, "nothing shows how many");
      assert.equal(steps.length, 1);
      assert.equal((await journal.latestSnapshot())?.through, through);
      assert.equal(await journal.append(bytesOf("on")), through + 1);
      await journal.close();
    });
  }

  it("says so when nothing can be made of it", async () => {
    const disk = await soundDisk();
    disk.takeAway(place, segmentFileName(1));
    const error = await rejectsWith(
      repairJournal(place, disk, new HandClock(), { apply: true }),
      "NINES_JOURNAL_ROT",
    );
    assert.match(error.message, /0000000000000002\.log.*record 8/);
  });

  it("cut short at any step can be done again", async () => {
    for (let calls = 0; calls < 40; calls++) {
      const disk = await soundDisk(10);
      rot(disk, 25);
      disk.failure = { afterCalls: calls, forever: true, kind: "io" };
      await repairJournal(place, disk, new HandClock(), { apply: true }).catch(() => undefined);
      const crashed = disk.afterPowerLoss((ways) => (calls % 2) * (ways - 1), { stale: false });
      await repairJournal(place, crashed, new HandClock(), { apply: true });
      const { journal } = await openRig({}, crashed);
      assert.deepEqual(await textsOf(journal), numbers(1, 24), `after ${calls} calls`);
    }
  });

  it("is refused while somebody writes", async () => {
    const { disk } = await openRig();
    const call = repairJournal(place, disk, new HandClock(), { apply: true });
    await rejectsWith(call, "NINES_JOURNAL_LOCKED");
  });
});

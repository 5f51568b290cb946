// Repairs of damaged journals, cut short by power losses, and what is there when one came through.

import assert from "node:assert/strict";
import { createPrng } from "../../src/core/base/prng.ts";
import { NinesError } from "../../src/core/base/errors.ts";
import type { RepairReport } from "../../src/state/journal/examine.ts";
import { verifyJournal } from "../../src/state/journal/examine-journal.ts";
import { openJournal } from "../../src/state/journal/open.ts";
import { repairJournal } from "../../src/state/journal/repair.ts";
import { sample } from "../../sim/disk/choices.ts";
import type { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { HandClock } from "./hand-clock.ts";
import { isOfItsSequence } from "./ledger.ts";
import { type Place, type SoundJournal, soundJournal } from "./rot.ts";
import { journalFolder, settled } from "./trace.ts";

export type Repair = "nothing to do" | "nothing lost" | "records lost" | "impossible";

/** Turns a bit, repairs with power losses at every point of it, and judges what comes out. */
async function judgeRepair(sound: SoundJournal, place: Place): Promise<Repair> {
  const disk = sound.disk.afterKill();
  disk.content(journalFolder, place.name).flipBit(place.offset, place.bit);
  const before = await settled(verifyJournal(journalFolder, disk), "verifying");
  if (before.damages.length === 0) return "nothing to do";
  assert.ok(
    before.damages.some(({ fileName, offset }) => {
      return fileName === place.name && offset <= place.offset;
    }),
    `the damage is named: ${JSON.stringify(before.damages)}`,
  );
  let promised: RepairReport;
  try {
    promised = await repair(disk, false);
  } catch (error) {
    assert.ok(error instanceof NinesError && error.code === "NINES_JOURNAL_ROT", String(error));
    return "impossible";
  }
  const random = createPrng(place.offset * 8 + place.bit);
  const cut: SimulatedDisk[] = [];
  disk.onStep = () => cut.push(disk.afterPowerLoss(sample(random), { stale: true }));
  await repair(disk, true);
  disk.onStep = undefined;
  await judge(disk, sound, promised);
  for (const image of cut) {
    // Half repaired it is sound, or refused and can be repaired again.
    await repair(image, true);
    await judge(image, sound, promised);
  }
  return promised.lost === undefined ? "nothing lost" : "records lost";
}

/** Damages every `stride`-th byte of every file of a journal, one at a time. */
export async function repairAtBytes(
  end: "closed" | "killed",
  stride: number,
): Promise<Record<Repair, number>> {
  const repairs = { "nothing to do": 0, "nothing lost": 0, "records lost": 0, impossible: 0 };
  const sound = await soundJournal(openJournal, 11, end);
  for (const name of sound.disk.names(journalFolder)) {
    const { sizeBytes } = sound.disk.content(journalFolder, name);
    for (let offset = 0; offset < sizeBytes; offset += stride) {
      repairs[await judgeRepair(sound, { name, offset, bit: offset % 8 })]++;
    }
  }
  return repairs;
}

function repair(disk: SimulatedDisk, apply: boolean): Promise<RepairReport> {
  return settled(repairJournal(journalFolder, disk, new HandClock(), { apply }), "a repair");
}

async function judge(disk: SimulatedDisk, sound: SoundJournal, promised: RepairReport) {
  const options = { segmentBytes: 4_096 };
  const opening = openJournal(journalFolder, options, disk, new HandClock());
  const journal = await settled(opening, "opening what was repaired");
  let next = journal.firstSequence;
  await journal.replay({}, (bytes, sequence) => {
    assert.equal(sequence, next++);
    assert.ok(sound.ledger.holds(sequence, bytes), `record ${sequence} is not what was written`);
  });
  const snapshot = await journal.latestSnapshot();
  assert.ok(snapshot === undefined || (await isOfItsSequence(snapshot)), "a wrong snapshot");
  assert.ok(journal.firstSequence <= (snapshot?.through ?? 0) + 1, "the log has no beginning");
  const end = journal.lastSequence;
  const kept = promised.lost === undefined ? sound.last : promised.lost.from - 1;
  assert.equal(end, kept, "it has what the repair said that it would have");
  await settled(journal.append(new Uint8Array(9)), "an append");
  await settled(journal.close(), "closing");
}

// Bits that turn, at any byte of any file of a journal, and what a start and a reader say of it.

import assert from "node:assert/strict";
import { NinesError } from "../../src/core/base/errors.ts";
import type { Journal } from "../../src/state/journal/journal.ts";
import { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { HandClock } from "./hand-clock.ts";
import { isOfItsSequence, Ledger } from "./ledger.ts";
import { journalFolder, Life, type OpenJournal, settled } from "./trace.ts";

export interface SoundJournal {
  readonly disk: SimulatedDisk;
  readonly ledger: Ledger;
  readonly last: number;
}

/** A journal of several segments and two snapshots. */
export async function soundJournal(
  open: OpenJournal,
  seed: number,
  end: "closed" | "killed",
): Promise<SoundJournal> {
  const disk = new SimulatedDisk();
  const ledger = new Ledger();
  const life = new Life(disk, ledger, open, { seed, segmentSizes: [4_096] });
  await life.start();
  for (let step = 0; step < 30; step++) await life.step();
  if (end === "closed") await life.close();
  else await life.settle();
  return {
    disk: disk.afterPowerLoss((ways) => ways - 1, { stale: false }),
    ledger,
    last: ledger.submitted,
  };
}

export interface Place {
  readonly name: string;
  readonly offset: number;
  readonly bit: number;
}

export type Finding = "refused" | "passed over" | "no difference";

/**
 * Turns a bit, starts, and reads everything. Throws if anything is shown that was not written, if
 * anything acknowledged is missing without a word, or if the word does not name the place.
 */
export async function judgeFlip(
  open: OpenJournal,
  sound: SoundJournal,
  place: Place,
): Promise<Finding> {
  const disk = sound.disk.afterKill();
  disk.content(journalFolder, place.name).flipBit(place.offset, place.bit);
  let journal: Journal;
  try {
    const opening = open(journalFolder, { segmentBytes: 4_096 }, disk, new HandClock());
    journal = await settled(opening, "a start");
  } catch (error) {
    named(error, place);
    return "refused";
  }
  await readAll(journal, sound);
  const expected = newestSnapshot(sound.disk);
  const snapshot = await journal.latestSnapshot();
  assert.ok(snapshot === undefined || (await isOfItsSequence(snapshot)), "a wrong snapshot");
  return snapshot?.through === expected ? "no difference" : "passed over";
}

export type Findings = Record<Finding, number> & { flips: number };

/** Turns bits of each byte of these files, one at a time. */
export async function flipEachByte(
  open: OpenJournal,
  sound: SoundJournal,
  names: readonly string[],
  bitsOf: (byte: number) => readonly number[],
): Promise<Findings> {
  const findings = { flips: 0, refused: 0, "passed over": 0, "no difference": 0 };
  for (const name of names) {
    const { sizeBytes } = sound.disk.content(journalFolder, name);
    for (let offset = 0; offset < sizeBytes; offset++) {
      for (const bit of bitsOf(offset)) {
        findings.flips++;
        findings[await judgeFlip(open, sound, { name, offset, bit })]++;
      }
    }
  }
  return findings;
}

async function readAll(journal: Journal, { ledger, last }: SoundJournal): Promise<void> {
  let next = journal.firstSequence;
  await journal.replay({}, (bytes, sequence) => {
    assert.equal(sequence, next++);
    assert.ok(ledger.holds(sequence, bytes), `record ${sequence} is not what was written`);
  });
  assert.equal(next, last + 1, "records are missing, and nothing was said");
}

/** The refusal is of rot, and names the file, and a place in it at or before the bit. */
function named(error: unknown, place: Place): void {
  assert.ok(error instanceof NinesError, String(error));
  assert.equal(error.code, "NINES_JOURNAL_ROT");
  assert.ok(error.message.includes(place.name), `${place.name} is named: ${error.message}`);
  const at = /at byte (\d+)/.exec(error.message)?.[1];
  assert.ok(at !== undefined && Number(at) <= place.offset, `the place: ${error.message}`);
}

function newestSnapshot(disk: SimulatedDisk): number | undefined {
  const names = disk.names(journalFolder).filter((name) => name.endsWith(".snapshot"));
  const newest = names.at(-1);
  return newest === undefined ? undefined : Number.parseInt(newest, 10);
}

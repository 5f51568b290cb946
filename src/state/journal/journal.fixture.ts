// A journal on a simulated disk, for the tests beside it.

import assert from "node:assert/strict";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { HandClock } from "../../../test/journal/hand-clock.ts";
import type { ErrorCode } from "../../core/base/errors.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Journal, JournalOptions } from "./journal.ts";
import { sectorBytes } from "../../ports/disk.ts";
import { sectorKind, viewOf } from "./format.ts";
import { openJournal } from "./open.ts";

export const place = "/journal";

export interface Rig {
  readonly disk: SimulatedDisk;
  readonly clock: HandClock;
  readonly journal: Journal;
}

export async function openRig(
  options: JournalOptions = {},
  disk = new SimulatedDisk(),
  clock = new HandClock(),
): Promise<Rig> {
  const small = { segmentBytes: 8_192, ...options };
  return { disk, clock, journal: await openJournal(place, small, disk, clock) };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Appends "1", "2", ... one after another. */
export async function appendNumbers(journal: Journal, count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    await journal.append(bytesOf(String(journal.lastSequence + 1)));
  }
}

export interface ReusedRig extends Rig {
  /** The segment that is written to: its file was another one before, full of groups. */
  readonly fileName: string;
  readonly index: number;
}

/** A journal that goes on in a segment that was one before; one group is in it. */
export async function openReused(options: JournalOptions = {}): Promise<ReusedRig> {
  const rig = await openRig(options);
  const { journal, disk } = rig;
  const made: string[] = [];
  disk.onStep = (step, what) => {
    const fileName = /^rename \d+\.log\.tmp to (\d+\.log)$/.exec(what)?.[1];
    if (step === "before" && fileName !== undefined && !what.includes(`${fileName}.tmp`)) {
      made.push(fileName);
    }
  };
  const full = new Uint8Array(400).fill(0x5a);
  const written = (fileName: string): boolean => {
    const sector = new Uint8Array(sectorBytes);
    disk.content(place, fileName).read(sector, sectorBytes);
    return sectorKind(viewOf(sector), 0, Number.parseInt(fileName, 10)) === "begin";
  };
  let [fileName = ""] = made;
  while (fileName === "" || !written(fileName)) {
    assert.ok(journal.lastSequence < 1_000, "a file is used again");
    await journal.append(full);
    if (journal.lastSequence % 30 === 0) {
      await journal.checkpoint({ through: journal.lastSequence, chunks: [] });
    }
    [fileName = ""] = made;
  }
  disk.onStep = undefined;
  return { ...rig, fileName, index: Number.parseInt(fileName, 10) };
}

/** Every record as text, with what `read` promises of their order checked. */
export async function textsOf(journal: Journal, from?: number): Promise<readonly string[]> {
  const texts: string[] = [];
  let expected = from ?? journal.firstSequence;
  for await (const { sequence, bytes } of journal.read(from === undefined ? {} : { from })) {
    assert.equal(sequence, expected++);
    texts.push(textOf(bytes));
  }
  return texts;
}

export function numbers(from: number, through: number): readonly string[] {
  return Array.from({ length: through - from + 1 }, (_, index) => String(from + index));
}

export async function rejectsWith(call: Promise<unknown>, code: ErrorCode): Promise<NinesError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof NinesError, String(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`did not reject with ${code}`);
}

/** Lets everything run that is ready. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

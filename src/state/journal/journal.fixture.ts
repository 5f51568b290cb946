// A journal on a simulated disk, for the tests beside it.

import assert from "node:assert/strict";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { HandClock } from "../../../test/journal/hand-clock.ts";
import type { ErrorCode } from "../../core/base/errors.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Journal, JournalOptions } from "./journal.ts";
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

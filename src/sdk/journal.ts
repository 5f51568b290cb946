// `nines/journal`: state that survives `kill -9` and power loss, for applications. Binds the
// journal, which knows neither Node nor files, to the real disk and the real clock, and gives
// changes and items JSON as their form where nobody asks for another.

import { createClock } from "../runtime/clock.ts";
import { createDisk } from "../runtime/disk.ts";
import {
  type CheckpointOptions,
  Checkpointed,
  type Codec,
  type StateMachine,
} from "../state/journal/checkpointed.ts";
import type { Journal, JournalOptions } from "../state/journal/journal.ts";
import {
  dumpJournal as dumpOn,
  verifyJournal as verifyOn,
} from "../state/journal/examine-journal.ts";
import type { DumpEntry, JournalReport, RepairReport } from "../state/journal/examine.ts";
import { repairJournal as repairOn } from "../state/journal/repair.ts";
import { openJournal as openOn } from "../state/journal/open.ts";

export { NinesError } from "../core/base/errors.ts";
export * from "../state/journal/journal.ts";
export * from "../state/journal/examine.ts";
export {
  type CheckpointOptions,
  Checkpointed,
  type Codec,
  type Restored,
  type StateMachine,
} from "../state/journal/checkpointed.ts";
export { CopyOnWriteMap } from "../state/journal/copy-on-write-map.ts";

/** Opens the journal in a folder, or makes one. One opener at a time, in all processes. */
export function openJournal(folder: string, options: JournalOptions = {}): Promise<Journal> {
  return openOn(folder, options, createDisk(), createClock());
}

export interface CheckpointedOptions extends JournalOptions, CheckpointOptions {
  /** How changes and the items of snapshots are written; JSON by default. */
  readonly codec?: Codec;
}

/** Opens an application's state in a folder of its own: newest snapshot, then the log after it. */
export async function openCheckpointed<State, Change, Answer = void, Item = unknown>(
  folder: string,
  machine: StateMachine<State, Change, Answer, Item>,
  options: CheckpointedOptions = {},
): Promise<Checkpointed<State, Change, Answer, Item>> {
  const journal = await openJournal(folder, options);
  try {
    const { codec = jsonCodec } = options;
    return await Checkpointed.open({ ...options, journal, machine, codec, clock: createClock() });
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** What is in a journal's folder, and what of it is damaged. Changes nothing. */
export function verifyJournal(folder: string): Promise<JournalReport> {
  return verifyOn(folder, createDisk());
}

/** Every record that can be read, in order, and the damage between them. Changes nothing. */
export function dumpJournal(folder: string): AsyncIterable<DumpEntry> {
  return dumpOn(folder, createDisk());
}

/** Says how a damaged journal would be made one that opens, and what is lost; does it on `apply`. */
export function repairJournal(
  folder: string,
  options: { readonly apply: boolean },
): Promise<RepairReport> {
  return repairOn(folder, createDisk(), createClock(), options);
}

export const jsonCodec: Codec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) =>
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as unknown,
};

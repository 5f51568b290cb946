// The history of incidents, in a journal of its own (journal/checkpointed.ts): each change of an
// incident is one record, and takes the place of the one before it.
//
// Whoever keeps an incident never waits. What is to be written waits in memory, at most the newest
// of each incident, and is written one after another. When the journal cannot be opened (another
// control still holds it, the disk fails) or stops, that is said once, everything stays in memory,
// and it is opened anew after a while: a failed journal takes nothing more, but what is on the disk
// is sound (journal/journal.ts).
//
// Bounds: the oldest go when there are more than `incidentsMax`, or more bytes than
// `incidentBytesMax`. On the disk lie at most two snapshots of that, the changes since the older
// one (at most twice `checkpointChanges`), and two spare segments: below 64 MiB.

import { assert } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import { type Incident, incidentStates } from "../core/incident/incident.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Events } from "../ports/events.ts";
import type { History } from "../ports/history.ts";
import { Checkpointed, type Codec, type StateMachine } from "./journal/checkpointed.ts";
import { readContents } from "./journal/contents.ts";
import { dumpJournal } from "./journal/examine-journal.ts";
import { unpackItems } from "./journal/items.ts";
import { openJournal } from "./journal/open.ts";
import { checkSnapshot, readSnapshot } from "./journal/snapshot-file.ts";

export const incidentsMax = 10_000;
export const incidentBytesMax = 16 * 1_048_576;
const checkpointChanges = 128;
const segmentBytes = 1_048_576;
const reopenMs = 2_000;
const reopenMsMax = 60_000;

/** Incidents by id, in the order of their beginnings here. */
export interface Kept {
  readonly incidents: Map<string, Incident>;
  readonly bytes: Map<string, number>;
  totalBytes: number;
}

const machine: StateMachine<Kept, Incident, void, Incident> = {
  empty: () => ({ incidents: new Map(), bytes: new Map(), totalBytes: 0 }),
  apply: put,
  // A copy: changes go on while it is written.
  save: ({ incidents }) => [...incidents.values()],
  load: put,
};

/** The newest of an incident; what is beyond the bounds goes, the oldest first. */
export function put(kept: Kept, incident: Incident): void {
  const { incidents, bytes } = kept;
  const size = codec.encode(incident).length;
  kept.totalBytes += size - (bytes.get(incident.id) ?? 0);
  incidents.set(incident.id, incident);
  bytes.set(incident.id, size);
  for (const oldest of incidents.keys()) {
    if (incidents.size <= incidentsMax && kept.totalBytes <= incidentBytesMax) break;
    kept.totalBytes -= bytes.get(oldest) ?? 0;
    incidents.delete(oldest);
    bytes.delete(oldest);
  }
}

const codec: Codec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) =>
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as unknown,
};

export interface HistoryOptions {
  readonly folder: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly events: Events;
}

export interface DiskHistory extends History {
  /** Writes what waits and lets go of the folder. */
  close(): Promise<void>;
}

type Store = Checkpointed<Kept, Incident, void, Incident>;

/** Opens in the background: nobody waits for a disk to keep account. */
export function createHistory(options: HistoryOptions): DiskHistory {
  return new JournalHistory(options);
}

class JournalHistory implements DiskHistory {
  readonly #options: HistoryOptions;
  /** Not written yet, the newest of each. */
  readonly #waiting = new Map<string, Incident>();
  readonly #restored: ((kept: readonly Incident[]) => void)[] = [];
  #store: Store | undefined;
  #writing: Promise<void> | undefined;
  #opening: Promise<void>;
  #reopenMs = reopenMs;
  #retry: Timer | undefined;
  #isSaid = false;
  #wasRestored = false;
  #closed = false;
  /** What was known when the journal failed. */
  #remembered: readonly Incident[] = [];

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  keep(incident: Incident): void {
    this.#waiting.set(incident.id, incident);
    if (this.#waiting.size > incidentsMax) {
      const [oldest] = this.#waiting.keys();
      if (oldest !== undefined) this.#waiting.delete(oldest);
    }
    this.#write();
  }

  incidents(): readonly Incident[] {
    const kept = this.#store?.state.incidents.values() ?? this.#remembered;
    const byId = new Map<string, Incident>();
    for (const incident of kept) byId.set(incident.id, incident);
    for (const incident of this.#waiting.values()) byId.set(incident.id, incident);
    return [...byId.values()];
  }

  whenRestored(run: (kept: readonly Incident[]) => void): void {
    this.#restored.push(run);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.[Symbol.dispose]();
    await this.#opening;
    while (this.#writing !== undefined) await this.#writing;
    await this.#store?.close().catch(() => undefined); // said when it failed
    this.#store = undefined;
  }

  async #open(): Promise<void> {
    const { folder, disk, clock } = this.#options;
    try {
      const journal = await openJournal(folder, { segmentBytes }, disk, clock);
      const opening = { journal, machine, codec, clock, checkpointChanges };
      this.#store = await Checkpointed.open(opening).catch(async (error: unknown) => {
        await journal.close().catch(() => undefined); // the first failure is the one that counts
        throw error;
      });
    } catch (error) {
      return this.#failed(error);
    }
    this.#reopenMs = reopenMs;
    if (this.#isSaid) this.#say("history.recovered", "info", "incidents are kept on disk again");
    this.#isSaid = false;
    this.#tellRestored();
    this.#write();
  }

  #tellRestored(): void {
    if (this.#wasRestored || this.#closed) return;
    this.#wasRestored = true;
    const kept = [...(this.#store?.state.incidents.values() ?? [])];
    for (const run of this.#restored) run(kept);
  }

  /** One after another, until nothing waits. */
  #write(): void {
    if (this.#store === undefined || this.#writing !== undefined) return;
    if (this.#waiting.size === 0) return;
    this.#writing = this.#writeAll(this.#store).finally(() => {
      this.#writing = undefined;
      // What came after the last look.
      this.#write();
    });
  }

  async #writeAll(store: Store): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      try {
        await store.change(next);
      } catch (error) {
        // A full disk leaves the journal as it was, anything else ends it: both begin anew later.
        this.#remembered = [...store.state.incidents.values()];
        this.#store = undefined;
        await store.close().catch(() => undefined);
        return this.#failed(error);
      }
      // Kept anew meanwhile: then the newer one still waits.
      if (this.#waiting.get(next.id) === next) this.#waiting.delete(next.id);
    }
  }

  #next(): Incident | undefined {
    const [next] = this.#waiting.values();
    return next;
  }

  #failed(error: unknown): void {
    assert(error instanceof NinesError, "a journal fails with its reason");
    const isHeld = error.code === "NINES_JOURNAL_LOCKED" && this.#reopenMs === reopenMs;
    // The control before this one lets go of it in a moment.
    if (!this.#isSaid && !isHeld) {
      const sentence = `incidents are kept in memory only, ${error.message}`;
      this.#say("history.failed", "error", sentence);
      this.#isSaid = true;
    }
    if (this.#closed) return;
    this.#retry = this.#options.clock.after(this.#reopenMs, () => {
      this.#opening = this.#open();
    });
    this.#reopenMs = Math.min(2 * this.#reopenMs, reopenMsMax);
  }

  #say(kind: string, level: "info" | "error", sentence: string): void {
    this.#options.events.record({ kind, level, sentence });
  }
}

/**
 * What a journal that somebody else may hold tells: the newest sound snapshot, then the log.
 * Changes nothing. Empty when there is none.
 */
export async function readHistory(folder: string, disk: Disk): Promise<readonly Incident[]> {
  const kept = machine.empty();
  const through = await readNewestSnapshot(folder, disk, kept);
  try {
    for await (const entry of dumpJournal(folder, disk)) {
      if (entry.kind === "damage" || entry.sequence <= through) continue;
      const incident = codec.decode(entry.bytes);
      if (isIncident(incident)) put(kept, incident);
    }
  } catch (error) {
    if (!(error instanceof NinesError && error.code === "NINES_JOURNAL_NOT_FOUND")) throw error;
  }
  return [...kept.incidents.values()];
}

/** Through which change it goes; 0 when there is none. */
async function readNewestSnapshot(folder: string, disk: Disk, kept: Kept): Promise<number> {
  const opened = await disk.openFolder(folder, { create: false }).catch(() => undefined);
  if (opened === undefined) return 0;
  try {
    const { snapshots } = await readContents(opened);
    for (const through of snapshots.toReversed()) {
      const found = await checkSnapshot(opened, through);
      if ("what" in found) continue;
      await unpackItems(readSnapshot(opened, through), (item) => {
        const incident = codec.decode(item);
        if (isIncident(incident)) put(kept, incident);
      });
      return through;
    }
    return 0;
  } finally {
    await opened.close();
  }
}

/** Of another version it may be something else. */
function isIncident(value: unknown): value is Incident {
  const incident = value as Partial<Incident> | undefined;
  return typeof incident?.id === "string" && incidentStates.some((one) => one === incident.state);
}

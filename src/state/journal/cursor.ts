// Reading the log while it grows: only what is durable, each byte checked again, from the files. A
// reader has a place of its own and holds nothing up. A segment that compaction has removed under a
// slow reader is said to be so; one that has changed is rot.

import { NinesError } from "../../core/base/errors.ts";
import { type DiskFile, type DiskFolder, diskErrorKind, sectorBytes } from "../../ports/disk.ts";
import { refused, rotten } from "./failures.ts";
import { GroupReader, readerMemory } from "./group-reader.ts";
import type { Health } from "./health.ts";
import type { JournalRecord, SequenceRange } from "./journal.ts";
import type { LiveSegment, Log } from "./log.ts";

type Apply = (bytes: Uint8Array, sequence: number, wallMs: number) => void;

/** Goes from group to group; `close` it. */
export class LogCursor {
  readonly #folder: DiskFolder;
  readonly #log: Log;
  #memory: Uint8Array | undefined;
  #segment: LiveSegment | undefined;
  #file: DiskFile | undefined;
  #reader: GroupReader | undefined;
  #from: number;

  constructor(folder: DiskFolder, log: Log, from: number) {
    this.#folder = folder;
    this.#log = log;
    this.#from = from;
  }

  /** The next group that may hold what is looked for; undefined where the durable log ends. */
  async next(): Promise<GroupReader | undefined> {
    try {
      for (;;) {
        const segment = this.#segment ?? this.#firstSegment();
        this.#reader ??= await this.#open(segment);
        this.#reader.extend(segment.usedBytes);
        const next = this.#reader.next();
        const state = typeof next === "string" ? next : await next;
        if (state === "group") return this.#reader;
        const { problem, offset } = this.#reader;
        if (state !== "end") {
          // The file may be another segment by now.
          if (!this.#log.segments.includes(segment)) throw this.#compacted();
          const what = state === "unwritten" ? "a group is missing" : problem.what;
          const sequence = this.#reader.nextSequence;
          throw rotten({ fileName: segment.fileName, offset, sequence, what });
        }
        const following = this.#log.segments.find(({ index }) => index > segment.index);
        // A segment is complete once the next one has a group.
        if (following === undefined || following.usedBytes === sectorBytes) return undefined;
        if (offset < segment.usedBytes) continue;
        this.#from = this.#reader.nextSequence;
        await this.#leave();
        if (following.index !== segment.index + 1) throw this.#compacted();
        this.#segment = following;
      }
    } catch (error) {
      throw refused(error, `reading the journal in ${this.#folder.path}`);
    }
  }

  close(): Promise<void> {
    return this.#leave();
  }

  #firstSegment(): LiveSegment {
    const [oldest] = this.#log.segments;
    if (oldest === undefined || this.#from < oldest.firstSequence) throw this.#compacted();
    const from = this.#from;
    this.#segment =
      this.#log.segments.findLast(
        (segment) => segment.firstSequence <= from && segment.usedBytes > sectorBytes,
      ) ?? oldest;
    return this.#segment;
  }

  async #open(segment: LiveSegment): Promise<GroupReader> {
    try {
      this.#file = await this.#folder.open(segment.fileName, "read");
    } catch (error) {
      if (diskErrorKind(error) === "not-found" && !this.#log.segments.includes(segment)) {
        throw this.#compacted();
      }
      throw error;
    }
    this.#memory = readerMemory(segment.sizeBytes, this.#memory);
    return new GroupReader(this.#file, this.#memory, {
      index: segment.index,
      offset: sectorBytes,
      limit: segment.usedBytes,
      chain: segment.chain,
      nextSequence: segment.firstSequence,
    });
  }

  async #leave(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#reader = undefined;
    await file?.close();
  }

  #compacted(): NinesError {
    const first = this.#log.segments[0]?.firstSequence ?? 0;
    const what = `record ${this.#from} is gone from the log, which begins with ${first}`;
    return new NinesError("NINES_JOURNAL_COMPACTED", what);
  }
}

/** What `read` and `replay` look at: durable records, and none before the oldest. */
function boundsOf(log: Log, range: SequenceRange): { readonly from: number; readonly end: number } {
  const from = range.from ?? log.segments[0]?.firstSequence ?? 1;
  return { from, end: Math.min(range.through ?? log.durableThrough, log.durableThrough) + 1 };
}

export async function replay(
  folder: DiskFolder,
  log: Log,
  range: SequenceRange,
  apply: Apply,
): Promise<number> {
  const { from, end } = boundsOf(log, range);
  const cursor = new LogCursor(folder, log, from);
  let count = 0;
  try {
    while (from < end) {
      const group = await cursor.next();
      if (group === undefined || group.header.firstSequence >= end) break;
      const { wallMs } = group.header;
      group.forEach((bytes, sequence) => {
        if (sequence < from || sequence >= end) return;
        count++;
        apply(bytes, sequence, wallMs);
      });
      if (group.nextSequence >= end) break;
    }
    return count;
  } finally {
    await cursor.close();
  }
}

export async function* read(
  folder: DiskFolder,
  log: Log,
  health: Health,
  range: SequenceRange,
): AsyncGenerator<JournalRecord, void, void> {
  health.check();
  const { from, end } = boundsOf(log, range);
  const cursor = new LogCursor(folder, log, from);
  try {
    for (let at = from; at < end; ) {
      const group = await cursor.next();
      if (group === undefined || group.header.firstSequence >= end) return;
      at = group.nextSequence;
      yield* recordsOf(group, from, end);
    }
  } finally {
    await cursor.close();
  }
}

/** Copies, for whoever gets them may keep them. */
function recordsOf(group: GroupReader, from: number, end: number): readonly JournalRecord[] {
  const { wallMs } = group.header;
  const records: JournalRecord[] = [];
  group.forEach((bytes, sequence) => {
    if (sequence < from || sequence >= end) return;
    records.push({ sequence, wallMs, bytes: bytes.slice() });
  });
  return records;
}

/** The last record that was written at or before this time; 0 when there is none. */
export async function sequenceAt(folder: DiskFolder, log: Log, wallMs: number): Promise<number> {
  const cursor = new LogCursor(folder, log, log.segments[0]?.firstSequence ?? 1);
  let sequence = 0;
  try {
    for (;;) {
      const group = await cursor.next();
      if (group === undefined || group.header.wallMs > wallMs) return sequence;
      if (group.header.records > 0) sequence = group.nextSequence - 1;
    }
  } finally {
    await cursor.close();
  }
}

/** The live end: what `Journal.tail` returns. */
export class Tail implements AsyncIterableIterator<JournalRecord> {
  readonly #log: Log;
  readonly #health: Health;
  readonly #cursor: LogCursor;
  readonly #listening: Disposable;
  readonly #from: number;
  #records: readonly JournalRecord[] = [];
  #taken = 0;
  #wake: (() => void) | undefined;
  #isOver = false;
  /** Calls of `next` that overlap are answered in turn. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: DiskFolder, log: Log, health: Health, from: number) {
    this.#log = log;
    this.#health = health;
    this.#from = from;
    this.#cursor = new LogCursor(folder, log, from);
    const wake = (): void => this.#wake?.();
    this.#listening = log.listen({ durable: wake, failed: wake, closed: () => void this.return() });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<JournalRecord, undefined>> {
    const turn = this.#turn.then(() => this.#advance());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async return(): Promise<IteratorResult<JournalRecord, undefined>> {
    this.#isOver = true;
    this.#listening[Symbol.dispose]();
    this.#wake?.();
    await this.#turn;
    await this.#cursor.close();
    return { done: true, value: undefined };
  }

  async #advance(): Promise<IteratorResult<JournalRecord, undefined>> {
    while (!this.#isOver) {
      const record = this.#records[this.#taken];
      if (record !== undefined) {
        this.#taken++;
        return { done: false, value: record };
      }
      const seen = this.#log.durableThrough;
      const group = await this.#cursor.next();
      if (group !== undefined) {
        this.#records = recordsOf(group, this.#from, Number.POSITIVE_INFINITY);
        this.#taken = 0;
      } else if (this.#log.durableThrough === seen) {
        await this.#change();
      }
    }
    return { done: true, value: undefined };
  }

  async #change(): Promise<void> {
    if (this.#health.failure !== undefined) throw this.#health.failure;
    if (this.#isOver) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}

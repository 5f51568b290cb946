// The journal: records that survive `kill -9` and power loss, in order, each acknowledged once.
//
// One writer, one log, one write at a time. What all callers bring while a write is under way goes
// out in the next one, as one group (group commit): the slower the disk, the larger the groups, and
// nobody waits for more than two writes. A group is on the disk whole or not at all, so records of
// one `append` stand or fall together.
//
// - Acknowledged is durable: an `append` that resolved is found by every later start.
// - A crash takes at most what was not acknowledged, from the end, never from the middle.
// - What is read is what was written: rot is found, named (file, offset, sequence), never returned.
// - The first failed write or flush is the last: the journal is *failed*, every call rejects with
//   NINES_JOURNAL_FAILED, nothing is tried again. What was acknowledged stands. The program ends,
//   or goes on without its journal; opening the folder anew finds out what is there.
// - No room for the next segment is not that: appends that do not fit reject with
//   NINES_JOURNAL_FULL, and go on when there is room again.
//
// A snapshot is the state up to a sequence, in a file of its own, written while appends go on. A
// checkpoint is a snapshot, and then the removal of what it makes needless.

import type { Damage } from "./examine.ts";

/**
 * `durable`: resolves when the record is on the device.
 * `buffered`: resolves at once, in order with the others; a crash of the process or of the machine
 * takes the buffered records of the last `bufferedMs`, or of the last failed journal, with it. A
 * durable append takes the buffered ones before it along.
 */
export type Durability = "durable" | "buffered";

export interface JournalOptions {
  /** Make the journal if the folder has none; default true. */
  readonly create?: boolean;
  /**
   * Size of a file of the log, allotted in advance, one or two beyond what is used, and after a
   * compaction up to as many as are used; a multiple of 512, from 4 KiB to 1 GiB; default 16 MiB.
   * A journal may be opened with another size than before.
   */
  readonly segmentBytes?: number;
  /**
   * Bytes that may wait for the disk, records and callers; default 8 MiB. At the bound `append`
   * rejects with NINES_JOURNAL_BUSY and `offer` returns 0.
   */
  readonly queueBytes?: number;
  /** How long a buffered record may stay in memory; default 100. */
  readonly bufferedMs?: number;
  /** A write that takes longer than this has failed, for it may hang for ever; default 30,000. */
  readonly writeDeadlineMs?: number;
}

export interface AppendOptions {
  readonly durability?: Durability;
}

export interface JournalRecord {
  /** 1, 2, 3, ... without gaps. */
  readonly sequence: number;
  /** When its group was written, by the wall clock; for people, and for `sequenceAt`. */
  readonly wallMs: number;
  readonly bytes: Uint8Array;
}

/** Both ends belong to it. Default: from the oldest record, through the last durable one. */
export interface SequenceRange {
  readonly from?: number;
  readonly through?: number;
}

/** What is told of the tickets that `offer` gave. */
export interface TicketListener {
  /** All sequences up to this one are durable. Called once a group. */
  durable(through: number): void;
  /** The journal has failed: nothing beyond `durableThrough` will ever be acknowledged. */
  failed(error: Error): void;
}

export interface SnapshotInfo {
  /** The records up to this one are in it. 0: none. */
  readonly through: number;
  readonly wallMs: number;
  /** Bytes of content. */
  readonly contentBytes: number;
  readonly fileName: string;
}

export interface Snapshot extends SnapshotInfo {
  /** Newer ones that have rotted. They cost nothing but time: the log goes on from this one. */
  readonly passedOver: readonly Damage[];
  /** The content, in chunks of at most 1 MiB, not as it was cut when it was written. */
  read(): AsyncIterable<Uint8Array>;
}

export interface SnapshotRequest {
  /**
   * The content holds the effects of all records up to this one. It may hold effects of later ones
   * (a fuzzy snapshot) if to apply these again does no harm.
   */
  readonly through: number;
  /** The content, pulled at the pace of the disk. A throw cancels the snapshot and rejects it. */
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export interface CompactionReport {
  readonly removedSegments: number;
  readonly removedSnapshots: number;
  /** The oldest record that can still be read. */
  readonly firstSequence: number;
}

/** What opening found, for the log of the program. */
export interface RecoveryReport {
  readonly created: boolean;
  /** Whether the last close ended well; false after a crash. */
  readonly closedCleanly: boolean;
  readonly records: number;
  readonly scannedBytes: number;
  /** An unacknowledged last group that was cut: where, and how many bytes; undefined: none. */
  readonly tornTail: { readonly fileName: string; readonly offset: number } | undefined;
  /** Files of an unfinished preparation or snapshot that were removed. */
  readonly removedFiles: readonly string[];
}

export interface Journal {
  readonly folder: string;
  /** The oldest record that can be read; one beyond the last when there is none. */
  readonly firstSequence: number;
  /** The last sequence that was given out; 0 when none ever was. */
  readonly lastSequence: number;
  readonly durableThrough: number;
  /** Largest record that is taken, in bytes. */
  readonly recordBytesMax: number;
  readonly recovery: RecoveryReport;
  /** Why nothing is acknowledged any more; undefined as long as all is well. */
  readonly failure: Error | undefined;

  /**
   * Adds a record, or several that stand or fall together; resolves with the (last) sequence. The
   * bytes are copied before it returns. Rejects with NINES_JOURNAL_BUSY, _FULL, _RECORD_SIZE (the
   * record is not in the journal), _FAILED (it may be or not) or _CLOSED.
   */
  append(records: Uint8Array | readonly Uint8Array[], options?: AppendOptions): Promise<number>;

  /**
   * For high rates: adds a record and returns its sequence at once, or 0 when there is no room for
   * it now (`whenRoom` says when). It is durable when `durableThrough` has reached the sequence.
   * Throws what `append` rejects with, but for NINES_JOURNAL_BUSY.
   */
  offer(record: Uint8Array): number;
  /** Resolves when an offer may be taken again; rejects with NINES_JOURNAL_FULL or _FAILED. */
  whenRoom(): Promise<void>;
  whenDurable(sequence: number): Promise<void>;
  /** Tells about every group until disposed. */
  listen(listener: TicketListener): Disposable;

  /** Durable records, in order. Each has its own bytes. */
  read(range?: SequenceRange): AsyncIterableIterator<JournalRecord>;
  /**
   * The same, faster: `apply` is called in order, and the bytes are valid only during the call.
   * Resolves with the number of records.
   */
  replay(
    range: SequenceRange,
    apply: (bytes: Uint8Array, sequence: number, wallMs: number) => void,
  ): Promise<number>;
  /**
   * Durable records from a sequence on, and then each as it becomes durable. Ends when the journal
   * is closed or when the reader leaves the loop; `return()` ends a `next()` that waits. Default:
   * from the next one on.
   */
  tail(from?: number): AsyncIterableIterator<JournalRecord>;
  /** The last record that was written at or before this time; 0 when there is none. */
  sequenceAt(wallMs: number): Promise<number>;

  /**
   * Writes a snapshot while appends go on; one at a time. It counts from the moment it resolves;
   * a crash before leaves the earlier ones. Rejects with NINES_JOURNAL_SNAPSHOT when there is no
   * room or when `chunks` throws: nothing has changed.
   */
  snapshot(request: SnapshotRequest): Promise<SnapshotInfo>;
  /**
   * Removes what nobody needs any more. Kept are the newest two snapshots that were read back and
   * found whole, and the log from the older of these on: should the newer one rot, the older and
   * the log still lead to the same state. With fewer than two nothing is removed. Files of the log
   * that become free are its next ones, as many as are kept.
   */
  compact(): Promise<CompactionReport>;
  /** `snapshot`, then `compact`. */
  checkpoint(request: SnapshotRequest): Promise<SnapshotInfo>;
  /**
   * The newest snapshot, not beyond `through`, that is whole: its content is checked before it is
   * returned. One that has rotted is passed over for an older one, as long as the log goes on from
   * there; else rejects with NINES_JOURNAL_ROT.
   */
  latestSnapshot(through?: number): Promise<Snapshot | undefined>;

  /**
   * Writes what waits, marks the end as clean and lets go of the folder. Rejects with
   * NINES_JOURNAL_FAILED if it has failed, and has let go of the folder all the same.
   */
  close(): Promise<void>;
}

// The journal as its users hold it (journal.ts): each call goes to the part that does it.

import type { DiskFolder } from "../../ports/disk.ts";
import { read, replay, sequenceAt, Tail } from "./cursor.ts";
import type { Health } from "./health.ts";
import type {
  AppendOptions,
  CompactionReport,
  Journal,
  JournalRecord,
  RecoveryReport,
  SequenceRange,
  Snapshot,
  SnapshotInfo,
  SnapshotRequest,
  TicketListener,
} from "./journal.ts";
import type { Log } from "./log.ts";
import type { Snapshots } from "./snapshots.ts";

export interface JournalParts {
  readonly folder: DiskFolder;
  readonly log: Log;
  readonly health: Health;
  readonly snapshots: Snapshots;
  readonly recovery: RecoveryReport;
  /** Lets go of the folder. */
  readonly release: () => Promise<void>;
}

export class DurableJournal implements Journal {
  readonly folder: string;
  readonly recovery: RecoveryReport;
  readonly #parts: JournalParts;
  #closing: Promise<void> | undefined;

  constructor(parts: JournalParts) {
    this.folder = parts.folder.path;
    this.recovery = parts.recovery;
    this.#parts = parts;
  }

  get firstSequence(): number {
    return this.#parts.snapshots.firstSequence;
  }

  get lastSequence(): number {
    return this.#parts.log.lastSequence;
  }

  get durableThrough(): number {
    return this.#parts.log.durableThrough;
  }

  get recordBytesMax(): number {
    return this.#parts.log.recordBytesMax;
  }

  get failure(): Error | undefined {
    return this.#parts.health.failure;
  }

  append(records: Uint8Array | readonly Uint8Array[], options?: AppendOptions): Promise<number> {
    return this.#parts.log.append(records, options?.durability ?? "durable");
  }

  offer(record: Uint8Array): number {
    return this.#parts.log.offer(record);
  }

  whenRoom(): Promise<void> {
    return this.#parts.log.whenRoom();
  }

  whenDurable(sequence: number): Promise<void> {
    return this.#parts.log.whenDurable(sequence);
  }

  listen(listener: TicketListener): Disposable {
    this.#parts.health.check();
    return this.#parts.log.listen(listener);
  }

  read(range: SequenceRange = {}): AsyncIterableIterator<JournalRecord> {
    const { folder, log, health } = this.#parts;
    return read(folder, log, health, range);
  }

  async replay(
    range: SequenceRange,
    apply: (bytes: Uint8Array, sequence: number, wallMs: number) => void,
  ): Promise<number> {
    const { folder, log, health } = this.#parts;
    health.check();
    return replay(folder, log, range, apply);
  }

  tail(from = this.durableThrough + 1): AsyncIterableIterator<JournalRecord> {
    const { folder, log, health } = this.#parts;
    health.check();
    return new Tail(folder, log, health, from);
  }

  async sequenceAt(wallMs: number): Promise<number> {
    const { folder, log, health } = this.#parts;
    health.check();
    return sequenceAt(folder, log, wallMs);
  }

  snapshot(request: SnapshotRequest): Promise<SnapshotInfo> {
    return this.#parts.snapshots.write(request);
  }

  compact(): Promise<CompactionReport> {
    return this.#parts.snapshots.compact();
  }

  async checkpoint(request: SnapshotRequest): Promise<SnapshotInfo> {
    const info = await this.snapshot(request);
    await this.compact();
    return info;
  }

  latestSnapshot(through = Number.POSITIVE_INFINITY): Promise<Snapshot | undefined> {
    return this.#parts.snapshots.latest(through);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { log, health, snapshots, release } = this.#parts;
    health.close();
    try {
      await snapshots.close();
      await log.close();
    } finally {
      await release();
    }
    if (health.failure !== undefined) throw health.failure;
  }
}

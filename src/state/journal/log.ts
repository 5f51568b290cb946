// Group commit: one write at a time, and what comes meanwhile goes out together in the next.
//
// Two groups take turns: one is on its way to the disk, the other fills. A record is *taken* when
// it is copied into the filling group; then it has its sequence, and only a failure of the journal
// can keep it from the disk. What does not fit waits in line, bounded, and is taken in order. A
// group begins to be written after everything that is ready to run has run (`Disk.soon`): all
// writers that the last group woke bring their next record first, and the program stays responsive
// however fast the disk is.
//
// A group lies in one segment. Whether there is room for it is settled when its first record is
// taken, so that no taken record ever meets a full disk.

import { assert } from "../../core/base/assert.ts";
import { sayBytes } from "../../core/base/bytes.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import { type Disk, type DiskFile, sectorBytes } from "../../ports/disk.ts";
import {
  groupBytesMax,
  groupHeaderBytes,
  groupSectors,
  recordBytes,
  recordLengthMax,
} from "./format.ts";
import { GroupBuffer } from "./group-buffer.ts";
import type { Health } from "./health.ts";
import type { Durability, TicketListener } from "./journal.ts";
import type { SegmentSupply } from "./segment-supply.ts";

/** A segment of the log while it is open. */
export interface LiveSegment {
  readonly index: number;
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Of its first group; the next record's when it has none. */
  readonly firstSequence: number;
  /** What its first group goes on from. */
  readonly chain: number | undefined;
  /** Whole, durable groups end here. */
  usedBytes: number;
}

/** Where a log goes on. */
export interface LogEnd {
  readonly file: DiskFile;
  readonly segments: LiveSegment[];
  readonly chain: number;
  readonly nextSequence: number;
  /** Whether the last group marks a clean close. */
  readonly closedCleanly: boolean;
}

export interface LogLimits {
  readonly segmentBytes: number;
  readonly queueBytes: number;
  readonly bufferedMs: number;
}

export interface LogListener extends TicketListener {
  closed?(): void;
}

type Records = Uint8Array | readonly Uint8Array[];

interface Acknowledgement {
  readonly sequence: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: Error) => void;
}

interface Waiting {
  readonly records: Records;
  readonly bytes: number;
  readonly durability: Durability;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: Error) => void;
}

interface Group {
  readonly buffer: GroupBuffer;
  acknowledgements: Acknowledgement[];
}

/** What a waiting append costs beside its bytes. */
const waitingBytes = 128;

export class Log {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #health: Health;
  readonly #supply: SegmentSupply;
  readonly #limits: LogLimits;
  readonly #listeners = new Set<LogListener>();
  readonly segments: LiveSegment[];
  /** The largest group that any segment takes. */
  readonly #sectorsMax: number;
  #file: DiskFile;
  /** Where the next group goes, what it goes on from, and its first record. */
  #offset: number;
  #chain: number;
  #nextSequence: number;
  #durableThrough: number;
  /** Nothing but a clean close was written last. */
  #isMarkedClean: boolean;
  #filling: Group;
  #flying: Group;
  #isFlying = false;
  #flyingEnd = 0;
  /** Whether the filling group has a place, and whether that is in the next segment. */
  #isPlaced = false;
  #isInNext = false;
  #isScheduled = false;
  /** Somebody waits for the filling group: it goes out as soon as it can. */
  #isDue = false;
  #line: Waiting[] = [];
  #lineBytes = 0;
  #roomWaiters: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #idleWaiters: (() => void)[] = [];
  #bufferedTimer: Timer | undefined;
  #closingFiles: Promise<void> = Promise.resolve();

  constructor(
    disk: Disk,
    clock: Clock,
    health: Health,
    supply: SegmentSupply,
    end: LogEnd,
    limits: LogLimits,
  ) {
    this.#disk = disk;
    this.#clock = clock;
    this.#health = health;
    this.#supply = supply;
    this.#limits = limits;
    this.segments = end.segments;
    this.#file = end.file;
    this.#offset = this.#current.usedBytes;
    this.#chain = end.chain;
    this.#nextSequence = end.nextSequence;
    this.#durableThrough = end.nextSequence - 1;
    this.#isMarkedClean = end.closedCleanly;
    this.#sectorsMax = Math.min(groupBytesMax, limits.segmentBytes - sectorBytes) / sectorBytes;
    this.#filling = {
      buffer: new GroupBuffer((sizeBytes) => disk.allocate(sizeBytes)),
      acknowledgements: [],
    };
    this.#flying = {
      buffer: new GroupBuffer((sizeBytes) => disk.allocate(sizeBytes)),
      acknowledgements: [],
    };
    supply.onChange = () => this.#moveUp();
    health.onFailure((failure) => this.#failed(failure));
  }

  get lastSequence(): number {
    return this.#nextSequence - 1;
  }

  get durableThrough(): number {
    return this.#durableThrough;
  }

  get recordBytesMax(): number {
    return recordLengthMax(this.#sectorsMax);
  }

  get #current(): LiveSegment {
    const last = this.segments.at(-1);
    assert(last !== undefined, "a log has a segment");
    return last;
  }

  append(records: Records, durability: Durability): Promise<number> {
    const bytes = bytesOf(records);
    const refusal = this.#health.refusal() ?? this.#tooLarge(bytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#line.length > 0 || !this.#place(bytes)) {
      return this.#wait(records, bytes, durability);
    }
    const sequence = this.#take(records);
    if (durability === "buffered") {
      this.#startBuffering();
      return Promise.resolve(sequence);
    }
    this.#schedule();
    return new Promise((resolve, reject) => {
      this.#filling.acknowledgements.push({ sequence, resolve, reject });
    });
  }

  offer(record: Uint8Array): number {
    const bytes = recordBytes(record.length);
    const refusal = this.#health.refusal() ?? this.#tooLarge(bytes);
    if (refusal !== undefined) throw refusal;
    this.#schedule();
    if (this.#line.length > 0 || !this.#place(bytes)) {
      if (this.#lacksRoom && this.#supply.refusal !== undefined) throw this.#supply.refusal;
      return 0;
    }
    return this.#take(record);
  }

  whenRoom(): Promise<void> {
    const refusal = this.#health.refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#lacksRoom) {
      this.#supply.prepare();
      if (this.#supply.refusal !== undefined) return Promise.reject(this.#supply.refusal);
    }
    if (this.#isIdle && (this.#supply.ready !== undefined || !this.#lacksRoom)) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => this.#roomWaiters.push({ resolve, reject }));
  }

  whenDurable(sequence: number): Promise<void> {
    if (sequence <= this.#durableThrough) return Promise.resolve();
    if (this.#health.failure !== undefined) return Promise.reject(this.#health.failure);
    assert(sequence < this.#nextSequence, "a ticket was given out before it is waited for");
    const isFlying = this.#isFlying && sequence <= this.#flying.buffer.lastSequence;
    const group = isFlying ? this.#flying : this.#filling;
    this.#schedule();
    return new Promise((resolve, reject) => {
      group.acknowledgements.push({ sequence, resolve: () => resolve(), reject });
    });
  }

  listen(listener: LogListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Everything that was taken is on the device, and the end is marked, when it resolves. */
  async close(): Promise<void> {
    this.#bufferedTimer?.[Symbol.dispose]();
    this.#schedule();
    while (!this.#isIdle && this.#health.failure === undefined) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
    if (!this.#isMarkedClean && this.#health.failure === undefined) await this.#markClean();
    for (const listener of this.#listeners) listener.closed?.();
    this.#listeners.clear();
    await this.#supply.close();
    await this.#closingFiles;
    await this.#file.close();
  }

  // Taking records

  #tooLarge(bytes: number): NinesError | undefined {
    if (groupSectors(groupHeaderBytes + bytes) <= this.#sectorsMax) return undefined;
    const limit = `records of ${sayBytes(this.recordBytesMax)} at most are taken`;
    return new NinesError("NINES_JOURNAL_RECORD_SIZE", `${sayBytes(bytes)}: ${limit}`);
  }

  /** Whether the filling group has room for so many bytes more, in a segment that is there. */
  #place(bytes: number): boolean {
    const { buffer } = this.#filling;
    if (this.#isPlaced) return buffer.fits(bytes);
    const needed = groupSectors(groupHeaderBytes + bytes);
    const left = (this.#current.sizeBytes - this.#offset) / sectorBytes;
    this.#isInNext = needed > left;
    const segment = this.#isInNext ? this.#supply.ready : this.#current;
    if (segment === undefined) {
      this.#supply.prepare();
      return false;
    }
    buffer.begin({
      previous: this.#chain,
      firstSequence: this.#nextSequence,
      index: segment.index,
      sectorsMax: this.#isInNext ? this.#sectorsMax : Math.min(left, this.#sectorsMax),
    });
    this.#isPlaced = true;
    return true;
  }

  /** Nothing fills, for what came last needs a segment that is not there. */
  get #lacksRoom(): boolean {
    return !this.#isPlaced && this.#isInNext;
  }

  #take(records: Records): number {
    const { buffer } = this.#filling;
    if (records instanceof Uint8Array) {
      buffer.add(records);
      return this.#nextSequence++;
    }
    for (const record of records) buffer.add(record);
    this.#nextSequence += records.length;
    return this.#nextSequence - 1;
  }

  #startBuffering(): void {
    if (this.#filling.buffer.contentBytes > groupBytesMax / 2) return this.#schedule();
    this.#bufferedTimer ??= this.#clock.after(this.#limits.bufferedMs, () => {
      this.#bufferedTimer = undefined;
      this.#schedule();
    });
  }

  #wait(records: Records, bytes: number, durability: Durability): Promise<number> {
    if (this.#line.length === 0 && this.#lacksRoom && this.#supply.refusal !== undefined) {
      return Promise.reject(this.#supply.refusal);
    }
    const cost = bytes + waitingBytes;
    const waiting = this.#lineBytes + this.#filling.buffer.contentBytes;
    if (waiting + cost > this.#limits.queueBytes) {
      const allowed = sayBytes(this.#limits.queueBytes);
      const what = `${sayBytes(waiting)} wait for the disk, ${allowed} may`;
      return Promise.reject(new NinesError("NINES_JOURNAL_BUSY", what));
    }
    this.#lineBytes += cost;
    this.#schedule();
    const copy = records instanceof Uint8Array ? records.slice() : records.map((r) => r.slice());
    return new Promise((resolve, reject) => {
      this.#line.push({ records: copy, bytes, durability, resolve, reject });
    });
  }

  /** Takes from the line what fits by now; refuses what no room can be made for. */
  #moveUp(): void {
    if (this.#health.failure !== undefined) return;
    let taken = 0;
    for (const waiting of this.#line) {
      if (!this.#place(waiting.bytes)) {
        if (!this.#lacksRoom || this.#supply.refusal === undefined) break;
        waiting.reject(this.#supply.refusal);
      } else {
        const { durability, resolve, reject } = waiting;
        const sequence = this.#take(waiting.records);
        if (durability === "buffered") resolve(sequence);
        else this.#filling.acknowledgements.push({ sequence, resolve, reject });
      }
      this.#lineBytes -= waiting.bytes + waitingBytes;
      taken++;
    }
    if (taken > 0) this.#line = this.#line.slice(taken);
    if (this.#filling.buffer.records > 0 && taken > 0) this.#schedule();
    if (this.#line.length === 0) this.#tellRoom();
    this.#tellIdle();
  }

  #tellRoom(): void {
    if (this.#roomWaiters.length === 0) return;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    const refusal = this.#lacksRoom ? this.#supply.refusal : undefined;
    for (const { resolve, reject } of waiters) {
      if (refusal === undefined) resolve();
      else reject(refusal);
    }
  }

  get #isIdle(): boolean {
    return !this.#isFlying && this.#line.length === 0 && this.#filling.buffer.records === 0;
  }

  #tellIdle(): void {
    if (!this.#isIdle) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  // Writing groups

  #schedule(): void {
    this.#isDue = true;
    if (this.#isScheduled || this.#isFlying) return;
    this.#isScheduled = true;
    this.#disk.soon(() => {
      this.#isScheduled = false;
      if (!this.#isFlying && this.#filling.buffer.records > 0) this.#write();
    });
  }

  /** Sends the filling group on its way; the other one fills from now on. */
  #write(): void {
    if (this.#health.failure !== undefined) return;
    this.#bufferedTimer?.[Symbol.dispose]();
    this.#bufferedTimer = undefined;
    const group = this.#filling;
    this.#filling = this.#flying;
    this.#flying = group;
    this.#isFlying = true;
    if (this.#isInNext) this.#rotate(group.buffer.lastSequence + 1 - group.buffer.records);
    this.#isPlaced = false;
    this.#isInNext = false;
    this.#isDue = false;
    this.#filling.buffer.clear();
    const { bytes, checksum } = group.buffer.seal(Math.max(0, Math.floor(this.#clock.wallMs())));
    const offset = this.#offset;
    this.#offset += bytes.length;
    this.#flyingEnd = this.#offset;
    this.#chain = checksum;
    this.#isMarkedClean = group.buffer.records === 0;
    this.#send(bytes, offset);
  }

  #send(bytes: Uint8Array, offset: number): void {
    let pending: Promise<void> | undefined;
    try {
      pending = this.#file.write(bytes, offset);
    } catch (error) {
      return this.#writeFailed(error);
    }
    if (pending === undefined) return this.#landed();
    pending.then(
      () => this.#landed(),
      (error) => this.#writeFailed(error),
    );
  }

  #writeFailed(error: unknown): void {
    this.#health.fail(`writing ${this.#current.fileName}`, error);
  }

  #rotate(firstSequence: number): void {
    const next = this.#supply.take();
    assert(next !== undefined, "a group is placed in a segment that is there");
    // Its writes are durable one by one: closing it can lose nothing.
    const closed = this.#file.close().catch(() => undefined);
    this.#closingFiles = this.#closingFiles.then(() => closed);
    this.#file = next.file;
    this.#offset = sectorBytes;
    this.segments.push({
      index: next.index,
      fileName: next.fileName,
      sizeBytes: next.sizeBytes,
      firstSequence,
      chain: this.#chain,
      usedBytes: sectorBytes,
    });
    this.#supply.prepare();
  }

  /** The group is on the device. */
  #landed(): void {
    if (this.#health.failure !== undefined) return;
    const { buffer, acknowledgements } = this.#flying;
    this.#isFlying = false;
    this.#current.usedBytes = this.#flyingEnd;
    this.#durableThrough = buffer.lastSequence;
    this.#flying.acknowledgements = [];
    for (const { resolve, sequence } of acknowledgements) resolve(sequence);
    for (const listener of this.#listeners) listener.durable(this.#durableThrough);
    this.#moveUp();
    if (this.#isDue) this.#schedule();
  }

  /** A group without records, so that none with records is last. Without room, then without it. */
  async #markClean(): Promise<void> {
    if (!this.#place(0)) return;
    this.#write();
    while (this.#isFlying && this.#health.failure === undefined) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  #failed(failure: NinesError): void {
    this.#bufferedTimer?.[Symbol.dispose]();
    const told = [...this.#flying.acknowledgements, ...this.#filling.acknowledgements];
    told.push(...this.#line.map((waiting) => ({ ...waiting, sequence: 0 })));
    this.#flying.acknowledgements = [];
    this.#filling.acknowledgements = [];
    this.#line = [];
    for (const { reject } of told) reject(failure);
    for (const { reject } of this.#roomWaiters.splice(0)) reject(failure);
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    for (const listener of this.#listeners) listener.failed(failure);
    this.#listeners.clear();
  }
}

function bytesOf(records: Records): number {
  if (records instanceof Uint8Array) return recordBytes(records.length);
  assert(records.length > 0, "an append has a record");
  return records.reduce((sum, record) => sum + recordBytes(record.length), 0);
}

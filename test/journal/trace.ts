// A long life of a journal, from one seed: appends of all kinds, rotations, snapshots, checkpoints,
// compactions, closes and starts, mixed and at the same time, on a simulated disk.

import assert from "node:assert/strict";
import { createPrng, type Random } from "../../src/core/base/prng.ts";
import type { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Disk } from "../../src/ports/disk.ts";
import type { Journal, JournalOptions } from "../../src/state/journal/journal.ts";
import { HandClock } from "./hand-clock.ts";
import { type Ledger, snapshotContent } from "./ledger.ts";

export type OpenJournal = (
  folder: string,
  options: JournalOptions,
  disk: Disk,
  clock: Clock,
) => Promise<Journal>;

export interface LifeOptions {
  readonly seed: number;
  /** One append at a time, and refused ones are taken back: for disks that get full. */
  readonly serial?: boolean;
  /** Sizes that a start takes one of. */
  readonly segmentSizes?: readonly number[];
}

export const journalFolder = "/journal";
const fullCode = "NINES_JOURNAL_FULL";
/** More than any call of a healthy journal takes on the simulated disk. */
const turnsMax = 2_000;

/** What the call comes to, or a failure when it hangs: nothing here takes real time. */
export async function settled<T>(call: Promise<T>, what: string): Promise<T> {
  let done = false;
  const finish = () => void (done = true);
  call.then(finish, finish);
  for (let turns = 0; !done; turns++) {
    if (turns === turnsMax) throw new Error(`${what} does not come to an end`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return call;
}

export class Life {
  readonly disk: SimulatedDisk;
  readonly ledger: Ledger;
  readonly clock = new HandClock();
  journal: Journal | undefined;
  readonly #open: OpenJournal;
  readonly #random: Random;
  readonly #serial: boolean;
  readonly #segmentSizes: readonly number[];
  /** Checkpoints so often that most segments were others before. */
  readonly #tidy: boolean;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(disk: SimulatedDisk, ledger: Ledger, open: OpenJournal, options: LifeOptions) {
    this.disk = disk;
    this.ledger = ledger;
    this.#open = open;
    this.#random = createPrng(options.seed);
    this.#serial = options.serial ?? false;
    this.#tidy = !this.#serial && this.#random.below(2) === 0;
    this.#segmentSizes = options.segmentSizes ?? (this.#tidy ? [4_096] : [4_096, 8_192, 16_384]);
    disk.slowWrites = this.#random.below(2) === 0;
    const pauses = this.#random.stream("pauses");
    disk.pause = async () => {
      for (let hops = pauses.below(6); hops > 0; hops--) await Promise.resolve();
    };
  }

  async start(): Promise<Journal> {
    this.ledger.closed = false;
    const segmentBytes = this.#pick(this.#segmentSizes);
    const opening = this.#open(journalFolder, { segmentBytes }, this.disk, this.clock);
    this.journal = await settled(opening, "opening");
    return this.journal;
  }

  /** One operation, begun or done; `settle` waits for what it has begun. */
  async step(): Promise<void> {
    const draw = this.#random.below(this.#tidy ? 130 : 100);
    if (draw < (this.#serial ? 80 : 40)) await this.#burst(1);
    else if (draw < 52) await this.#burst(2 + this.#random.below(6));
    else if (draw < 60) this.#later(this.#append("buffered"));
    else if (draw < 68) this.#offer();
    else if (draw < 74) this.clock.advance(50 + this.#random.below(100));
    else if (draw < 80) this.#later(this.#append("durable"));
    else if (draw < 86) await this.#snapshot("snapshot");
    else if (draw < 91) await this.#snapshot("checkpoint");
    else if (draw < 94) await settled(this.#now().compact(), "compaction");
    else if (draw < 97) await this.settle();
    else if (draw < 100) await this.restart();
    else await this.#snapshot("checkpoint");
  }

  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await settled(Promise.all(this.#underWay), "an append");
  }

  /** Waits for what was begun, however it ends. */
  async abandon(): Promise<void> {
    const left = [...this.#underWay];
    this.#underWay.clear();
    await settled(Promise.allSettled(left), "an append that was under way");
  }

  async close(): Promise<void> {
    await this.settle();
    await settled(this.#now().close(), "closing");
    this.ledger.noteDurable(this.ledger.submitted);
    this.ledger.closed = true;
    this.journal = undefined;
  }

  async restart(): Promise<void> {
    await this.close();
    await this.start();
  }

  async #burst(appends: number): Promise<void> {
    const all = Array.from({ length: appends }, () => this.#append("durable"));
    await settled(Promise.all(all), "an append");
  }

  async #append(durability: "durable" | "buffered"): Promise<void> {
    const several = this.#random.below(4) === 0 ? 2 + this.#random.below(4) : 1;
    const records = Array.from({ length: several }, () => this.#record(several));
    const last = this.ledger.submit(records);
    const given = several === 1 && records[0] !== undefined ? records[0] : records;
    const appended = this.#now().append(given, { durability });
    // The journal has its own copy: what the caller does with its bytes is the caller's business.
    for (const record of records) record.fill(0xee);
    try {
      assert.equal(await appended, last);
    } catch (error) {
      const refused = error instanceof Error && "code" in error && error.code === fullCode;
      if (refused && this.#serial) this.ledger.takeBack(records.length);
      throw error;
    }
    if (durability === "durable") this.ledger.noteDurable(last);
  }

  #offer(): void {
    for (let offers = 1 + this.#random.below(5); offers > 0; offers--) {
      const record = this.#record(1);
      const ticket = this.#now().offer(record);
      // No room now, until the next segment is ready.
      if (ticket === 0) break;
      assert.equal(ticket, this.ledger.submit([record]));
    }
    // What waits in line has no ticket yet.
    const given = this.#now().lastSequence;
    const durable = this.#now().whenDurable(given);
    this.#later(durable.then(() => this.ledger.noteDurable(given)));
  }

  async #snapshot(kind: "snapshot" | "checkpoint"): Promise<void> {
    const { durableThrough, lastSequence } = this.#now();
    // A state may be ahead of the disk: the journal sees to it that the disk follows first.
    const through = this.#random.below(2) === 0 ? durableThrough : lastSequence;
    const content = snapshotContent(through);
    const info = await settled(this.#now()[kind]({ through, chunks: this.#chunks(content) }), kind);
    assert.equal(info.through, through);
    this.ledger.noteSnapshot(through);
  }

  /** Writers go on between the chunks. */
  async *#chunks(content: Uint8Array): AsyncIterable<Uint8Array> {
    for (let start = 0; start < content.length; ) {
      const length = 1 + this.#random.below(1_200);
      yield content.slice(start, start + length);
      start += length;
      if (!this.#serial && this.#random.below(2) === 0) await this.#append("durable");
    }
  }

  #record(several: number): Uint8Array {
    const kind = this.#random.below(10);
    const largest = Math.floor(this.#now().recordBytesMax / several) - 16 * (several - 1);
    const sizeMax = kind === 0 ? largest : Math.floor(300 / several);
    const record = new Uint8Array(this.#random.below(sizeMax + 1));
    if (kind === 1) return record;
    if (kind === 2) return record.fill(0xff);
    if (kind === 3) return this.#imitation(record);
    for (let at = 0; at < record.length; at++) record[at] = this.#random.below(256);
    return record;
  }

  /** What the log itself holds, as the content of a record: it must not be taken for the log. */
  #imitation(record: Uint8Array): Uint8Array {
    const logs = this.disk.names(journalFolder).filter((name) => name.endsWith(".log"));
    const content = this.disk.content(journalFolder, this.#pick(logs));
    content.read(record, this.#random.below(Math.ceil(content.sizeBytes / 512)) * 512);
    return record;
  }

  #later(begun: Promise<unknown>): void {
    this.#underWay.add(begun);
    // A failure shows in `settle`, which throws it.
    begun.then(
      () => this.#underWay.delete(begun),
      () => undefined,
    );
  }

  #now(): Journal {
    assert.ok(this.journal !== undefined, "the journal is open");
    return this.journal;
  }

  #pick<T>(from: readonly T[]): T {
    const picked = from[this.#random.below(from.length)];
    assert.ok(picked !== undefined);
    return picked;
  }
}

// One contender, in a process of its own, for some seconds: closed loops that each wait for their
// record to be durable before they bring the next. Prints one JSON object, or null when the
// contender is not installed.
//
// The journal is called as an application would call it, by one loop a writer: `journal` awaits a
// promise a record, `tickets` takes sequences and is told once a group. Both take a checkpoint,
// with a small state, as often as the C program goes round in its file, and are measured when they
// have taken some: as a log is that has been at work for a while, its files used again. `growing`
// takes none, like an application that keeps every record: each of its files is filled with zeros
// first. Databases get what all writers have brought as one transaction, which is the most that any
// group commit could do for them. A latency is measured at four writers at most: reading the clock
// twice a record would cost more than the record, and they read it once a transaction.
//
// usage: writer.js '{"contender":"journal","folder":"...","writers":16,"recordBytes":100,...}'

import { type Journal, openJournal } from "../../src/sdk/journal.ts";
import { type BatchStore, openLmdb, openSqlite } from "./databases.ts";
import { Latencies, type Measured } from "./measured.ts";

export const embedded = ["journal", "tickets", "growing", "sqlite", "lmdb"] as const;

export interface WriterTask {
  readonly contender: (typeof embedded)[number];
  readonly folder: string;
  readonly writers: number;
  readonly recordBytes: number;
  readonly seconds: number;
  /** Not measured: compilation, caches, the file's first extents. */
  readonly warmUpSeconds: number;
}

const MEASURED_WRITERS_MAX = 4;
const CHECKPOINT_BYTES = 64 * 1024 * 1024;
const STATE = new Uint8Array(64 * 1024);
/** After so many checkpoints the log is made of files that were others before. */
const CHECKPOINTS_BEFORE = 4;
const FILL_BYTES = 256 * 1024;

/** Takes a checkpoint whenever the log has grown by so much, beside the writers. */
class Checkpoints {
  readonly #journal: Journal;
  readonly #everyRecords: number;
  #through = 0;
  #work: Promise<void> | undefined;

  constructor(journal: Journal, recordBytes: number) {
    this.#journal = journal;
    this.#everyRecords = CHECKPOINT_BYTES / recordBytes;
  }

  takeIfDue(): void {
    const through = this.#journal.durableThrough;
    if (this.#work !== undefined || through - this.#through < this.#everyRecords) return;
    this.#through = through;
    this.#work = this.#journal.checkpoint({ through, chunks: [STATE] }).then(() => {
      this.#work = undefined;
    });
  }

  async done(): Promise<void> {
    await this.#work;
  }
}

/** A journal that has been at work for a while, or a new one that only grows. */
async function openAged(task: WriterTask) {
  const journal = await openJournal(task.folder);
  if (task.contender === "growing") return { journal, checkpoints: undefined };
  const checkpoints = new Checkpoints(journal, task.recordBytes);
  const record = new Uint8Array(task.recordBytes).fill(120);
  const batch = Array.from({ length: FILL_BYTES / task.recordBytes }, () => record);
  const fills = (CHECKPOINTS_BEFORE * CHECKPOINT_BYTES) / FILL_BYTES;
  for (let fill = 0; fill < fills; fill++) {
    await journal.append(batch);
    checkpoints.takeIfDue();
  }
  await checkpoints.done();
  return { journal, checkpoints };
}

/** Runs two stretches, the second one measured. */
class Stretch {
  readonly latencies = new Latencies();
  readonly #warmUpMs: number;
  readonly #measuredMs: number;
  #begunMs = performance.now();
  #warm = false;
  #over = false;
  records = 0;

  constructor(task: WriterTask) {
    this.#warmUpMs = task.warmUpSeconds * 1000;
    this.#measuredMs = task.seconds * 1000;
  }

  /** What is done before this is not even warming up. */
  begin(): void {
    this.#begunMs = performance.now();
  }

  get over(): boolean {
    return this.#over;
  }

  /** The time, at which a stretch may end. */
  tick(): number {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#begunMs;
    if (!this.#warm && elapsedMs >= this.#warmUpMs) {
      this.#warm = true;
      this.#begunMs = nowMs;
      this.records = 0;
      this.latencies.clear();
    } else if (this.#warm && elapsedMs >= this.#measuredMs) {
      this.#over = true;
    }
    return nowMs;
  }

  measured(): Measured {
    return this.latencies.measured(this.records, performance.now() - this.#begunMs);
  }
}

async function runJournal(task: WriterTask, stretch: Stretch): Promise<Measured> {
  const { journal, checkpoints } = await openAged(task);
  stretch.begin();
  const record = new Uint8Array(task.recordBytes).fill(120);
  const isMeasured = every(task.writers);
  const writer = async (number: number): Promise<void> => {
    const measured = isMeasured(number);
    while (!stretch.over) {
      const begunMs = measured ? stretch.tick() : 0;
      await journal.append(record);
      stretch.records += 1;
      if (measured) stretch.latencies.add(performance.now() - begunMs);
      if (number === 0) checkpoints?.takeIfDue();
    }
  };
  await Promise.all(Array.from({ length: task.writers }, (_, number) => writer(number)));
  const measured = stretch.measured();
  await checkpoints?.done();
  await journal.close();
  return measured;
}

/** The same writers without a promise each: those whose record is durable bring their next. */
async function runTickets(task: WriterTask, stretch: Stretch): Promise<Measured> {
  const { journal, checkpoints } = await openAged(task);
  stretch.begin();
  const record = new Uint8Array(task.recordBytes).fill(120);
  let idle = task.writers;
  let doneThrough = journal.durableThrough;
  /** The record whose latency is measured: one at a time. */
  let timed = { sequence: 0, begunMs: 0 };
  const bringNext = async (): Promise<void> => {
    for (; idle > 0; idle--) {
      const sequence = journal.offer(record);
      if (sequence === 0) return journal.whenRoom().then(bringNext);
      if (timed.sequence <= doneThrough) timed = { sequence, begunMs: stretch.tick() };
    }
  };
  await new Promise<void>((resolve, reject) => {
    journal.listen({
      durable(through) {
        const isTimed = timed.sequence > doneThrough && timed.sequence <= through;
        if (isTimed) stretch.latencies.add(stretch.tick() - timed.begunMs);
        stretch.records += through - doneThrough;
        idle += through - doneThrough;
        doneThrough = through;
        checkpoints?.takeIfDue();
        if (stretch.over) resolve();
        else bringNext().catch(reject);
      },
      failed: reject,
    });
    bringNext().catch(reject);
  });
  const measured = stretch.measured();
  await checkpoints?.done();
  await journal.close();
  return measured;
}

async function runStore(store: BatchStore, task: WriterTask, stretch: Stretch): Promise<Measured> {
  const record = new Uint8Array(task.recordBytes).fill(120);
  while (!stretch.over) {
    const begunMs = stretch.tick();
    store.write(record, task.writers);
    stretch.records += task.writers;
    stretch.latencies.add(performance.now() - begunMs);
  }
  const measured = stretch.measured();
  await store.close();
  return measured;
}

function every(writers: number): (number: number) => boolean {
  const step = Math.max(1, Math.floor(writers / MEASURED_WRITERS_MAX));
  return (number) => number % step === 0;
}

async function run(task: WriterTask): Promise<Measured | null> {
  const stretch = new Stretch(task);
  if (task.contender === "journal" || task.contender === "growing") {
    return runJournal(task, stretch);
  }
  if (task.contender === "tickets") return runTickets(task, stretch);
  const open = task.contender === "sqlite" ? openSqlite : openLmdb;
  const store = open(task.folder);
  return store === undefined ? null : runStore(store, task, stretch);
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "") as WriterTask)));

// Crashes at every point of a journal's life, each followed by a start that is judged.
//
// A crash makes a difference only where the disk changes, so the points are: before each change of
// the disk, and half way through it. At each point an image of the disk is taken as a power loss
// may leave it (every outcome where they are few, a sample where not), and one as a kill leaves
// it. The journal is opened on each image, and must then be what its promises say, given what was
// known when the image was taken: open without a complaint, without a gap, with everything that
// was called durable, nothing that was never handed over, and no half of an append. A second power
// loss right after that start must change nothing that the start has shown. Some images go on:
// crashes during the start itself, and a life after it with a crash at its end.
//
// The idea is ALICE's (Pillai et al., OSDI 2014) and SQLite's crash VFS, on a port instead of a
// trace of system calls.

import { createPrng, type Random } from "../../src/core/base/prng.ts";
import { enumerate, sample } from "../../sim/disk/choices.ts";
import type { Choose } from "../../sim/disk/content.ts";
import { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import type { Journal } from "../../src/state/journal/journal.ts";
import { BrokenPromise } from "../broken-promise.ts";
import { HandClock } from "./hand-clock.ts";
import { isOfItsSequence, type Known, Ledger } from "./ledger.ts";
import { journalFolder, Life, type OpenJournal, settled } from "./trace.ts";

export interface CrashOptions {
  readonly seed: number;
  readonly operations: number;
  /** Outcomes of a power loss at one point that are tried, all of them if there are no more. */
  readonly outcomesMax: number;
}

export interface CrashCount {
  readonly points: number;
  /** Starts after a crash, all judged. */
  readonly crashes: number;
}

/** A kill here leaves names that only the kernel knows: no start may build on them as they are. */
const namesInDoubt = `before flush ${journalFolder}`;

interface Image {
  /** The disk at that moment, with what is not durable yet still open. */
  readonly disk: SimulatedDisk;
  readonly known: Known;
  readonly ledger: Ledger;
  readonly what: string;
}

/** Runs the life of a seed with all its crashes. Throws BrokenPromise. */
export async function crashEverywhere(
  open: OpenJournal,
  options: CrashOptions,
): Promise<CrashCount> {
  const run = new Run(open, options);
  try {
    await run.all();
  } catch (cause) {
    const where = `seed ${options.seed}, operation ${run.operation}`;
    throw new BrokenPromise(`${where}: ${messageOf(cause)}`, { cause });
  }
  return { points: run.points, crashes: run.crashes };
}

class Run {
  points = 0;
  crashes = 0;
  operation = 0;
  readonly #open: OpenJournal;
  readonly #options: CrashOptions;
  readonly #random: Random;

  constructor(open: OpenJournal, options: CrashOptions) {
    this.#open = open;
    this.#options = options;
    this.#random = createPrng(options.seed).stream("crashes");
  }

  async all(): Promise<void> {
    const { seed, operations } = this.#options;
    const life = new Life(new SimulatedDisk(), new Ledger(), this.#open, { seed });
    const images: Image[] = [];
    life.disk.onStep = (step, what) => images.push(imageOf(life, `${step} ${what}`));
    await life.start();
    for (; this.operation < operations; this.operation++) {
      await life.step();
      for (const image of images.splice(0)) await this.#crashAt(image);
    }
    await life.close();
    images.push(imageOf(life, "after the close"));
    for (const image of images) await this.#crashAt(image);
  }

  async #crashAt(image: Image): Promise<void> {
    this.points++;
    if (image.what === namesInDoubt) {
      const live = () => this.#liveOn(image.disk.afterKill(), image, 20);
      await labelled(`${image.what}, a life after a kill`, live);
    }
    if (this.#random.below(4) === 0) await this.#judge(image, image.disk.afterKill(), "a kill");
    let outcomes = 0;
    for (const left of powerLosses(image.disk, this.#options.outcomesMax, this.#random)) {
      await this.#judge(image, left, `outcome ${++outcomes} of a power loss`);
    }
  }

  #judge(image: Image, left: SimulatedDisk, outcome: string): Promise<void> {
    return labelled(`${image.what}, ${outcome}`, async () => {
      const last = await this.#start(left, image.ledger, image.known);
      // What one start has shown no later one may take back.
      const shown: Known = { ...image.known, submitted: last, durable: last, closed: false };
      const again = left.afterPowerLoss(sample(this.#random), { stale: true });
      await this.#start(again, image.ledger, shown);
      if (this.#random.below(8) > 0) return;
      const next = this.#random.below(2) === 0 ? left : again;
      await this.#liveOn(next.afterKill(), image, 6);
    });
  }

  /** A start after a crash, now and then with crashes while it starts; the last record it shows. */
  async #start(disk: SimulatedDisk, ledger: Ledger, known: Known): Promise<number> {
    const cut: SimulatedDisk[] = [];
    if (this.#random.below(16) === 0) {
      disk.onStep = () => cut.push(disk.afterPowerLoss(sample(this.#random), { stale: true }));
    }
    const last = await this.#startOnce(disk, ledger, known);
    disk.onStep = undefined;
    for (const image of cut) await this.#startOnce(image, ledger, { ...known, closed: false });
    return last;
  }

  async #startOnce(disk: SimulatedDisk, ledger: Ledger, known: Known): Promise<number> {
    this.crashes++;
    return startAndJudge(this.#open, disk, ledger, known);
  }

  /** A start, some operations, and a power loss at some of their points. */
  async #liveOn(disk: SimulatedDisk, before: Image, stepsMax: number): Promise<void> {
    const last = await this.#startOnce(disk.afterKill(), before.ledger, before.known);
    const ledger = Ledger.after(before.ledger, last);
    const seed = this.#random.below(2 ** 31);
    const life = new Life(disk, ledger, this.#open, { seed, segmentSizes: [4_096] });
    const images: Image[] = [];
    disk.onStep = (step, what) => {
      if (this.#random.below(12) === 0) images.push(imageOf(life, `later, ${step} ${what}`));
    };
    await life.start();
    for (let steps = 1 + this.#random.below(stepsMax); steps > 0; steps--) await life.step();
    images.push(imageOf(life, "later"));
    await life.close();
    for (const { disk: later, known, what } of images) {
      const left = later.afterPowerLoss(sample(this.#random), { stale: true });
      await labelled(what, () => this.#startOnce(left, ledger, known));
    }
  }
}

/** Opens the journal and holds it to what was known; the last record that it shows. */
export async function startAndJudge(
  open: OpenJournal,
  disk: SimulatedDisk,
  ledger: Ledger,
  known: Known,
): Promise<number> {
  const opening = open(journalFolder, { segmentBytes: 4_096 }, disk, new HandClock());
  const journal = await settled(opening, "a start");
  const last = await judge(journal, ledger, known);
  await judgeSnapshots(journal, known, disk);
  return last;
}

export function imageOf(life: Life, what: string): Image {
  const { disk, ledger, journal } = life;
  return { disk: disk.afterKill(), known: ledger.known(journal), ledger, what };
}

/** Every outcome if they are few, else a sample, which begins with the two extremes. */
function* powerLosses(
  disk: SimulatedDisk,
  outcomesMax: number,
  random: Random,
): Generator<SimulatedDisk> {
  let outcomes = 1;
  const newest: Choose = (ways) => {
    outcomes *= ways;
    return ways - 1;
  };
  const last = disk.afterPowerLoss(newest, { stale: false });
  if (outcomes <= outcomesMax) {
    for (const choose of enumerate(outcomesMax)) {
      yield disk.afterPowerLoss(choose, { stale: false });
    }
    return;
  }
  yield last;
  yield disk.afterPowerLoss(() => 0, { stale: false });
  for (let taken = 2; taken < outcomesMax; taken++) {
    yield disk.afterPowerLoss(sample(random), { stale: true });
  }
}

async function labelled<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new Error(`${what}: ${messageOf(cause)}`, { cause });
  }
}

function expect(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** The last record that a started journal shows; throws what is wrong with it. */
async function judge(journal: Journal, ledger: Ledger, known: Known): Promise<number> {
  const { firstSequence: first, lastSequence: last } = journal;
  expect(last >= known.durable, `${known.durable} was durable, and the log ends at ${last}`);
  expect(last <= known.submitted, `${known.submitted} were handed over, it ends at ${last}`);
  expect(journal.durableThrough === last, "what a start shows is durable");
  expect(ledger.endsAt(last), `an append is there by half: it ends at ${last}`);
  let next = first;
  await journal.replay({}, (bytes, sequence) => {
    expect(sequence === next, `record ${next} is missing, ${sequence} follows`);
    expect(ledger.holds(sequence, bytes), `record ${sequence} is not what was handed over`);
    next++;
  });
  expect(next === last + 1, `it says that it ends at ${last}, and shows ${next - 1}`);
  if (known.closed) {
    expect(journal.recovery.closedCleanly, "a clean close is not known as one");
    expect(last === known.submitted, "a close has not kept everything");
  }
  return last;
}

async function judgeSnapshots(journal: Journal, known: Known, disk: SimulatedDisk): Promise<void> {
  const snapshot = await journal.latestSnapshot();
  const through = snapshot?.through ?? 0;
  expect(through >= known.snapshot, `the snapshot through ${known.snapshot} is gone`);
  expect(through <= known.submitted, `a snapshot of the future, through ${through}`);
  const older = snapshotsIn(disk).at(-2) ?? 0;
  const { firstSequence: first } = journal;
  const isKept = known.snapshot < 0 || first <= older + 1;
  expect(isKept, `the log begins at ${first}, the older snapshot is through ${older}`);
  if (snapshot === undefined) return;
  expect(await isOfItsSequence(snapshot), "the snapshot's content has changed");
}

function snapshotsIn(disk: SimulatedDisk): readonly number[] {
  return disk
    .names(journalFolder)
    .flatMap((name) => (name.endsWith(".snapshot") ? [Number.parseInt(name, 10)] : []));
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

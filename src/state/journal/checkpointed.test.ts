// State that survives, on the simulated disk: what was acknowledged is in the state of every later
// start, exactly once, whatever the disk and the checkpoints were doing meanwhile.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../../core/base/prng.ts";
import { sample } from "../../../sim/disk/choices.ts";
import { SimulatedDisk } from "../../../sim/disk/simulated-disk.ts";
import { HandClock } from "../../../test/journal/hand-clock.ts";
import {
  type CheckpointOptions,
  Checkpointed,
  type Codec,
  type StateMachine,
} from "./checkpointed.ts";
import { CopyOnWriteMap } from "./copy-on-write-map.ts";
import type { JournalOptions, SnapshotInfo } from "./journal.ts";
import { openJournal } from "./open.ts";

const codec: Codec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown,
};

interface Add {
  readonly key: string;
  readonly amount: number;
}
type Counters = CopyOnWriteMap<string, number>;
type Entry = readonly [string, number];

/** Counters to which changes add: to apply a change twice, or not at all, is seen in the sum. */
const counters: StateMachine<Counters, Add, number, Entry> = {
  empty: () => new CopyOnWriteMap(),
  apply: (state, { key, amount }) => {
    const total = (state.get(key) ?? 0) + amount;
    state.set(key, total);
    return total;
  },
  save: (state) => state.freeze(),
  load: (state, [key, total]) => void state.set(key, total),
};

interface Place extends CheckpointOptions {
  readonly disk?: SimulatedDisk;
  readonly clock?: HandClock;
  readonly machine?: typeof counters;
  readonly journalOptions?: JournalOptions;
}

async function open(place: Place = {}) {
  const { disk = new SimulatedDisk(), clock = new HandClock(), machine = counters } = place;
  const journalOptions = { segmentBytes: 8192, ...place.journalOptions };
  const journal = await openJournal("/state", journalOptions, disk, clock);
  const opening = { ...place, journal, machine, codec, clock };
  const book = await Checkpointed.open(opening);
  return { book, journal, disk, clock };
}

function totals(state: Counters): Readonly<Record<string, number>> {
  return Object.fromEntries(state.entries());
}

describe("checkpointed state", () => {
  it("answers a change with what apply returned, once it is in the state", async () => {
    const { book } = await open();
    assert.equal(await book.change({ key: "a", amount: 2 }), 2);
    assert.equal(await book.change({ key: "a", amount: 3 }), 5);
    assert.deepEqual(totals(book.state), { a: 5 });
    assert.equal(book.appliedThrough, 2);
    await book.close();
  });

  it("applies changes in the order of the calls, as they were at the call", async () => {
    const { book } = await open();
    const change = { key: "a", amount: 1 };
    const first = book.change(change);
    change.amount = 10;
    const second = book.change(change);
    assert.deepEqual(await Promise.all([first, second]), [1, 11]);
    await book.close();
  });

  it("shows nobody a change that a crash could take back", async () => {
    const disk = new SimulatedDisk();
    const { book } = await open({ disk });
    let seen: number | undefined;
    disk.onStep = () => {
      seen ??= book.state.get("a") ?? 0;
    };
    await book.change({ key: "a", amount: 1 });
    assert.equal(seen, 0, "not while the disk was at it");
    assert.equal(book.state.get("a"), 1);
    await book.close();
  });

  it("starts from the newest snapshot and the log after it", async () => {
    const { book, disk } = await open();
    await book.change({ key: "a", amount: 1 });
    await book.change({ key: "b", amount: 2 });
    const { through } = await book.checkpoint();
    assert.equal(through, 2);
    await book.change({ key: "a", amount: 3 });
    const again = await open({ disk: disk.afterKill() });
    assert.deepEqual(totals(again.book.state), { a: 4, b: 2 });
    assert.deepEqual(again.book.restored, { snapshotThrough: 2, replayed: 1 });
    await book.close();
    await again.book.close();
  });

  it("takes a checkpoint after so many changes, and drops the log that two of them cover", async () => {
    const told: (SnapshotInfo | Error)[] = [];
    const { book, journal } = await open({
      checkpointChanges: 50,
      onCheckpoint: (outcome) => told.push(outcome),
      journalOptions: { segmentBytes: 4096 },
    });
    for (let each = 0; each < 400; each++) await book.change({ key: `${each % 5}`, amount: each });
    await book.close();
    assert.ok(told.length >= 3, `${told.length} checkpoints`);
    assert.deepEqual(
      told.filter((outcome) => outcome instanceof Error),
      [],
    );
    assert.ok(journal.firstSequence > 50, `the log begins at ${journal.firstSequence}`);
  });

  it("takes a checkpoint after a while, if anything has changed", async () => {
    const told: (SnapshotInfo | Error)[] = [];
    const { book, clock } = await open({
      checkpointMs: 1000,
      onCheckpoint: (outcome) => told.push(outcome),
    });
    clock.advance(1000);
    for (let each = 0; each < 20; each++) await book.change({ key: "a", amount: 1 });
    assert.equal(told.length, 0, "nothing had changed");
    clock.advance(1000);
    await book.checkpoint(); // joins the one that has begun
    await Promise.resolve();
    assert.equal(told.length, 1);
    await book.close();
  });

  it("is told of a checkpoint that failed, keeps the log, and tries again later", async () => {
    const told: (SnapshotInfo | Error)[] = [];
    const { book, disk } = await open({
      checkpointChanges: 10,
      onCheckpoint: (outcome) => told.push(outcome),
      journalOptions: { segmentBytes: 65_536 },
    });
    const add = async (count: number) => {
      for (let each = 0; each < count; each++) await book.change({ key: "a", amount: 1 });
    };
    disk.capacityBytes = 0;
    await add(10);
    await book.checkpoint().catch(() => undefined);
    assert.equal((told[0] as { readonly code?: string }).code, "NINES_JOURNAL_SNAPSHOT");
    assert.equal(book.failure, undefined);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    await add(10);
    const { through } = await book.checkpoint();
    assert.ok(through >= 20 - 1, `a checkpoint through ${through}`);
    assert.equal(book.state.get("a"), 20);
    await book.close();
  });

  it("ends with an apply that throws, and goes on with one that does not: no change is lost", async () => {
    const broken = {
      ...counters,
      apply: (state: Counters, change: Add) => {
        if (change.amount === 13) throw new RangeError("thirteen");
        return counters.apply(state, change);
      },
    };
    const { book, disk } = await open({ machine: broken });
    await book.change({ key: "a", amount: 1 });
    const refused = { code: "NINES_JOURNAL_APPLY", message: /Change 2 .*thirteen/ };
    await assert.rejects(book.change({ key: "a", amount: 13 }), refused);
    await assert.rejects(
      book.change({ key: "a", amount: 1 }),
      refused,
      "the state is worth nothing",
    );
    await assert.rejects(book.checkpoint(), refused);
    await assert.rejects(open({ disk: disk.afterKill(), machine: broken }), refused);
    const mended = await open({ disk: disk.afterKill() });
    assert.deepEqual(totals(mended.book.state), { a: 14 });
    await book.close();
    await mended.book.close();
  });

  it("takes no change after a failed write, and keeps the state of those before", async () => {
    const { book, disk } = await open();
    await book.change({ key: "a", amount: 1 });
    disk.failure = { afterCalls: 0, forever: false, kind: "io" };
    await assert.rejects(book.change({ key: "a", amount: 1 }), { code: "NINES_JOURNAL_FAILED" });
    await assert.rejects(book.change({ key: "a", amount: 1 }), { code: "NINES_JOURNAL_FAILED" });
    assert.deepEqual(totals(book.state), { a: 1 });
    assert.ok(book.failure !== undefined);
    await book.close().catch(() => undefined);
  });

  it("saves the state of one moment, whatever changes meanwhile", async () => {
    const machine = {
      ...counters,
      *save(state: Counters) {
        yield* state.freeze();
      },
    };
    const { book, disk } = await open({ machine });
    for (let each = 0; each < 2000; each++) void book.change({ key: `${each}`, amount: 1 });
    await book.change({ key: "last", amount: 1 });
    disk.pause = async () => {
      for (let hops = 0; hops < 20; hops++) await Promise.resolve();
    };
    const checkpoint = book.checkpoint();
    const during: Promise<number>[] = [];
    for (let each = 0; each < 2000; each++) {
      during.push(book.change({ key: `${each}`, amount: 10 }));
    }
    const { through } = await checkpoint;
    await Promise.all(during);
    assert.equal(through, 2001);
    const again = await open({ disk: disk.afterKill() });
    assert.equal(again.book.restored.snapshotThrough, 2001);
    assert.deepEqual(totals(again.book.state), totals(book.state));
    await book.close();
    await again.book.close();
  });

  it("is after a power loss the state after some change, none acknowledged missing", async () => {
    const random = createPrng(11);
    const disk = new SimulatedDisk();
    const { book } = await open({ disk, checkpointChanges: 40 });
    const history = [{}];
    let acknowledged = 0;
    const images: { readonly disk: SimulatedDisk; readonly acknowledged: number }[] = [];
    disk.onStep = () => {
      if (random.below(4) > 0) return;
      const image = disk.afterPowerLoss(sample(random), { stale: true });
      images.push({ disk: image, acknowledged });
    };
    const twin: Record<string, number> = {};
    for (let each = 1; each <= 300; each++) {
      const change = { key: `k${random.below(20)}`, amount: random.below(100) };
      twin[change.key] = (twin[change.key] ?? 0) + change.amount;
      history.push({ ...twin });
      await book.change(change);
      acknowledged = each;
    }
    disk.onStep = undefined;
    await book.close();
    assert.ok(images.length > 50, `${images.length} crashes`);
    for (const image of images) {
      const again = await open({ disk: image.disk });
      const through = again.book.appliedThrough;
      assert.ok(through >= image.acknowledged, `${through} of ${image.acknowledged} are left`);
      assert.deepEqual(totals(again.book.state), history[through]);
      await again.book.close();
    }
  });
});

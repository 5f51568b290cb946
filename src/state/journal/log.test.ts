// Appending: groups, tickets, bounds, and what a failed write ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NinesError } from "../../core/base/errors.ts";
import {
  appendNumbers,
  bytesOf,
  numbers,
  openRig,
  place,
  rejectsWith,
  type Rig,
  settle,
  textsOf,
} from "./journal.fixture.ts";

/** What a power loss at its worst leaves, opened again. */
async function afterPowerLoss({ disk }: Rig): Promise<Rig> {
  return openRig(
    {},
    disk.afterPowerLoss(() => 0, { stale: false }),
  );
}

/** Names of the durable writes to the log since the last call. */
function watchWrites(rig: Rig): () => number {
  let writes = 0;
  rig.disk.onStep = (step, what) => {
    if (step === "before" && /^write \d+\.log$/.test(what)) writes++;
  };
  return () => {
    const seen = writes;
    writes = 0;
    return seen;
  };
}

describe("group commit", () => {
  it("what is appended at the same time is one write, in order", async () => {
    const rig = await openRig();
    await settle();
    const writesSince = watchWrites(rig);
    const appends = numbers(1, 20).map((text) => rig.journal.append(bytesOf(text)));
    assert.deepEqual(
      await Promise.all(appends),
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
    assert.equal(writesSince(), 1);
    assert.deepEqual(await textsOf(rig.journal), numbers(1, 20));
  });

  it("what comes during a write goes out together in the next", async () => {
    const rig = await openRig();
    rig.disk.slowWrites = true;
    let release: () => void = () => {};
    await settle();
    rig.disk.pause = () => new Promise((resolve) => (release = resolve));
    const writesSince = watchWrites(rig);
    const first = rig.journal.append(bytesOf("1"));
    await settle();
    const rest = numbers(2, 9).map((text) => rig.journal.append(bytesOf(text)));
    await settle();
    assert.equal(rig.journal.durableThrough, 0);
    rig.disk.pause = undefined;
    release();
    await Promise.all([first, ...rest]);
    assert.equal(writesSince(), 2);
  });

  it("records of one append stand or fall together, and are sequences in a row", async () => {
    const rig = await openRig();
    assert.equal(await rig.journal.append([bytesOf("a"), bytesOf("b"), bytesOf("c")]), 3);
    assert.equal(await rig.journal.append(bytesOf("d")), 4);
    assert.deepEqual(await textsOf((await afterPowerLoss(rig)).journal), ["a", "b", "c", "d"]);
  });

  it("the bytes are copied: the caller may use its memory again", async () => {
    const rig = await openRig();
    const bytes = bytesOf("kept");
    const appended = rig.journal.append(bytes);
    bytes.fill(0);
    await appended;
    assert.deepEqual(await textsOf(rig.journal), ["kept"]);
  });

  it("those of an append that has to wait as well, and it keeps its place in line", async () => {
    const rig = await openRig();
    const large = new Uint8Array(3_000);
    const appends = [1, 2, 3, 4].map((each) => rig.journal.append(large.fill(each)));
    appends.push(rig.journal.append(bytesOf("small")));
    large.fill(9);
    assert.deepEqual(await Promise.all(appends), [1, 2, 3, 4, 5]);
    const firsts: number[] = [];
    await rig.journal.replay({ through: 4 }, (bytes) => firsts.push(bytes[0] ?? 0));
    assert.deepEqual(firsts, [1, 2, 3, 4]);
  });

  it("an empty record is a record", async () => {
    const rig = await openRig();
    await rig.journal.append([new Uint8Array(0), bytesOf("x"), new Uint8Array(0)]);
    assert.deepEqual(await textsOf((await afterPowerLoss(rig)).journal), ["", "x", ""]);
  });

  it("goes on through many segments", async () => {
    const rig = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(rig.journal, 100);
    assert.ok(rig.disk.names(place).length > 10);
    assert.deepEqual(await textsOf(rig.journal), numbers(1, 100));
    assert.deepEqual(await textsOf((await afterPowerLoss(rig)).journal), numbers(1, 100));
  });
});

describe("buffered appends", () => {
  it("resolve at once and are on the disk after their time", async () => {
    const rig = await openRig({ bufferedMs: 50 });
    assert.equal(await rig.journal.append(bytesOf("b"), { durability: "buffered" }), 1);
    assert.equal(rig.journal.durableThrough, 0);
    rig.clock.advance(49);
    await settle();
    assert.equal(rig.journal.durableThrough, 0);
    rig.clock.advance(1);
    await settle();
    assert.equal(rig.journal.durableThrough, 1);
  });

  it("go along with a durable one that comes after them", async () => {
    const rig = await openRig();
    await rig.journal.append(bytesOf("b"), { durability: "buffered" });
    await rig.journal.append(bytesOf("d"));
    assert.deepEqual(await textsOf((await afterPowerLoss(rig)).journal), ["b", "d"]);
  });

  it("whose time comes during a write go out right after it", async () => {
    const rig = await openRig({ bufferedMs: 50 });
    await settle();
    rig.disk.slowWrites = true;
    let release: () => void = () => {};
    rig.disk.pause = () => new Promise((resolve) => (release = resolve));
    const durable = rig.journal.append(bytesOf("d"));
    await settle();
    await rig.journal.append(bytesOf("b"), { durability: "buffered" });
    rig.clock.advance(50);
    rig.disk.pause = undefined;
    release();
    await durable;
    await settle();
    assert.equal(rig.journal.durableThrough, 2);
  });

  it("are written by close", async () => {
    const rig = await openRig();
    await rig.journal.append(bytesOf("b"), { durability: "buffered" });
    await rig.journal.close();
    assert.deepEqual(await textsOf((await afterPowerLoss(rig)).journal), ["b"]);
  });
});

describe("tickets", () => {
  it("are sequences, told of when they are durable", async () => {
    const rig = await openRig();
    const told: number[] = [];
    using _ = rig.journal.listen({ durable: (through) => told.push(through), failed: () => {} });
    assert.equal(rig.journal.offer(bytesOf("1")), 1);
    assert.equal(rig.journal.offer(bytesOf("2")), 2);
    assert.equal(rig.journal.durableThrough, 0);
    await rig.journal.whenDurable(2);
    assert.equal(rig.journal.durableThrough, 2);
    assert.deepEqual(told, [2]);
    await rig.journal.whenDurable(1);
  });

  it("are refused when there is no room, and room is told of", async () => {
    const rig = await openRig();
    const large = new Uint8Array(3_000);
    let ticket = 0;
    while (rig.journal.offer(large) !== 0) ticket++;
    assert.ok(ticket >= 1, "the first are taken");
    let next = 0;
    for (let tries = 0; next === 0 && tries < 3; tries++) {
      await rig.journal.whenRoom();
      next = rig.journal.offer(large);
    }
    assert.equal(next, ticket + 1);
    await rig.journal.whenDurable(next);
  });

  it("go in order with appends that wait", async () => {
    const rig = await openRig();
    const large = (): Uint8Array => new Uint8Array(3_000);
    const appends = [1, 2, 3, 4, 5, 6].map(() => rig.journal.append(large()));
    assert.equal(rig.journal.offer(bytesOf("late")), 0);
    assert.deepEqual(await Promise.all(appends), [1, 2, 3, 4, 5, 6]);
    await rig.journal.whenRoom();
    assert.equal(rig.journal.offer(bytesOf("late")), 7);
  });
});

describe("bounds", () => {
  it("more than may wait is refused as busy; what was taken is kept, in order", async () => {
    const rig = await openRig({ queueBytes: 20_000 });
    const appends = Array.from({ length: 20 }, () => rig.journal.append(new Uint8Array(2_000)));
    const settled = await Promise.allSettled(appends);
    const taken = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const refused = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    assert.deepEqual(
      taken,
      taken.map((_, at) => at + 1),
    );
    assert.ok(taken.length >= 9 && refused.length > 0, `${taken.length} taken`);
    for (const error of refused) {
      assert.ok(error instanceof NinesError && error.code === "NINES_JOURNAL_BUSY");
    }
    assert.equal(rig.journal.lastSequence, taken.length);
    await rig.journal.append(bytesOf("and on"));
  });

  it("a record that no group can hold is refused, and the journal goes on", async () => {
    const { journal } = await openRig();
    const tooLarge = new Uint8Array(journal.recordBytesMax + 1);
    await rejectsWith(journal.append(tooLarge), "NINES_JOURNAL_RECORD_SIZE");
    assert.throws(() => journal.offer(tooLarge), { code: "NINES_JOURNAL_RECORD_SIZE" });
    assert.equal(await journal.append(new Uint8Array(journal.recordBytesMax)), 1);
  });
});

describe("a full disk", () => {
  it("refuses appends that need a new segment, and goes on when there is room", async () => {
    const rig = await openRig({ segmentBytes: 4_096 });
    await settle();
    rig.disk.capacityBytes = 3 * 4_096 - 1;
    const record = new Uint8Array(400);
    let taken = 0;
    let refusal: unknown;
    while (refusal === undefined) {
      await rig.journal.append(record).then(
        () => taken++,
        (error) => (refusal = error),
      );
    }
    assert.ok(refusal instanceof NinesError && refusal.code === "NINES_JOURNAL_FULL");
    assert.equal(rig.journal.failure, undefined);
    assert.equal(taken, 14, "two segments of seven groups");
    assert.throws(() => rig.journal.offer(record), { code: "NINES_JOURNAL_FULL" });
    await rejectsWith(rig.journal.whenRoom(), "NINES_JOURNAL_FULL");
    rig.disk.capacityBytes = Number.POSITIVE_INFINITY;
    rig.clock.advance(100);
    assert.equal(await rig.journal.append(record), 15);
    assert.equal((await afterPowerLoss(rig)).journal.lastSequence, 15);
  });

  it("leaves no part of the segment that could not be made", async () => {
    const rig = await openRig({ segmentBytes: 4_096 });
    await settle();
    rig.disk.capacityBytes = 3 * 4_096 - 1;
    await Promise.allSettled(
      Array.from({ length: 20 }, () => rig.journal.append(new Uint8Array(400))),
    );
    await settle();
    assert.deepEqual(
      rig.disk.names(place).filter((name) => name.endsWith(".tmp")),
      [],
    );
  });

  it("can be closed, and opened again with all that was acknowledged", async () => {
    const rig = await openRig({ segmentBytes: 4_096 });
    await settle();
    rig.disk.capacityBytes = 2 * 4_096;
    const appends = Array.from({ length: 30 }, () => rig.journal.append(new Uint8Array(400)));
    const settled = await Promise.allSettled(appends);
    const taken = settled.filter(({ status }) => status === "fulfilled").length;
    await rig.journal.close();
    assert.equal((await afterPowerLoss(rig)).journal.lastSequence, taken);
  });
});

describe("a failed write", () => {
  it("fails the journal for good: every call rejects with one code, none tries again", async () => {
    const rig = await openRig();
    await rig.journal.append(bytesOf("kept"));
    await settle();
    const failures: Error[] = [];
    rig.journal.listen({ durable: () => {}, failed: (error) => failures.push(error) });
    rig.disk.failure = { afterCalls: 0, forever: false, kind: "io" };
    const both = [rig.journal.append(bytesOf("lost")), rig.journal.append(bytesOf("lost"))];
    for (const append of both) await rejectsWith(append, "NINES_JOURNAL_FAILED");
    const { calls } = rig.disk;
    const { journal } = rig;
    await rejectsWith(journal.append(bytesOf("late")), "NINES_JOURNAL_FAILED");
    assert.throws(() => journal.offer(bytesOf("late")), { code: "NINES_JOURNAL_FAILED" });
    await rejectsWith(journal.whenRoom(), "NINES_JOURNAL_FAILED");
    await rejectsWith(textsOf(journal), "NINES_JOURNAL_FAILED");
    await rejectsWith(
      journal.replay({}, () => {}),
      "NINES_JOURNAL_FAILED",
    );
    await rejectsWith(journal.checkpoint({ through: 1, chunks: [] }), "NINES_JOURNAL_FAILED");
    await rejectsWith(journal.latestSnapshot(), "NINES_JOURNAL_FAILED");
    await rejectsWith(journal.compact(), "NINES_JOURNAL_FAILED");
    await rejectsWith(journal.close(), "NINES_JOURNAL_FAILED");
    assert.equal(rig.disk.calls, calls, "the disk was left alone");
    assert.deepEqual(failures, [journal.failure]);
    assert.equal(journal.durableThrough, 1);
    const again = await openRig({}, rig.disk);
    assert.equal((await textsOf(again.journal))[0], "kept");
  });

  it("of a write that never ends comes after the deadline", async () => {
    const rig = await openRig({ writeDeadlineMs: 5_000 });
    await settle();
    rig.disk.slowWrites = true;
    rig.disk.pause = () => new Promise(() => {});
    const append = rig.journal.append(bytesOf("x"));
    const outcome = rejectsWith(append, "NINES_JOURNAL_FAILED");
    await settle();
    rig.clock.advance(5_000);
    assert.match((await outcome).message, /longer than 5 s/);
  });

  it("keeps the folder taken for as long as a write that was given up may still land", async () => {
    const rig = await openRig({ writeDeadlineMs: 5_000 });
    await settle();
    let land = (): void => {};
    rig.disk.slowWrites = true;
    rig.disk.pause = () => new Promise((resolve) => void (land = resolve));
    const outcome = rejectsWith(rig.journal.append(bytesOf("late")), "NINES_JOURNAL_FAILED");
    await settle();
    rig.clock.advance(5_000);
    await outcome;
    await rejectsWith(rig.journal.close(), "NINES_JOURNAL_FAILED");
    rig.disk.pause = undefined;
    await rejectsWith(openRig({}, rig.disk), "NINES_JOURNAL_LOCKED");
    land();
    await settle();
    const again = await openRig({}, rig.disk);
    assert.deepEqual(await textsOf(again.journal), ["late"], "and then it is seen");
  });

  it("of the next segment's zeros is one as well", async () => {
    const rig = await openRig({ segmentBytes: 4_096 });
    await settle();
    rig.disk.onStep = (_, what) => {
      if (what !== "create 0000000000000003.log.tmp") return;
      rig.disk.failure = { afterCalls: 0, forever: false, kind: "io" };
    };
    await assert.rejects(appendNumbers(rig.journal, 20), { code: "NINES_JOURNAL_FAILED" });
  });
});

describe("closing", () => {
  it("refuses what comes after, finishes what came before, and marks the end", async () => {
    const rig = await openRig();
    const append = rig.journal.append(bytesOf("last"));
    const closing = rig.journal.close();
    await rejectsWith(rig.journal.append(bytesOf("late")), "NINES_JOURNAL_CLOSED");
    assert.equal(await append, 1);
    await closing;
    await rig.journal.close();
    assert.equal(rig.clock.pending, 0, "no timer is left");
    const again = await openRig({}, rig.disk);
    assert.equal(again.journal.recovery.closedCleanly, true);
    await again.journal.append(bytesOf("more"));
    const crashed = await afterPowerLoss(again);
    assert.equal(crashed.journal.recovery.closedCleanly, false);
    assert.deepEqual(await textsOf(crashed.journal), ["last", "more"]);
  });

  it("and opening, over and over without an append, takes no room", async () => {
    let rig = await openRig();
    await rig.journal.append(bytesOf("1"));
    for (let time = 0; time < 40; time++) {
      await rig.journal.close();
      rig = await openRig({}, rig.disk);
    }
    assert.equal(rig.journal.recovery.scannedBytes, 2 * 8_192);
    assert.deepEqual(await textsOf(rig.journal), ["1"]);
  });
});

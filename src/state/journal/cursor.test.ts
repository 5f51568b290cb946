// Reading a journal from anywhere, while it grows.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { segmentFileName } from "./format.ts";
import {
  appendNumbers,
  bytesOf,
  numbers,
  openRig,
  place,
  rejectsWith,
  settle,
  textOf,
  textsOf,
} from "./journal.fixture.ts";

describe("reading", () => {
  it("begins and ends anywhere, across segments", async () => {
    const { journal } = await openRig({ segmentBytes: 4_096 });
    for (let round = 0; round < 10; round++) {
      await journal.append([1, 2, 3].map((each) => bytesOf(String(round * 3 + each))));
    }
    assert.deepEqual(await textsOf(journal), numbers(1, 30));
    for (let from = 1; from <= 31; from++) {
      assert.deepEqual(await textsOf(journal, from), numbers(from, 30));
      const replayed: string[] = [];
      const through = Math.min(30, from + 4);
      const count = await journal.replay({ from, through }, (bytes, sequence) => {
        assert.equal(textOf(bytes), String(sequence));
        replayed.push(textOf(bytes));
      });
      assert.deepEqual(replayed, numbers(from, through));
      assert.equal(count, replayed.length);
    }
  });

  it("shows durable records only", async () => {
    const { journal } = await openRig();
    await journal.append(bytesOf("1"));
    await journal.append(bytesOf("2"), { durability: "buffered" });
    assert.deepEqual(await textsOf(journal), ["1"]);
    assert.deepEqual(await textsOf(journal, 2), []);
  });

  it("never returns what has changed on the disk since", async () => {
    const { disk, journal } = await openRig();
    await appendNumbers(journal, 3);
    disk.content(place, segmentFileName(1)).flipBit(2 * 512 + 45, 3);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { bytes } of journal.read()) seen.push(textOf(bytes));
    })();
    const error = await rejectsWith(reading, "NINES_JOURNAL_ROT");
    assert.match(error.message, /0000000000000001\.log, at byte 1024 \(record 2\)/);
    assert.deepEqual(seen, ["1"]);
  });

  it("says which records compaction took", async () => {
    const { journal } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 20);
    await journal.snapshot({ through: 15, chunks: [bytesOf("a")] });
    await journal.checkpoint({ through: 20, chunks: [bytesOf("b")] });
    assert.ok(journal.firstSequence > 1);
    await rejectsWith(textsOf(journal, 1), "NINES_JOURNAL_COMPACTED");
    assert.deepEqual(await textsOf(journal), numbers(journal.firstSequence, 20));
  });

  it("whose segment has become another one is told so, not shown rot", async () => {
    const segmentBytes = 4 * 1_048_576;
    const { journal, disk } = await openRig({ segmentBytes });
    const large = new Uint8Array(300_000);
    const appendLarge = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done++) await journal.append(large);
    };
    await appendLarge(30);
    // It has a part of its segment in memory, and the file open.
    const reader = journal.read();
    assert.equal((await reader.next()).value?.sequence, 1);
    await journal.snapshot({ through: 25, chunks: [] });
    let reused = false;
    disk.onStep = (_, what) => {
      if (what === `write ${segmentFileName(1)}.tmp`) reused = true;
    };
    for (let round = 0; round < 4; round++) {
      await journal.checkpoint({ through: journal.durableThrough, chunks: [] });
      await appendLarge(15);
    }
    assert.ok(reused, "the file is another segment");
    const rest = (async () => {
      for await (const { sequence } of reader) assert.ok(sequence <= 13);
    })();
    await rejectsWith(rest, "NINES_JOURNAL_COMPACTED");
  });

  it("that compaction overtakes is told so, not shown a hole", async () => {
    const { journal } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 30);
    const reader = journal.read();
    assert.equal((await reader.next()).value?.sequence, 1);
    await journal.snapshot({ through: 25, chunks: [] });
    await journal.checkpoint({ through: 30, chunks: [] });
    const rest = (async () => {
      for await (const { sequence } of reader) assert.ok(sequence <= 7);
    })();
    await rejectsWith(rest, "NINES_JOURNAL_COMPACTED");
  });

  it("finds the state at a point in time by when it was written", async () => {
    const { journal, clock } = await openRig({ segmentBytes: 4_096 });
    const times: number[] = [];
    for (let count = 0; count < 20; count++) {
      clock.advance(1_000);
      times.push(clock.wallMs());
      await appendNumbers(journal, 1);
    }
    assert.equal(await journal.sequenceAt((times[0] ?? 0) - 1), 0);
    for (const [at, wallMs] of times.entries()) {
      assert.equal(await journal.sequenceAt(wallMs), at + 1);
      assert.equal(await journal.sequenceAt(wallMs + 999), at + 1);
    }
  });
});

describe("tailing", () => {
  it("shows what is there and then each record as it becomes durable", async () => {
    const { journal } = await openRig({ segmentBytes: 4_096 });
    await appendNumbers(journal, 10);
    const seen: string[] = [];
    const following = (async () => {
      for await (const { bytes, sequence } of journal.tail(5)) {
        seen.push(textOf(bytes));
        if (sequence === 40) break;
      }
    })();
    await settle();
    assert.deepEqual(seen, numbers(5, 10));
    await appendNumbers(journal, 30);
    await following;
    assert.deepEqual(seen, numbers(5, 40));
  });

  it("begins with what comes next, when it is not told where", async () => {
    const { journal } = await openRig();
    await appendNumbers(journal, 3);
    const next = journal.tail().next();
    await appendNumbers(journal, 1);
    assert.equal((await next).value?.sequence, 4);
  });

  it("ends with the journal", async () => {
    const { journal } = await openRig();
    const waiting = journal.tail().next();
    await settle();
    await journal.close();
    assert.equal((await waiting).done, true);
  });

  it("is told of a failure", async () => {
    const { journal, disk } = await openRig();
    await settle();
    const waiting = journal.tail().next();
    disk.failure = { afterCalls: 0, forever: true, kind: "io" };
    const failed = rejectsWith(waiting, "NINES_JOURNAL_FAILED");
    await rejectsWith(journal.append(bytesOf("x")), "NINES_JOURNAL_FAILED");
    await failed;
  });

  it("a reader that leaves ends a wait", async () => {
    const { journal } = await openRig();
    const tail = journal.tail();
    const waiting = tail.next();
    await settle();
    await tail.return?.();
    assert.equal((await waiting).done, true);
    assert.equal((await tail.next()).done, true);
  });
});

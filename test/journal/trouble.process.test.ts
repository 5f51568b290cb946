// What a journal does on a disk that fails, is full, or lies; trouble.long.test.ts fails each call.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../../src/core/base/prng.ts";
import type { Journal } from "../../src/state/journal/journal.ts";
import { openJournal } from "../../src/state/journal/open.ts";
import { sample } from "../../sim/disk/choices.ts";
import { SimulatedDisk } from "../../sim/disk/simulated-disk.ts";
import { testUntracked } from "../untracked.fixture.ts";
import { imageOf, startAndJudge } from "./crashes.ts";
import { HandClock } from "./hand-clock.ts";
import { Ledger } from "./ledger.ts";
import { journalFolder, Life, settled } from "./trace.ts";
import { codeOf, failAtEach, outcomeOf } from "./trouble.ts";

const kinds = ["io", "full", "read-only"] as const;
const ways = kinds.flatMap((kind) => [false, true].map((forever) => ({ kind, forever })));

await testUntracked({
  ...Object.fromEntries(
    ways.map(({ kind, forever }) => [
      `a disk that fails with "${kind}" at a call, ${forever ? "and at all that follow" : "once"}`,
      async () => {
        const codes = await failAtEach(openJournal, { kind, forever, calls: 90, stride: 3 });
        assert.ok(codes.has("NINES_JOURNAL_FAILED"), `codes: ${[...codes].join(", ")}`);
      },
    ]),
  ),
  "a disk that lies about what is durable costs records, but never shows what was not written":
    costsRecords,
});

async function costsRecords(): Promise<void> {
  const outcomes = { shown: 0, refused: 0 };
  for (let seed = 1; seed <= 60; seed++) {
    const disk = new SimulatedDisk();
    const life = new Life(disk, new Ledger(), openJournal, { seed });
    await life.start();
    for (let step = 0; step < 10; step++) await life.step();
    disk.flushesLie = true;
    for (let step = 0; step < 10; step++) await life.step();
    const { disk: later } = imageOf(life, "lied to");
    const random = createPrng(seed);
    for (let outcome = 0; outcome < 10; outcome++) {
      const left = later.afterPowerLoss(sample(random), { stale: true });
      const { submitted } = life.ledger;
      const known = { submitted, durable: 0, snapshot: -1, closed: false };
      try {
        await startAndJudge(openJournal, left, life.ledger, known);
        outcomes.shown++;
      } catch (error) {
        if (codeOf(error) !== "NINES_JOURNAL_ROT") throw error;
        outcomes.refused++;
      }
    }
    disk.flushesLie = false;
    await life.abandon();
  }
  assert.ok(outcomes.shown > 50 && outcomes.refused > 50, JSON.stringify(outcomes));
}

describe("a journal on a full disk", () => {
  async function append(journal: Journal, ledger: Ledger, bytes: number): Promise<string> {
    const record = new Uint8Array(bytes).fill(ledger.submitted + 1);
    const outcome = await outcomeOf(() => journal.append(record));
    if (outcome === "ok") ledger.noteDurable(ledger.submit([record]));
    return outcome;
  }

  it("refuses what does not fit, and goes on by itself when there is room", async () => {
    const disk = new SimulatedDisk();
    const clock = new HandClock();
    disk.capacityBytes = 20_000;
    const ledger = new Ledger();
    const opening = openJournal(journalFolder, { segmentBytes: 4_096 }, disk, clock);
    const journal = await settled(opening, "opening");
    let outcome = "ok";
    for (let tries = 0; outcome === "ok" && tries < 100; tries++) {
      outcome = await append(journal, ledger, 700);
    }
    assert.equal(outcome, "NINES_JOURNAL_FULL");
    assert.equal(journal.failure, undefined);
    assert.equal(journal.durableThrough, ledger.submitted, "what was refused took no sequence");
    disk.capacityBytes = 40_000;
    for (let tries = 0; outcome !== "ok" && tries < 100; tries++) {
      clock.advance(1_000);
      outcome = await append(journal, ledger, 700);
    }
    assert.equal(outcome, "ok", "there is room");
    const known = ledger.known(journal);
    await startAndJudge(
      openJournal,
      disk.afterPowerLoss(() => 0, { stale: true }),
      ledger,
      known,
    );
    await settled(journal.close(), "closing");
  });

  it("closes, and starts again, and shows all it had acknowledged", async () => {
    const disk = new SimulatedDisk();
    disk.capacityBytes = 20_000;
    const ledger = new Ledger();
    const options = { segmentBytes: 4_096 };
    const opening = openJournal(journalFolder, options, disk, new HandClock());
    const journal = await settled(opening, "opening");
    while ((await append(journal, ledger, 700)) === "ok");
    await settled(journal.close(), "closing");
    const again = await settled(
      openJournal(journalFolder, options, disk, new HandClock()),
      "opening a full disk",
    );
    assert.equal(again.lastSequence, ledger.submitted);
    await settled(again.close(), "closing");
  });
});

describe("a disk that hangs", () => {
  it("has failed, once a write has taken longer than it may", async () => {
    const disk = new SimulatedDisk();
    const clock = new HandClock();
    const ledger = new Ledger();
    const options = { segmentBytes: 4_096, writeDeadlineMs: 5_000 };
    const opening = openJournal(journalFolder, options, disk, clock);
    const journal = await settled(opening, "opening");
    await settled(journal.append(new Uint8Array(10)), "an append");
    ledger.noteDurable(ledger.submit([new Uint8Array(10)]));
    disk.slowWrites = true;
    disk.pause = () => new Promise(() => undefined);
    ledger.submit([new Uint8Array(20)]);
    let outcome = "nothing yet";
    const appended = outcomeOf(() => journal.append(new Uint8Array(20)));
    void appended.then((code) => (outcome = code));
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(4_999);
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(outcome, "nothing yet");
    clock.advance(2);
    assert.equal(await appended, "NINES_JOURNAL_FAILED");
    assert.equal(await outcomeOf(() => journal.append(new Uint8Array(1))), "NINES_JOURNAL_FAILED");
    assert.equal(await outcomeOf(() => journal.close()), "NINES_JOURNAL_FAILED");
    const known = ledger.known(journal);
    const left = disk.afterPowerLoss((ways) => ways - 1, { stale: true });
    await startAndJudge(openJournal, left, ledger, known);
  });
});

// When a vault's duties are due: what must hold for every schedule, history and clock.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  afterAttempt,
  chooseDuty,
  dueTimes,
  type DutyHistories,
  type DutyHistory,
  type DutyKind,
  dutyKinds,
  type DutySchedule,
  mustYield,
} from "./duties.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const nowMs = 1_800_000_000_000;

function done(agoMs: number): DutyHistory {
  return { doneMs: nowMs - agoMs, endedMs: nowMs - agoMs, failures: 0, sentence: "" };
}

const scheduled: fc.Arbitrary<DutySchedule> = fc
  .dictionary(fc.constantFrom(...dutyKinds), fc.integer({ min: 1_000, max: 30 * dayMs }))
  .map((intervals) => intervals as DutySchedule);

/** Attempts one after the other, each beginning when its duty is due. */
function live(schedule: DutySchedule, lifeMs: number, failsAt: (count: number) => boolean) {
  const begun: { readonly kind: DutyKind; readonly atMs: number }[] = [];
  let histories: DutyHistories = {};
  for (let atMs = nowMs; atMs < nowMs + lifeMs && begun.length < 2_000; ) {
    const kind = chooseDuty(schedule, histories, atMs);
    if (kind === undefined) {
      atMs = Math.min(...dueTimes(schedule, histories, atMs).map((due) => due.atMs));
      continue;
    }
    begun.push({ kind, atMs });
    const endedMs = atMs + 1_000;
    const outcome = failsAt(begun.length) ? "failed" : "done";
    const attempt = { startedMs: atMs, endedMs, outcome, sentence: "" } as const;
    histories = { ...histories, [kind]: afterAttempt(histories[kind], attempt) };
    atMs = endedMs;
  }
  return begun;
}

describe("a vault's duties", () => {
  it("are due at once when they were never done, in the order of their urgency", () => {
    const schedule = { scrub: dayMs, drill: dayMs, run: dayMs };
    assert.equal(chooseDuty(schedule, {}, nowMs), "run");
    assert.equal(chooseDuty(schedule, { run: done(0) }, nowMs), "drill");
    assert.equal(chooseDuty(schedule, { run: done(0), drill: done(0) }, nowMs), "scrub");
    assert.equal(chooseDuty({}, {}, nowMs), undefined);
  });

  it("are due one interval after the last success began", () => {
    assert.equal(chooseDuty({ run: dayMs }, { run: done(dayMs - 1) }, nowMs), undefined);
    assert.equal(chooseDuty({ run: dayMs }, { run: done(dayMs) }, nowMs), "run");
  });

  it("are made up for once, however long the machine was off", () => {
    const offMs = fc.integer({ min: dayMs, max: 1_000 * dayMs });
    fc.assert(
      fc.property(offMs, (agoMs) => {
        const before = done(agoMs);
        assert.equal(chooseDuty({ run: dayMs }, { run: before }, nowMs), "run");
        const run = afterAttempt(before, {
          startedMs: nowMs,
          endedMs: nowMs + 1,
          outcome: "done",
          sentence: "",
        });
        assert.equal(chooseDuty({ run: dayMs }, { run }, nowMs + dayMs - 1), undefined);
      }),
    );
  });

  it("never run more often than their interval while they succeed", () => {
    fc.assert(
      fc.property(scheduled, (schedule) => {
        const last = new Map<DutyKind, number>();
        for (const { kind, atMs } of live(schedule, 60 * dayMs, () => false)) {
          const before = last.get(kind);
          if (before !== undefined) assert.ok(atMs - before >= (schedule[kind] ?? 0), kind);
          last.set(kind, atMs);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("are tried again after growing pauses of an hour at most, and never at once", () => {
    const begun = live({ run: dayMs }, 2 * dayMs, () => true).map(({ atMs }) => atMs);
    const pauses = begun.slice(1).map((atMs, at) => atMs - (begun[at] ?? 0) - 1_000);
    assert.deepEqual(pauses.slice(0, 4), [60_000, 120_000, 240_000, 480_000]);
    assert.equal(Math.max(...pauses), hourMs);
  });

  it("that fail wait no longer than their interval", () => {
    const run: DutyHistory = { failures: 30, endedMs: nowMs - 10_000, sentence: "" };
    assert.equal(chooseDuty({ run: 10_000 }, { run }, nowMs), "run");
  });

  it("wait one interval at most when the clock goes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * dayMs }), fc.boolean(), (backMs, fails) => {
        const before: DutyHistory = { ...done(-backMs), failures: fails ? 5 : 0 };
        const [due] = dueTimes({ run: hourMs }, { run: before }, nowMs);
        assert.ok((due?.atMs ?? 0) <= nowMs + hourMs);
      }),
    );
  });

  it("of which a scrub goes on where it was cut short, and a round counts from its beginning", () => {
    const cut = afterAttempt(undefined, {
      startedMs: nowMs,
      endedMs: nowMs + 5,
      outcome: "unfinished",
      sentence: "",
      cursor: "pack 17",
    });
    assert.equal(cut.cursor, "pack 17");
    assert.equal(chooseDuty({ scrub: dayMs }, { scrub: cut }, nowMs + 5), "scrub");
    const failed = afterAttempt(cut, {
      startedMs: nowMs + 10,
      endedMs: nowMs + 20,
      outcome: "failed",
      sentence: "no target",
    });
    assert.equal(failed.cursor, "pack 17", "a failure loses no way");
    const over = afterAttempt(failed, {
      startedMs: nowMs + 30,
      endedMs: nowMs + 40,
      outcome: "done",
      sentence: "",
    });
    assert.deepEqual(over, { doneMs: nowMs, failures: 0, endedMs: nowMs + 40, sentence: "" });
  });

  it("make a scrub yield, and nothing else", () => {
    const schedule = { run: dayMs, scrub: dayMs };
    assert.equal(mustYield("scrub", schedule, {}, nowMs), true);
    assert.equal(mustYield("scrub", schedule, { run: done(0) }, nowMs), false);
    for (const kind of dutyKinds.slice(0, -1)) {
      assert.equal(mustYield(kind, schedule, {}, nowMs), false);
    }
  });
});

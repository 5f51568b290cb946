// The stall detector's slow, obvious twin: an object an instance, a list of what it waits for, and
// every median computed where it is needed. `play` drives both and throws where they part.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { StallDetector } from "./stall.ts";

interface Known {
  waiting: number;
  unanswered: number;
  silentSinceMs: number;
  workSinceMs: number;
  late: boolean;
  srttMs: number | undefined;
  rttvarMs: number;
  typical: number;
  /** The peers' typical answers when half of the patience was over. */
  mark: number | undefined;
  /** As of the latest scan. */
  patienceMs: number;
}

const unknown: Known = {
  waiting: 0,
  unanswered: 0,
  silentSinceMs: 0,
  workSinceMs: 0,
  late: false,
  srttMs: undefined,
  rttvarMs: 0,
  typical: 0,
  mark: undefined,
  patienceMs: Infinity,
};

class Twin {
  readonly known: readonly Known[];
  #silentAtOnce = 1;
  #sickUntilMs = -Infinity;

  constructor(count: number) {
    this.known = Array.from({ length: count }, () => ({ ...unknown }));
  }

  of(slot: number): Known {
    const known = this.known[slot];
    assert.ok(known !== undefined);
    return known;
  }

  awaits(slot: number, nowMs: number): void {
    const one = this.of(slot);
    if (one.waiting === 0) one.workSinceMs = nowMs;
    if (one.waiting + one.unanswered === 0) one.silentSinceMs = nowMs;
    one.waiting++;
  }

  answered(slot: number, nowMs: number, waitedMs: number): void {
    const one = this.of(slot);
    if (one.srttMs !== undefined && waitedMs <= ownMs(one)) one.typical++;
    const first = one.srttMs === undefined;
    const srttMs = one.srttMs ?? waitedMs;
    one.rttvarMs = first ? waitedMs / 2 : 0.75 * one.rttvarMs + Math.abs(srttMs - waitedMs) / 4;
    one.srttMs = first ? waitedMs : 0.875 * srttMs + 0.125 * waitedMs;
    Object.assign(one, { late: false, unanswered: 0, silentSinceMs: nowMs, workSinceMs: nowMs });
    Object.assign(one, { mark: undefined, waiting: one.waiting - 1 });
  }

  forget(slot: number): void {
    const one = this.of(slot);
    Object.assign(one, { late: false, unanswered: 0, srttMs: undefined, mark: undefined });
    one.patienceMs = Infinity;
  }

  scan(nowMs: number, lateByMs: number): void {
    if (lateByMs >= 20) this.#sickUntilMs = nowMs + 10_000;
    const waiting = this.known.filter((one) => one.waiting > 0);
    for (const one of waiting) one.silentSinceMs = Math.min(nowMs, one.silentSinceMs + lateByMs);
    for (const one of this.known) one.patienceMs = this.#amongPeersMs(one);
    const silent = waiting.filter((one) => nowMs - one.silentSinceMs >= one.patienceMs).length;
    this.#silentAtOnce = Math.min(Math.max(1, silent), 4);
    for (const one of waiting) if (!one.late) one.late = this.#turnsLate(one, nowMs);
  }

  #turnsLate(one: Known, nowMs: number): boolean {
    const silentMs = nowMs - one.silentSinceMs;
    const patienceMs = this.patienceMs(one);
    if (silentMs < patienceMs / 2) return false;
    one.mark ??= this.#peersTypical(one);
    if (this.peersAnswered(one) >= 2) return silentMs >= patienceMs;
    const isAnybodyElseAsked = this.known.some((other) => other !== one && other.waiting > 0);
    const idle = this.known.filter(
      (other) => other !== one && other.srttMs !== undefined && other.unanswered === 0,
    );
    return !isAnybodyElseAsked && idle.length > 0 && silentMs >= 4 * patienceMs;
  }

  #amongPeersMs(one: Known): number {
    const own = one.srttMs === undefined ? undefined : ownMs(one);
    const others = this.known.filter((other) => other !== one && other.srttMs !== undefined);
    const sorted = others.map(ownMs).sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    if (median === undefined) return own ?? Infinity;
    return Math.min(Math.max(own ?? median, median), 10 * median);
  }

  #peersTypical(one: Known): number {
    return this.known.reduce((sum, { typical }) => sum + typical, -one.typical);
  }

  peersAnswered(one: Known): number {
    return one.mark === undefined ? 0 : this.#peersTypical(one) - one.mark;
  }

  patienceMs(one: Known): number {
    return one.patienceMs * this.#silentAtOnce;
  }

  isStalled(one: Known, nowMs: number): boolean {
    const patienceMs = this.patienceMs(one);
    const leastMs = nowMs < this.#sickUntilMs ? 2_000 : 250;
    const isEnough = one.waiting + one.unanswered >= 3 && this.peersAnswered(one) >= 2;
    const isLong = nowMs - one.silentSinceMs >= Math.max(leastMs, 4 * patienceMs);
    return (
      one.late && one.waiting > 0 && isEnough && isLong && nowMs - one.workSinceMs >= patienceMs
    );
  }

  isSuspect(one: Known, nowMs: number, isAlone: boolean): boolean {
    if (one.waiting === 0 || (!isAlone && !one.late)) return false;
    const silentMs = nowMs - one.silentSinceMs;
    const ofItMs = isAlone ? Math.min(silentMs, nowMs - one.workSinceMs) : silentMs;
    const patienceMs = this.patienceMs(one);
    const isSick = nowMs < this.#sickUntilMs;
    if (patienceMs === Infinity) return ofItMs >= (isSick ? 2_000 : 250);
    return ofItMs >= Math.max(isSick ? 2_000 : 100, isAlone ? 2 * patienceMs : patienceMs);
  }
}

function ownMs({ srttMs, rttvarMs }: Known): number {
  return Math.max(10, 2 * ((srttMs ?? 0) + 4 * rttvarMs));
}

type End = "answered" | "unanswered" | "left";

export type Step =
  | { readonly kind: "asked" | "forgotten"; readonly slot: number }
  | { readonly kind: "ended"; readonly how: End; readonly which: number }
  | { readonly kind: "passed"; readonly durationMs: number; readonly lateByMs: number };

const SLOTS = 4;

/** Slot 0 is asked often and answers seldom, so that silences come about. */
export function histories(): fc.Arbitrary<readonly Step[]> {
  const slot = fc.constantFrom(0, 0, 1, 2, 3);
  const which = fc.nat(30);
  const passed = fc.record({
    kind: fc.constant("passed" as const),
    durationMs: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(50, 120, 500)),
    lateByMs: fc.oneof({ arbitrary: fc.constant(0), weight: 15 }, fc.constantFrom(6, 20, 300)),
  });
  const how = fc.constantFrom<End>("answered", "answered", "answered", "unanswered", "left");
  const ended = fc.record({ kind: fc.constant("ended" as const), how, which });
  const one = fc.oneof(
    { arbitrary: fc.record({ kind: fc.constant("asked" as const), slot }), weight: 12 },
    { arbitrary: ended, weight: 10 },
    { arbitrary: passed, weight: 9 },
    { arbitrary: fc.record({ kind: fc.constant("forgotten" as const), slot }), weight: 1 },
  );
  return fc.array(one, { maxLength: 250, size: "max" });
}

/** Plays a history to a new detector and to its twin; throws where they part. */
export function play(create: () => StallDetector, history: readonly Step[]): void {
  const detector = create();
  const twin = new Twin(SLOTS);
  let waiting: { readonly slot: number; readonly sinceMs: number }[] = [];
  let nowMs = 1_000;
  for (const step of history) {
    if (step.kind === "passed") {
      nowMs += step.durationMs;
      detector.scan(nowMs, step.lateByMs, SLOTS);
      twin.scan(nowMs, step.lateByMs);
    } else if (step.kind === "ended") {
      // Most often of who is not slot 0, which falls silent so.
      const others = waiting.filter(({ slot }) => slot !== 0);
      const from = step.which % 4 > 0 && others.length > 0 ? others : waiting;
      const ended = from[step.which % Math.max(1, from.length)];
      if (ended === undefined) continue;
      waiting = waiting.filter((each) => each !== ended);
      end(detector, twin, step.how, ended, nowMs);
    } else if (step.kind === "asked") {
      detector.awaits(step.slot, nowMs);
      twin.awaits(step.slot, nowMs);
      waiting.push({ slot: step.slot, sinceMs: nowMs });
    } else {
      detector.forget(step.slot);
      twin.forget(step.slot);
    }
    compare(detector, twin, nowMs);
  }
}

function end(
  detector: StallDetector,
  twin: Twin,
  how: End,
  { slot, sinceMs }: { readonly slot: number; readonly sinceMs: number },
  nowMs: number,
): void {
  if (how === "answered") {
    detector.answered(slot, nowMs, nowMs - sinceMs);
    twin.answered(slot, nowMs, nowMs - sinceMs);
    return;
  }
  detector[how](slot);
  twin.of(slot).waiting--;
  if (how === "unanswered") twin.of(slot).unanswered++;
}

function compare(detector: StallDetector, twin: Twin, nowMs: number): void {
  for (const [slot, one] of twin.known.entries()) {
    assert.equal(detector.late[slot] === 1, one.late, `late, slot ${slot}`);
    assert.equal(detector.peersAnswered(slot), twin.peersAnswered(one));
    assert.equal(detector.unansweredInRow(slot), one.waiting + one.unanswered);
    assert.ok(isClose(detector.patienceMs(slot), twin.patienceMs(one)), `patience, slot ${slot}`);
    assert.equal(detector.isStalled(slot, nowMs), twin.isStalled(one, nowMs), `stalled, ${slot}`);
    for (const isAlone of [true, false]) {
      const expected = twin.isSuspect(one, nowMs, isAlone);
      assert.equal(detector.isSuspect(slot, nowMs, isAlone), expected, `suspect, slot ${slot}`);
    }
  }
}

function isClose(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= 1e-9 * Math.abs(b);
}

const STEP_MS = 5;
/** Whether a stalled one is found again and again is nobody's business any more. */
const isOut = (slot: number): boolean => slot === 0;

/** One that is scanned at each step finds no more than one that is scanned when it says so. */
export function playSparsely(create: () => StallDetector, history: readonly Step[]): void {
  const [often, seldom] = [create(), create()];
  const both = [often, seldom];
  let waiting: { readonly slot: number; readonly sinceMs: number }[] = [];
  let nowMs = 1_000;
  let dueMs = Infinity;
  for (const step of history) {
    if (step.kind === "passed") {
      for (let steps = Math.ceil(step.durationMs / STEP_MS); steps > 0; steps--) {
        nowMs += STEP_MS;
        often.scan(nowMs, 0, SLOTS);
        if (nowMs >= dueMs) {
          seldom.scan(nowMs, 0, SLOTS);
          dueMs = seldom.quietUntilMs(nowMs, SLOTS, true, isOut);
        }
        for (let slot = 0; slot < SLOTS; slot++) agree(often, seldom, slot, nowMs);
      }
      continue;
    }
    if (step.kind === "asked") {
      for (const one of both) one.awaits(step.slot, nowMs);
      waiting.push({ slot: step.slot, sinceMs: nowMs });
    } else if (step.kind === "ended") {
      const ended = waiting[step.which % Math.max(1, waiting.length)];
      if (ended === undefined) continue;
      waiting = waiting.filter((each) => each !== ended);
      const { slot, sinceMs } = ended;
      for (const one of both) {
        if (step.how === "answered") one.answered(slot, nowMs, nowMs - sinceMs);
        else one[step.how](slot);
      }
    } else for (const one of both) one.forget(step.slot);
    dueMs = Math.min(dueMs, seldom.quietUntilMs(nowMs, SLOTS, false, isOut));
  }
}

function agree(often: StallDetector, seldom: StallDetector, slot: number, nowMs: number): void {
  // Nobody is asked who is not waited for.
  if (often.awaiting[slot] === 0) return;
  assert.equal(seldom.late[slot], often.late[slot], `late, slot ${slot}`);
  assert.equal(seldom.isStalled(slot, nowMs), often.isStalled(slot, nowMs), `stalled, ${slot}`);
  for (const isAlone of [true, false]) {
    const expected = often.isSuspect(slot, nowMs, isAlone);
    assert.equal(seldom.isSuspect(slot, nowMs, isAlone), expected, `suspect, slot ${slot}`);
  }
}

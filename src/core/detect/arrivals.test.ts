// Heartbeats become verdicts: by example, and against a twin that looks at the whole past each
// time.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPrng } from "../base/prng.ts";
import { heard, listening, silent, type Watched } from "./arrivals.ts";
import { countMissed, missedPatienceMs } from "./missed-heartbeats.ts";
import { PhiAccrual, phiSamples, phiSettings } from "./phi-accrual.ts";

const settings = { everyMs: 1_000, misses: 3 };
const rise = 2;

/** Tells of each heartbeat, and of the silence before it where that was too long. */
function told(arrivalsMs: readonly number[], untilMs: number): readonly string[] {
  const detector = countMissed(settings);
  const changes: string[] = [];
  let watched: Watched = listening(0);
  for (const atMs of [...arrivalsMs, untilMs]) {
    const deadlineMs = watched.heardMs + detector.patienceMs();
    if (atMs > deadlineMs) {
      const fell = silent(watched, deadlineMs, detector.explain());
      watched = fell.watched;
      if (fell.changed !== undefined) changes.push(fell.changed);
    }
    if (atMs === untilMs) break;
    const beat = heard(watched, atMs, rise);
    watched = beat.watched;
    if (beat.changed !== undefined) changes.push(beat.changed);
  }
  return changes;
}

test("the first heartbeat is up, silence for (misses + 1/2) intervals is down", () => {
  assert.equal(missedPatienceMs(settings), 3_500);
  assert.deepEqual(told([500, 1_500, 2_500], 6_100), [
    "up: its first heartbeat came",
    "down: no heartbeat for 3.5 s, 3 heartbeats of one every 1 s missed",
  ]);
  assert.equal(told([500, 1_500, 2_500], 5_900).length, 1, "2 missed are not 3");
});

test("what listening began with and never beat is down as well, in the same time", () => {
  assert.equal(told([], 3_400).length, 0);
  assert.equal(told([], 3_600).length, 1);
});

test("rise heartbeats in a row are up again, and it says for how long it was silent", () => {
  assert.deepEqual(told([0, 10_000], 12_000).slice(2), []);
  assert.deepEqual(told([0, 10_000, 11_000], 12_000).slice(2), [
    "up again after 11 s: 2 heartbeats in a row came",
  ]);
  assert.equal(told([0, 10_000, 20_000], 21_000).length, 2, "one each ten seconds is no row");
});

/** The slow twin of phi: all gaps kept, mean and deviation from the whole list each time. */
class SlowPhi {
  readonly gaps: number[];
  heardMs: number | undefined;
  readonly everyMs: number;

  constructor(everyMs: number) {
    this.everyMs = everyMs;
    this.gaps = [everyMs * 0.75, everyMs * 1.25];
  }

  heard(nowMs: number): void {
    const gapMs = this.heardMs === undefined ? undefined : nowMs - this.heardMs;
    this.heardMs = nowMs;
    if (gapMs !== undefined && gapMs <= this.patienceMs()) this.gaps.push(gapMs);
  }

  patienceMs(): number {
    const last = this.gaps.slice(-phiSamples);
    const mean = last.reduce((sum, gap) => sum + gap, 0) / last.length;
    const variance = last.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / last.length;
    const sigma = Math.max(this.everyMs / 8, Math.sqrt(variance));
    return mean + this.everyMs + 5.61200124 * sigma;
  }
}

test("phi agrees with a twin that keeps everything", () => {
  const gap = fc.double({ min: 0, max: 2_000, noNaN: true });
  const gaps = fc.array(gap, { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 60 }), (pattern, rounds) => {
      const fast = new PhiAccrual(phiSettings(1_000, 8));
      const slow = new SlowPhi(1_000);
      let nowMs = 0;
      for (let beat = 0; beat < rounds * pattern.length; beat++) {
        nowMs += pattern[beat % pattern.length] ?? 0;
        fast.heard(nowMs);
        slow.heard(nowMs);
      }
      const difference = Math.abs(fast.patienceMs() - slow.patienceMs());
      assert.ok(difference < 1e-3, `${fast.patienceMs()} and ${slow.patienceMs()}`);
    }),
    { numRuns: 50 },
  );
});

test("phi forgets what is older than its window, for rounds of it", () => {
  const random = createPrng(3);
  const fast = new PhiAccrual(phiSettings(1_000, 8));
  const slow = new SlowPhi(1_000);
  let nowMs = 0;
  for (let beat = 0; beat < 3_500; beat++) {
    // The rhythm changes on the way: old gaps are not like new ones.
    nowMs += 500 + 1_000 * random.ratio() + beat / 10;
    fast.heard(nowMs);
    slow.heard(nowMs);
    const difference = Math.abs(fast.patienceMs() - slow.patienceMs());
    assert.ok(difference < 1e-3, `${fast.patienceMs()} and ${slow.patienceMs()} at ${beat}`);
  }
});

test("phi is at its threshold when patience ends, and never falls during a silence", () => {
  const gaps = fc.array(fc.double({ min: 100, max: 3_000, noNaN: true }), { maxLength: 30 });
  fc.assert(
    fc.property(gaps, fc.double({ min: 1, max: 16, noNaN: true }), (pattern, phi) => {
      const detector = new PhiAccrual(phiSettings(1_000, phi));
      let nowMs = 0;
      for (const gapMs of pattern) detector.heard((nowMs += gapMs));
      assert.ok(Math.abs(detector.phi(detector.patienceMs()) - phi) < 1e-6);
      const silences = Array.from({ length: 50 }, (_, step) => detector.phi(step * 200));
      assert.ok(silences.every((value, step) => value >= (silences[step - 1] ?? 0) - 1e-12));
    }),
  );
});

test("phi waits longer for who comes irregularly, and does not learn from an outage", () => {
  const regular = new PhiAccrual(phiSettings(1_000, 8));
  const irregular = new PhiAccrual(phiSettings(1_000, 8));
  for (let beat = 0; beat < 500; beat++) {
    regular.heard(beat * 1_000);
    irregular.heard(beat * 1_000 + (beat % 2) * 600);
  }
  assert.ok(regular.patienceMs() < 2_750, "2.7 s, where 3 missed take 3.5 s");
  assert.ok(irregular.patienceMs() > regular.patienceMs() + 2_000);
  const beforeMs = regular.patienceMs();
  regular.heard(499_000 + 60_000);
  assert.equal(regular.patienceMs(), beforeMs);
});

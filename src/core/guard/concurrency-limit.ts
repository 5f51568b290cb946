// How many requests at once a service bears: found out from how long its answers take.
//
// Beyond some number at once a service does no more, and only makes everybody wait: what is let in
// past it comes back too late, and capacity is spent on answers that nobody waits for any more. The
// knee is found as BBR finds a path's. By Little's law as many requests are being worked on as
// answers come in a second, times what one takes when nobody queues (the baseline):
//
//   limit = tolerance * answers per ms * baseline
//
// of each window in which the limit binds; where it does not, it stays. (Envoy's adaptive
// concurrency and Netflix's Gradient2 get there in steps, by the ratio of baseline and latency.)
//
// How long answers take is not the mean of those that came, of which the first windows see only
// the quick ones, but Little's law again: the time that requests spent waiting, those that still
// wait counted in, for each answer that came. It sees a service that answers nobody any more.
//
// Where others go wrong is the baseline. An average that goes on during overload learns the queue
// as normal, and the limit creeps up for ever; and a baseline that may only fall is too low once a
// service has become slower, and nothing ever tells. So while the limit binds the baseline is put
// to the proof: now and then, and whenever the limit is cut, half of it is let in for a moment. If
// answers come as often as before, somebody queued, and what they take now is nearer the truth. If
// they come as much less often, nobody did, and what they took before is the baseline. Only in
// overload there are proofs, and by shedding: whoever is let in waits less, not longer. Rejected:
// Envoy's pause to three requests at once every minute, overload or not.
//
// Priorities: the lowest may fill the limit, each one above it 1 + sqrt(limit) more, so that bursts
// find room. Under overload the lowest that is there fills its part, and whoever is above finds
// room at once. Rejected: shares by priority (what the one does not use must be given to the other,
// which is this), dropping by chance (the most important requests are lost by chance as well).
//
// Where the limit binds and nobody is answered any more, since clients give up in the queue and the
// service goes on working for them, there is nothing to count by, and the limit is halved until
// answers come again: else what was too much stays let in, and the service never catches up.
//
// Invariant: min <= limit <= max; a window without answers raises nothing.

import { assert } from "../base/assert.ts";

export const priorities = ["high", "normal", "low"] as const;
export type Priority = (typeof priorities)[number];

export interface ConcurrencySettings {
  /** Of the limit; at least 1. */
  readonly min: number;
  readonly max: number;
  /** How much more than what is worked on is let in; above 1. */
  readonly tolerance: number;
}

export const defaultConcurrency: ConcurrencySettings = { min: 2, max: 1_000, tolerance: 1.5 };

/** A window lasts for so long, and on until it has enough answers to count by, */
const WINDOW_MS = 100;
/** so many, and as many as may wait, so that a new limit is seen in the next one; */
const ANSWERS_MIN = 100;
/** but not longer than this. */
const WINDOW_MS_MAX = 2_000;
/** What one window weighs in the baseline, and in the rate of answers while the limit binds. */
const WEIGHT = 0.1;
const WEIGHT_RATE = 0.3;
/** A limit that is filled to this share on average binds; */
const BINDING_RATIO = 0.7;
/** above this one somebody may queue, and the baseline grows by so much of itself a window. */
const ROOMY_RATIO = 0.5;
const GROWTH_MAX = 0.01;
/** What a proof lets in, and after how many windows there is one; sooner while they tell news. */
const PROOF_RATIO = 0.5;
const PROOF_AFTER_WINDOWS = 10;
const PROOF_SOON_WINDOWS = 3;
/** A cut to less than this is a proof as well. */
const CUT_RATIO = 0.75;
/** What stays of the limit after a window in which nobody was answered. */
const STARVED_RATIO = 0.5;
/** A proof that changes less than this in how many wait says nothing. */
const TELLING_RATIO = 0.15;
/** By chance a proof may be wrong: it raises the baseline to no more than so many times itself. */
const RAISE_MAX = 2;
const INITIAL_LIMIT = 20;

/** What was seen in a window. */
interface Seen {
  /** By Little's law: from being let in to the answer, */
  readonly tookMs: number;
  /** the answers, */
  readonly perMs: number;
  /** and those under way, on average. */
  readonly waiting: number;
}

/** A proof under way, and how it was before. */
interface Proof {
  readonly limit: number;
  readonly before: Seen;
  /** Answers to those who were let in before have come. */
  isSettled: boolean;
}

const rank: Readonly<Record<Priority, number>> = { low: 0, normal: 1, high: 2 };

export class ConcurrencyLimit {
  readonly settings: ConcurrencySettings;
  #limit: number;
  /** What answers take when nobody queues; 0: not known yet. */
  #baselineMs = 0;
  /** Answers while the limit binds; 0: it does not. */
  #perMs = 0;
  #proof: Proof | undefined = undefined;
  #windowsToProof = PROOF_AFTER_WINDOWS;
  // The window.
  #fromMs: number;
  #waiting = 0;
  #answers = 0;
  /** What requests have waited in it, all together, */
  #waitedMs = 0;
  /** until here. */
  #countedMs: number;
  #isFirst = true;

  constructor(settings: ConcurrencySettings, nowMs: number) {
    const { min, max, tolerance } = settings;
    assert(min >= 1 && max >= min && tolerance > 1, "a limit has bounds and a tolerance");
    this.settings = settings;
    this.#limit = this.#bounded(INITIAL_LIMIT);
    this.#fromMs = nowMs;
    this.#countedMs = nowMs;
  }

  /** Requests at once that the lowest priority may fill. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  get baselineMs(): number {
    return this.#baselineMs;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Whether one more is let in. O(1), like all here. */
  admits(priority: Priority): boolean {
    const beyond = 1 + Math.sqrt(this.#limit);
    return this.#waiting < this.#limit + rank[priority] * beyond;
  }

  /** A request was let in, and waits for its answer from now on. */
  began(nowMs: number): void {
    this.#count(nowMs);
    this.#waiting++;
  }

  /** Its answer has come. */
  answered(nowMs: number): void {
    this.#leave(nowMs);
    this.#answers++;
    const forMs = nowMs - this.#fromMs;
    const enough = Math.max(ANSWERS_MIN, this.#limit);
    if (forMs < WINDOW_MS || (this.#answers < enough && forMs < WINDOW_MS_MAX)) return;
    this.#end(nowMs, forMs);
  }

  /** It waits no more, and nobody has answered it: the others answered all the slower. */
  gaveUp(nowMs: number): void {
    this.#leave(nowMs);
    const forMs = nowMs - this.#fromMs;
    if (forMs >= WINDOW_MS_MAX) this.#end(nowMs, forMs);
  }

  /** An error came: how soon says nothing. */
  failed(beganMs: number, nowMs: number): void {
    this.#leave(nowMs);
    this.#waitedMs -= nowMs - Math.max(beganMs, this.#fromMs);
  }

  /** The window is over, and the next one begins. */
  #end(nowMs: number, forMs: number): void {
    const waiting = this.#waitedMs / forMs;
    if (this.#answers > 0) {
      const tookMs = Math.max(this.#waitedMs / this.#answers, 0.001);
      this.#close({ tookMs, perMs: this.#answers / forMs, waiting });
    } else if (waiting >= this.#limit * BINDING_RATIO) {
      this.#starve();
    }
    this.#fromMs = nowMs;
    this.#answers = 0;
    this.#waitedMs = 0;
  }

  #leave(nowMs: number): void {
    assert(this.#waiting > 0, "who leaves has begun");
    this.#count(nowMs);
    this.#waiting--;
  }

  #count(nowMs: number): void {
    this.#waitedMs += this.#waiting * (nowMs - this.#countedMs);
    this.#countedMs = nowMs;
  }

  #close(seen: Seen): void {
    // Of the first requests nobody has come through yet.
    if (this.#isFirst) {
      this.#isFirst = false;
      return;
    }
    if (this.#baselineMs === 0) this.#baselineMs = seen.tookMs;
    if (seen.waiting < this.#limit * BINDING_RATIO) this.#unbound(seen);
    else if (this.#proof !== undefined) this.#judge(this.#proof, seen);
    else this.#adapt(seen);
  }

  /** It binds, and all that was let in was given up. */
  #starve(): void {
    this.#limit = this.#bounded(this.#limit * STARVED_RATIO);
    // What answers took before is of another time.
    this.#baselineMs = 0;
    this.#proof = undefined;
    this.#perMs = 0;
  }

  /** There is room: what answers take now is what they take, or nearly. */
  #unbound({ tookMs, waiting }: Seen): void {
    const known = this.#baselineMs;
    const isRoomy = waiting < this.#limit * ROOMY_RATIO;
    if (isRoomy || tookMs < known) this.#baselineMs += WEIGHT * (tookMs - known);
    else this.#baselineMs = Math.min(tookMs, known * (1 + GROWTH_MAX));
    if (this.#proof !== undefined) this.#limit = this.#proof.limit;
    this.#proof = undefined;
    this.#perMs = 0;
  }

  #adapt(seen: Seen): void {
    // What was once done can be done: the rate rises at once, and falls slowly.
    const slower = this.#perMs + WEIGHT_RATE * (seen.perMs - this.#perMs);
    this.#perMs = Math.max(seen.perMs, slower);
    const wanted = this.#wanted(this.#perMs);
    if (--this.#windowsToProof > 0 && wanted >= this.#limit * CUT_RATIO) {
      this.#limit = this.#bounded(Math.min(wanted, this.#limit * 2));
      return;
    }
    const before = { ...seen, perMs: this.#perMs };
    this.#proof = { limit: this.#limit, before, isSettled: false };
    const isLeast = this.#limit * PROOF_RATIO < this.settings.min;
    this.#limit = this.#bounded(isLeast ? this.#limit / PROOF_RATIO : this.#limit * PROOF_RATIO);
  }

  #judge(proof: Proof, seen: Seen): void {
    if (!proof.isSettled) {
      proof.isSettled = true;
      return;
    }
    const known = this.#baselineMs;
    this.#baselineMs = proven(known, proof.before, seen);
    const isNews = Math.abs(this.#baselineMs / known - 1) > TELLING_RATIO;
    this.#windowsToProof = isNews ? PROOF_SOON_WINDOWS : PROOF_AFTER_WINDOWS;
    this.#limit = this.#bounded(Math.min(this.#wanted(proof.before.perMs), proof.limit * 2));
    this.#proof = undefined;
    this.#perMs = 0;
  }

  #wanted(perMs: number): number {
    return this.settings.tolerance * perMs * this.#baselineMs;
  }

  #bounded(limit: number): number {
    return Math.min(this.settings.max, Math.max(this.settings.min, limit));
  }
}

/**
 * The baseline after a proof. Of one who queued it is nearer to what answers took with fewer of
 * them; else it is what they took.
 */
export function proven(knownMs: number, before: Seen, during: Seen): number {
  const waiting = during.waiting / before.waiting - 1;
  const answers = during.perMs / before.perMs - 1;
  if (Math.abs(waiting) < TELLING_RATIO) return knownMs;
  // Did answers follow those that were let in, or stay as they were? The middle decides.
  if (answers / waiting < 0.5) return Math.min(knownMs, before.tookMs, during.tookMs);
  return Math.min(before.tookMs, knownMs * RAISE_MAX);
}

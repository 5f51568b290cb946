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
// Whoever is let in waits in the service's own queue, where all are equal. That queue bridges the
// gaps between arrivals; where more than half of the less important ones are turned away, there are
// none. They then leave most of it to those above them, who wait hardly longer than at any time.
//
// A client that leaves is still worked for: its request keeps its place until one that began later
// is answered, or the service could have done all that wait, one by one. Else clients who leave
// sooner than they are answered would be replaced by others, for ever, in a queue ever longer.
// Where the limit binds and nobody is answered any more, there is nothing to count by, and the
// limit is halved until answers come again.
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
/** fewer where the limit did not bind: that it does now must be noticed soon; */
const ANSWERS_MIN_CALM = 20;
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
/** The same of those who leave the queue to others. */
const PROOF_RATIO_CROWDED = 0.6;
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
/** So many turned away, of so many at the least, is a crowd, */
const CROWD_RATIO = 0.5;
const CROWD_MIN = 10;
/** in which those below others fill this share of the queue. */
const queueShare: Readonly<Record<Priority, number>> = { low: 0.4, normal: 0.7, high: 1 };

/** What was seen in a window. */
interface Seen {
  /** By Little's law: from being let in to the answer, */
  readonly tookMs: number;
  /** the answers, */
  readonly perMs: number;
  /** and those under way, on average. */
  readonly waiting: number;
}

/** One that nobody waits for any more, and the service may be working on. */
interface Abandoned {
  readonly beganMs: number;
  readonly leftMs: number;
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
  /** It bound in the last window; and most were turned away, while there were others above them. */
  #binds = false;
  #isCrowded = false;
  /** The most important one of the last window. */
  #topBefore = 0;
  /** In the order of their leaving. */
  readonly #abandoned: Abandoned[] = [];
  // The window.
  #fromMs: number;
  #waiting = 0;
  #answers = 0;
  /** What those took. */
  #tookMs = 0;
  #asked = 0;
  #refused = 0;
  /** The most and the least important one, by rank. */
  #top = 0;
  #bottom = rank.high;
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

  /** Requests that count against it. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether one more is let in. O(1), like all here. */
  admits(priority: Priority, nowMs: number): boolean {
    this.#forget(nowMs);
    const mine = rank[priority];
    this.#top = Math.max(this.#top, mine);
    this.#bottom = Math.min(this.#bottom, mine);
    this.#asked++;
    if (this.#waiting < this.#room(priority)) return true;
    // From calm to overload: what is counted from here on is overload alone.
    if (this.#refused === 0 && !this.#binds) this.#openWindow(nowMs, 1);
    this.#refused++;
    return false;
  }

  #room(priority: Priority): number {
    const mine = rank[priority];
    const room = this.#limit + mine * (1 + Math.sqrt(this.#limit));
    const isLeft = this.#isCrowded || this.#crowds;
    if (!isLeft || mine >= Math.max(this.#top, this.#topBefore)) return room;
    const { min, tolerance } = this.settings;
    const workedOn = this.#limit / tolerance;
    const reserved = 1 + workedOn * (1 + (tolerance - 1) * queueShare[priority]);
    return Math.min(room, Math.max(min, reserved));
  }

  /** A request was let in, and waits for its answer from now on. */
  began(nowMs: number): void {
    this.#count(nowMs);
    this.#waiting++;
  }

  /** Its answer has come. */
  answered(beganMs: number, nowMs: number): void {
    this.#leave(nowMs);
    this.#answers++;
    this.#tookMs += nowMs - beganMs;
    const abandoned = this.#abandoned;
    while (abandoned[0] !== undefined && abandoned[0].beganMs < beganMs) {
      abandoned.shift();
      this.#leave(nowMs);
    }
    const forMs = nowMs - this.#fromMs;
    const enough = this.#binds ? Math.max(ANSWERS_MIN, this.#limit) : ANSWERS_MIN_CALM;
    if (forMs < WINDOW_MS || (this.#answers < enough && forMs < WINDOW_MS_MAX)) return;
    this.#end(nowMs, forMs);
  }

  /** It waits no more, and no service has it: the others answered all the slower. */
  gaveUp(nowMs: number): void {
    this.#leave(nowMs);
    this.#endIfLong(nowMs);
  }

  /** Its client waits no more; the service may work on it all the same. */
  abandoned(beganMs: number, nowMs: number): void {
    this.#forget(nowMs);
    this.#abandoned.push({ beganMs, leftMs: nowMs });
    this.#endIfLong(nowMs);
  }

  /** Those who were abandoned so long ago that the service must have done with them. */
  #forget(nowMs: number): void {
    const abandoned = this.#abandoned;
    if (abandoned.length === 0) return;
    const allMs = this.#baselineMs === 0 ? Infinity : this.#waiting * this.#baselineMs;
    const untilMs = nowMs - Math.min(allMs, WINDOW_MS_MAX);
    while (abandoned[0] !== undefined && abandoned[0].leftMs <= untilMs) {
      abandoned.shift();
      this.#leave(nowMs);
    }
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
    this.#isCrowded = this.#crowds;
    this.#topBefore = this.#top;
    this.#refused = 0;
    this.#top = rank.low;
    this.#bottom = rank.high;
    this.#openWindow(nowMs, 0);
  }

  /** So far in this window: most are turned away, and not all are equal. */
  get #crowds(): boolean {
    const isMixed = this.#bottom < this.#top && this.#asked >= CROWD_MIN;
    return isMixed && this.#refused >= this.#asked * CROWD_RATIO;
  }

  #endIfLong(nowMs: number): void {
    const forMs = nowMs - this.#fromMs;
    if (forMs >= WINDOW_MS_MAX) this.#end(nowMs, forMs);
  }

  /** Counts from now on; so many have asked just now. */
  #openWindow(nowMs: number, asked: number): void {
    this.#count(nowMs);
    this.#fromMs = nowMs;
    this.#asked = asked;
    this.#answers = 0;
    this.#tookMs = 0;
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
    // Many may wait for the few that were answered, which then tell more than Little's law.
    if (this.#baselineMs === 0) {
      this.#baselineMs = Math.max(Math.min(seen.tookMs, this.#tookMs / this.#answers), 0.001);
    }
    this.#binds = seen.waiting >= this.#limit * BINDING_RATIO;
    if (!this.#binds) this.#unbound(seen);
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
    const ratio = this.#isCrowded ? PROOF_RATIO_CROWDED : PROOF_RATIO;
    const isLeast = this.#limit * ratio < this.settings.min;
    this.#limit = this.#bounded(isLeast ? this.#limit / ratio : this.#limit * ratio);
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

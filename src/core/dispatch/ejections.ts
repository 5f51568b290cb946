// Who is kept from traffic for a while, by what one worker saw itself. The state of one service.
//
//            sure evidence, or               time over, and a real
//            enough of it (cause)            request began on it
//   usable ─────────────────────────> ejected ────────────────────────────> probed
//      ^                                 ^  ^                                 │ │
//      │                                 │  └──── failed: twice as long ──────┘ │
//      └── an answer to what began later ┴── a newer generation <───────────────┘
//
// Sure of one thing only: an ejected instance must be tried again by a real request, and by one at
// a time, whoever else is dead (Linkerd's consecutive-failures breaker: 1 s doubling, one probe,
// never re-opened by a health check alone). The probe is charged in advance: when it begins, the
// ejection is doubled and the next probe's time set. So a probe that never ends (a tunnel, a hung
// instance) delays the next one and blocks nothing; one that was given up for the client's sake is
// refunded.
//
// Evidence counts only when it is newer: an answer or a failure of an attempt that began before the
// ejection says nothing of the instance now, nor does a failure of one that began before it was
// readmitted. A stall is the exception: any answer disproves silence. A readmission does not
// forgive: an ejection within a minute of the last one is twice as long. Who flaps (presence.ts) is
// held: ejected until a time that is said, or until too few others are left.

import { assert } from "../base/assert.ts";
import type { EjectionCode } from "../base/reasons.ts";
import { grown } from "../base/grown.ts";

/** Requests in a row that went unanswered before the instance is ejected for it. */
export const UNANSWERED_MAX = 3;
/** An ejection is remembered for so long after its end. */
export const MEMORY_MS = 60_000;
// A start is computed back from an end: two roundings of a clock's reading, in milliseconds.
const ROUNDING_MS = 0.001;

/** Why an instance is ejected; what readmits it depends on it. */
export const cause = {
  /** It refused, or could not be reached: certain. */
  connect: 0,
  /** A connection broke before the answer's end. */
  broken: 1,
  /** Requests timed out. */
  unanswered: 2,
  /** It answers errors while its peers do not. */
  errors: 3,
  /** It is silent while its peers answer. */
  silence: 4,
  /** The table's `down`, while control is gone. */
  verdict: 5,
  /** It is well, and has come and gone too often. */
  flapping: 6,
} as const;
export type CauseName = keyof typeof cause;
export type Cause = (typeof cause)[CauseName];

/** In logs and metrics. */
export const ejectionCode: Readonly<Record<CauseName, EjectionCode>> = {
  connect: "INSTANCE_REFUSED",
  broken: "INSTANCE_BROKE_OFF",
  unanswered: "INSTANCE_UNANSWERED",
  errors: "INSTANCE_ERRORS",
  silence: "INSTANCE_SILENT",
  verdict: "INSTANCE_DOWN",
  flapping: "INSTANCE_FLAPPING",
};

export interface EjectionTimes {
  readonly ejectionBaseMs: number;
  readonly ejectionMaxMs: number;
}

export class Ejections {
  times: EjectionTimes;
  /** Length of the ejection; 0 is not ejected. */
  lengthMs = new Float64Array(16);
  /** When the next probe may begin. */
  dueMs = new Float64Array(16);
  causes = new Uint8Array(16);
  #sinceMs = new Float64Array(16);
  #probeMs = new Float64Array(16);
  #unanswered = new Uint8Array(16);
  /** What the next ejection takes, if it comes before the memory of the last one ends. */
  #nextMs = new Float64Array(16);
  #clearedMs = new Float64Array(16);
  /** 1: `dueMs` is the end of its hold. */
  #held = new Uint8Array(16);
  #heldInAll = 0;

  constructor(times: EjectionTimes) {
    this.times = times;
  }

  isEjected(slot: number): boolean {
    return (this.lengthMs[slot] as number) > 0;
  }

  isByVerdict(slot: number): boolean {
    return this.isEjected(slot) && this.causes[slot] === cause.verdict;
  }

  /** The first ejection of a usable instance. */
  eject(slot: number, nowMs: number, why: Cause): void {
    assert(!this.isEjected(slot), "who is ejected is not ejected again");
    const { ejectionBaseMs, ejectionMaxMs } = this.times;
    const isRemembered = nowMs - (this.#clearedMs[slot] as number) < MEMORY_MS;
    const wantedMs = isRemembered ? (this.#nextMs[slot] as number) : 0;
    const lengthMs = Math.min(Math.max(wantedMs, ejectionBaseMs), ejectionMaxMs);
    this.lengthMs[slot] = lengthMs;
    this.dueMs[slot] = nowMs + lengthMs;
    this.causes[slot] = why;
    this.#sinceMs[slot] = nowMs;
    this.#probeMs[slot] = Infinity;
    if (why === cause.verdict || why === cause.flapping) return;
    this.#nextMs[slot] = 2 * lengthMs;
  }

  /** What was held against it is past; its memory is not. */
  clear(slot: number, nowMs: number): void {
    this.#letGo(slot);
    this.lengthMs[slot] = 0;
    this.#unanswered[slot] = 0;
    this.#clearedMs[slot] = nowMs;
  }

  /** The slot is another instance's now. */
  forget(slot: number): void {
    this.#letGo(slot);
    this.lengthMs[slot] = 0;
    this.#unanswered[slot] = 0;
    this.#nextMs[slot] = 0;
    this.#clearedMs[slot] = -Infinity;
  }

  /** No probe of the ejected instance begins before `untilMs`. True: it was not held yet. */
  hold(slot: number, nowMs: number, untilMs: number): boolean {
    this.#probeMs[slot] = Infinity;
    this.#sinceMs[slot] = nowMs;
    this.dueMs[slot] = untilMs;
    if (this.#held[slot] === 1) return false;
    this.#held[slot] = 1;
    this.#heldInAll++;
    return true;
  }

  get isAnyHeld(): boolean {
    return this.#heldInAll > 0;
  }

  /** All who are held may be tried at once. */
  endHolds(count: number, nowMs: number): void {
    for (let slot = 0; slot < count; slot++) {
      if (this.#held[slot] === 0) continue;
      this.#letGo(slot);
      this.dueMs[slot] = nowMs;
    }
  }

  #letGo(slot: number): void {
    if (this.#held[slot] === 0) return;
    this.#held[slot] = 0;
    this.#heldInAll--;
  }

  /** An attempt on an ejected instance begins: true when it is the probe that was due. */
  begin(slot: number, nowMs: number): boolean {
    if (nowMs < (this.dueMs[slot] as number)) return false;
    this.#letGo(slot);
    this.#probeMs[slot] = nowMs;
    const doubledMs = Math.min(2 * (this.lengthMs[slot] as number), this.times.ejectionMaxMs);
    this.lengthMs[slot] = doubledMs;
    this.#nextMs[slot] = Math.max(this.#nextMs[slot] as number, doubledMs);
    this.dueMs[slot] = nowMs + doubledMs;
    return true;
  }

  /** Whether an answer to an attempt that began at `beganMs` readmits the ejected instance. */
  readmits(slot: number, beganMs: number): boolean {
    if (this.causes[slot] === cause.silence) return true;
    return beganMs + ROUNDING_MS >= (this.#sinceMs[slot] as number);
  }

  /** Whether a failure of an attempt that began at `beganMs` is evidence of the instance now. */
  isRecent(slot: number, beganMs: number): boolean {
    return beganMs + ROUNDING_MS >= (this.#clearedMs[slot] as number);
  }

  /** An attempt on an ejected instance failed: true when it was its probe; the ejection goes on. */
  probeFailed(slot: number, beganMs: number, nowMs: number): boolean {
    if (beganMs + ROUNDING_MS < (this.#probeMs[slot] as number)) return false;
    this.#probeMs[slot] = Infinity;
    this.#sinceMs[slot] = nowMs;
    this.dueMs[slot] = nowMs + (this.lengthMs[slot] as number);
    return true;
  }

  /** An attempt on an ejected instance was given up: if it was its probe, another may begin now. */
  probeAbandoned(slot: number, beganMs: number, nowMs: number): boolean {
    if (beganMs + ROUNDING_MS < (this.#probeMs[slot] as number)) return false;
    this.#probeMs[slot] = Infinity;
    this.lengthMs[slot] = Math.max((this.lengthMs[slot] as number) / 2, this.times.ejectionBaseMs);
    this.dueMs[slot] = nowMs;
    return true;
  }

  answered(slot: number): void {
    this.#unanswered[slot] = 0;
  }

  /** Counts one more unanswered request; true when they are too many in a row. */
  unanswered(slot: number): boolean {
    const inRow = (this.#unanswered[slot] as number) + 1;
    this.#unanswered[slot] = Math.min(inRow, UNANSWERED_MAX);
    return inRow >= UNANSWERED_MAX;
  }

  grow(capacity: number): void {
    if (capacity <= this.lengthMs.length) return;
    this.lengthMs = grown(this.lengthMs, new Float64Array(capacity));
    this.dueMs = grown(this.dueMs, new Float64Array(capacity));
    this.causes = grown(this.causes, new Uint8Array(capacity));
    this.#sinceMs = grown(this.#sinceMs, new Float64Array(capacity));
    this.#probeMs = grown(this.#probeMs, new Float64Array(capacity));
    this.#unanswered = grown(this.#unanswered, new Uint8Array(capacity));
    this.#nextMs = grown(this.#nextMs, new Float64Array(capacity));
    this.#clearedMs = grown(this.#clearedMs, new Float64Array(capacity));
    this.#held = grown(this.#held, new Uint8Array(capacity));
  }
}

// Who is kept from traffic for a while, by what one worker saw itself. The state of one service.
//
//            connect failed, reset,                 time over, and a real
//            3 unanswered in a row                  request began on it
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
// ejection says nothing of the instance now.

import { grown } from "./slots.ts";

/** Requests in a row that went unanswered before the instance is ejected for it. */
export const UNANSWERED_MAX = 3;
// A start is computed back from an end: two roundings of a clock's reading, in milliseconds.
const ROUNDING_MS = 0.001;

export interface EjectionTimes {
  readonly ejectionBaseMs: number;
  readonly ejectionMaxMs: number;
}

export class Ejections {
  /** Length of the ejection; 0 is not ejected. */
  lengthMs = new Float64Array(16);
  /** When the next probe may begin. */
  dueMs = new Float64Array(16);
  /** 1: by the table's verdict, while control is gone. */
  byVerdict = new Uint8Array(16);
  #sinceMs = new Float64Array(16);
  #probeMs = new Float64Array(16);
  #unanswered = new Uint8Array(16);
  readonly #times: EjectionTimes;

  constructor(times: EjectionTimes) {
    this.#times = times;
  }

  isEjected(slot: number): boolean {
    return (this.lengthMs[slot] as number) > 0;
  }

  /** The first ejection of a usable instance. */
  eject(slot: number, nowMs: number, byVerdict: boolean): void {
    this.lengthMs[slot] = this.#times.ejectionBaseMs;
    this.dueMs[slot] = nowMs + this.#times.ejectionBaseMs;
    this.byVerdict[slot] = byVerdict ? 1 : 0;
    this.#sinceMs[slot] = nowMs;
    this.#probeMs[slot] = Infinity;
  }

  clear(slot: number): void {
    this.lengthMs[slot] = 0;
    this.byVerdict[slot] = 0;
    this.#unanswered[slot] = 0;
  }

  /** An attempt on an ejected instance begins: true when it is the probe that was due. */
  begin(slot: number, nowMs: number): boolean {
    if (nowMs < (this.dueMs[slot] as number)) return false;
    this.#probeMs[slot] = nowMs;
    const doubledMs = Math.min(2 * (this.lengthMs[slot] as number), this.#times.ejectionMaxMs);
    this.lengthMs[slot] = doubledMs;
    this.dueMs[slot] = nowMs + doubledMs;
    return true;
  }

  /** Whether an answer to an attempt that began at `beganMs` readmits the ejected instance. */
  readmits(slot: number, beganMs: number): boolean {
    return beganMs + ROUNDING_MS >= (this.#sinceMs[slot] as number);
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
    this.lengthMs[slot] = Math.max((this.lengthMs[slot] as number) / 2, this.#times.ejectionBaseMs);
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
    this.byVerdict = grown(this.byVerdict, new Uint8Array(capacity));
    this.#sinceMs = grown(this.#sinceMs, new Float64Array(capacity));
    this.#probeMs = grown(this.#probeMs, new Float64Array(capacity));
    this.#unanswered = grown(this.#unanswered, new Uint8Array(capacity));
  }
}

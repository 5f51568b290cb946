// The least of something that grows with the attempts under way, not fooled by who fails fast.
//
// An instance that fails at once looks idle and draws everything. Here a failure weighs as long as
// an answer would have taken: it counts as under way until the mean time of the service's answers
// has passed since it began. Then failing is no faster than answering, and the instance gets no
// more than its peers until it is ejected (core/dispatch). Rejected: a penalty that somebody has to
// choose a size for.
//
// A tunnel ends like an answer, after hours. So an answer counts in the mean for twice the mean at
// most: some of a thousand times the usual length move it little, and a change of all is followed.
// What still is longer than 10 s, where most are tunnels, makes no failure weigh longer than that.

import { grown } from "../base/grown.ts";
import type { Candidates } from "./balancer.ts";
import { LeastOf } from "./least-heap.ts";

/** Failures that are counted as under way at once; beyond it the oldest ends. */
const FAILURES_MAX = 4096;
/** Of the latest answer in the mean time of an answer. */
const GAIN = 1 / 64;
/** Of the mean: more of one answer does not count. */
const OUTLIER_RATIO = 2;
/** No failure weighs longer. */
const WEIGHS_MS_MAX = 10_000;
const FORGOTTEN = -1;

export abstract class LeastLoaded extends LeastOf {
  #meanMs = 0;
  /** By slot: failures that count as under way. */
  #failures = new Int32Array(0);
  /** A circle of them, oldest first: whose, and until when. */
  readonly #whose = new Int32Array(FAILURES_MAX);
  readonly #untilMs = new Float64Array(FAILURES_MAX);
  #from = 0;
  #count = 0;

  /** Attempts under way, failures that count as such, and the one to come. */
  protected attempts(slot: number): number {
    return (this.view.active[slot] as number) + (this.#failures[slot] ?? 0) + 1;
  }

  override choose(tier: Candidates, nowMs: number): number {
    while (this.#count > 0 && (this.#untilMs[this.#from] as number) <= nowMs) this.#endOldest();
    return super.choose(tier, nowMs);
  }

  override finished(slot: number, nowMs: number, latencyMs: number, failed: boolean): void {
    if (!failed) {
      this.#hear(latencyMs);
      return;
    }
    const weighsMs = Math.min(this.#meanMs, WEIGHS_MS_MAX) - latencyMs;
    if (weighsMs <= 0) return;
    if (this.#count === FAILURES_MAX) this.#endOldest();
    if (this.#failures.length < this.view.capacity) {
      this.#failures = grown(this.#failures, new Int32Array(this.view.capacity));
    }
    const index = (this.#from + this.#count++) % FAILURES_MAX;
    this.#whose[index] = slot;
    this.#untilMs[index] = nowMs + weighsMs;
    this.#failures[slot] = (this.#failures[slot] as number) + 1;
  }

  #hear(latencyMs: number): void {
    if (this.#meanMs === 0) this.#meanMs = latencyMs;
    const countedMs = Math.min(latencyMs, OUTLIER_RATIO * this.#meanMs);
    this.#meanMs += GAIN * (countedMs - this.#meanMs);
  }

  #endOldest(): void {
    const slot = this.#whose[this.#from] as number;
    this.#from = (this.#from + 1) % FAILURES_MAX;
    this.#count--;
    if (slot === FORGOTTEN) return;
    this.#failures[slot] = (this.#failures[slot] as number) - 1;
    this.changed(slot);
  }

  override forget(slot: number): void {
    super.forget(slot);
    if ((this.#failures[slot] ?? 0) === 0) return;
    this.#failures[slot] = 0;
    for (let index = 0; index < FAILURES_MAX; index++) {
      if (this.#whose[index] === slot) this.#whose[index] = FORGOTTEN;
    }
  }
}

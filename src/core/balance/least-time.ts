// Least time: the instance that is expected to answer soonest: the smallest
//
//   mean time to the first byte x (1 + attempts under way) / weight
//
// Traefik's leasttime (pkg/server/service/loadbalancer/leasttime) and nginx's least_time. The mean
// follows the last hundred answers; it is a running one here, m += (x - m) / min(count, 100), which
// needs no window of samples per instance. Who has not answered yet is taken for an average one of
// the service: Traefik takes it for infinitely fast, and all requests go there until its first
// answer. Equals take turns. Failures are no answers: who fails fast is not fast.
//
// A mean is what was, and who is avoided for a slow one gives no answer that could mend it: one
// slow first answer would keep an instance idle for ever. So what is slower than the average and
// 10 s old (as peak-ewma.ts forgets) is forgotten, and the instance tried again as one that is
// unknown. Each choice looks at one slot for that.

import { grown } from "../base/grown.ts";
import type { Balancer, Candidates, SlotView } from "./balancer.ts";
import { LeastLoaded } from "./least-loaded.ts";

export function createLeastTime(view: SlotView, random: () => number): Balancer {
  return new LeastTime(view, random);
}

const ANSWERS = 100;
/** A mean that was not added to for so long, and is above the average, is forgotten. */
const FORGOTTEN_MS = 10_000;
/** Below the clock's resolution all are equally fast. */
const TIME_MS_MIN = 0.01;

class LeastTime extends LeastLoaded {
  /** By slot; of all answers of the service. */
  #meanMs = new Float64Array(0);
  #answers = new Int32Array(0);
  #heardMs = new Float64Array(0);
  #meanOfAllMs = 0;
  #answersOfAll = 0;
  /** Whose age is looked at next. */
  #looked = 0;

  override choose(tier: Candidates, nowMs: number): number {
    this.#forgetOld(nowMs);
    return super.choose(tier, nowMs);
  }

  #forgetOld(nowMs: number): void {
    const slot = this.#looked + 1 < this.view.count ? this.#looked + 1 : 0;
    this.#looked = slot;
    const isKnown = (this.#answers[slot] ?? 0) > 0;
    if (!isKnown || (this.#meanMs[slot] as number) <= this.#meanOfAllMs) return;
    if (nowMs - (this.#heardMs[slot] as number) < FORGOTTEN_MS) return;
    this.#answers[slot] = 0;
    this.#meanMs[slot] = 0;
    this.changed(slot);
  }

  protected loadOf(slot: number): number {
    const isKnown = (this.#answers[slot] ?? 0) > 0;
    const meanMs = isKnown ? (this.#meanMs[slot] as number) : this.#meanOfAllMs;
    const expectedMs = Math.max(meanMs, TIME_MS_MIN) * this.attempts(slot);
    return expectedMs / (this.view.weight[slot] as number);
  }

  override answered(slot: number, nowMs: number, latencyMs: number): void {
    this.#grow();
    this.#heardMs[slot] = nowMs;
    const answers = Math.min((this.#answers[slot] as number) + 1, ANSWERS);
    const meanMs = this.#meanMs[slot] as number;
    this.#answers[slot] = answers;
    this.#meanMs[slot] = meanMs + (latencyMs - meanMs) / answers;
    this.#answersOfAll = Math.min(this.#answersOfAll + 1, ANSWERS);
    this.#meanOfAllMs += (latencyMs - this.#meanOfAllMs) / this.#answersOfAll;
    this.changed(slot);
  }

  override forget(slot: number): void {
    super.forget(slot);
    this.#grow();
    this.#answers[slot] = 0;
    this.#meanMs[slot] = 0;
  }

  #grow(): void {
    const { capacity } = this.view;
    if (this.#answers.length >= capacity) return;
    this.#answers = grown(this.#answers, new Int32Array(capacity));
    this.#meanMs = grown(this.#meanMs, new Float64Array(capacity));
    this.#heardMs = grown(this.#heardMs, new Float64Array(capacity));
  }
}

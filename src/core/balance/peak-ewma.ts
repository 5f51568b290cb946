// Peak EWMA: of two drawn by lot, the one with the smaller
//
//   time x (attempts under way + 1) / weight
//
// where the time of an instance jumps to a slower answer at once and forgets it slowly: x > t: t =
// x, else t = t e^(-dt/tau) + x (1 - e^(-dt/tau)), tau = 10 s. Finagle's PeakEwma, Tower's
// peak_ewma.rs, Linkerd's default: sensitive to the onset of slowness, careful with recovery. The
// time decays while nothing is heard, so that an avoided instance is tried again. Who has not
// answered yet is taken for an average one of the service: Linkerd takes it for one of 30 ms,
// which in a service of 1 ms keeps it idle for half a minute. A failure counts as a sample only
// when it is slower than what is known: who fails fast is not fast.

import { grown } from "../base/grown.ts";
import type { Balancer, SlotView } from "./balancer.ts";
import { BetterOfTwo } from "./two-choices.ts";

export function createPeakEwma(view: SlotView, random: () => number): Balancer {
  return new PeakEwma(view, random);
}

const TAU_MS = 10_000;
/** Of the latest answer in the mean time of the service. */
const GAIN = 1 / 64;
/** Before the first answer of all. */
const FIRST_MS = 30;
const UNKNOWN = -1;

/** What `timeMs`, heard at `atMs`, has decayed to. */
export function decayed(timeMs: number, atMs: number, nowMs: number): number {
  return timeMs * Math.exp(Math.min(0, atMs - nowMs) / TAU_MS);
}

/** The estimate after one more sample. */
export function peakEwma(timeMs: number, atMs: number, sampleMs: number, nowMs: number): number {
  if (sampleMs > timeMs) return sampleMs;
  const kept = Math.exp(Math.min(0, atMs - nowMs) / TAU_MS);
  return timeMs * kept + sampleMs * (1 - kept);
}

class PeakEwma extends BetterOfTwo {
  #timeMs = new Float64Array(0);
  #atMs = new Float64Array(0);
  #meanMs = FIRST_MS;

  protected cost(slot: number, nowMs: number): number {
    const { active, weight } = this.view;
    const timeMs = this.#timeMs[slot] ?? UNKNOWN;
    const expectedMs =
      timeMs === UNKNOWN ? this.#meanMs : decayed(timeMs, this.#atMs[slot] as number, nowMs);
    return (expectedMs * ((active[slot] as number) + 1)) / (weight[slot] as number);
  }

  override answered(slot: number, nowMs: number, latencyMs: number): void {
    this.#grow();
    const timeMs = this.#timeMs[slot] as number;
    const isFirst = timeMs === UNKNOWN;
    this.#timeMs[slot] = isFirst
      ? latencyMs
      : peakEwma(timeMs, this.#atMs[slot] as number, latencyMs, nowMs);
    this.#atMs[slot] = nowMs;
    this.#meanMs += GAIN * (latencyMs - this.#meanMs);
  }

  override finished(slot: number, nowMs: number, latencyMs: number, failed: boolean): void {
    const timeMs = this.#timeMs[slot] ?? UNKNOWN;
    if (failed && latencyMs > (timeMs === UNKNOWN ? this.#meanMs : timeMs)) {
      this.answered(slot, nowMs, latencyMs);
    }
  }

  override forget(slot: number): void {
    this.#grow();
    this.#timeMs[slot] = UNKNOWN;
  }

  #grow(): void {
    const { capacity } = this.view;
    const before = this.#timeMs.length;
    if (before >= capacity) return;
    this.#timeMs = grown(this.#timeMs, new Float64Array(capacity).fill(UNKNOWN));
    this.#atMs = grown(this.#atMs, new Float64Array(capacity));
  }
}

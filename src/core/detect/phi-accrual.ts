// Silence by probability (Hayashibara, Défago, Yared, Katayama: "The phi accrual failure detector",
// SRDS 2004): how improbable is it that a living instance would be silent for this long, given how
// its heartbeats came until now?
//
//   phi(t) = -log10 P(gap > t),   gap ~ normal(mean + pause, sigma) of the last 1000 gaps
//
// At phi = 8 one gap in 10^8 of a living instance is as long. Solved for t it is a patience:
//
//   patience = mean + pause + sigma x z(phi),   z(8) = 5.612
//
// As in Akka: sigma is not taken for less than `sigmaMinMs` (a perfectly regular past is no
// promise), `pauseMs` allows for a pause (garbage collection) that the past has not shown yet, a
// new detector starts from two made-up gaps about the interval, and a gap that ended a verdict of
// death is not learned: an outage is not how a living instance behaves. Not as in Akka: the normal
// tail is exact (normal-tail.ts).
//
// The window is a flat ring with running sums, of the distances from the interval, so that squares
// stay small; they are summed anew once a round of the ring, so that rounding errors do not grow.

import { assert } from "../base/assert.ts";
import { sayDuration } from "../base/duration.ts";
import type { ArrivalDetector } from "./arrivals.ts";
import { tailLog10, tailQuantile } from "./normal-tail.ts";

export interface PhiSettings {
  /** How often heartbeats are expected. */
  readonly everyMs: number;
  /** Akka and Cassandra: 8; 10 to 12 where machines are shared. */
  readonly phi: number;
  readonly pauseMs: number;
  readonly sigmaMinMs: number;
}

export const phiSamples = 1_000;

/**
 * What suits heartbeats of this interval: one interval of pause, an eighth of it as the least
 * deviation. Over the histories of bench/detect that has fewer false alarms than three missed
 * heartbeats, and is quicker; Akka's 3 s and 100 ms, for heartbeats of 1 s, have none and are
 * slower than a fixed timeout with as few.
 */
export function phiSettings(everyMs: number, phi: number): PhiSettings {
  return { everyMs, phi, pauseMs: everyMs, sigmaMinMs: everyMs / 8 };
}

export class PhiAccrual implements ArrivalDetector {
  readonly #settings: PhiSettings;
  /** z(phi). */
  readonly #quantile: number;
  readonly #gaps = new Float64Array(phiSamples);
  #count = 0;
  #next = 0;
  #sum = 0;
  #squares = 0;
  #heardMs: number | undefined;
  #gapMs: number | undefined;

  constructor(settings: PhiSettings) {
    assert(settings.everyMs > 0 && settings.sigmaMinMs > 0, "gaps have a length");
    this.#settings = settings;
    this.#quantile = tailQuantile(settings.phi);
    const { everyMs } = settings;
    this.#learn(everyMs - everyMs / 4);
    this.#learn(everyMs + everyMs / 4);
  }

  heard(nowMs: number): void {
    const gapMs = this.#heardMs === undefined ? undefined : nowMs - this.#heardMs;
    this.#heardMs = nowMs;
    this.#gapMs = gapMs;
    if (gapMs !== undefined && gapMs <= this.patienceMs()) this.#learn(gapMs);
  }

  passedOver(byMs: number): void {
    if (this.#heardMs === undefined || this.#gapMs === undefined) return;
    const signs = Math.min(phiSamples, Math.round(byMs / this.#gapMs));
    for (let sign = 0; sign < signs; sign++) this.#learn(this.#gapMs);
    this.#heardMs += byMs;
  }

  patienceMs(): number {
    return this.meanMs() + this.#settings.pauseMs + this.sigmaMs() * this.#quantile;
  }

  /** The suspicion after this much silence. */
  phi(silenceMs: number): number {
    const beyondMs = silenceMs - this.meanMs() - this.#settings.pauseMs;
    return -tailLog10(beyondMs / this.sigmaMs());
  }

  meanMs(): number {
    return this.#settings.everyMs + this.#sum / this.#count;
  }

  sigmaMs(): number {
    const mean = this.#sum / this.#count;
    const variance = Math.max(0, this.#squares / this.#count - mean * mean);
    return Math.max(this.#settings.sigmaMinMs, Math.sqrt(variance));
  }

  explain(): string {
    const rhythm = `one came every ${sayDuration(this.meanMs())}, give or take`;
    return `phi above ${this.#settings.phi} (${rhythm} ${sayDuration(this.sigmaMs())})`;
  }

  #learn(gapMs: number): void {
    const distance = gapMs - this.#settings.everyMs;
    if (this.#count === phiSamples) {
      const forgotten = this.#gaps[this.#next] ?? 0;
      this.#sum -= forgotten;
      this.#squares -= forgotten * forgotten;
    } else {
      this.#count++;
    }
    this.#gaps[this.#next] = distance;
    this.#sum += distance;
    this.#squares += distance * distance;
    this.#next = (this.#next + 1) % phiSamples;
    if (this.#next === 0) this.#sumAnew();
  }

  #sumAnew(): void {
    this.#sum = 0;
    this.#squares = 0;
    for (const distance of this.#gaps.subarray(0, this.#count)) {
      this.#sum += distance;
      this.#squares += distance * distance;
    }
  }
}

// Control's watch over itself: how late its own timers come, and who of those it asks is silent.
//
// core/detect/observer-health.ts keeps the score; this file has the clock, the window, and the one
// sentence that a sick observer says of itself. Whoever judges silence asks `factor` and `fall` for
// its patience, and `laggedSince` before it believes a silence at all.

import { sayDuration } from "../../core/base/duration.ts";
import {
  lagged,
  lagNoticedMs,
  observerWindowMs,
  patienceFactor,
  patientFall,
  wellObserver,
  windowEnded,
} from "../../core/detect/observer-health.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { Recurring, Rest } from "../../ports/recurring.ts";

/** How often it looks at the clock: a stall shorter than this may go unnoticed, and is harmless. */
const tickMs = 250;
/** From this factor on it is worth a sentence, and until it is well again only one. */
const factorSaid = 3;
/**
 * Whoever starts many processes, and itself, is held up by that for a while, though not for long at
 * a time: it has the same patience, and nothing to tell.
 */
const startingMs = 5_000;
const startingLagMsMax = 2_000;
/** At most one such sentence in this time. */
const sayEveryMs = 60_000;

export class Observer {
  readonly #clock: Clock;
  readonly #events: Events;
  #health = wellObserver;
  #timer: Timer;
  readonly #sayFromMs: number;
  #windowEndsMs: number;
  #lagMsMax = 0;
  #laggedAtMs = Number.NEGATIVE_INFINITY;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #sick = false;
  readonly #asked = new Set<string>();
  readonly #silent = new Set<string>();
  /** Those whose latest answer was none. */
  readonly #silentLately = new Set<string>();
  #dueMs = 0;
  readonly #recurring: Recurring = {
    atRest: () => this.#atRest(),
    passedOver: (byMs) => {
      this.#dueMs += byMs;
      this.#windowEndsMs += byMs;
    },
  };

  constructor(clock: Clock, events: Events) {
    this.#clock = clock;
    this.#events = events;
    this.#sayFromMs = clock.monotonicMs() + startingMs;
    this.#windowEndsMs = clock.monotonicMs() + observerWindowMs;
    this.#timer = this.#tickAfter(clock.monotonicMs());
  }

  /** Every timeout takes this many times as long: 1 while well, 8 at most. */
  get factor(): number {
    return patienceFactor(this.#health);
  }

  get isWell(): boolean {
    return this.#health.score === 0;
  }

  /** How many checks in a row must fail where the settings say `fall`. */
  fall(fall: number): number {
    return patientFall(this.#health, fall);
  }

  /** A timer that was due then runs now. */
  ranLate(dueMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const lagMs = nowMs - dueMs;
    if (lagMs < lagNoticedMs) return;
    this.#lagMsMax = Math.max(this.#lagMsMax, lagMs);
    this.#laggedAtMs = nowMs;
    this.#health = lagged(this.#health, lagMs);
    if (this.#isStarting(nowMs) && lagMs < startingLagMsMax) return;
    this.#say(`its event loop was held up for ${sayDuration(lagMs)}`);
  }

  /** Whether we were held up at some time since then: what seemed silent may have been unread. */
  laggedSince(atMs: number): boolean {
    return this.#laggedAtMs >= atMs;
  }

  /** An instance that should answer was asked, and answered in some way or not at all. */
  asked(instance: string, silent: boolean): void {
    this.#asked.add(instance);
    if (silent) this.#silent.add(instance);
    if (silent) this.#silentLately.add(instance);
    else this.#silentLately.delete(instance);
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #tickAfter(nowMs: number): Timer {
    this.#dueMs = nowMs + tickMs;
    return this.#clock.after(tickMs, () => this.#tick(), this.#recurring);
  }

  #tick(): void {
    this.ranLate(this.#dueMs);
    const tickedMs = this.#clock.monotonicMs();
    if (tickedMs >= this.#windowEndsMs) this.#endWindow(tickedMs);
    this.#timer = this.#tickAfter(tickedMs);
  }

  /** Nothing speaks against it, nor will: one alone that is silent never does. */
  #atRest(): Rest | undefined {
    if (!this.isWell || this.#lagMsMax > 0) return undefined;
    const silent = this.#silentLately.size === 0 ? this.#silent : this.#silentLately;
    if (silent.size > 1 || [...this.#silent].some((id) => !silent.has(id))) return undefined;
    const windowBeganMs = this.#windowEndsMs - observerWindowMs;
    const agoMs = this.#clock.monotonicMs() - windowBeganMs;
    return { everyMs: observerWindowMs, agoMs, heeds: [] };
  }

  #endWindow(nowMs: number): void {
    const window = { asked: this.#asked.size, silent: this.#silent.size };
    const before = this.#health;
    this.#health = windowEnded(before, window, this.#lagMsMax);
    if (this.#health.score > before.score && !this.#isStarting(nowMs)) {
      this.#say(`${window.silent} of ${window.asked} instances were silent at once`);
    }
    if (this.isWell) this.#sick = false;
    this.#asked.clear();
    this.#silent.clear();
    this.#lagMsMax = 0;
    this.#windowEndsMs = nowMs + observerWindowMs;
  }

  #isStarting(nowMs: number): boolean {
    return nowMs < this.#sayFromMs;
  }

  #say(why: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#sick || this.factor < factorSaid || nowMs - this.#saidAtMs < sayEveryMs) return;
    this.#sick = true;
    this.#saidAtMs = nowMs;
    const sentence =
      `Control doubts itself before it blames others: ${why}; ` +
      `its checks wait ${this.factor} times as long until it is well`;
    this.#events.record({ kind: "control.sick-observer", level: "warning", sentence });
  }
}

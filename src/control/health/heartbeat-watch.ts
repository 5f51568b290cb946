// The heartbeats of one instance: listens, and has one timer, for the end of the patience that its
// detector has (core/detect/arrivals.ts).
//
// The first heartbeat is what an instance that starts is waited for, and its start timeout judges
// it. Patience is stretched while the observer is unwell; and a silence through which we were held
// up is not believed at once, since heartbeats may wait unread: one more interval shows.

import type { HealthConfig, HeartbeatConfig } from "../../config/config.ts";
import {
  type ArrivalDetector,
  type ArrivalVerdict,
  heard,
  listening,
  silent,
  type Watched,
} from "../../core/detect/arrivals.ts";
import { countMissed } from "../../core/detect/missed-heartbeats.ts";
import { PhiAccrual, phiSettings } from "../../core/detect/phi-accrual.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import type { Heartbeats } from "../../ports/heartbeats.ts";
import type { Recurring, Rest } from "../../ports/recurring.ts";
import type { Observer } from "./observer.ts";
import type { News, Signal, Subject } from "./signal.ts";

export interface HeartbeatPorts {
  readonly clock: Clock;
  readonly heartbeats: Heartbeats;
  readonly observer: Observer;
}

export class HeartbeatWatch implements Signal {
  readonly #ports: HeartbeatPorts;
  readonly #tell: (news: News) => void;
  readonly #everyMs: number;
  readonly #rise: number;
  readonly #detector: ArrivalDetector;
  readonly #listener: Disposable;
  #watched: Watched;
  #timer: Timer | undefined;
  #armedMs = 0;
  #dueMs = 0;
  #doubted = false;
  /** Between the latest two heartbeats. */
  #gapMs: number | undefined;
  readonly #recurring: Recurring = {
    atRest: () => this.#atRest(),
    passedOver: (byMs) => this.#passedOver(byMs),
  };

  constructor(
    ports: HeartbeatPorts,
    file: string,
    { health, heartbeat }: { readonly health: HealthConfig; readonly heartbeat: HeartbeatConfig },
    subject: Subject,
    tell: (news: News) => void,
  ) {
    this.#ports = ports;
    this.#tell = tell;
    this.#everyMs = heartbeat.everyMs;
    this.#rise = health.rise;
    this.#detector = detectorOf(heartbeat);
    this.#watched = listening(ports.clock.monotonicMs());
    const instance = subject()?.record.id ?? "";
    const { everyMs } = heartbeat;
    this.#listener = ports.heartbeats.listen({ instance, everyMs, file }, () => this.#heard());
    this.#arm(this.#deadlineMs());
  }

  get verdict(): Watched["verdict"] {
    return this.#watched.verdict;
  }

  /** The first beat that did not come. */
  get failingSinceMs(): number | undefined {
    const { silentSinceMs } = this.#watched;
    return silentSinceMs === undefined ? undefined : silentSinceMs + this.#everyMs;
  }

  /** Live traffic cannot ask a heartbeat. */
  suspect(): void {}

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }

  #heard(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#doubted = false;
    this.#gapMs = this.#watched.heardOnce ? nowMs - this.#watched.heardMs : undefined;
    const verdict = heard(this.#watched, nowMs, this.#rise);
    this.#detector.heard(nowMs);
    this.#follow(verdict);
    this.#arm(this.#deadlineMs());
  }

  #deadlineMs(): number {
    return this.#watched.heardMs + this.#detector.patienceMs() * this.#ports.observer.factor;
  }

  #arm(dueMs: number): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#armedMs = nowMs;
    this.#dueMs = dueMs;
    this.#timer?.[Symbol.dispose]();
    const delayMs = Math.max(0, dueMs - nowMs);
    this.#timer = this.#ports.clock.after(delayMs, () => this.#due(), this.#recurring);
  }

  /** Heartbeats come: each puts the end of its patience off. */
  #atRest(): Rest | undefined {
    const { verdict, heardMs } = this.#watched;
    if (verdict !== "up" || this.#gapMs === undefined || this.#doubted) return undefined;
    return { everyMs: this.#gapMs, agoMs: this.#ports.clock.monotonicMs() - heardMs };
  }

  #passedOver(byMs: number): void {
    const { heardMs } = this.#watched;
    this.#watched = { ...this.#watched, heardMs: heardMs + byMs };
    this.#armedMs += byMs;
    this.#dueMs += byMs;
    this.#detector.passedOver(byMs);
  }

  #due(): void {
    const { clock, observer } = this.#ports;
    observer.ranLate(this.#dueMs);
    const nowMs = clock.monotonicMs();
    if (observer.laggedSince(this.#armedMs) && !this.#doubted) {
      this.#doubted = true;
      return this.#arm(nowMs + this.#everyMs);
    }
    // The observer has fallen ill while this timer ran: it has more patience now.
    const deadlineMs = this.#deadlineMs();
    if (deadlineMs > nowMs) return this.#arm(deadlineMs);
    this.#follow(silent(this.#watched, nowMs, this.#detector.explain()));
  }

  #follow({ watched, changed }: ArrivalVerdict): void {
    this.#watched = watched;
    this.#tell({ detail: watched.verdict === "down" ? "no heartbeat" : "a heartbeat", changed });
  }
}

function detectorOf({ detector, everyMs, misses, phi }: HeartbeatConfig): ArrivalDetector {
  return detector === "phi"
    ? new PhiAccrual(phiSettings(everyMs, phi))
    : countMissed({ everyMs, misses });
}

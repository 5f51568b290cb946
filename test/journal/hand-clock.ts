// Time that stands still until a test moves it.

import type { Clock, Timer } from "../../src/ports/clock.ts";

interface Alarm {
  readonly dueMs: number;
  readonly run: () => void;
}

export class HandClock implements Clock {
  #nowMs = 1_000;
  readonly #alarms = new Set<Alarm>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#nowMs);
  }

  after(delayMs: number, run: () => void): Timer {
    const alarm = { dueMs: this.#nowMs + delayMs, run };
    this.#alarms.add(alarm);
    return { [Symbol.dispose]: () => void this.#alarms.delete(alarm) };
  }

  get pending(): number {
    return this.#alarms.size;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const alarm of this.#alarms) {
      if (alarm.dueMs > this.#nowMs || !this.#alarms.delete(alarm)) continue;
      alarm.run();
    }
  }
}

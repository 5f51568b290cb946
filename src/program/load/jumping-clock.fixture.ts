// A clock for tests that jumps from one alarm to the next, and lets promises run in between.

import assert from "node:assert/strict";
import type { Clock, Timer } from "../../ports/clock.ts";

interface Alarm {
  readonly dueMs: number;
  readonly run: () => void;
}

export class JumpingClock implements Clock {
  #nowMs = 0;
  readonly #alarms = new Set<Alarm>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const alarm = { dueMs: this.#nowMs + delayMs, run };
    this.#alarms.add(alarm);
    return { [Symbol.dispose]: () => void this.#alarms.delete(alarm) };
  }

  async runUntil(done: () => boolean): Promise<void> {
    while (!done()) {
      let next: Alarm | undefined;
      for (const alarm of this.#alarms) {
        if (next === undefined || alarm.dueMs < next.dueMs) next = alarm;
      }
      assert.ok(next !== undefined, "somebody waits for something");
      this.#alarms.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
    }
  }

  get pending(): number {
    return this.#alarms.size;
  }
}

// The clocks of one machine: a monotonic one that drifts, a wall clock that also jumps.
//
// All processes of a machine share it (ports/clock.ts promises so). Drift is exaggerated, percents
// where quartz has millionths: whoever relies on two clocks agreeing shall fail within minutes.

import { assert } from "../../src/core/base/assert.ts";
import type { Clock, Timer } from "../../src/ports/clock.ts";
import type { Recurring } from "../../src/ports/recurring.ts";
import type { EventLoop, Task } from "./event-loop.ts";
import type { Gate } from "./gate.ts";

export class MachineClock {
  readonly #loop: EventLoop;
  /** Machine milliseconds in one true millisecond. */
  #rate = 1;
  #anchorTrueMs = 0;
  #anchorMs: number;
  #wallOffsetMs: number;

  constructor(loop: EventLoop, startMs: number, wallMs: number) {
    this.#loop = loop;
    this.#anchorMs = startMs;
    this.#wallOffsetMs = wallMs - startMs;
  }

  monotonicMs(): number {
    return this.#anchorMs + (this.#loop.nowMs - this.#anchorTrueMs) * this.#rate;
  }

  wallMs(): number {
    return this.monotonicMs() + this.#wallOffsetMs;
  }

  drift(rate: number): void {
    assert(rate > 0.5 && rate < 2, "a clock drifts, it does not run away");
    this.#anchorMs = this.monotonicMs();
    this.#anchorTrueMs = this.#loop.nowMs;
    this.#rate = rate;
  }

  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** The clock as the process behind `gate` has it: its timers fire late while it is stopped. */
  for(gate: Gate): Clock {
    return {
      monotonicMs: () => this.monotonicMs(),
      wallMs: () => this.wallMs(),
      after: (delayMs, run, recurring) => this.#timer(gate, delayMs, run, recurring),
    };
  }

  #timer(gate: Gate, delayMs: number, run: () => void, recurring?: Recurring): Timer {
    const dueMs = this.monotonicMs() + delayMs;
    let cancelled = false;
    const wake = (): void => {
      if (cancelled) return;
      // The clock slowed down meanwhile: a timer is late, never early.
      if (this.monotonicMs() < dueMs - 1e-6) task = arm();
      else
        gate.enter(() => {
          if (!cancelled) run();
        });
    };
    const arm = (): Task => {
      const remainingMs = Math.max(0, (dueMs - this.monotonicMs()) / this.#rate);
      return this.#loop.after(remainingMs, wake, recurring);
    };
    let task = arm();
    return {
      [Symbol.dispose]: () => {
        cancelled = true;
        task[Symbol.dispose]();
      },
    };
  }
}

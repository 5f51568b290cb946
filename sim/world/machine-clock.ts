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

  /** In true milliseconds, as the clock goes now. */
  untilMs(dueMs: number): number {
    return Math.max(0, (dueMs - this.monotonicMs()) / this.#rate);
  }

  /** The clock as a process has it: its timers fire late while it is stopped. */
  for(process: Pick<Gate, "enter">): Clock {
    return {
      monotonicMs: () => this.monotonicMs(),
      wallMs: () => this.wallMs(),
      after: (delayMs, run, recurring) =>
        new MachineTimer(this, this.#loop, process, delayMs, run, recurring),
    };
  }
}

class MachineTimer implements Timer {
  readonly #clock: MachineClock;
  readonly #loop: EventLoop;
  readonly #process: Pick<Gate, "enter">;
  readonly #dueMs: number;
  readonly #recurring: Recurring | undefined;
  /** Undefined once it is cancelled. */
  #run: (() => void) | undefined;
  #task: Task;

  constructor(
    clock: MachineClock,
    loop: EventLoop,
    process: Pick<Gate, "enter">,
    delayMs: number,
    run: () => void,
    recurring: Recurring | undefined,
  ) {
    this.#clock = clock;
    this.#loop = loop;
    this.#process = process;
    this.#dueMs = clock.monotonicMs() + delayMs;
    this.#recurring = recurring;
    this.#run = run;
    this.#task = this.#arm();
  }

  [Symbol.dispose](): void {
    this.#run = undefined;
    this.#task[Symbol.dispose]();
  }

  #arm(): Task {
    return this.#loop.after(this.#clock.untilMs(this.#dueMs), this.#wake, this.#recurring);
  }

  readonly #wake = (): void => {
    // The clock slowed down meanwhile: a timer is late, never early.
    if (this.#clock.monotonicMs() < this.#dueMs - 1e-6) this.#task = this.#arm();
    else this.#process.enter(this.#fire);
  };

  /** It may be cancelled while its process is stopped. */
  readonly #fire = (): void => this.#run?.();
}

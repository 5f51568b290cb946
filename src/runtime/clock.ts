// The clock port on Node. `process.hrtime` reads the kernel's monotonic clock, which all processes
// of one machine share since its boot: a worker's reading may be compared with its parent's.
//
// Node's timers count whole milliseconds from the start of the loop's turn and so may fire up to
// one early; a callback that comes early is put off again, so that "not before" holds to the
// microsecond. Rejected: performance.now() (its origin is the process's start), Date.now() (it
// jumps).

import { assert } from "../core/base/assert.ts";
import type { Clock, Timer } from "../ports/clock.ts";

/** Node turns longer delays into 1 ms; they are slept in pieces. */
const timerPieceMsMax = 2 ** 30;

export interface ClockOptions {
  /** Whether a pending timer alone keeps the process alive. */
  readonly keepAlive?: boolean;
}

export function createClock(options: ClockOptions = {}): Clock {
  const keepAlive = options.keepAlive ?? false;
  return {
    monotonicMs,
    wallMs: () => Date.now(),
    after: (delayMs, run) => startTimer(delayMs, run, keepAlive),
  };
}

function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

function startTimer(delayMs: number, run: () => void, keepAlive: boolean): Timer {
  assert(delayMs >= 0 && Number.isFinite(delayMs), "a delay is finite and not negative");
  const dueMs = monotonicMs() + delayMs;
  let timeout: NodeJS.Timeout | undefined;

  function arm(): void {
    const leftMs = Math.ceil(dueMs - monotonicMs());
    timeout = setTimeout(fire, Math.min(Math.max(leftMs, 0), timerPieceMsMax));
    if (!keepAlive) timeout.unref();
  }

  function fire(): void {
    if (monotonicMs() < dueMs) return arm();
    timeout = undefined;
    run();
  }

  arm();
  return {
    [Symbol.dispose]() {
      clearTimeout(timeout);
      timeout = undefined;
    },
  };
}

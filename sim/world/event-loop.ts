// Virtual time: a heap of tasks ordered by (time, sequence), run one after another.
//
// Intuition: nothing in a simulated run takes time, it only happens at a time. Ties break by the
// order of scheduling, so that the whole order is a function of the seed.
//
// The code under test uses promises, so after a task the microtask queue must be empty before the
// next one runs. `boundary` (setImmediate, given from outside: this folder knows no Node) is the
// proof of that, and costs some microseconds; a run has 50,000 tasks and most are clients and
// servers, which have no promises. So a task that entered code with promises says so (`settle`),
// and only then is the boundary crossed. Gate.enter is the one place that says it; a test compares
// whole runs against a loop that crosses after every task. Rejected: awaiting a fixed number of
// resolved promises (a longer chain would break it silently).

import { assert } from "../../src/core/base/assert.ts";

/** Resolves when every promise callback that can run has run. */
export type Boundary = () => Promise<void>;

/** More tasks than this in one instant is a loop that never lets time pass. */
const TASKS_AT_ONCE_MAX = 100_000;

export class Task implements Disposable {
  readonly timeMs: number;
  readonly sequence: number;
  run: (() => void) | undefined;

  constructor(timeMs: number, sequence: number, run: () => void) {
    this.timeMs = timeMs;
    this.sequence = sequence;
    this.run = run;
  }

  [Symbol.dispose](): void {
    this.run = undefined; // It stays in the heap and is skipped when its time comes.
  }
}

export class EventLoop {
  /** True time, in milliseconds since the start of the run. No simulated process can read it. */
  nowMs = 0;
  /** Tasks run so far. */
  events = 0;
  /** The first error that a task threw; the run ends with it. */
  failure: unknown;
  readonly #heap: Task[] = [];
  readonly #boundary: Boundary;
  readonly #settleAlways: boolean;
  #sequence = 0;
  #mustSettle = false;
  #atThisInstant = 0;

  constructor(boundary: Boundary, settleAlways = false) {
    this.#boundary = boundary;
    this.#settleAlways = settleAlways;
  }

  /** Runs `run` at `delayMs` (>= 0) from now. */
  after(delayMs: number, run: () => void): Task {
    assert(
      delayMs >= 0 && delayMs < Number.POSITIVE_INFINITY,
      "a delay is finite and not negative",
    );
    const task = new Task(this.nowMs + delayMs, this.#sequence++, run);
    this.#push(task);
    return task;
  }

  /** Says that the task under way entered code that uses promises. */
  settle(): void {
    this.#mustSettle = true;
  }

  /** Ends the run: the world broke a promise, or the code under test threw. */
  fail(error: unknown): void {
    this.failure ??= error ?? new Error("something threw nothing");
  }

  /** Runs what is due until `untilMs`, or until something failed. */
  async run(untilMs: number): Promise<void> {
    if (this.#mustSettle) await this.#cross();
    while (this.failure === undefined) {
      const next = this.#heap[0];
      if (next === undefined || next.timeMs > untilMs) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.#step(next, next.run);
      if (this.#mustSettle || this.#settleAlways) await this.#cross();
    }
    if (this.failure === undefined) this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #step(task: Task, run: () => void): void {
    this.#atThisInstant = task.timeMs > this.nowMs ? 0 : this.#atThisInstant + 1;
    assert(this.#atThisInstant < TASKS_AT_ONCE_MAX, "time goes on");
    this.nowMs = task.timeMs;
    this.events++;
    task.run = undefined;
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }

  async #cross(): Promise<void> {
    this.#mustSettle = false;
    await this.#boundary();
  }

  #push(task: Task): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(task);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Task;
      if (!before(task, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = task;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && before(heap[right] as Task, heap[child] as Task)) child = right;
      if (!before(heap[child] as Task, last)) break;
      heap[index] = heap[child] as Task;
      index = child;
    }
    heap[index] = last;
  }
}

function before(left: Task, right: Task): boolean {
  return (
    left.timeMs < right.timeMs || (left.timeMs === right.timeMs && left.sequence < right.sequence)
  );
}

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

//
// A loop with a grid has times in whole multiples of it, rounded up: work that comes back every
// second then does so at the same fraction of every second for a thousand years, which sums of
// floating-point delays would not. `passOver` leaves out what only repeats itself.

import { assert } from "../../src/core/base/assert.ts";
import type { Recurring, Rest } from "../../src/ports/recurring.ts";

/** Resolves when every promise callback that can run has run. */
export type Boundary = () => Promise<void>;

/** More tasks than this in one instant is a loop that never lets time pass. */
const TASKS_AT_ONCE_MAX = 100_000;
/** Two times closer than this are one; and how much longer than a turn a landing is ahead. */
const GRID_MS = 0.1;
const MARGIN_MS = 50;

export class Task implements Disposable {
  timeMs: number;
  readonly sequence: number;
  run: (() => void) | undefined;
  /** Whose turn this is. */
  readonly recurring: Recurring | undefined;

  constructor(timeMs: number, sequence: number, run: () => void, recurring: Recurring | undefined) {
    this.timeMs = timeMs;
    this.sequence = sequence;
    this.run = run;
    this.recurring = recurring;
  }

  [Symbol.dispose](): void {
    this.run = undefined; // It stays in the heap and is skipped when its time comes.
  }
}

export interface EventLoopOptions {
  /** Crosses the boundary after every task. */
  readonly settleAlways?: boolean;
  /** Every time is a whole multiple of one over this many milliseconds. */
  readonly perMs?: number;
}

export class EventLoop {
  /** True time, in milliseconds since the start of the run. No simulated process can read it. */
  nowMs = 0;
  /** Tasks run so far. */
  events = 0;
  /** The first error that a task threw; the run ends with it. */
  failure: unknown;
  /** Time passed over, in milliseconds. */
  passedOverMs = 0;
  #heap: Task[] = [];
  readonly #boundary: Boundary;
  readonly #settleAlways: boolean;
  readonly #perMs: number;
  #sequence = 0;
  #mustSettle = false;
  #mustPause = false;
  #atThisInstant = 0;

  constructor(boundary: Boundary, { settleAlways = false, perMs = 0 }: EventLoopOptions = {}) {
    this.#boundary = boundary;
    this.#settleAlways = settleAlways;
    this.#perMs = perMs;
  }

  /** Runs `run` at `delayMs` (>= 0) from now. */
  after(delayMs: number, run: () => void, recurring?: Recurring): Task {
    assert(
      delayMs >= 0 && delayMs < Number.POSITIVE_INFINITY,
      "a delay is finite and not negative",
    );
    const task = new Task(this.#onGrid(this.nowMs + delayMs), this.#sequence++, run, recurring);
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

  /** The run under way is to end after this task. */
  pause(): void {
    this.#mustPause = true;
  }

  /** Runs what is due until `untilMs`, or until something failed or asked for a pause. */
  async run(untilMs: number): Promise<void> {
    if (this.#mustSettle) await this.#boundary();
    this.#mustSettle = false;
    this.#mustPause = false;
    while (this.failure === undefined && !this.#mustPause) {
      const next = this.#heap[0];
      if (next === undefined || next.timeMs > untilMs) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.#step(next, next.run);
      if (!this.#mustSettle && !this.#settleAlways) continue;
      this.#mustSettle = false;
      await this.#boundary();
    }
    if (this.failure !== undefined || this.#mustPause) return;
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /**
   * Passes over the time in which what is due would only repeat itself: up to where each recurring
   * work has one more turn before the next task that is no repetition, or before `untilMs`; or to
   * just before one that changes what is its own alone. `unchangedForMs`: for so long nothing has
   * changed of what a turn heeds; it counts for a repetition only if it began since, and ended.
   *
   * Returns when it is worth asking again: after what stands in the way now.
   */
  passOver(untilMs: number, unchangedForMs: (heeds: Rest["heeds"]) => number): number {
    const rests = new Map<Recurring, Rest>();
    const restless = new Map<Recurring, number>();
    let boundMs = untilMs;
    let ownMs = Number.POSITIVE_INFINITY;
    for (const { run, recurring, timeMs } of this.#heap) {
      if (run === undefined) continue;
      const rest = recurring && (rests.get(recurring) ?? recurring.atRest());
      if (recurring === undefined) {
        boundMs = Math.min(boundMs, timeMs);
        continue;
      }
      if (rest === undefined || this.#isNew(rest, timeMs, unchangedForMs(rest.heeds))) {
        // Another turn of it must come first, or the end of the one under way.
        restless.set(recurring, Math.min(restless.get(recurring) ?? timeMs, timeMs));
        continue;
      }
      rests.set(recurring, rest);
      ownMs = Math.min(ownMs, this.nowMs + (rest.forMs ?? Number.POSITIVE_INFINITY));
    }
    if (restless.size > 0) {
      const againMs = Math.max(...restless.values());
      // From then on there is nothing to pass over before what comes next.
      const isSoon = boundMs > againMs && boundMs - againMs <= longestTurnMs(rests);
      return isSoon ? boundMs : againMs;
    }
    const nextMs = Math.min(boundMs, ownMs);
    if (nextMs <= this.nowMs) return this.nowMs + GRID_MS;
    const lastTurnsMs = this.#lastTurnsMs(boundMs - MARGIN_MS, rests);
    const landingMs = this.#onGrid(Math.min(lastTurnsMs, ownMs - MARGIN_MS) - GRID_MS);
    const aheadMs = landingMs - this.nowMs;
    if (aheadMs > longestTurnMs(rests) && aheadMs < Number.POSITIVE_INFINITY) {
      this.#moveTo(landingMs, rests);
    }
    return nextMs;
  }

  /** A turn of it, with a task at `timeMs`, has not come, or not ended, since the latest change. */
  #isNew(rest: Rest, timeMs: number, unchangedForMs: number): boolean {
    const { everyMs, agoMs } = rest;
    const isUnderWay = timeMs - this.nowMs < everyMs - agoMs - GRID_MS;
    // One that is passed over whole would begin again after the landing: nobody may come between.
    if (isUnderWay && isBrief(rest)) return true;
    return unchangedForMs < (isUnderWay ? agoMs + everyMs : agoMs);
  }

  /** From then on each has its last turn that begins before `boundMs`, if anybody needs it. */
  #lastTurnsMs(boundMs: number, rests: ReadonlyMap<Recurring, Rest>): number {
    let earliestMs = boundMs;
    for (const rest of rests.values()) {
      if (isBrief(rest)) continue;
      const { everyMs, agoMs } = rest;
      const turns = Math.floor((boundMs - this.nowMs + agoMs) / everyMs);
      earliestMs = Math.min(earliestMs, this.nowMs - agoMs + turns * everyMs);
    }
    return earliestMs;
  }

  #moveTo(landingMs: number, rests: ReadonlyMap<Recurring, Rest>): void {
    this.#heap = this.#heap.filter(({ run }) => run !== undefined);
    const moves = new Map<Recurring, number>();
    for (const { recurring, timeMs } of this.#heap) {
      const rest = recurring && rests.get(recurring);
      if (recurring === undefined || rest === undefined) continue;
      const { everyMs, agoMs } = rest;
      // To the last turn that begins before the landing; one under way there is passed over whole.
      const begun = Math.floor((landingMs - this.nowMs + agoMs) / everyMs);
      const turns = Math.max(begun, Math.ceil((landingMs - timeMs) / everyMs));
      moves.set(recurring, Math.max(moves.get(recurring) ?? 0, turns * everyMs));
    }
    for (const task of this.#heap) {
      if (task.recurring !== undefined) task.timeMs += moves.get(task.recurring) ?? 0;
    }
    for (const [recurring, byMs] of moves) recurring.passedOver(byMs);
    this.#heap.sort((a, b) => (before(a, b) ? -1 : 1));
    this.passedOverMs += landingMs - this.nowMs;
    this.nowMs = landingMs;
  }

  #onGrid(timeMs: number): number {
    return this.#perMs > 0 ? Math.ceil(timeMs * this.#perMs) / this.#perMs : timeMs;
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

/** Over before the next change, if it begins before the landing. */
function isBrief({ lastsMs = Number.POSITIVE_INFINITY }: Rest): boolean {
  return lastsMs < MARGIN_MS;
}

function longestTurnMs(rests: ReadonlyMap<Recurring, Rest>): number {
  let longestMs = 0;
  for (const { everyMs } of rests.values()) longestMs = Math.max(longestMs, everyMs);
  return longestMs;
}

function before(left: Task, right: Task): boolean {
  return (
    left.timeMs < right.timeMs || (left.timeMs === right.timeMs && left.sequence < right.sequence)
  );
}

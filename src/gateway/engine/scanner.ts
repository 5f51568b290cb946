// Looks every few milliseconds whether instances have fallen silent, while anything is unanswered.
//
// Whoever judges others by the clock must know how late he comes himself: a worker that was
// stopped, or whose event loop was busy, finds old requests and unread answers at the same time. So
// what has arrived is read before anything is judged (a timer, then one round of the event loop),
// and by how much the judge is late is handed on with the question.

import { SCAN_MS } from "../../core/detect/stall.ts";

export class Scanner {
  /** Whether anything is still unanswered. */
  readonly #judge: (nowMs: number, lateByMs: number) => boolean;
  #timer: NodeJS.Timeout | undefined = undefined;
  #armed = false;
  #armedMs = 0;
  #closed = false;

  constructor(judge: (nowMs: number, lateByMs: number) => boolean) {
    this.#judge = judge;
  }

  /** Something is unanswered from now on. */
  arm(nowMs: number): void {
    if (this.#armed || this.#closed) return;
    this.#armed = true;
    this.#armedMs = nowMs;
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => setImmediate(() => this.#look()), SCAN_MS);
      this.#timer.unref();
    } else {
      this.#timer.refresh();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    if (this.#closed) return;
    const nowMs = performance.now();
    const lateByMs = nowMs - this.#armedMs - SCAN_MS;
    this.#armed = false;
    // A timer's own grain is a millisecond or two: that is not being late.
    if (this.#judge(nowMs, lateByMs > SCAN_MS ? lateByMs : 0)) this.arm(nowMs);
  }
}

// One step of a load test: requests go out when they are due, whether or not earlier ones have been
// answered, and each one's latency counts from when it was due.
//
// That is what clients do who do not know of each other (an open loop, Poisson arrivals), and it is
// the only way to see a queue. A loop that waits for an answer before it sends the next sends less
// the slower the service is, and leaves out just those requests that would have waited the longest
// (Gil Tene's coordinated omission). A request that we could not send on time, because our timer or
// our connections were late, still counts from when it was due, and how late we were is told.
//
// Bounds: at most `inFlightMax` requests at once, `waitingMax` behind them, each with a deadline from
// when it was due; what is due beyond that is not sent, and has failed. Everything has ended when
// the step resolves.

import { assert } from "../../core/base/assert.ts";
import type { Random } from "../../core/base/prng.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import { type Outcome, type StepCounts, quantileOf } from "./steps.ts";

/** Sends one request; never rejects. It gives up after `timeoutMs`, and at once at the signal. */
export type Send = (timeoutMs: number) => Promise<Exclude<Outcome, "not-sent">>;

export interface StepOptions {
  readonly ratePerSecond: number;
  readonly durationMs: number;
  /** From the beginning, left out of all figures. */
  readonly warmUpMs: number;
  readonly timeoutMs: number;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly send: Send;
  /** Ends it early: nothing more is sent. What is under way is for the sender to end. */
  readonly signal: AbortSignal;
}

export function runStep(options: StepOptions): Promise<StepCounts> {
  return new Step(options).run();
}

class Step {
  readonly #options: StepOptions;
  readonly #startMs: number;
  readonly #waiting: number[] = [];
  readonly #outcomes = { answered: 0, refused: 0, "timed-out": 0, "not-sent": 0 };
  readonly #latenciesMs: number[] = [];
  readonly #latenessMs: number[] = [];
  readonly #done: () => void;
  readonly #whenDone: Promise<void>;
  #nextDueMs: number;
  #inFlight = 0;
  #due = 0;
  #answeredInTime = 0;
  #isEveryConnectionUsed = false;
  #isOver = false;
  #timer: Timer | undefined;

  constructor(options: StepOptions) {
    assert(options.warmUpMs < options.durationMs, "there is a step after the warm-up");
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
    this.#nextDueMs = this.#startMs + this.#gap();
    let done = (): void => undefined;
    this.#whenDone = new Promise((resolve) => {
      done = resolve;
    });
    this.#done = done;
  }

  async run(): Promise<StepCounts> {
    const { signal, ratePerSecond, durationMs, warmUpMs } = this.#options;
    const onAbort = (): void => this.#end();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) this.#end();
    else this.#arm();
    await this.#whenDone;
    signal.removeEventListener("abort", onAbort);
    return {
      offeredPerSecond: ratePerSecond,
      due: this.#due,
      answeredInTime: this.#answeredInTime,
      windowMs: durationMs - warmUpMs,
      outcomes: this.#outcomes,
      latenciesMs: Float64Array.from(this.#latenciesMs).sort(),
      sentLateMs: quantileOf(Float64Array.from(this.#latenessMs).sort(), 0.99),
      isEveryConnectionUsed: this.#isEveryConnectionUsed,
    };
  }

  /** Exponential gaps make Poisson arrivals. */
  #gap(): number {
    const { random, ratePerSecond } = this.#options;
    return (-Math.log(1 - random.ratio()) * 1000) / ratePerSecond;
  }

  #arm(): void {
    const { clock, durationMs } = this.#options;
    const nextMs = Math.min(this.#nextDueMs, this.#startMs + durationMs);
    this.#timer = clock.after(Math.max(0, nextMs - clock.monotonicMs()), () => this.#tick());
  }

  #tick(): void {
    const { clock, durationMs } = this.#options;
    const endMs = this.#startMs + durationMs;
    const nowMs = clock.monotonicMs();
    while (this.#nextDueMs <= nowMs && this.#nextDueMs < endMs) {
      if (this.#isInWindow(this.#nextDueMs)) this.#latenessMs.push(nowMs - this.#nextDueMs);
      this.#arrive(this.#nextDueMs);
      this.#nextDueMs += this.#gap();
    }
    if (nowMs >= endMs) this.#end();
    else this.#arm();
  }

  #isInWindow(atMs: number): boolean {
    const { warmUpMs, durationMs } = this.#options;
    const afterMs = atMs - this.#startMs;
    return afterMs >= warmUpMs && afterMs < durationMs;
  }

  #arrive(dueMs: number): void {
    const { inFlightMax, waitingMax } = this.#options;
    if (this.#isInWindow(dueMs)) this.#due++;
    if (this.#inFlight < inFlightMax) return this.#send(dueMs);
    this.#isEveryConnectionUsed = true;
    if (this.#waiting.length < waitingMax) this.#waiting.push(dueMs);
    else this.#count(dueMs, "not-sent");
  }

  #send(dueMs: number): void {
    const { clock, timeoutMs, send } = this.#options;
    const leftMs = timeoutMs - (clock.monotonicMs() - dueMs);
    if (leftMs <= 0) return this.#count(dueMs, "timed-out");
    this.#inFlight++;
    void send(leftMs).then((outcome) => {
      this.#inFlight--;
      this.#count(dueMs, outcome);
      this.#sendWaiting();
      this.#resolveIfDone();
    });
  }

  #sendWaiting(): void {
    const { inFlightMax } = this.#options;
    while (this.#inFlight < inFlightMax) {
      const dueMs = this.#waiting.shift();
      if (dueMs === undefined) return;
      this.#send(dueMs);
    }
  }

  #count(dueMs: number, outcome: Outcome): void {
    const { clock, timeoutMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (outcome === "answered" && this.#isInWindow(nowMs)) this.#answeredInTime++;
    if (!this.#isInWindow(dueMs)) return;
    this.#outcomes[outcome]++;
    if (outcome === "answered") this.#latenciesMs.push(nowMs - dueMs);
    // Left out, the slowest would make a step look faster than a step with fewer timeouts.
    if (outcome === "timed-out") this.#latenciesMs.push(timeoutMs);
  }

  /** No more arrivals. What waits is still sent, within its deadline, unless all is to end. */
  #end(): void {
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
    if (this.#options.signal.aborted) {
      for (const dueMs of this.#waiting.splice(0)) this.#count(dueMs, "not-sent");
    }
    this.#resolveIfDone();
  }

  #resolveIfDone(): void {
    if (this.#isOver && this.#inFlight === 0 && this.#waiting.length === 0) this.#done();
  }
}

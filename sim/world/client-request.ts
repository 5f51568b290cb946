// One request of one client inside one worker: choose, try, perhaps try elsewhere, end.
//
// The choosing, the ejecting and the budget are the gateway's own code (core/dispatch); what is
// simulated is the socket. A refused connection takes 0.2 ms; the wire's own time is part of the
// service time.

import {
  ALL_BUSY,
  NO_INSTANCE,
  type Outcome,
  outcome,
} from "../../src/core/dispatch/dispatcher.ts";
import type { TableRoute } from "../../src/core/route/table.ts";
import type { Task } from "./event-loop.ts";
import type { Exchange } from "./program.ts";
import type { Lane, Worker } from "./worker.ts";

/** How it ended, for the client. */
export type RequestResult =
  | "answered"
  | "server-error"
  /** Every try that was allowed failed. */
  | "failed"
  /** There was no instance to try, or none got free in time. */
  | "refused"
  /** The worker died with it. */
  | "lost";

export interface RequestEnd {
  readonly service: string;
  readonly result: RequestResult;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attempts: number;
  readonly idempotent: boolean;
}

const REFUSAL_MS = 0.2;
const ATTEMPTS_MAX = 16;
const resultNames = [
  "answered",
  "5xx",
  "connect failed",
  "reset",
  "timed out",
  "abandoned",
  "silent",
] as const;

export class ClientRequest {
  readonly #worker: Worker;
  readonly #lane: Lane;
  readonly #route: TableRoute;
  readonly #idempotent: boolean;
  readonly #key: number;
  readonly #startedAtMs: number;
  readonly #tried = new Int32Array(ATTEMPTS_MAX);
  #triedCount = 0;
  /** First tries and retries; a second attempt beside another is neither. */
  #turns = 0;
  #attempt: Attempt | undefined;
  /** Runs beside it while the request is hedged. */
  #rival: Attempt | undefined;
  #queueTimer: Task | undefined;
  #ended = false;

  constructor(worker: Worker, lane: Lane, route: TableRoute, idempotent: boolean, key: number) {
    this.#worker = worker;
    this.#lane = lane;
    this.#route = route;
    this.#idempotent = idempotent;
    this.#key = key;
    this.#startedAtMs = worker.loop.nowMs;
  }

  begin(): void {
    this.#lane.dispatcher.requestSeen(this.#worker.nowMs());
    this.#worker.open.add(this);
    this.tryOne();
  }

  /** Also called when an instance may have become free. */
  tryOne(): void {
    if (this.#ended) return;
    const slot = this.#lane.dispatcher.choose(
      this.#route.balance,
      this.#worker.nowMs(),
      this.#key,
      this.#tried,
      this.#triedCount,
      this.#idempotent,
    );
    if (slot === ALL_BUSY || slot === NO_INSTANCE) {
      this.#wait();
      return;
    }
    this.#queueTimer?.[Symbol.dispose]();
    this.#queueTimer = undefined;
    this.#turns++;
    this.#attempt = this.#begin(slot);
    this.#send(this.#attempt);
  }

  get mayHedge(): boolean {
    if (this.#ended || !this.#idempotent || this.#rival !== undefined) return false;
    return this.#triedCount < ATTEMPTS_MAX;
  }

  /** A second attempt beside one that waits for longer than usual on a late instance. */
  hedge(): void {
    if (!this.mayHedge) return;
    const nowMs = this.#worker.nowMs();
    const { dispatcher } = this.#lane;
    const { balance, hedge } = this.#route;
    const slot = dispatcher.chooseHedge(balance, nowMs, this.#key, this.#tried, this.#triedCount);
    if (slot === NO_INSTANCE) return;
    if (!dispatcher.takeHedge(nowMs, hedge.budgetRatio, hedge.budgetPerSecond)) return;
    this.#lane.counts.hedges++;
    this.#rival = this.#begin(slot);
    this.#send(this.#rival);
  }

  #wait(): void {
    if (this.#queueTimer !== undefined) {
      this.#lane.waiting.push(this);
      return;
    }
    if (this.#lane.waiting.length >= this.#lane.service.queueLength) {
      this.end("refused");
      return;
    }
    this.#lane.waiting.push(this);
    const run = (): void => this.#worker.gate.enter(() => this.end("refused"));
    this.#queueTimer = this.#worker.loop.after(this.#route.timeouts.queueMs, run);
  }

  #begin(slot: number): Attempt {
    this.#tried[this.#triedCount++] = slot;
    const { responseMs } = this.#route.timeouts;
    return new Attempt(this, this.#worker, this.#lane, slot, responseMs);
  }

  #send(attempt: Attempt): void {
    const target = this.#lane.dispatcher.instance(attempt.slot);
    const program = this.#worker.listener(target.host, target.port);
    this.#worker.attempted({
      service: this.#lane.service.name,
      instance: target.id,
      isRetry: this.#triedCount > 1,
      program,
    });
    if (this.#worker.cutOff(target.id)) {
      attempt.breakAfter(this.#route.timeouts.connectMs, outcome.connectFailed);
    } else if (program === undefined) {
      attempt.breakAfter(REFUSAL_MS, outcome.connectFailed);
    } else {
      program.accept(attempt);
    }
  }

  attemptEnded(attempt: Attempt, result: Outcome): void {
    const other = attempt === this.#attempt ? this.#rival : this.#attempt;
    this.#attempt = other;
    this.#rival = undefined;
    if (result === outcome.answered || result === outcome.serverError) {
      if (other !== undefined) this.#drop(other);
      this.#answered(attempt, result);
    } else {
      this.#learn(attempt, result);
      this.#worker.noticed(attempt.instance, resultNames[result]);
      if (other === undefined) {
        if (this.#mayRetry(result)) this.tryOne();
        else this.end("failed");
      }
    }
    this.#worker.pump(this.#lane);
  }

  /** It was silent for longer than usual, until the other one was heard. */
  #drop(attempt: Attempt): void {
    attempt.drop();
    this.#attempt = undefined;
    this.#learn(attempt, outcome.silent);
  }

  #answered(attempt: Attempt, result: Outcome): void {
    const { dispatcher } = this.#lane;
    const { slot, latencyMs } = attempt;
    const isGood = result === outcome.answered;
    dispatcher.answering(slot, this.#worker.nowMs(), latencyMs, latencyMs, isGood);
    // No client has asked to be a probe: what a doubted instance answers with an error, another
    // tries.
    const isBetterElsewhere = !isGood && dispatcher.isDoubted(slot) && this.#mayRetry(result);
    this.#learn(attempt, result);
    if (isBetterElsewhere) this.tryOne();
    else this.end(isGood ? "answered" : "server-error");
  }

  #learn({ slot, instance, startedAtMs, latencyMs }: Attempt, result: Outcome): void {
    const awaits = result !== outcome.answered && result !== outcome.serverError;
    this.#lane.dispatcher.finished(slot, this.#worker.nowMs(), result, latencyMs, awaits);
    this.#worker.attemptEnded(instance, result, startedAtMs);
  }

  #mayRetry(result: Outcome): boolean {
    const { attempts, budgetRatio, budgetPerSecond } = this.#route.retry;
    if (this.#turns > attempts || this.#triedCount >= ATTEMPTS_MAX) return false;
    if (result !== outcome.connectFailed && !this.#idempotent) return false;
    return this.#lane.dispatcher.takeRetry(this.#worker.nowMs(), budgetRatio, budgetPerSecond);
  }

  end(result: RequestResult): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queueTimer?.[Symbol.dispose]();
    this.#worker.requestEnded(this, {
      service: this.#lane.service.name,
      result,
      startedAtMs: this.#startedAtMs,
      endedAtMs: this.#worker.loop.nowMs,
      attempts: this.#triedCount,
      idempotent: this.#idempotent,
    });
  }
}

/** One try on one instance. */
export class Attempt implements Exchange {
  done = false;
  readonly instance: string;
  readonly slot: number;
  /** True time. */
  readonly startedAtMs: number;
  /** By the worker's own clock. */
  readonly beganMs: number;
  readonly #request: ClientRequest;
  readonly #worker: Worker;
  readonly #lane: Lane;
  readonly #deadlineMs: number;
  #stalled = false;
  #breaks: Disposable | undefined;

  constructor(
    request: ClientRequest,
    worker: Worker,
    lane: Lane,
    slot: number,
    responseMs: number,
  ) {
    this.#request = request;
    this.#worker = worker;
    this.#lane = lane;
    this.slot = slot;
    this.instance = lane.dispatcher.instance(slot).id;
    this.startedAtMs = worker.loop.nowMs;
    this.beganMs = worker.nowMs();
    this.#deadlineMs = this.startedAtMs + responseMs;
    worker.begin(lane, this);
  }

  /** By the worker's own clock. */
  get latencyMs(): number {
    return this.#worker.nowMs() - this.beganMs;
  }

  get mayHedge(): boolean {
    return this.#request.mayHedge;
  }

  hedge(): void {
    this.#request.hedge();
  }

  finish(result: Outcome): void {
    if (this.#worker.cutOff(this.instance)) this.stall();
    else this.#settle(result);
  }

  stall(): void {
    if (this.#stalled || this.done) return;
    this.#stalled = true;
    const remainingMs = Math.max(0, this.#deadlineMs - this.#worker.loop.nowMs);
    this.breakAfter(remainingMs, outcome.timedOut);
  }

  breakAfter(delayMs: number, result: Outcome): void {
    this.#breaks = this.#worker.loop.after(delayMs, () => this.#settle(result));
  }

  /** Nobody waits for it any more. */
  drop(): void {
    this.done = true;
    this.#breaks?.[Symbol.dispose]();
    this.#worker.finish(this.#lane, this);
  }

  #settle(result: Outcome): void {
    this.#worker.gate.enter(() => {
      if (this.done) return;
      this.drop();
      this.#request.attemptEnded(this, result);
    });
  }
}

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
    if (slot === ALL_BUSY || slot === NO_INSTANCE) this.#wait();
    else this.#attempt(slot);
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

  #attempt(slot: number): void {
    this.#queueTimer?.[Symbol.dispose]();
    this.#queueTimer = undefined;
    const { dispatcher } = this.#lane;
    const target = dispatcher.instance(slot);
    this.#tried[this.#triedCount++] = slot;
    dispatcher.started(slot, this.#worker.nowMs());
    dispatcher.awaits(slot, this.#worker.nowMs());
    const program = this.#worker.listener(target.host, target.port);
    const attempt = new Attempt(
      this,
      this.#worker,
      target.id,
      slot,
      this.#route.timeouts.responseMs,
    );
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

  attemptEnded({ slot, instance, result, startedAtMs, latencyMs }: AttemptEnd): void {
    const { dispatcher } = this.#lane;
    const nowMs = this.#worker.nowMs();
    const isAnswer = result === outcome.answered || result === outcome.serverError;
    if (isAnswer) {
      dispatcher.answering(slot, nowMs, latencyMs, latencyMs, result === outcome.answered);
    }
    dispatcher.finished(slot, nowMs, result, latencyMs, !isAnswer);
    this.#worker.attemptEnded(instance, result, startedAtMs);
    if (result === outcome.answered) this.end("answered");
    else if (result === outcome.serverError) this.end("server-error");
    else {
      this.#worker.noticed(instance, resultNames[result]);
      if (this.#mayRetry(result)) this.tryOne();
      else this.end("failed");
    }
    this.#worker.pump(this.#lane);
  }

  #mayRetry(result: Outcome): boolean {
    const { attempts, budgetRatio, budgetPerSecond } = this.#route.retry;
    if (this.#triedCount > attempts || this.#triedCount >= ATTEMPTS_MAX) return false;
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

interface AttemptEnd {
  readonly slot: number;
  readonly instance: string;
  readonly result: Outcome;
  /** True time. */
  readonly startedAtMs: number;
  /** By the worker's clock. */
  readonly latencyMs: number;
}

/** One try on one instance. */
class Attempt implements Exchange {
  done = false;
  readonly #request: ClientRequest;
  readonly #worker: Worker;
  readonly #instance: string;
  readonly #slot: number;
  readonly #startedAtMs: number;
  /** By the worker's own clock. */
  readonly #beganMs: number;
  readonly #deadlineMs: number;
  #stalled = false;

  constructor(
    request: ClientRequest,
    worker: Worker,
    instance: string,
    slot: number,
    responseMs: number,
  ) {
    this.#request = request;
    this.#worker = worker;
    this.#instance = instance;
    this.#slot = slot;
    this.#startedAtMs = worker.loop.nowMs;
    this.#beganMs = worker.nowMs();
    this.#deadlineMs = this.#startedAtMs + responseMs;
    worker.begin(instance);
  }

  finish(result: Outcome): void {
    if (this.#worker.cutOff(this.#instance)) this.stall();
    else this.#settle(result);
  }

  stall(): void {
    if (this.#stalled || this.done) return;
    this.#stalled = true;
    const remainingMs = Math.max(0, this.#deadlineMs - this.#worker.loop.nowMs);
    this.breakAfter(remainingMs, outcome.timedOut);
  }

  breakAfter(delayMs: number, result: Outcome): void {
    this.#worker.loop.after(delayMs, () => this.#settle(result));
  }

  #settle(result: Outcome): void {
    this.#worker.gate.enter(() => {
      if (this.done) return;
      this.done = true;
      this.#worker.finish(this.#instance);
      this.#request.attemptEnded({
        slot: this.#slot,
        instance: this.#instance,
        result,
        startedAtMs: this.#startedAtMs,
        latencyMs: this.#worker.nowMs() - this.#beganMs,
      });
    });
  }
}

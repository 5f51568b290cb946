// The attempts of one request: the one under way, a second one beside it while it is hedged, and
// the instances that have been tried.
//
// An exchange decides when to try (exchange.ts); here is what it must remember for that, and what
// the dispatcher is asked and told. Invariant: each attempt that was begun is finished once, and
// holds no connection then. Kept from one request to the next, so that none makes an object.

import { present } from "../../core/base/assert.ts";
import { ALL_BUSY, NO_INSTANCE, type Outcome, outcome } from "../../core/dispatch/dispatcher.ts";
import type { TableRoute } from "../../core/route/table.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import type { Instance } from "./instance-connection.ts";
import type { Service } from "./service.ts";

const ATTEMPTS_MAX = 16;

export class Tries {
  readonly #owner: AttemptOwner;
  /** Under way; the one whose answer is relayed. */
  attempt: Attempt;
  /** Runs beside it while the request is hedged. */
  rival: Attempt | undefined = undefined;
  /** Kept from one hedge to the next. */
  #spare: Attempt | undefined = undefined;
  /** Begun so far, hedges not counted. */
  #count = 0;
  readonly #tried = new Int32Array(ATTEMPTS_MAX);
  #triedCount = 0;
  /** Whom the client stays with, if it can be had. */
  held: Instance | undefined = undefined;
  /** The last one met a connection that the instance had just closed. */
  freshOnly = false;

  constructor(owner: AttemptOwner) {
    this.#owner = owner;
    this.attempt = new Attempt(owner);
  }

  start(held: Instance | undefined): void {
    this.held = held;
    this.#count = 0;
    this.#triedCount = 0;
    this.freshOnly = false;
  }

  get isAlone(): boolean {
    return this.rival === undefined;
  }

  /** Whether instances have been tried already. */
  get areSome(): boolean {
    return this.#triedCount > 0;
  }

  /** A slot for the next attempt, NO_INSTANCE or ALL_BUSY. */
  choose(
    { dispatcher }: Service,
    { balance }: TableRoute,
    nowMs: number,
    key: number,
    mayRepeat: boolean,
  ): number {
    const tried = this.#tried;
    const held = this.#triedCount === 0 ? this.held : undefined;
    let slot = held === undefined ? NO_INSTANCE : dispatcher.stay(held, nowMs);
    if (slot < 0) {
      slot = dispatcher.choose(balance, nowMs, key, tried, this.#triedCount, mayRepeat);
    }
    if (slot !== NO_INSTANCE && slot !== ALL_BUSY) this.#count++;
    return slot;
  }

  /** A slot for a second attempt beside `attempt`, paid for; NO_INSTANCE when it may not be. */
  chooseHedge(
    { dispatcher }: Service,
    { balance, hedge }: TableRoute,
    nowMs: number,
    key: number,
    attempt: Attempt,
  ): number {
    if (this.#triedCount + 1 >= ATTEMPTS_MAX) return NO_INSTANCE;
    // Thousands may wait here, and be looked at every few milliseconds.
    if (!dispatcher.mayHedge(nowMs, hedge.budgetRatio, hedge.budgetPerSecond)) return NO_INSTANCE;
    const tried = this.#tried;
    tried[this.#triedCount] = attempt.slot;
    const slot = dispatcher.chooseHedge(balance, nowMs, key, tried, this.#triedCount + 1);
    if (slot === NO_INSTANCE) return slot;
    const isPaid = dispatcher.takeHedge(nowMs, hedge.budgetRatio, hedge.budgetPerSecond);
    return isPaid ? slot : NO_INSTANCE;
  }

  /** The second attempt, not begun yet. */
  addRival(): Attempt {
    const rival = this.#spare ?? new Attempt(this.#owner);
    this.#spare = undefined;
    this.rival = rival;
    return rival;
  }

  /** Of two attempts this one goes on alone. Returns the other one. */
  goOnWith(attempt: Attempt): Attempt {
    const rival = present(this.rival, "a second attempt is under way");
    const other = attempt === rival ? this.attempt : rival;
    this.attempt = attempt;
    this.rival = undefined;
    this.#spare = other;
    return other;
  }

  /** The one beside it; undefined when it is alone. */
  other(attempt: Attempt): Attempt | undefined {
    return attempt === this.attempt ? this.rival : this.attempt;
  }

  /** It failed before its answer: what is next goes elsewhere, or on a new connection. */
  failed(
    service: Service,
    attempt: Attempt,
    failure: AttemptFailure,
    nowMs: number,
    status: number,
  ) {
    attempt.dropConnection();
    if (failure.stale) this.freshOnly = true;
    else this.#tried[this.#triedCount++] = attempt.slot;
    this.finish(service, attempt, failure.result, nowMs, status);
  }

  /** Whether the route grants one more, and the retry budget pays for it where it must. */
  mayGoOn({ dispatcher }: Service, { retry }: TableRoute, free: boolean, nowMs: number): boolean {
    if (this.#count > Math.min(retry.attempts, ATTEMPTS_MAX - 1)) return false;
    return free || dispatcher.takeRetry(nowMs, retry.budgetRatio, retry.budgetPerSecond);
  }

  finish(service: Service, attempt: Attempt, result: Outcome, nowMs: number, status = 0): void {
    if (!attempt.underWay) return;
    const { slot, awaits, onInstance: instance, startedMs } = attempt;
    attempt.end();
    const ended = { slot, instance, awaits };
    service.finished(ended, nowMs, result, nowMs - startedMs, status);
  }

  /** Ends whatever is under way: no answer of it is whole. */
  finishAll(service: Service, result: Outcome, nowMs: number): void {
    this.attempt.dropConnection();
    this.finish(service, this.attempt, result, nowMs);
    if (this.rival === undefined) return;
    const rival = this.goOnWith(this.attempt);
    rival.dropConnection();
    this.finish(service, rival, outcome.abandoned, nowMs);
  }
}

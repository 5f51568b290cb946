// One attempt of a request on one instance: a connection, and since when it waits.
//
// An exchange has one, and a second one beside it while a request is hedged; the first of the two
// whose answer begins goes on alone. Attempts that await an answer hang in a list of their
// instance, oldest first, so that those that a silent instance keeps waiting are found without
// looking at the others.

import { present } from "../../core/base/assert.ts";
import type { ConnectionUser, Instance, InstanceConnection } from "./instance-connection.ts";

export const NO_SLOT = -1;
const NOT_AWAITING = -1;

/** Who an attempt works for. */
export interface AttemptOwner {
  onConnected(attempt: Attempt): void;
  onAnswerBytes(attempt: Attempt, bytes: Buffer, from: number, to: number): void;
  onRequestDrained(attempt: Attempt): void;
  /** Also for the end of what the instance sends: the cause is "" then. */
  onConnectionLost(attempt: Attempt, cause: string): void;
  /** It waits on an instance that has fallen silent: try another one beside it, if that is safe. */
  hedge(attempt: Attempt, nowMs: number): void;
}

export class Attempt implements ConnectionUser {
  readonly #owner: AttemptOwner;
  slot = NO_SLOT;
  instance: Instance | undefined = undefined;
  connection: InstanceConnection | undefined = undefined;
  startedMs = 0;
  deadlineMs = Infinity;
  /** There is a connection, and what was kept of the request has been written to it. */
  sent = false;
  /** Since when the whole request waits for its answer. */
  #awaitsSinceMs = NOT_AWAITING;
  // The instance's list.
  next: Attempt | undefined = undefined;
  previous: Attempt | undefined = undefined;

  constructor(owner: AttemptOwner) {
    this.#owner = owner;
  }

  get underWay(): boolean {
    return this.slot !== NO_SLOT;
  }

  get awaits(): boolean {
    return this.#awaitsSinceMs !== NOT_AWAITING;
  }

  get awaitsSinceMs(): number {
    return this.#awaitsSinceMs;
  }

  get openConnection(): InstanceConnection {
    return present(this.connection, "a request that was sent has its connection");
  }

  get onInstance(): Instance {
    return present(this.instance, "an attempt has its instance");
  }

  begin(slot: number, instance: Instance, nowMs: number): void {
    this.slot = slot;
    this.instance = instance;
    this.startedMs = nowMs;
    this.deadlineMs = Infinity;
    this.sent = false;
  }

  await(nowMs: number): void {
    this.#awaitsSinceMs = nowMs;
    this.onInstance.unanswered.push(this);
  }

  awaitNoMore(): void {
    this.#awaitsSinceMs = NOT_AWAITING;
    this.onInstance.unanswered.remove(this);
  }

  /** Its part in the exchange is over. */
  end(): void {
    if (this.awaits) this.awaitNoMore();
    this.slot = NO_SLOT;
    this.instance = undefined;
  }

  dropConnection(): void {
    this.connection?.destroy();
    this.connection = undefined;
  }

  hedge(nowMs: number): void {
    this.#owner.hedge(this, nowMs);
  }

  onConnected(): void {
    this.#owner.onConnected(this);
  }

  onAnswerBytes(bytes: Buffer, from: number, to: number): void {
    this.#owner.onAnswerBytes(this, bytes, from, to);
  }

  onAnswerEnd(): void {
    this.#owner.onConnectionLost(this, "");
  }

  onRequestDrained(): void {
    this.#owner.onRequestDrained(this);
  }

  onConnectionLost(cause: string): void {
    this.#owner.onConnectionLost(this, cause);
  }
}

/** Attempts in the order in which they began to wait. */
export class AttemptList {
  first: Attempt | undefined = undefined;
  #last: Attempt | undefined = undefined;
  /** Where the next look goes on. */
  #cursor: Attempt | undefined = undefined;

  /**
   * Hedges those that wait since `untilMs` or longer, `lookedMax` at most: thousands may wait on one
   * instance for whom nothing can be done, and are looked at again every few milliseconds. The next
   * look goes on where this one ends, and begins anew after the last.
   */
  hedge(untilMs: number, nowMs: number, lookedMax: number): void {
    let attempt = this.#cursor ?? this.first;
    for (let looked = 0; looked < lookedMax; looked++) {
      if (attempt === undefined || attempt.awaitsSinceMs > untilMs) {
        this.#cursor = undefined;
        return;
      }
      // It may end, and leave the list, while it is looked at.
      this.#cursor = attempt.next;
      attempt.hedge(nowMs);
      attempt = this.#cursor;
    }
  }

  push(attempt: Attempt): void {
    attempt.previous = this.#last;
    if (this.#last === undefined) this.first = attempt;
    else this.#last.next = attempt;
    this.#last = attempt;
  }

  remove(attempt: Attempt): void {
    const { next, previous } = attempt;
    if (this.#cursor === attempt) this.#cursor = next;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    attempt.next = undefined;
    attempt.previous = undefined;
  }
}

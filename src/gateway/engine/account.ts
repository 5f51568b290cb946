// What is counted and told of one request, from its head to its end: in its service's and its
// route's numbers, in a line of the access log where that is on, by the service's limit of
// concurrency while the whole request waits for its answer, and among its retries under way.
//
// Kept from one request to the next, as the exchange that it belongs to.

import { present } from "../../core/base/assert.ts";
import type { EndingCode, RetryCode } from "../../core/base/reasons.ts";
import type { ConcurrencyLimit } from "../../core/guard/concurrency-limit.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { LoggedRequest } from "./access-log.ts";
import type { Context } from "./context.ts";
import type { RouteCounts } from "./route-counts.ts";
import type { Target } from "./service.ts";

/** An instance that is left for these reasons may not notice, and goes on. */
const abandons: ReadonlySet<EndingCode | undefined> = new Set(["CLIENT_LEFT", "ANSWER_TIMEOUT"]);

/**
 * Nobody's failures, for which a request is tried again whatever the route's bound says: such a
 * try takes no place of those that the bound is for, and the next failure asks for one.
 */
const unbounded: ReadonlySet<RetryCode> = new Set(["STALE_CONNECTION", "FENCED"]);

export class Account {
  readonly #context: Context;
  #target: Target | undefined = undefined;
  #startedMs = 0;
  /** What the access log will tell of it; undefined when that is off. */
  #logged: LoggedRequest | undefined = undefined;
  /** Made for the first one that is logged. */
  #kept: LoggedRequest | undefined = undefined;
  /** Counts the request while it waits, whole, for its answer. */
  #limit: ConcurrencyLimit | undefined = undefined;
  #waitsFromMs = 0;
  /** It was sent again after a failure, and waits for the answer. */
  #isRetry = false;

  constructor(context: Context) {
    this.#context = context;
  }

  private get of(): Target {
    return present(this.#target, "an account is of a request under way");
  }

  begin(target: Target, nowMs: number, address: string, bytes: Buffer, head: RequestHead): void {
    const { service, counts } = target;
    this.#target = target;
    this.#startedMs = nowMs;
    if (this.#context.accessLog !== undefined) {
      this.#kept ??= new LoggedRequest();
      this.#logged = this.#kept.begin(address, bytes, head);
    }
    service.requests++;
    service.active++;
    counts.requests++;
    service.dispatcher.requestSeen(nowMs);
  }

  received(byteCount: number): void {
    this.of.service.bytesIn += byteCount;
    if (this.#logged !== undefined) this.#logged.receivedBytes += byteCount;
  }

  sent(byteCount: number): void {
    this.of.service.bytesOut += byteCount;
    if (this.#logged !== undefined) this.#logged.sentBytes += byteCount;
  }

  /** The whole request has come. */
  waits(nowMs: number): void {
    this.#limit = this.of.service.limit;
    this.#waitsFromMs = nowMs;
    this.#limit?.began(nowMs);
  }

  get isRetry(): boolean {
    return this.#isRetry;
  }

  /** It is sent again. */
  retried(why: RetryCode): void {
    const { service } = this.of;
    service.retried(why);
    if (this.#isRetry || unbounded.has(why)) return;
    this.#isRetry = true;
    service.retrying++;
  }

  /** It waits no more. `status` of the answer that came, or 0; `why` there is none. */
  waited(status: number, why?: EndingCode, isWithInstance = false): void {
    if (this.#isRetry) {
      this.#isRetry = false;
      this.of.service.retrying--;
    }
    const limit = this.#limit;
    if (limit === undefined) return;
    this.#limit = undefined;
    const nowMs = this.#context.nowMs();
    if (status >= 500) limit.failed(this.#waitsFromMs, nowMs);
    else if (status > 0) limit.answered(this.#waitsFromMs, nowMs);
    else if (isWithInstance && abandons.has(why)) limit.abandoned(this.#waitsFromMs, nowMs);
    else limit.gaveUp(nowMs);
  }

  triedOn(instance: string, nowMs: number): void {
    this.#logged?.triedOn(instance, nowMs - this.#startedMs);
  }

  /** Of two instances this one answers. */
  wonBy(instance: string): void {
    if (this.#logged !== undefined) this.#logged.instance = instance;
  }

  /** The last byte of an answer has been written; one that broke off is not measured. */
  measured(nowMs: number): void {
    const { service, counts } = this.of;
    service.measured(nowMs - this.#startedMs);
    counts.measured(nowMs - this.#startedMs);
  }

  /**
   * `status` of the answer that the client has whole, or 0; `begunAs` of one that broke off;
   * `isWithInstance`: one had it, and had not begun to answer.
   */
  ended(status: number, begunAs: number, why: EndingCode | undefined, isWithInstance: boolean) {
    const { service, counts } = this.of;
    this.waited(0, why, isWithInstance);
    service.active--;
    counts.ended(status, why);
    if (this.#logged !== undefined) {
      this.#log(this.#logged, counts, status === 0 ? begunAs : status, why);
    }
    this.#target = undefined;
  }

  #log(logged: LoggedRequest, counts: RouteCounts, status: number, why?: EndingCode): void {
    this.#logged = undefined;
    this.#context.accessLog?.ended(logged, {
      protocol: "http",
      durationMs: this.#context.nowMs() - this.#startedMs,
      status,
      route: counts.name,
      service: counts.service,
      why,
    });
  }
}

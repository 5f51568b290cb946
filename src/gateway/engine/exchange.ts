// One request and its answer: from the head that was read to the last byte that was sent.
//
//   begin ──> choose an instance ──> connect or reuse ──> send ──> relay the answer ──> end
//               │  ^     ^                │                │             │
//    none free  v  │     └── try another ─┴────────────────┘             └─> cut off
//              queue
//
// While an attempt waits on an instance that has fallen silent (core/detect/stall.ts), a second one
// may run beside it on another instance: the first head that comes wins, the other is dropped.
//
// Every exit leads to exactly one `finished` for each attempt (dispatcher.ts) and exactly one
// `exchangeEnded` for the client. A client's connection borrows an exchange for each request
// (exchange-pool.ts); it holds no more of a request than what a second attempt would need.
//
// Tried again: whatever was not sent; and what was sent, if the method is idempotent, the whole of
// what was sent is still kept (`replayBytes`) and no byte of an answer has come to the client.
// Nothing else, ever: a POST that an instance may have seen is not sent twice. A second attempt
// beside the first obeys the same rule, and needs the whole request to be there.

import { assert, present } from "../../core/base/assert.ts";
import { ALL_BUSY, NO_INSTANCE, type Outcome, outcome } from "../../core/dispatch/dispatcher.ts";
import type { Priority } from "../../core/guard/concurrency-limit.ts";
import { isRetriedCause, isRetriedStatus } from "../../core/guard/retry-conditions.ts";
import type { TableRoute } from "../../core/route/table.ts";
import { BODY_FAULT } from "../http1/body.ts";
import { FAULT, INCOMPLETE } from "../http1/fields.ts";
import { connectionWord, writeResponseHead } from "../http1/forward-response.ts";
import { type EndingCode, type ReasonCode, reasons } from "../../core/base/reasons.ts";
import { framing, type RequestHead } from "../http1/request-head.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Wire } from "../transport/wire.ts";
import { Account } from "./account.ts";
import type { Attempt, AttemptOwner } from "./attempt.ts";
import {
  type AttemptFailure,
  breakOffs,
  failures,
  isInstances,
  noticeOf,
  ownFaults,
} from "./attempt-failure.ts";
import { type Context, HALF_CLOSED_MS, INTERIM_ANSWERS_MAX, TICK_MS } from "./context.ts";
import { hashKeyOf } from "./hash-key.ts";
import { IncomingAnswer } from "./incoming-answer.ts";
import { CUT, type Instance, InstanceConnection } from "./instance-connection.ts";
import { OutgoingRequest } from "./outgoing-request.ts";
import type { Service, Target, Waiter } from "./service.ts";
import { Timer } from "./timer-wheel.ts";
import { Tries } from "./tries.ts";
import { type TunnelEnd, tunnelEndings } from "./tunnel.ts";

/** Where an answer goes. */
export interface ExchangeClient {
  readonly wire: Wire;
  /** What is said of it to instances, as lines of a head. */
  readonly provenance: Uint8Array;
  /** Of the client's address, for the rules that hash. */
  readonly addressHash: number;
  /** For the log; found when first asked for. */
  readonly address: string;
  /** The client sends no more; it may be gone. */
  readonly halfClosed: boolean;
  /** Requests on this connection before this one. */
  readonly requestsBefore: number;
  pauseBody(): void;
  resumeBody(): void;
  /** The answer has been written to its end. `keep`: another request may follow. */
  exchangeEnded(keep: boolean, nowMs: number): void;
  /** Answers by the gateway itself, then ends the exchange. */
  refuse(code: ReasonCode, keep: boolean): void;
  /** Both sides have changed protocols; the connection is the client's to relay from now on. */
  upgraded(
    connection: InstanceConnection,
    route: TableRoute,
    onPassed: (byteCount: number, toClient: boolean) => void,
    onClosed: (end: TunnelEnd) => void,
  ): void;
  /** The answer broke off. `abruptly`: the client could take the close for the answer's end. */
  cutOff(abruptly: boolean): void;
}

const phase = { idle: 0, displaced: 1, queued: 2, trying: 3, answering: 4, upgraded: 5 } as const;
type Phase = (typeof phase)[keyof typeof phase];

export class Exchange implements AttemptOwner, Waiter {
  readonly #context: Context;
  /** Whose request is under way; undefined while it is nobody's (exchange-pool.ts). */
  #lentTo: ExchangeClient | undefined = undefined;
  readonly #timer: Timer;
  readonly request = new OutgoingRequest();
  readonly #answer = new IncomingAnswer();
  #phase: Phase = phase.idle;
  #target: Target | undefined = undefined;
  /** What leads to its instance, for the rules that hash. */
  #key = 0;
  /** Why it is queued: NO_INSTANCE or ALL_BUSY. */
  #waitsFor = NO_INSTANCE;

  readonly #tries = new Tries(this);
  readonly #account: Account;

  constructor(context: Context) {
    this.#context = context;
    this.#account = new Account(context);
    this.#timer = new Timer((nowMs) => this.#onDeadline(nowMs));
  }

  get underWay(): boolean {
    return this.#phase !== phase.idle;
  }

  // `private`, since V8 enters its runtime for each use of a getter that is named with a #.

  private get client(): ExchangeClient {
    return present(this.#lentTo, "an exchange under way has its client");
  }

  /** The client owes more of the request's body. */
  get awaitsBody(): boolean {
    const { request } = this;
    return this.#phase > phase.queued && !request.complete && !request.awaitsContinue;
  }

  private get of(): Target {
    return present(this.#target, "an exchange under way has its target");
  }

  private get route(): TableRoute {
    return this.of.route;
  }

  private get service(): Service {
    return this.of.service;
  }

  /** Whether nothing of the request has been written to an instance. */
  private get isUnsent(): boolean {
    return (
      this.#phase < phase.trying || (this.#phase === phase.trying && !this.#tries.attempt.sent)
    );
  }

  // The request.

  /** Starts on a request whose head has been read; takes what is there of its body. */
  begin(bytes: Buffer, head: RequestHead, to: number, target: Target): number {
    const { service } = target;
    const { request } = this;
    const nowMs = this.#context.nowMs();
    this.#target = target;
    this.#account.begin(target, nowMs, this.client.address, bytes, head);
    this.#tries.start(target.sticky?.heldBy(bytes, head));
    this.#phase = phase.queued;
    this.#key = hashKeyOf(target.route.balance.hash, bytes, head, this.client.addressHash);
    this.#answer.start();
    request.start(bytes, head);
    const next = request.keepHead(this.#context.writer, bytes, head, to, {
      provenance: this.client.provenance,
      upgrade: request.wantsUpgrade,
      hostIfNone: service.hostIfNone,
      random: this.#context.random,
    });
    if (next === BODY_FAULT) {
      this.#giveUp(request.fault);
      return next;
    }
    this.#account.received(next - head.methodFrom);
    if (request.complete) this.#account.waits(nowMs);
    this.#choose(nowMs);
    return next;
  }

  /** More of the body. Returns the index after what belongs to this request, or BODY_FAULT. */
  body(bytes: Buffer, from: number, to: number): number {
    const { request } = this;
    const out = this.#context.writer;
    const isPassed = !this.isUnsent && request.passes(to - from, this.route.retry.replayBytes);
    out.clear();
    const next = isPassed ? request.pass(bytes, from, to) : request.writeBody(out, bytes, from, to);
    if (next === BODY_FAULT) {
      this.#giveUp(request.fault);
      return next;
    }
    this.#account.received(next - from);
    if (request.complete && this.#phase <= phase.trying) {
      this.#account.waits(this.#context.nowMs());
    }
    if (isPassed) this.#passBody(bytes, from, next);
    else if (out.used > 0) this.#send();
    this.#awaitIfWhole();
    return next;
  }

  /** From when all of the request has come, the instance is what is waited for. */
  #awaitIfWhole(): void {
    const attempt = this.#tries.attempt;
    if (this.#phase !== phase.trying || attempt.awaits || !this.request.complete) return;
    const nowMs = this.#context.nowMs();
    this.service.awaits(attempt, nowMs);
    if (attempt.sent) this.#setSentDeadline(attempt, nowMs);
  }

  /** Sends what the writer holds, or keeps it until there is a connection. */
  #send(): void {
    const out = this.#context.writer;
    const fits = this.request.fits(out.used, this.route.retry.replayBytes);
    if (this.isUnsent) {
      this.request.keep(out.take());
      if (!fits) this.client.pauseBody();
      return;
    }
    if (fits) {
      const bytes = out.take();
      this.request.keep(bytes);
      this.#write(this.#tries.attempt, bytes);
    } else {
      this.request.forget();
      if (!out.flush(this.#tries.attempt.openConnection.wire)) this.client.pauseBody();
    }
    this.#setSentDeadline(this.#tries.attempt, this.#context.nowMs());
  }

  /** Sends much of the body from where it lies: from now on not all of it is kept. */
  #passBody(bytes: Buffer, from: number, to: number): void {
    const attempt = this.#tries.attempt;
    this.request.forget();
    if (!attempt.openConnection.wire.pass(bytes, from, to)) this.client.pauseBody();
    this.#setSentDeadline(attempt, this.#context.nowMs());
  }

  #write(attempt: Attempt, bytes: Buffer): void {
    if (attempt.openConnection.wire.write(bytes)) return;
    this.request.leaveToWrite();
    this.client.pauseBody();
  }

  // Choosing and trying.

  get isChoosy(): boolean {
    return this.#tries.areSome;
  }

  get priority(): Priority {
    return this.route.priority ?? "normal";
  }

  tryAgain(): boolean {
    return this.#choose(this.#context.nowMs());
  }

  displaced(): void {
    this.#phase = phase.displaced;
    this.#context.timers.schedule(this.#timer, this.#context.nowMs());
  }

  /** Whether it leaves the queue: an attempt began, or the request was refused. */
  #choose(nowMs: number): boolean {
    const { service, route } = this.of;
    const slot = this.#tries.choose(service, route, nowMs, this.#key, this.#mayRepeat());
    if (slot === NO_INSTANCE || slot === ALL_BUSY) return this.#wait(nowMs, slot);
    this.#phase = phase.trying;
    this.#begin(this.#tries.attempt, slot, nowMs);
    return true;
  }

  /** The line that makes the client stay with who answers it, unless it stays with another. */
  #stickyLine(): Buffer | undefined {
    const { held, attempt } = this.#tries;
    return this.#target?.sticky?.lineFor(held, attempt.onInstance, this.#context.nowMs());
  }

  #wait(nowMs: number, answer: number): boolean {
    this.#waitsFor = answer;
    if (this.service.isWaiting(this)) return false;
    this.#phase = phase.queued;
    if (!this.service.enqueue(this)) {
      this.#giveUpWaiting("QUEUE_FULL");
      return true;
    }
    this.#deadline(nowMs, this.route.timeouts.queueMs);
    return false;
  }

  /** `code` where instances were busy: where there is none, that is what the client must hear. */
  #giveUpWaiting(code: ReasonCode): void {
    this.#giveUp(this.#waitsFor === ALL_BUSY ? code : "NO_INSTANCE");
  }

  #begin(attempt: Attempt, slot: number, nowMs: number): void {
    const service = this.service;
    const instance = service.instance(slot);
    attempt.begin(slot, instance, nowMs);
    service.started(slot, instance, nowMs);
    // The one beside it is told of when it wins.
    if (attempt === this.#tries.attempt) this.#account.triedOn(instance.id, nowMs);
    if (this.request.complete) service.awaits(attempt, nowMs);
    const mayReuse = this.#mayRepeat() || this.client.requestsBefore > 0;
    const idle = mayReuse && !this.#tries.freshOnly ? instance.takeIdle() : undefined;
    if (idle !== undefined) {
      attempt.connection = idle;
      idle.use(attempt);
      this.#sendKept(attempt, nowMs);
      return;
    }
    this.#attemptDeadline(attempt, nowMs, this.route.timeouts.connectMs);
    attempt.connection = new InstanceConnection(this.#context, instance, attempt);
  }

  onConnected(attempt: Attempt): void {
    this.#sendKept(attempt, this.#context.nowMs());
  }

  #sendKept(attempt: Attempt, nowMs: number): void {
    attempt.sent = true;
    this.client.resumeBody();
    for (const bytes of this.request.kept) this.#write(attempt, bytes);
    if (!this.request.fits(0, this.route.retry.replayBytes)) this.request.forget();
    this.#setSentDeadline(attempt, nowMs);
  }

  /** Whether what was sent may be sent again. */
  #mayRepeat(): boolean {
    return this.request.repeatable && this.#answer.interims === 0;
  }

  hedge(attempt: Attempt, nowMs: number): void {
    const tries = this.#tries;
    if (tries.rival !== undefined || this.#phase !== phase.trying) return;
    if (!this.request.complete || !this.#mayRepeat()) return;
    const service = this.service;
    const slot = tries.chooseHedge(service, this.route, nowMs, this.#key, attempt);
    if (slot === NO_INSTANCE) return;
    service.hedges++;
    attempt.onInstance.hedges++;
    this.#begin(tries.addRival(), slot, nowMs);
  }

  /** The other one was silent for longer than usual, until this one was heard. */
  #wins(attempt: Attempt): void {
    this.#account.wonBy(attempt.onInstance.id);
    const other = this.#tries.goOnWith(attempt);
    other.dropConnection();
    this.#tries.finish(this.service, other, outcome.silent, this.#context.nowMs());
  }

  /** The attempt failed before an answer: tries another instance, or says why. */
  #failAttempt(attempt: Attempt, failure: AttemptFailure, status = 0): void {
    const nowMs = this.#context.nowMs();
    const service = this.service;
    const tries = this.#tries;
    const instance = attempt.onInstance;
    tries.failed(service, attempt, failure, nowMs, status);
    if (isInstances(failure.result)) this.#tell(instance, failure.result, failure.code);
    const rival = tries.other(attempt);
    if (rival !== undefined) {
      tries.goOnWith(rival);
      return;
    }
    this.#timer.stop();
    if (!this.#mayTryAgain(failure, nowMs)) {
      this.#giveUp(failure.code);
      return;
    }
    this.#account.retried(failure.why);
    this.#phase = phase.queued;
    this.#choose(nowMs);
  }

  #mayTryAgain({ wasSent, free, cause }: AttemptFailure, nowMs: number): boolean {
    if (wasSent && !this.#mayRepeat()) return false;
    if (cause !== undefined && !isRetriedCause(cause, this.route.retry.on)) return false;
    const service = this.service;
    if (!free && !this.#account.isRetry && !service.mayRetry(this.route.retry)) return false;
    return this.#tries.mayGoOn(service, this.route, free, nowMs);
  }

  #finishAll(result: Outcome, nowMs: number): void {
    this.#tries.finishAll(this.service, result, nowMs);
  }

  #tell(instance: Instance, result: Outcome, code: ReasonCode): void {
    this.#context.notice(noticeOf(instance.id, result, code));
  }

  // What the instance's connection tells.

  onConnectionLost(attempt: Attempt, cause: string): void {
    switch (this.#phase) {
      case phase.trying:
        if (cause === CUT)
          this.#failAttempt(attempt, attempt.sent ? failures.fencedSent : failures.fencedUnsent);
        else if (!attempt.sent) this.#connectFailed(attempt, cause);
        else
          this.#failAttempt(
            attempt,
            this.#isStale(attempt, cause) ? failures.staleConnection : failures.answerLost,
          );
        return;
      case phase.answering:
        if (this.#answer.endsByClose && cause === "") this.#completeUntilClose();
        else this.#breakOff(cause === CUT ? outcome.abandoned : outcome.reset);
        return;
      default:
        return;
    }
  }

  #connectFailed(attempt: Attempt, cause: string): void {
    if (!ownFaults.has(cause)) return this.#failAttempt(attempt, failures.connectFailed);
    // What lies idle has a descriptor and a port to spare for the next attempt.
    this.service.closeIdle();
    this.#failAttempt(attempt, failures.connectGivenUp);
  }

  /** The instance closed, in order, a connection that had served before: nobody's failure. */
  #isStale(attempt: Attempt, cause: string): boolean {
    const connection = attempt.openConnection;
    const isUntouched = connection.stash.length === 0 && this.#answer.interims === 0;
    return connection.reused && cause === "" && isUntouched;
  }

  onRequestDrained(attempt: Attempt): void {
    if (attempt.sent) this.client.resumeBody();
  }

  onAnswerBytes(attempt: Attempt, bytes: Buffer, from: number, to: number): void {
    const nowMs = this.#context.nowMs();
    this.#context.writer.clear();
    if (this.#phase === phase.answering) {
      this.#relay(bytes, from, to, nowMs);
      return;
    }
    const { stash } = attempt.openConnection;
    if (stash.length === 0) {
      this.#readHeads(attempt, bytes, from, to, nowMs);
      return;
    }
    if (stash.add(bytes, from, to)) attempt.openConnection.head = undefined;
    this.#readHeads(attempt, stash.bytes, stash.from, stash.to, nowMs);
  }

  // The answer.

  /** Reads interim heads and the final one in [from, to); stashes what is incomplete. */
  #readHeads(attempt: Attempt, bytes: Buffer, from: number, to: number, nowMs: number): void {
    const connection = attempt.openConnection;
    let start = from;
    while (start < to) {
      const head = connection.head ?? this.#context.responseHead;
      if (connection.head === undefined) head.reset(start);
      const end = head.scan(bytes, to);
      if (end === FAULT) return this.#refuseAnswer(attempt);
      if (end === INCOMPLETE) break;
      connection.head = undefined;
      const { status } = head;
      const isError = status >= 500;
      this.#heard(attempt, !isError && !head.interim, nowMs);
      const better = status < 400 ? undefined : this.#betterElsewhere(attempt, status);
      if (better !== undefined) return this.#failAttempt(attempt, better, status);
      if (!head.interim) return this.#beginAnswer(connection, bytes, start, head, to, nowMs);
      if (head.status === 101) return this.#upgrade(connection, bytes, start, head, to);
      if (this.#answer.interims++ === INTERIM_ANSWERS_MAX) return this.#refuseAnswer(attempt);
      this.#passInterim(bytes, start, head);
      start = end;
    }
    connection.keepHead(bytes, start, to);
    this.#flush();
  }

  /**
   * An error of an instance in doubt, or an answer that the route wants tried again. A client sees
   * it when trying again is not safe.
   */
  #betterElsewhere({ slot }: Attempt, status: number): AttemptFailure | undefined {
    const isError = status >= 500;
    const isAsked = isRetriedStatus(status, this.route.retry.on);
    if (!isAsked && !(isError && this.service.dispatcher.isDoubted(slot))) return undefined;
    if (!this.#mayTryAgain(failures.doubtedError, this.#context.nowMs())) return undefined;
    if (!isAsked) return failures.paidError;
    return isError ? failures.askedError : failures.askedStatus;
  }

  /** The first sign of life of an attempt: it goes on alone. */
  #heard(attempt: Attempt, good: boolean, nowMs: number): void {
    if (this.#tries.rival !== undefined) this.#wins(attempt);
    const waitedMs = attempt.awaits ? nowMs - attempt.awaitsSinceMs : -1;
    if (attempt.awaits) attempt.awaitNoMore();
    this.service.answering(attempt.slot, nowMs, nowMs - attempt.startedMs, waitedMs, good);
  }

  #passInterim(bytes: Buffer, start: number, head: ResponseHead): void {
    if (head.status === 100) this.request.awaitsContinue = false;
    this.#setSentDeadline(this.#tries.attempt, this.#context.nowMs());
    if (this.request.minorVersion === 0) return;
    writeResponseHead(this.#context.writer, bytes, start, head, {
      body: framing.none,
      toHead: false,
      clientMinorVersion: 1,
      connection: connectionWord.none,
    });
  }

  #beginAnswer(
    connection: InstanceConnection,
    bytes: Buffer,
    start: number,
    head: ResponseHead,
    to: number,
    nowMs: number,
  ): void {
    const mayKeep = !this.client.halfClosed && !this.#context.draining;
    const answer = this.#answer;
    this.#phase = phase.answering;
    this.#account.waited(head.status);
    connection.heed(head, bytes);
    this.service.heedLoad(this.#tries.attempt.slot, head, bytes);
    connection.stash.clear();
    const line = this.#stickyLine();
    answer.writeHead(this.#context.writer, bytes, start, head, this.request, mayKeep, line);
    this.#relay(bytes, head.end, to, nowMs);
  }

  /** Sends what the writer holds and the body's bytes in [from, to). */
  #relay(bytes: Buffer, from: number, to: number, nowMs: number): void {
    const answer = this.#answer;
    const isPassed = answer.passes(to - from);
    if (!isPassed && !answer.writeBody(this.#context.writer, bytes, from, to)) {
      this.#breakOff(outcome.serverError);
      return;
    }
    const isTaken = isPassed ? this.#pass(bytes, from, to) : answer.complete || this.#flush();
    if (answer.complete) {
      this.#endAnswer(nowMs);
      return;
    }
    if (!isTaken) this.#tries.attempt.openConnection.wire.pause();
    this.#deadline(nowMs, this.route.timeouts.idleMs);
  }

  /** Sends much of a body from where it lies, behind its head. */
  #pass(bytes: Buffer, from: number, to: number): boolean {
    this.#flush();
    const end = this.#answer.pass(bytes, from, to);
    this.#account.sent(end - from);
    return this.client.wire.pass(bytes, from, end);
  }

  /** Whether the client has taken all of it. */
  #flush(): boolean {
    const out = this.#context.writer;
    if (out.used === 0) return true;
    this.#account.sent(out.used);
    return out.flush(this.client.wire);
  }

  /** The client has taken what was written. */
  onAnswerDrained(): void {
    if (this.#phase !== phase.answering) return;
    this.#tries.attempt.openConnection.wire.resume();
    this.#deadline(this.#context.nowMs(), this.route.timeouts.idleMs);
  }

  #completeUntilClose(): void {
    const out = this.#context.writer;
    out.clear();
    this.#answer.writeEnd(out);
    this.#endAnswer(this.#context.nowMs());
  }

  #endAnswer(nowMs: number): void {
    const attempt = this.#tries.attempt;
    const connection = attempt.openConnection;
    const { status, keepsClient, keepsInstanceConnection } = this.#answer;
    this.#flush();
    attempt.connection = undefined;
    if (keepsInstanceConnection) connection.release(nowMs);
    else connection.destroy();
    if (status >= 500) this.service.serverErrors++;
    const result = status >= 500 ? outcome.serverError : outcome.answered;
    this.#tries.finish(this.service, attempt, result, nowMs, status);
    this.#account.measured(nowMs);
    this.#end(status);
    this.client.exchangeEnded(keepsClient, nowMs);
  }

  #upgrade(
    connection: InstanceConnection,
    bytes: Buffer,
    start: number,
    head: ResponseHead,
    to: number,
  ): void {
    if (!this.request.wantsUpgrade) return this.#refuseAnswer(this.#tries.attempt);
    const out = this.#context.writer;
    const route = this.route;
    this.#answer.status = head.status;
    this.#phase = phase.upgraded;
    this.#account.waited(head.status);
    this.#timer.stop();
    this.#tries.attempt.connection = undefined;
    writeResponseHead(out, bytes, start, head, {
      body: framing.none,
      toHead: false,
      clientMinorVersion: 1,
      connection: connectionWord.upgrade,
      added: this.#stickyLine(),
    });
    out.reserve(to - head.end);
    out.copy(bytes, head.end, to);
    connection.stash.clear();
    const taken = this.#flush();
    const onPassed = (byteCount: number, toClient: boolean): void => {
      if (toClient) this.#account.sent(byteCount);
      else this.#account.received(byteCount);
    };
    this.client.upgraded(connection, route, onPassed, (end) => {
      const { status } = this.#answer;
      this.#tries.finish(
        this.service,
        this.#tries.attempt,
        outcome.answered,
        this.#context.nowMs(),
        status,
      );
      this.#end(status, tunnelEndings[end]);
    });
    if (!taken) connection.wire.pause();
  }

  // The ends.

  serve(client: ExchangeClient): void {
    this.#lentTo = client;
  }

  /** Nothing of the client may outlive it here. */
  leave(): void {
    assert(this.#phase === phase.idle, "an exchange is given back when its request is over");
    this.#lentTo = undefined;
  }

  /** For good: nothing of it may be held by the wheel. */
  dispose(): void {
    this.#context.timers.remove(this.#timer);
  }

  /** The client is gone: the instance need not go on. */
  abandon(why: EndingCode = "CLIENT_LEFT"): void {
    if (this.#phase === phase.idle || this.#phase === phase.upgraded) return;
    const isAmid = why === "CLIENT_LEFT" && this.#phase === phase.answering;
    this.service.leaveQueue(this);
    this.#finishAll(outcome.abandoned, this.#context.nowMs());
    this.#end(0, isAmid ? "CLIENT_LEFT_AMID" : why);
  }

  /** The client has ended its sending side; see HALF_CLOSED_MS. */
  clientEnded(): void {
    const nowMs = this.#context.nowMs();
    if (this.#timer.deadlineMs > nowMs + HALF_CLOSED_MS) this.#deadline(nowMs, HALF_CLOSED_MS);
  }

  #refuseAnswer(attempt: Attempt): void {
    if (this.#tries.rival !== undefined) this.#wins(attempt);
    this.#tell(attempt.onInstance, outcome.reset, "BAD_ANSWER");
    this.#failAttempt(attempt, failures.badAnswer);
  }

  /** The answer can't be completed. What the client has must not look complete. */
  #breakOff(result: Outcome): void {
    const instance = this.#tries.attempt.onInstance;
    const code = result === outcome.timedOut ? "ANSWER_TIMEOUT" : "ANSWER_LOST";
    this.#finishAll(result, this.#context.nowMs());
    if (isInstances(result)) this.#tell(instance, result, code);
    this.service.lost++;
    this.#end(0, breakOffs[result]);
    this.client.cutOff(this.#answer.leavesUntilClose);
  }

  /** The gateway answers by itself; or, when an answer has begun, breaks it off. */
  #giveUp(code: ReasonCode): void {
    const service = this.service;
    const isAnswering = this.#phase === phase.answering;
    const keep = this.request.keepsAlive && this.request.complete && !this.#context.draining;
    const nowMs = this.#context.nowMs();
    service.leaveQueue(this);
    if (reasons[code].status >= 500) service.refuse();
    this.#finishAll(outcome.abandoned, nowMs);
    this.#account.measured(nowMs);
    this.#end(isAnswering ? 0 : reasons[code].status, code);
    if (isAnswering) this.client.cutOff(this.#answer.leavesUntilClose);
    else this.client.refuse(code, keep);
  }

  /** `status` of the answer that the client has whole, or 0. */
  #end(status: number, why?: EndingCode): void {
    this.#account.ended(status, this.#answer.status, why, this.#phase === phase.trying);
    this.#timer.stop();
    this.#phase = phase.idle;
    this.#target = undefined;
    this.request.forget();
  }

  bodyTooSlow(): void {
    this.#giveUp("BODY_TOO_SLOW");
  }

  // Time.

  #deadline(nowMs: number, ms: number): void {
    const bounded = this.client.halfClosed ? Math.min(ms, HALF_CLOSED_MS) : ms;
    this.#context.timers.schedule(this.#timer, nowMs + bounded);
  }

  /** Of one attempt; the timer rings for the first of the two. */
  #attemptDeadline(attempt: Attempt, nowMs: number, ms: number): void {
    attempt.deadlineMs = nowMs + ms;
    const other = this.#tries.other(attempt);
    const firstMs = Math.min(attempt.deadlineMs, other?.deadlineMs ?? Infinity);
    this.#deadline(nowMs, firstMs - nowMs);
  }

  #setSentDeadline(attempt: Attempt, nowMs: number): void {
    const { timeouts, retry } = this.route;
    const { responseMs, idleMs } = timeouts;
    const tryMs = attempt.awaits ? Math.min(responseMs, retry.perTryMs ?? Infinity) : responseMs;
    this.#attemptDeadline(attempt, nowMs, this.request.complete ? tryMs : idleMs);
  }

  #onDeadline(nowMs: number): void {
    if (this.#phase === phase.displaced) {
      this.#giveUpWaiting("QUEUE_FULL");
      return;
    }
    if (this.client.halfClosed) {
      this.#leave();
      return;
    }
    switch (this.#phase) {
      case phase.queued:
        this.#giveUpWaiting("QUEUE_TIMEOUT");
        return;
      case phase.trying:
        this.#onTryingDeadline(nowMs);
        return;
      case phase.answering:
        this.#onAnswerStalled();
        return;
      default:
        return;
    }
  }

  #onTryingDeadline(nowMs: number): void {
    const rival = this.#tries.rival;
    if (rival !== undefined && rival.deadlineMs <= nowMs) this.#onAttemptDeadline(rival);
    if (this.#phase !== phase.trying) return;
    const attempt = this.#tries.attempt;
    if (attempt.deadlineMs <= nowMs) this.#onAttemptDeadline(attempt);
    else this.#attemptDeadline(attempt, nowMs, attempt.deadlineMs - nowMs);
  }

  #onAttemptDeadline(attempt: Attempt): void {
    if (!attempt.sent) {
      this.#failAttempt(attempt, failures.connectTimedOut);
      return;
    }
    const { wire } = attempt.openConnection;
    if (wire.progressed()) this.#setSentDeadline(attempt, this.#context.nowMs());
    else if (this.#isClientsTurn(wire)) this.#giveUp("BODY_TIMEOUT");
    else this.#onAnswerLate(attempt, this.#context.nowMs());
  }

  /** A try whose own time is over is waited for all the same where no other one can follow. */
  #onAnswerLate(attempt: Attempt, nowMs: number): void {
    const { timeouts, retry } = this.route;
    const leftMs = attempt.awaitsSinceMs + timeouts.responseMs - nowMs;
    if (retry.perTryMs === undefined || !attempt.awaits || leftMs <= TICK_MS) {
      this.#failAttempt(attempt, failures.answerTimedOut);
    } else if (this.#tries.isAlone && this.#mayTryAgain(failures.answerTimedOut, nowMs)) {
      this.#failAttempt(attempt, failures.tryTimedOut);
    } else {
      this.#attemptDeadline(attempt, nowMs, leftMs);
    }
  }

  /** The client owes more of the body, and everybody has taken what it sent. */
  #isClientsTurn(wire: Wire): boolean {
    return !this.request.complete && !this.request.awaitsContinue && wire.pendingBytes === 0;
  }

  #onAnswerStalled(): void {
    const { wire } = this.client;
    if (wire.progressed()) this.#deadline(this.#context.nowMs(), this.route.timeouts.idleMs);
    else if (wire.pendingBytes > 0) this.#leave();
    else this.#breakOff(outcome.timedOut);
  }

  /** The client does not read, or has gone. */
  #leave(): void {
    this.abandon(this.client.halfClosed ? "CLIENT_LEFT" : "CLIENT_STALLED");
    this.client.cutOff(this.#answer.leavesUntilClose);
  }
}

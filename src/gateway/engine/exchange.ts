// One request and its answer: from the head that was read to the last byte that was sent.
//
//            begin ──> choose an instance ──> connect or reuse ──> send ──> relay the answer ──> end
//                        │  ^     ^                │                │             │
//             none free  v  │     └── try another ─┴────────────────┘             └─> cut off
//                       queue
//
// Every exit leads to exactly one `finished` for each attempt (dispatcher.ts) and exactly one
// `exchangeEnded` for the client. A client's connection has one exchange, used for request after
// request; it holds no more of a request than what a second attempt would need.
//
// Tried again: whatever was not sent; and what was sent, if the method is idempotent, the whole of
// what was sent is still kept (`replayBytes`) and no byte of an answer has come to the client.
// Nothing else, ever: a POST that an instance may have seen is not sent twice.

import { present } from "../../core/base/assert.ts";
import { ALL_BUSY, NO_INSTANCE, type Outcome, outcome } from "../../core/dispatch/dispatcher.ts";
import type { TableRoute } from "../../core/route/table.ts";
import { BODY_FAULT, BodyReader } from "../http1/body.ts";
import { writeLastChunk, writeRun } from "../http1/body-out.ts";
import { FAULT, INCOMPLETE } from "../http1/fields.ts";
import { type Provenance, writeRequestHead } from "../http1/forward-request.ts";
import {
  connectionWord,
  type ConnectionWord,
  writeResponseHead,
} from "../http1/forward-response.ts";
import { methodTrait, methodTraitOf } from "../http1/methods.ts";
import { type ReasonCode, reasons } from "../http1/reasons.ts";
import { type Framing, framing, type RequestHead } from "../http1/request-head.ts";
import { ResponseHead } from "../http1/response-head.ts";
import type { Wire } from "../transport/wire.ts";
import {
  type Context,
  HALF_CLOSED_MS,
  IDLE_CONNECTION_MS,
  IDLE_CONNECTION_MS_MAX,
  IDLE_MARGIN_MS,
  INTERIM_ANSWERS_MAX,
} from "./context.ts";
import { type ConnectionUser, type Instance, InstanceConnection } from "./instance-connection.ts";
import type { Service, Waiter } from "./service.ts";
import { Timer } from "./timer-wheel.ts";

/** Where an answer goes. */
export interface ExchangeClient {
  readonly wire: Wire;
  readonly provenance: Provenance;
  /** Of the client's address, for source-hash. */
  readonly addressHash: number;
  /** The client sends no more; it may be gone. */
  readonly halfClosed: boolean;
  /** Requests on this connection before this one. */
  readonly requestsBefore: number;
  pauseBody(): void;
  resumeBody(): void;
  /** The answer has been written to its end. `keep`: another request may follow. */
  exchangeEnded(keep: boolean): void;
  /** Answers by the gateway itself, then ends the exchange. */
  refuse(code: ReasonCode, keep: boolean): void;
  /** Both sides have changed protocols; the connection is the client's to relay from now on. */
  upgraded(connection: InstanceConnection, route: TableRoute, onClosed: () => void): void;
  /** The answer broke off. `abruptly`: the client could take the close for the answer's end. */
  cutOff(abruptly: boolean): void;
}

const ATTEMPTS_MAX = 16;

const phase = { idle: 0, queued: 1, connecting: 2, sent: 3, answering: 4, upgraded: 5 } as const;
type Phase = (typeof phase)[keyof typeof phase];

const NO_SLOT = -1;

interface AttemptFailure {
  readonly result: Outcome;
  readonly code: ReasonCode;
  readonly wasSent: boolean;
  /** Of the connection, not of the instance: costs no retry budget, and the instance may be next. */
  readonly stale: boolean;
}

function failure(result: Outcome, code: ReasonCode, wasSent: boolean): AttemptFailure {
  return { result, code, wasSent, stale: false };
}
const connectFailed = failure(outcome.connectFailed, "CONNECT_FAILED", false);
const connectTimedOut = failure(outcome.connectFailed, "CONNECT_TIMEOUT", false);
/** This machine's fault, which must not eject an instance. */
const connectGivenUp = failure(outcome.abandoned, "CONNECT_FAILED", false);
const answerLost = failure(outcome.reset, "ANSWER_LOST", true);
const answerTimedOut = failure(outcome.timedOut, "ANSWER_TIMEOUT", true);
const staleConnection = { ...failure(outcome.abandoned, "ANSWER_LOST", true), stale: true };

/** Out of descriptors, ports or memory, here. */
const ownFaults = new Set(["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS", "ENOMEM"]);

export class Exchange implements ConnectionUser, Waiter {
  readonly #context: Context;
  readonly #client: ExchangeClient;
  readonly #timer: Timer;
  #phase: Phase = phase.idle;
  #route: TableRoute | undefined = undefined;
  #service: Service | undefined = undefined;
  #startedMs = 0;

  // The request.
  readonly #requestBody = new BodyReader();
  #requestChunked = false;
  #requestMinorVersion = 1;
  #isIdempotent = false;
  #isHead = false;
  #keepsAlive = false;
  #wantsUpgrade = false;
  #awaitsContinue = false;
  /** All that was or will be sent, for another attempt; empty once that is ruled out. */
  readonly #kept: Buffer[] = [];
  #keptBodyBytes = 0;
  #replayable = true;

  // The attempt.
  #slot = NO_SLOT;
  #instance: Instance | undefined = undefined;
  #connection: InstanceConnection | undefined = undefined;
  #attemptMs = 0;
  #attempts = 0;
  readonly #tried = new Int32Array(ATTEMPTS_MAX);
  #triedCount = 0;
  /** The last try met a connection that the instance had just closed. */
  #freshOnly = false;
  /** Why it is queued: NO_INSTANCE or ALL_BUSY. */
  #waitsFor = NO_INSTANCE;

  // The answer.
  readonly #answerBody = new BodyReader();
  #answerFraming: Framing = framing.none;
  #status = 0;
  #interimAnswers = 0;
  #keepsInstanceConnection = false;
  #keepsClient = false;

  constructor(context: Context, client: ExchangeClient) {
    this.#context = context;
    this.#client = client;
    this.#timer = new Timer(() => this.#onDeadline());
  }

  get underWay(): boolean {
    return this.#phase !== phase.idle;
  }

  /** More of the request's body is to come. */
  get wantsBody(): boolean {
    return !this.#requestBody.done;
  }

  // The request.

  /** Starts on a request whose head has been read; takes what is there of its body. */
  begin(bytes: Buffer, head: RequestHead, to: number, route: TableRoute, service: Service): number {
    const nowMs = this.#context.nowMs();
    this.#route = route;
    this.#service = service;
    this.#startedMs = nowMs;
    this.#readTraits(bytes, head);
    service.requests++;
    service.active++;
    service.dispatcher.requestSeen(nowMs);
    const out = this.#context.writer;
    out.clear();
    writeRequestHead(out, bytes, head, {
      provenance: this.#client.provenance,
      upgrade: this.#wantsUpgrade,
      hostIfNone: service.hostIfNone,
      random: this.#context.random,
    });
    const headBytes = out.used;
    this.#phase = phase.queued;
    const next = head.end === to ? to : this.#readBody(bytes, head.end, to);
    if (next === BODY_FAULT) return next;
    const first = out.take();
    this.#kept.push(first);
    this.#keptBodyBytes = first.length - headBytes;
    service.bytesIn += first.length;
    this.#choose(nowMs);
    return next;
  }

  /** More of the body. Returns the index after what belongs to this request, or BODY_FAULT. */
  body(bytes: Buffer, from: number, to: number): number {
    const out = this.#context.writer;
    out.clear();
    const next = this.#readBody(bytes, from, to);
    if (next === BODY_FAULT) return next;
    if (out.used > 0) this.#send();
    return next;
  }

  #readTraits(bytes: Buffer, head: RequestHead): void {
    const trait = methodTraitOf(bytes, head.methodFrom, head.methodTo);
    this.#isIdempotent = trait !== methodTrait.other;
    this.#isHead = trait === methodTrait.head;
    this.#requestMinorVersion = head.minorVersion;
    this.#keepsAlive = head.keepsAlive;
    this.#wantsUpgrade = head.fields.upgrade >= 0 && head.wantsUpgrade(bytes);
    this.#awaitsContinue = head.fields.expect >= 0 && head.framing !== framing.none;
    this.#requestChunked = head.framing === framing.chunked;
    this.#requestBody.start(head.framing, head.fields.contentLength);
    this.#kept.length = 0;
    this.#replayable = true;
    this.#attempts = 0;
    this.#triedCount = 0;
    this.#freshOnly = false;
    this.#status = 0;
    this.#interimAnswers = 0;
  }

  /** Appends the runs of data in [from, to) to the writer, framed anew. */
  #readBody(bytes: Buffer, from: number, to: number): number {
    const reader = this.#requestBody;
    const out = this.#context.writer;
    let next = from;
    while (next < to && !reader.done) {
      next = reader.step(bytes, next, to);
      if (next === BODY_FAULT) {
        this.#giveUp(reader.fault);
        return BODY_FAULT;
      }
      if (reader.dataTo > reader.dataFrom) {
        writeRun(out, this.#requestChunked, bytes, reader.dataFrom, reader.dataTo);
      }
    }
    if (next > from && reader.done && this.#requestChunked) writeLastChunk(out);
    return next;
  }

  /** Sends what the writer holds, or keeps it until there is a connection. */
  #send(): void {
    const out = this.#context.writer;
    const service = present(this.#service, "an exchange under way has its service");
    const route = present(this.#route, "an exchange under way has its route");
    service.bytesIn += out.used;
    const isSending = this.#phase >= phase.sent;
    const fits = this.#keptBodyBytes + out.used <= route.retry.replayBytes;
    if (!isSending || (this.#replayable && fits)) {
      const bytes = out.take();
      this.#kept.push(bytes);
      this.#keptBodyBytes += bytes.length;
      if (!isSending) {
        if (!fits) this.#client.pauseBody();
        return;
      }
      this.#write(bytes);
    } else {
      this.#forgetRequest();
      const connection = present(this.#connection, "a request being sent has its connection");
      if (!out.flush(connection.wire)) this.#client.pauseBody();
    }
    this.#setSentDeadline();
  }

  #write(bytes: Buffer): void {
    const connection = present(this.#connection, "a request being sent has its connection");
    if (!connection.wire.write(bytes)) this.#client.pauseBody();
  }

  #forgetRequest(): void {
    this.#replayable = false;
    this.#kept.length = 0;
    this.#keptBodyBytes = 0;
  }

  // The attempt.

  tryAgain(): boolean {
    return this.#choose(this.#context.nowMs());
  }

  /** Whether it leaves the queue: an attempt began, or the request was refused. */
  #choose(nowMs: number): boolean {
    const service = present(this.#service, "an exchange under way has its service");
    const route = present(this.#route, "an exchange under way has its route");
    const slot = service.dispatcher.choose(
      route.balance,
      nowMs,
      this.#client.addressHash,
      this.#tried,
      this.#triedCount,
    );
    if (slot === NO_INSTANCE || slot === ALL_BUSY) return this.#wait(nowMs, slot);
    this.#attempt(slot, nowMs);
    return true;
  }

  #wait(nowMs: number, answer: number): boolean {
    this.#waitsFor = answer;
    const service = present(this.#service, "an exchange under way has its service");
    const route = present(this.#route, "an exchange under way has its route");
    const waits = this.#timer.deadlineMs !== Infinity && this.#phase === phase.queued;
    if (waits) return false;
    this.#phase = phase.queued;
    if (!service.enqueue(this)) {
      this.#giveUp(answer === ALL_BUSY ? "QUEUE_FULL" : "NO_INSTANCE");
      return true;
    }
    this.#deadline(nowMs, route.timeouts.queueMs);
    return false;
  }

  #attempt(slot: number, nowMs: number): void {
    const service = present(this.#service, "an exchange under way has its service");
    const instance = service.instance(slot);
    this.#slot = slot;
    this.#instance = instance;
    this.#attemptMs = nowMs;
    this.#attempts++;
    service.started(slot, instance, nowMs);
    const mayReuse = !this.#freshOnly && (this.#mayRepeat() || this.#client.requestsBefore > 0);
    const idle = mayReuse ? instance.takeIdle() : undefined;
    if (idle !== undefined) {
      this.#connection = idle;
      idle.use(this);
      this.#sendKept(nowMs);
      return;
    }
    const route = present(this.#route, "an exchange under way has its route");
    this.#phase = phase.connecting;
    this.#deadline(nowMs, route.timeouts.connectMs);
    this.#connection = new InstanceConnection(this.#context, instance, this);
  }

  onConnected(): void {
    this.#sendKept(this.#context.nowMs());
  }

  #sendKept(nowMs: number): void {
    const route = present(this.#route, "an exchange under way has its route");
    this.#phase = phase.sent;
    this.#client.resumeBody();
    for (const bytes of this.#kept) this.#write(bytes);
    if (this.#keptBodyBytes > route.retry.replayBytes) this.#forgetRequest();
    if (this.#requestBody.done) this.#deadline(nowMs, route.timeouts.responseMs);
    else this.#deadline(nowMs, route.timeouts.idleMs);
  }

  #setSentDeadline(): void {
    const route = present(this.#route, "an exchange under way has its route");
    const ms =
      this.#requestBody.done && this.#phase === phase.sent
        ? route.timeouts.responseMs
        : route.timeouts.idleMs;
    this.#deadline(this.#context.nowMs(), ms);
  }

  /** Whether what was sent may be sent again. */
  #mayRepeat(): boolean {
    return (
      this.#isIdempotent && this.#replayable && !this.#wantsUpgrade && this.#interimAnswers === 0
    );
  }

  /** The attempt is over: counts it and lets go of the connection. */
  #finishAttempt(result: Outcome, nowMs: number): void {
    if (this.#slot === NO_SLOT) return;
    const service = present(this.#service, "an exchange under way has its service");
    const instance = present(this.#instance, "an attempt has its instance");
    const slot = this.#slot;
    this.#slot = NO_SLOT;
    this.#instance = undefined;
    service.finished(slot, instance, nowMs, result, nowMs - this.#attemptMs, this.#status);
  }

  #dropConnection(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  /** The attempt failed before an answer: tries another instance, or says `code`. */
  #failAttempt(failure: AttemptFailure): void {
    const nowMs = this.#context.nowMs();
    const service = present(this.#service, "an exchange under way has its service");
    const route = present(this.#route, "an exchange under way has its route");
    const instance = present(this.#instance, "an attempt has its instance");
    this.#dropConnection();
    this.#timer.stop();
    if (failure.stale) this.#freshOnly = true;
    else this.#tried[this.#triedCount++] = this.#slot;
    this.#finishAttempt(failure.result, nowMs);
    if (failure.result !== outcome.abandoned) this.#tell(instance, failure.result, failure.code);
    const { budgetRatio, budgetPerSecond, attempts } = route.retry;
    const isRetried =
      (!failure.wasSent || this.#mayRepeat()) &&
      this.#attempts <= Math.min(attempts, ATTEMPTS_MAX - 1) &&
      (failure.stale || service.dispatcher.takeRetry(nowMs, budgetRatio, budgetPerSecond));
    if (!isRetried) {
      this.#giveUp(failure.code);
      return;
    }
    service.retries++;
    this.#phase = phase.queued;
    this.#choose(nowMs);
  }

  #tell(instance: Instance, result: Outcome, code: ReasonCode): void {
    const kind =
      result === outcome.connectFailed
        ? "connect-failed"
        : result === outcome.timedOut
          ? "timed-out"
          : "reset";
    this.#context.notice({ kind, instance: instance.id, sentence: noticeSentence(instance, code) });
  }

  onConnectionLost(cause: string): void {
    switch (this.#phase) {
      case phase.connecting:
        this.#failAttempt(ownFaults.has(cause) ? connectGivenUp : connectFailed);
        return;
      case phase.sent:
        this.#failAttempt(this.#isStale(cause) ? staleConnection : answerLost);
        return;
      case phase.answering:
        this.#context.writer.clear();
        if (this.#answerBody.untilClose && cause === "") this.#endAnswer();
        else this.#breakOff(outcome.reset);
        return;
      default:
        return;
    }
  }

  /** The instance closed, in order, a connection that had served before: nobody's failure. */
  #isStale(cause: string): boolean {
    const connection = present(this.#connection, "a request being sent has its connection");
    const isUntouched = connection.stash.length === 0 && this.#interimAnswers === 0;
    return connection.reused && cause === "" && isUntouched;
  }

  onAnswerEnd(): void {
    if (this.#phase === phase.answering && !this.#answerBody.untilClose) {
      this.#breakOff(outcome.reset);
    } else {
      this.onConnectionLost("");
    }
  }

  onRequestDrained(): void {
    if (this.#phase >= phase.sent) this.#client.resumeBody();
  }

  // The answer.

  onAnswerBytes(bytes: Buffer, from: number, to: number): void {
    if (this.#phase === phase.answering) {
      this.#context.writer.clear();
      this.#relay(bytes, from, to);
      return;
    }
    const connection = present(this.#connection, "an answer comes over the exchange's connection");
    if (connection.stash.length === 0) {
      this.#readHeads(connection, bytes, from, to);
      return;
    }
    const { stash } = connection;
    if (stash.add(bytes, from, to)) connection.head = undefined;
    this.#readHeads(connection, stash.bytes, stash.from, stash.to);
  }

  /** Reads interim answers and the final one's head in [from, to); stashes what is incomplete. */
  #readHeads(connection: InstanceConnection, bytes: Buffer, from: number, to: number): void {
    const out = this.#context.writer;
    out.clear();
    let start = from;
    while (start < to) {
      const head = connection.head ?? this.#context.responseHead;
      if (connection.head === undefined) head.reset(start);
      const end = head.scan(bytes, to);
      if (end === FAULT) return this.#refuseAnswer();
      if (end === INCOMPLETE) break;
      connection.head = undefined;
      if (!head.interim) {
        this.#answer(connection, bytes, start, head, to);
        return;
      }
      if (head.status === 101) return this.#upgrade(connection, bytes, start, head, to);
      this.#interimAnswers++;
      if (this.#interimAnswers > INTERIM_ANSWERS_MAX) return this.#refuseAnswer();
      this.#passInterim(bytes, start, head);
      start = end;
    }
    this.#stash(connection, bytes, start, to);
    if (out.used > 0) out.flush(this.#client.wire);
  }

  #stash(connection: InstanceConnection, bytes: Buffer, start: number, to: number): void {
    const { stash } = connection;
    if (bytes === stash.bytes) {
      stash.consume(start);
      if (start === to) return;
      // The reader's indices hold only while the head lies where it began to be read.
      if (connection.head !== undefined) return;
    } else if (start < to) {
      stash.add(bytes, start, to);
    } else return;
    connection.head = new ResponseHead(this.#context.limits);
    connection.head.reset(stash.from);
  }

  #refuseAnswer(): void {
    const nowMs = this.#context.nowMs();
    const instance = present(this.#instance, "an attempt has its instance");
    this.#dropConnection();
    this.#finishAttempt(outcome.serverError, nowMs);
    this.#tell(instance, outcome.reset, "BAD_ANSWER");
    this.#giveUp("BAD_ANSWER");
  }

  #passInterim(bytes: Buffer, start: number, head: ResponseHead): void {
    if (head.status === 100) this.#awaitsContinue = false;
    if (this.#requestMinorVersion === 0) return;
    writeResponseHead(this.#context.writer, bytes, start, head, {
      body: framing.none,
      toHead: false,
      clientMinorVersion: 1,
      connection: connectionWord.none,
    });
    this.#setSentDeadline();
  }

  #answer(
    connection: InstanceConnection,
    bytes: Buffer,
    start: number,
    head: ResponseHead,
    to: number,
  ): void {
    const service = present(this.#service, "an exchange under way has its service");
    const body = head.framing(this.#isHead);
    this.#status = head.status;
    this.#phase = phase.answering;
    this.#answerBody.start(body, head.fields.contentLength);
    this.#answerFraming = this.#framingToClient(body);
    const requestDone = this.#requestBody.done;
    this.#keepsInstanceConnection = head.keepsAlive && requestDone && body !== framing.untilClose;
    this.#keepsClient =
      this.#keepsAlive &&
      requestDone &&
      this.#answerFraming !== framing.untilClose &&
      !this.#client.halfClosed &&
      !this.#context.draining;
    if (head.fields.keepAliveHint >= 0) this.#heedHint(connection, head, bytes);
    if (!this.#answerBody.done) {
      const nowMs = this.#context.nowMs();
      service.dispatcher.answering(this.#slot, nowMs, nowMs - this.#attemptMs);
    }
    writeResponseHead(this.#context.writer, bytes, start, head, {
      body: this.#answerFraming,
      toHead: this.#isHead,
      clientMinorVersion: this.#requestMinorVersion,
      connection: this.#connectionWord(),
    });
    this.#relay(bytes, head.end, to);
  }

  /** A body until close is sent in chunks to those who know them: its end is then told from a loss. */
  #framingToClient(body: Framing): Framing {
    if (body === framing.untilClose || body === framing.chunked) {
      return this.#requestMinorVersion === 1 ? framing.chunked : framing.untilClose;
    }
    return body;
  }

  #connectionWord(): ConnectionWord {
    if (!this.#keepsClient) return connectionWord.close;
    return this.#requestMinorVersion === 0 ? connectionWord.keepAlive : connectionWord.none;
  }

  #heedHint(connection: InstanceConnection, head: ResponseHead, bytes: Buffer): void {
    const seconds = head.keepAliveSeconds(bytes);
    connection.idleMs =
      seconds === undefined
        ? IDLE_CONNECTION_MS
        : Math.min(seconds * 1000 - IDLE_MARGIN_MS, IDLE_CONNECTION_MS_MAX);
  }

  /** Appends the body's runs in [from, to) to the writer and sends it. */
  #relay(bytes: Buffer, from: number, to: number): void {
    const reader = this.#answerBody;
    const out = this.#context.writer;
    const chunked = this.#answerFraming === framing.chunked;
    let next = from;
    while (next < to && !reader.done) {
      next = reader.step(bytes, next, to);
      if (next === BODY_FAULT) {
        this.#breakOff(outcome.serverError);
        return;
      }
      if (reader.dataTo > reader.dataFrom) {
        writeRun(out, chunked, bytes, reader.dataFrom, reader.dataTo);
      }
    }
    // More than the answer: the connection is out of step.
    if (next < to) this.#keepsInstanceConnection = false;
    if (reader.done) {
      this.#endAnswer();
      return;
    }
    this.#flush();
    const route = present(this.#route, "an exchange under way has its route");
    this.#deadline(this.#context.nowMs(), route.timeouts.idleMs);
  }

  #flush(): void {
    const out = this.#context.writer;
    if (out.used === 0) return;
    const service = present(this.#service, "an exchange under way has its service");
    service.bytesOut += out.used;
    if (!out.flush(this.#client.wire)) this.#connection?.wire.pause();
  }

  /** The client has taken what was written. */
  onAnswerDrained(): void {
    this.#connection?.wire.resume();
  }

  #endAnswer(): void {
    const nowMs = this.#context.nowMs();
    const service = present(this.#service, "an exchange under way has its service");
    const connection = present(this.#connection, "an answer comes over the exchange's connection");
    const out = this.#context.writer;
    if (this.#answerFraming === framing.chunked) writeLastChunk(out);
    this.#connection = undefined;
    service.bytesOut += out.used;
    if (out.used > 0) out.flush(this.#client.wire);
    if (this.#keepsInstanceConnection) connection.release();
    else connection.destroy();
    this.#finishAttempt(this.#status >= 500 ? outcome.serverError : outcome.answered, nowMs);
    service.measured(nowMs - this.#startedMs);
    this.#end();
    this.#client.exchangeEnded(this.#keepsClient);
  }

  /** The answer can't be completed. What the client has must not look complete. */
  #breakOff(result: Outcome): void {
    const instance = present(this.#instance, "an attempt has its instance");
    this.#context.writer.clear();
    this.#dropConnection();
    this.#finishAttempt(result, this.#context.nowMs());
    this.#tell(instance, result, result === outcome.timedOut ? "ANSWER_TIMEOUT" : "ANSWER_LOST");
    this.#end();
    this.#client.cutOff(this.#answerFraming === framing.untilClose);
  }

  #upgrade(
    connection: InstanceConnection,
    bytes: Buffer,
    start: number,
    head: ResponseHead,
    to: number,
  ): void {
    if (!this.#wantsUpgrade) return this.#refuseAnswer();
    const out = this.#context.writer;
    this.#status = head.status;
    writeResponseHead(out, bytes, start, head, {
      body: framing.none,
      toHead: false,
      clientMinorVersion: 1,
      connection: connectionWord.upgrade,
    });
    out.reserve(to - head.end);
    out.copy(bytes, head.end, to);
    this.#phase = phase.upgraded;
    this.#timer.stop();
    connection.stash.clear();
    const route = present(this.#route, "an exchange under way has its route");
    this.#connection = undefined;
    const taken = out.flush(this.#client.wire);
    this.#client.upgraded(connection, route, () => {
      this.#finishAttempt(outcome.answered, this.#context.nowMs());
      this.#end();
    });
    if (!taken) connection.wire.pause();
  }

  // The ends.

  /** The client is gone: the instance need not go on. */
  abandon(): void {
    if (this.#phase === phase.idle || this.#phase === phase.upgraded) return;
    this.#service?.leaveQueue(this);
    this.#dropConnection();
    this.#finishAttempt(outcome.abandoned, this.#context.nowMs());
    this.#end();
  }

  /** The client has ended its sending side; see HALF_CLOSED_MS. */
  clientEnded(): void {
    const nowMs = this.#context.nowMs();
    if (this.#timer.deadlineMs > nowMs + HALF_CLOSED_MS) this.#deadline(nowMs, HALF_CLOSED_MS);
  }

  #giveUp(code: ReasonCode): void {
    const service = present(this.#service, "an exchange under way has its service");
    const isAnswering = this.#phase === phase.answering;
    const keep = this.#keepsAlive && this.#requestBody.done && !this.#context.draining;
    service.leaveQueue(this);
    if (reasons[code].status >= 500) service.refused++;
    this.#dropConnection();
    const nowMs = this.#context.nowMs();
    this.#finishAttempt(outcome.abandoned, nowMs);
    service.measured(nowMs - this.#startedMs);
    this.#context.writer.clear();
    this.#end();
    if (isAnswering) this.#client.cutOff(this.#answerFraming === framing.untilClose);
    else this.#client.refuse(code, keep);
  }

  #end(): void {
    const service = present(this.#service, "an exchange under way has its service");
    service.active--;
    this.#timer.stop();
    this.#phase = phase.idle;
    this.#forgetRequest();
    this.#service = undefined;
    this.#route = undefined;
  }

  get isHead(): boolean {
    return this.#isHead;
  }

  get minorVersion(): number {
    return this.#requestMinorVersion;
  }

  // Time.

  #deadline(nowMs: number, ms: number): void {
    const bounded = this.#client.halfClosed ? Math.min(ms, HALF_CLOSED_MS) : ms;
    this.#context.timers.schedule(this.#timer, nowMs + bounded);
  }

  #onDeadline(): void {
    if (this.#client.halfClosed) {
      this.abandon();
      this.#client.cutOff(false);
      return;
    }
    switch (this.#phase) {
      case phase.queued:
        this.#giveUp(this.#waitsFor === ALL_BUSY ? "QUEUE_TIMEOUT" : "NO_INSTANCE");
        return;
      case phase.connecting:
        this.#failAttempt(connectTimedOut);
        return;
      case phase.sent:
        if (this.#isClientSlow()) this.#giveUp("BODY_TIMEOUT");
        else this.#failAttempt(answerTimedOut);
        return;
      case phase.answering:
        this.#onAnswerStalled();
        return;
      default:
        return;
    }
  }

  /** Whether the next move is the client's. */
  #isClientSlow(): boolean {
    if (this.#requestBody.done || this.#awaitsContinue) return false;
    return this.#connection?.wire.pendingBytes === 0;
  }

  #onAnswerStalled(): void {
    const isClients = this.#client.wire.pendingBytes > 0;
    if (isClients) {
      this.abandon();
      this.#client.cutOff(this.#answerFraming === framing.untilClose);
      return;
    }
    this.#breakOff(outcome.timedOut);
  }
}

function noticeSentence(instance: Instance, code: ReasonCode): string {
  return `${instance.id} ${noticeWords[code] ?? "failed"}`;
}

const noticeWords: Partial<Record<ReasonCode, string>> = {
  CONNECT_FAILED: "could not be connected to",
  CONNECT_TIMEOUT: "did not accept a connection in time",
  ANSWER_LOST: "closed a connection before its answer was complete",
  BAD_ANSWER: "gave an answer that is not valid HTTP/1.1",
  ANSWER_TIMEOUT: "did not answer in time",
};

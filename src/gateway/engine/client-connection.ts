// A client's connection: reads requests one after another, answers them in order.
//
//   reading ──a head──> exchange ──answered──> reading ...  ──close──> lingering ──> closed
//                          └──101──> tunnel
//
// One request is under way at a time. What the client sends ahead of its turn waits in the stash,
// up to a bound, then in the kernel. After an answer that ends the connection the client is still
// heard for a moment: closing on unread bytes would make the kernel reset the connection, and the
// client could lose the answer (RFC 9112 section 9.6).

import { present } from "../../core/base/assert.ts";
import { fnv1a32 } from "../../core/base/prng.ts";
import type { TableRoute, Timeouts } from "../../core/route/table.ts";
import { Pace } from "../../core/guard/pace.ts";
import { BODY_FAULT } from "../http1/body.ts";
import { FAULT, INCOMPLETE } from "../http1/fields.ts";
import { provenanceOf } from "../http1/forward-request.ts";
import { type EndingCode, type ReasonCode, reasons } from "../../core/base/reasons.ts";
import { framing, RequestHead } from "../http1/request-head.ts";
import type { Wire, WireOwner } from "../transport/wire.ts";
import { pass } from "./admission.ts";
import { type Context, LINGER_MS, PIPELINE_BYTES_MAX, SHED_RETRY_AFTER_MS } from "./context.ts";
import type { Exchange, ExchangeClient } from "./exchange.ts";
import type { ExchangePool } from "./exchange-pool.ts";
import type { InstanceConnection } from "./instance-connection.ts";
import { ownAnswer } from "./own-answer.ts";
import type { RouteCounts } from "./route-counts.ts";
import type { Target } from "./service.ts";
import { Stash } from "./stash.ts";
import { Timer } from "./timer-wheel.ts";
import { joinTunnel, type TunnelEnd } from "./tunnel.ts";

export interface ClientOwner {
  /** Undefined when no route matches. */
  target(bytes: Buffer, head: RequestHead): Target | undefined;
  /** For the connection's time before its first request. */
  readonly timeouts: Timeouts;
  readonly exchanges: ExchangePool;
  closed(client: ClientConnection): void;
}

export class ClientConnection implements WireOwner, ExchangeClient {
  readonly wire: Wire;
  readonly provenance: Uint8Array;
  /** Whose connections and requests are counted together with its own, by address. */
  readonly group: string;
  readonly addressHash: number;
  requestsBefore = 0;
  halfClosed = false;

  #address: string | undefined = undefined;
  readonly #context: Context;
  readonly #owner: ClientOwner;
  readonly #timer: Timer;
  /** Lent for each request; undefined between two. */
  #exchange: Exchange | undefined = undefined;
  readonly #stash = new Stash();
  /** Reads a head that did not come in one piece. */
  #head: RequestHead | undefined = undefined;
  #timeouts: Timeouts;
  #processing = false;
  #blocked = false;
  #lingering = false;
  #tunnel: { destroy(): void } | undefined = undefined;
  #bodyPaused = false;
  #readingPaused = false;
  #receivedBytes = 0;
  /** Of a request's body, and of an answer; made when there is something to look at. */
  #bodyPace: Pace | undefined = undefined;
  #answerPace: Pace | undefined = undefined;
  /** The first bytes of a head have come. */
  #inHead = false;
  #counted = false;
  #forgotten = false;

  constructor(
    context: Context,
    wire: Wire,
    { address, group }: { readonly address: string; readonly group: string },
    owner: ClientOwner,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#timeouts = owner.timeouts;
    this.provenance = provenanceOf(address, "http");
    this.group = group;
    this.addressHash = fnv1a32(address);
    this.#timer = new Timer(() => this.#onDeadline());
    this.wire = wire;
    wire.owner = this;
    wire.resume();
    context.timers.schedule(this.#timer, context.nowMs() + this.#timeouts.headMs);
  }

  /** Found when it is first asked for: most connections are never logged. */
  get address(): string {
    this.#address ??= this.wire.peerAddress ?? "";
    return this.#address;
  }

  /** Nothing is under way, and no byte of a next request has come. */
  get idle(): boolean {
    const isBusy = this.#exchange !== undefined || this.#lingering || this.#tunnel !== undefined;
    return !isBusy && this.#stash.length === 0;
  }

  // Reading.

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#receivedBytes += to - from;
    const stash = this.#stash;
    if (stash.length > 0) {
      if (stash.add(bytes, from, to)) this.#head = undefined;
      this.#processStash();
      return;
    }
    const next = this.#process(bytes, from, to);
    if (next < to && !this.#lingering) stash.add(bytes, next, to);
    this.#rest();
  }

  #processStash(): void {
    const stash = this.#stash;
    stash.consume(this.#process(stash.bytes, stash.from, stash.to));
    if (this.#lingering) stash.clear();
    this.#rest();
  }

  /** Returns the index of the first byte whose turn has not come. */
  #process(bytes: Buffer, from: number, to: number): number {
    let next = from;
    this.#processing = true;
    while (next < to && !this.#lingering && this.wire.open) {
      if (this.#exchange !== undefined) {
        if (this.#exchange.request.complete) break;
        next = this.#exchange.body(bytes, next, to);
        if (next === BODY_FAULT) next = to;
        continue;
      }
      if (this.#blocked) break;
      const end = this.#readRequest(bytes, next, to);
      if (end === INCOMPLETE) break;
      next = end;
    }
    this.#processing = false;
    return this.#lingering ? to : next;
  }

  /** Returns the index after what was used of the request, or INCOMPLETE. */
  #readRequest(bytes: Buffer, from: number, to: number): number {
    const head = this.#head ?? this.#context.requestHead;
    if (this.#head === undefined) head.reset(from);
    const end = head.scan(bytes, to);
    if (end === INCOMPLETE) {
      if (bytes === this.#stash.bytes) this.#readWhereItLies(from);
      return INCOMPLETE;
    }
    this.#head = undefined;
    this.#inHead = false;
    this.#timer.stop();
    if (end === FAULT) {
      this.#refuseHead(head.fault);
      return to;
    }
    return this.#beginExchange(bytes, head, to);
  }

  /** From now on the head in the stash is read by a reader of its own, from its last whole line. */
  #readWhereItLies(from: number): void {
    if (this.#head !== undefined) return;
    this.#head = new RequestHead(this.#context.limits);
    this.#head.reset(from);
  }

  #beginExchange(bytes: Buffer, head: RequestHead, to: number): number {
    const target = this.#owner.target(bytes, head);
    if (target === undefined) {
      this.#context.failures.add("NO_ROUTE");
      this.#logRefused("NO_ROUTE", bytes, head);
      return this.#refuseHere("NO_ROUTE", bytes, head, to);
    }
    this.#timeouts = target.route.timeouts;
    if (target.gates.length > 0) {
      const waitMs = pass(target.gates, this.group, bytes, head, this.#context.nowMs());
      if (waitMs > 0) {
        target.service.limited++;
        target.counts.ended(reasons.RATE_LIMITED.status, "RATE_LIMITED");
        this.#logRefused("RATE_LIMITED", bytes, head, target.counts);
        return this.#refuseHere("RATE_LIMITED", bytes, head, to, waitMs);
      }
    }
    const { service, counts, route } = target;
    const { limit } = service;
    const priority = route.priority ?? "normal";
    if (limit !== undefined && !limit.admits(priority, this.#context.nowMs())) {
      service.shed();
      counts.requests++;
      counts.ended(reasons.OVERLOADED.status, "OVERLOADED");
      this.#logRefused("OVERLOADED", bytes, head, counts);
      return this.#refuseHere("OVERLOADED", bytes, head, to, SHED_RETRY_AFTER_MS);
    }
    const exchange = this.#owner.exchanges.lend(this);
    this.#exchange = exchange;
    const next = exchange.begin(bytes, head, to, target);
    return next === BODY_FAULT ? to : next;
  }

  #logRefused(code: ReasonCode, bytes: Buffer, head: RequestHead, at?: RouteCounts): void {
    const place = { bytes, head, route: at?.name, service: at?.service };
    this.#context.accessLog?.refused(this.address, code, place);
  }

  /** The head is sound and goes nowhere. Only without a body can the connection go on. */
  #refuseHere(
    code: ReasonCode,
    bytes: Buffer,
    head: RequestHead,
    to: number,
    retryAfterMs = 0,
  ): number {
    const toHead = bytes.toString("latin1", head.methodFrom, head.methodTo) === "HEAD";
    const isBodiless = head.framing === framing.none;
    const keep = isBodiless && head.keepsAlive && !this.#context.draining;
    this.#answer(code, keep, toHead, head.minorVersion, retryAfterMs);
    return isBodiless ? head.end : to;
  }

  /** All that came has been looked at: what is awaited now, and how long. */
  #rest(nowMs?: number): void {
    this.#setReading();
    if (this.#exchange !== undefined || this.#blocked || this.#lingering || !this.wire.open) return;
    if (this.halfClosed) {
      this.#linger();
      return;
    }
    // The first head's time has run since the connection was made, and no byte prolongs a head's
    // time.
    const begins = this.#stash.length > 0 && !this.#inHead;
    this.#inHead = this.#stash.length > 0;
    if (this.requestsBefore === 0 || (this.#inHead && !begins)) return;
    this.#deadline(begins ? this.#timeouts.headMs : this.#timeouts.keepAliveMs, nowMs);
  }

  #deadline(ms: number, nowMs = this.#context.nowMs()): void {
    this.#context.timers.schedule(this.#timer, nowMs + ms);
  }

  onEnd(): void {
    this.halfClosed = true;
    if (this.#exchange !== undefined) {
      // The rest of its body will never come; else it may still want its answer.
      if (this.#exchange.request.complete) this.#exchange.clientEnded();
      else this.destroy("CLIENT_LEFT");
      return;
    }
    this.#linger();
  }

  onDrained(): void {
    this.#blocked = false;
    if (this.#exchange !== undefined) this.#exchange.onAnswerDrained();
    else if (this.#lingering) this.#linger();
    else this.#goOn();
  }

  onClosed(): void {
    this.#exchange?.abandon();
    this.#forget();
  }

  #onDeadline(): void {
    if (this.wire.progressed()) {
      this.#deadline(this.#timeouts.idleMs);
      return;
    }
    const isAsking = this.#inHead && !this.#lingering && !this.#blocked;
    if (!isAsking) {
      this.#close();
      return;
    }
    this.#refuseHead("HEAD_TIMEOUT");
  }

  /** Asked every second: a client that is too slow to be waited for is ended. */
  keepPace(nowMs: number, minimumRate: number): void {
    if (this.#tunnel !== undefined || !this.wire.open) return;
    const exchange = this.#exchange;
    if (exchange?.awaitsBody === true && !this.#readingPaused) {
      this.#bodyPace ??= new Pace();
      if (this.#bodyPace.isTooSlow(nowMs, this.#receivedBytes, minimumRate)) {
        exchange.bodyTooSlow();
        return;
      }
    } else this.#bodyPace?.rest();
    if (this.wire.pendingBytes > 0) {
      this.#answerPace ??= new Pace();
      if (this.#answerPace.isTooSlow(nowMs, this.wire.takenBytes, minimumRate)) {
        exchange?.abandon("CLIENT_STALLED");
        this.cutOff(true);
      }
    } else this.#answerPace?.rest();
  }

  // What the exchange asks for.

  pauseBody(): void {
    this.#bodyPaused = true;
    this.#setReading();
  }

  resumeBody(): void {
    if (!this.#bodyPaused) return;
    this.#bodyPaused = false;
    this.#setReading();
  }

  /** Reads unless somebody downstream can't keep up, or too much waits already. */
  #setReading(): void {
    const isFull = this.#stash.length >= PIPELINE_BYTES_MAX && this.#exchange !== undefined;
    const pause = (this.#bodyPaused || isFull) && !this.#lingering;
    if (pause === this.#readingPaused) return;
    this.#readingPaused = pause;
    if (pause) this.wire.pause();
    else this.wire.resume();
  }

  exchangeEnded(keep: boolean, nowMs: number): void {
    this.#giveBack();
    this.requestsBefore++;
    this.#blocked = this.wire.pendingBytes > 0;
    if (!keep) {
      this.#linger();
      return;
    }
    this.#count();
    if (this.#blocked) this.#deadline(this.#timeouts.idleMs, nowMs);
    else this.#goOn(nowMs);
  }

  #giveBack(): void {
    if (this.#exchange === undefined) return;
    this.#owner.exchanges.takeBack(this.#exchange);
    this.#exchange = undefined;
  }

  /** It has outlived its first exchange. */
  #count(): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#context.keptConnections++;
  }

  /** On to the next request, if it is there. */
  #goOn(nowMs?: number): void {
    if (this.#processing) return;
    this.resumeBody();
    if (this.#stash.length > 0) this.#processStash();
    else this.#rest(nowMs);
  }

  refuse(code: ReasonCode, keep: boolean): void {
    const { request } = present(this.#exchange, "who refuses has read a request");
    this.#answer(code, keep, request.isHead, request.minorVersion);
  }

  /** Of a head that was not read nobody knows the method: the answer has its body, and closes. */
  #refuseHead(code: ReasonCode): void {
    this.#context.refusedHeads++;
    this.#context.failures.add(code);
    this.#context.accessLog?.refused(this.address, code);
    this.#answer(code, false, false, 1);
  }

  #answer(
    code: ReasonCode,
    keep: boolean,
    toHead: boolean,
    minorVersion: number,
    retryAfterMs = 0,
  ): void {
    const close = !keep || this.halfClosed;
    const keepAlive = !close && minorVersion === 0;
    this.wire.write(ownAnswer(code, { toHead, close, keepAlive, retryAfterMs }));
    this.exchangeEnded(!close, this.#context.nowMs());
  }

  cutOff(abruptly: boolean): void {
    if (abruptly) this.wire.reset();
    else this.wire.destroy();
    this.#forget();
  }

  upgraded(
    connection: InstanceConnection,
    route: TableRoute,
    onPassed: (byteCount: number, toClient: boolean) => void,
    ended: (end: TunnelEnd) => void,
  ): void {
    this.#timer.stop();
    this.#count();
    const early = this.#stash;
    if (this.#readingPaused) this.wire.resume();
    const onClosed = (end: TunnelEnd): void => {
      ended(end);
      this.#forget();
    };
    this.#tunnel = joinTunnel(this.#context, {
      client: this.wire,
      instance: connection,
      tunnelMs: route.timeouts.tunnelMs,
      early: early.bytes.subarray(early.from, early.to),
      clientEnded: this.halfClosed,
      onPassed,
      onClosed,
    });
    early.clear();
  }

  // The ends.

  /** Idle connections of a worker that drains. */
  closeIdle(): void {
    if (this.idle) this.#linger();
  }

  /** At once, whatever is under way. */
  destroy(why: EndingCode = "CUT"): void {
    if (this.#tunnel !== undefined) {
      this.#tunnel.destroy();
      return;
    }
    this.#exchange?.abandon(why);
    this.#close();
  }

  #linger(): void {
    const isDelivered = this.wire.pendingBytes === 0;
    if (this.halfClosed && isDelivered) {
      // The client's end was the last that came from it: closing is ending in order.
      this.#close();
      return;
    }
    if (!this.#lingering) {
      this.#lingering = true;
      this.#stash.clear();
      this.#setReading();
      this.wire.end();
    }
    this.#deadline(isDelivered ? LINGER_MS : this.#timeouts.idleMs);
  }

  #close(): void {
    this.wire.destroy();
    this.#forget();
  }

  #forget(): void {
    if (this.#forgotten) return;
    this.#forgotten = true;
    this.#context.timers.remove(this.#timer);
    this.#giveBack();
    if (this.#counted) this.#context.keptConnections--;
    this.#owner.closed(this);
  }
}

// A client of a TCP listener: one instance is chosen for the whole connection, and tried again on
// another while it can't be connected to; then bytes flow (tunnel.ts). Nothing is read from the
// client before there is an instance: its bytes wait in the kernel.

import type { EndingCode } from "../../core/base/reasons.ts";
import { fnv1a32 } from "../../core/base/prng.ts";
import { ALL_BUSY, NO_INSTANCE, type Outcome, outcome } from "../../core/dispatch/dispatcher.ts";
import type { Priority } from "../../core/guard/concurrency-limit.ts";
import { isRetriedCause } from "../../core/guard/retry-conditions.ts";
import type { TableRoute } from "../../core/route/table.ts";
import type { Wire, WireOwner } from "../transport/wire.ts";
import { LoggedRequest } from "./access-log.ts";
import type { Context } from "./context.ts";
import {
  type ConnectionUser,
  CUT,
  type Instance,
  InstanceConnection,
} from "./instance-connection.ts";
import type { RouteCounts } from "./route-counts.ts";
import type { Service, Waiter } from "./service.ts";
import { Stash } from "./stash.ts";
import { Timer } from "./timer-wheel.ts";
import { joinTunnel, type TunnelEnd, tunnelEndings } from "./tunnel.ts";

const ATTEMPTS_MAX = 16;

const tunnelOutcome: Readonly<Record<TunnelEnd, Outcome>> = {
  closed: outcome.answered,
  silent: outcome.abandoned,
  "client-lost": outcome.abandoned,
  "instance-lost": outcome.reset,
  cut: outcome.abandoned,
};

interface Attempt {
  readonly slot: number;
  readonly instance: Instance;
  readonly startedMs: number;
  readonly connection: InstanceConnection;
  readonly awaits: false;
}

export class TcpConnection implements WireOwner, ConnectionUser, Waiter {
  readonly wire: Wire;
  readonly #context: Context;
  readonly #route: TableRoute;
  readonly #service: Service;
  readonly #counts: RouteCounts;
  readonly #onClosed: (connection: TcpConnection) => void;
  readonly #timer: Timer;
  readonly #addressHash: number;
  #logged: LoggedRequest | undefined = undefined;
  readonly #startedMs: number;
  readonly #tried = new Int32Array(ATTEMPTS_MAX);
  #triedCount = 0;
  #attempt: Attempt | undefined = undefined;
  #tunnel: { destroy(): void } | undefined = undefined;
  #queued = false;
  #displaced = false;
  #waitsFor = NO_INSTANCE;
  #clientEnded = false;
  #open = true;
  /** A socket that was reading already may have brought some. */
  readonly #early = new Stash();

  constructor(
    context: Context,
    wire: Wire,
    options: {
      readonly route: TableRoute;
      readonly service: Service;
      readonly counts: RouteCounts;
      readonly address: string;
      readonly onClosed: (connection: TcpConnection) => void;
    },
  ) {
    const { route, service, counts, address, onClosed } = options;
    this.#context = context;
    this.#route = route;
    this.#service = service;
    this.#counts = counts;
    this.#onClosed = onClosed;
    this.#timer = new Timer(() => this.#onDeadline());
    this.#addressHash = fnv1a32(address);
    if (context.accessLog !== undefined) this.#logged = new LoggedRequest().begin(address);
    this.#startedMs = context.nowMs();
    this.wire = wire;
    wire.owner = this;
    service.requests++;
    counts.requests++;
    service.active++;
    context.keptConnections++;
    service.dispatcher.requestSeen(this.#startedMs);
    this.#choose(this.#startedMs);
  }

  destroy(): void {
    if (this.#tunnel !== undefined) this.#tunnel.destroy();
    else this.#giveUp("CUT");
  }

  // Choosing.

  get isChoosy(): boolean {
    return this.#triedCount > 0;
  }

  get priority(): Priority {
    return this.#route.priority ?? "normal";
  }

  tryAgain(): boolean {
    return this.#choose(this.#context.nowMs());
  }

  displaced(): void {
    this.#displaced = true;
    this.#context.timers.schedule(this.#timer, this.#context.nowMs());
  }

  #choose(nowMs: number): boolean {
    const slot = this.#service.dispatcher.choose(
      this.#route.balance,
      nowMs,
      this.#addressHash,
      this.#tried,
      this.#triedCount,
      false,
    );
    if (slot === NO_INSTANCE || slot === ALL_BUSY) return this.#wait(nowMs, slot);
    this.#queued = false;
    const instance = this.#service.instance(slot);
    this.#service.started(slot, instance, nowMs);
    this.#logged?.triedOn(instance.id, nowMs - this.#startedMs);
    const connection = new InstanceConnection(this.#context, instance, this);
    this.#attempt = { slot, instance, startedMs: nowMs, connection, awaits: false };
    this.#context.timers.schedule(this.#timer, nowMs + this.#route.timeouts.connectMs);
    return true;
  }

  #wait(nowMs: number, answer: number): boolean {
    this.#waitsFor = answer;
    if (this.#queued) return false;
    this.#queued = true;
    if (!this.#service.enqueue(this)) {
      this.#giveUpWaiting("QUEUE_FULL");
      return true;
    }
    this.#context.timers.schedule(this.#timer, nowMs + this.#route.timeouts.queueMs);
    return false;
  }

  /** `code` where instances were busy; where there is none, that is the reason. */
  #giveUpWaiting(code: EndingCode): void {
    this.#giveUp(this.#waitsFor === ALL_BUSY ? code : "NO_INSTANCE");
  }

  #finishAttempt(result: Outcome): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    const nowMs = this.#context.nowMs();
    const latencyMs = nowMs - attempt.startedMs;
    this.#service.finished(attempt, nowMs, result, latencyMs, 0);
  }

  #connectFailed(result: Outcome): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.connection.destroy();
    this.#tried[this.#triedCount++] = attempt.slot;
    this.#finishAttempt(result);
    const { id } = attempt.instance;
    if (result === outcome.connectFailed) {
      const sentence = `${id} could not be connected to`;
      this.#context.notice({ kind: "connect-failed", instance: id, sentence });
    }
    const nowMs = this.#context.nowMs();
    const { attempts, budgetRatio, budgetPerSecond, on } = this.#route.retry;
    const isRetried =
      isRetriedCause("connect-failure", on) &&
      this.#triedCount <= Math.min(attempts, ATTEMPTS_MAX - 1) &&
      this.#service.dispatcher.takeRetry(nowMs, budgetRatio, budgetPerSecond);
    if (!isRetried) {
      this.#giveUp("CONNECT_FAILED");
      return;
    }
    this.#service.retried(result === outcome.abandoned ? "FENCED" : "CONNECT_FAILED");
    this.#choose(nowMs);
  }

  onConnected(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#timer.stop();
    const nowMs = this.#context.nowMs();
    // For a TCP service the accepted connection is the proof of life.
    this.#service.answering(attempt.slot, nowMs, nowMs - attempt.startedMs);
    this.#tunnel = joinTunnel(this.#context, {
      client: this.wire,
      instance: attempt.connection,
      tunnelMs: this.#route.timeouts.tunnelMs,
      early: this.#early.bytes.subarray(this.#early.from, this.#early.to),
      clientEnded: this.#clientEnded,
      onPassed: (byteCount, toClient) => this.#passed(byteCount, toClient),
      onClosed: (end) => {
        this.#finishAttempt(tunnelOutcome[end]);
        this.#forget(tunnelEndings[end]);
      },
    });
    this.#early.clear();
    this.wire.resume();
  }

  #passed(byteCount: number, toClient: boolean): void {
    if (toClient) this.#service.bytesOut += byteCount;
    else this.#service.bytesIn += byteCount;
    const logged = this.#logged;
    if (logged === undefined) return;
    if (toClient) logged.sentBytes += byteCount;
    else logged.receivedBytes += byteCount;
  }

  onConnectionLost(cause: string): void {
    this.#connectFailed(cause === CUT ? outcome.abandoned : outcome.connectFailed);
  }

  onAnswerBytes(): void {}
  onAnswerEnd(): void {}
  onRequestDrained(): void {}

  #onDeadline(): void {
    if (this.#attempt !== undefined) this.#connectFailed(outcome.connectFailed);
    else this.#giveUpWaiting(this.#displaced ? "QUEUE_FULL" : "QUEUE_TIMEOUT");
  }

  // The client, until the tunnel takes over.

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#early.add(bytes, from, to);
  }

  onEnd(): void {
    this.#clientEnded = true;
  }

  onDrained(): void {}

  onClosed(): void {
    this.#attempt?.connection.destroy();
    this.#finishAttempt(outcome.abandoned);
    this.#forget("CLIENT_LEFT");
  }

  /** No instance: the client sees a reset, never an empty answer. */
  #giveUp(why: EndingCode): void {
    if (!this.#open) return;
    this.#service.refuse();
    this.#attempt?.connection.destroy();
    this.#finishAttempt(outcome.abandoned);
    this.wire.reset();
    this.#forget(why);
  }

  #forget(why?: EndingCode): void {
    if (!this.#open) return;
    this.#open = false;
    this.#service.leaveQueue(this);
    this.#service.active--;
    const lastedMs = this.#context.nowMs() - this.#startedMs;
    this.#service.measured(lastedMs);
    this.#counts.measured(lastedMs);
    this.#counts.ended(0, why);
    if (this.#logged !== undefined) {
      const { name: route, service } = this.#counts;
      const end = {
        protocol: "tcp",
        durationMs: lastedMs,
        status: 0,
        route,
        service,
        why,
      } as const;
      this.#context.accessLog?.ended(this.#logged, end);
    }
    this.#context.keptConnections--;
    this.#context.timers.remove(this.#timer);
    this.#onClosed(this);
  }
}

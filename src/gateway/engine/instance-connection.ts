// A connection to an instance, and the instance's pool of idle ones.
//
// The pool's rule is HAProxy's `http-reuse safe`: a request that could not be sent again never
// takes an idle connection when it is the first of its client's connection, because the instance
// may be closing it at this moment and nobody could tell whether the request was seen. On later
// requests the client itself has chosen to live with that race. The pool gives the connection used
// last, so that the others grow old and are closed before the instance does it.

import { COARSE_BUCKETS, coarseBucketOf } from "../../core/measure/histogram.ts";
import type { TableInstance } from "../../core/route/table.ts";
import { ResponseHead } from "../http1/response-head.ts";
import type { Wire, WireOwner } from "../transport/wire.ts";
import { AttemptList } from "./attempt.ts";
import {
  type Context,
  IDLE_CONNECTION_MS,
  IDLE_CONNECTION_MS_MAX,
  IDLE_CONNECTIONS_MAX,
  IDLE_MARGIN_MS,
} from "./context.ts";
import { CLASSES, ReasonCounts } from "./route-counts.ts";
import { Stash } from "./stash.ts";
import { Timer } from "./timer-wheel.ts";

/** Why a connection closed that was cut from here. */
export const CUT = "NINES_CUT";

/** Who a connection works for. */
export interface ConnectionUser {
  onConnected(): void;
  onAnswerBytes(bytes: Buffer, from: number, to: number): void;
  /** The instance sends no more. */
  onAnswerEnd(): void;
  onRequestDrained(): void;
  onConnectionLost(cause: string): void;
}

/** An instance as this worker knows it: counters, and its idle connections. */
export class Instance {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Takes no new requests: connections are closed when they become idle. */
  retired = false;
  /** What it is called in cookies, once somebody has asked (sticky.ts). */
  pseudonym: string | undefined = undefined;
  requests = 0;
  active = 0;
  connectFailures = 0;
  resets = 0;
  timeouts = 0;
  hedges = 0;
  /** Attempts that await their answers, oldest first. */
  readonly unanswered = new AttemptList();
  readonly #open = new Set<InstanceConnection>();
  /** By class of status. */
  readonly answers = new Float64Array(CLASSES);
  /** By coarse bucket; a tunnel has none. */
  readonly latency = new Float64Array(COARSE_BUCKETS);
  latencySumMs = 0;
  readonly ejections: ReasonCounts;
  readonly #idle: InstanceConnection[] = [];

  /** `before`: the one that had its id at another address. What is counted of an id only grows. */
  constructor(instance: Pick<TableInstance, "id" | "host" | "port">, before?: Instance) {
    this.id = instance.id;
    this.host = instance.host;
    this.port = instance.port;
    this.ejections = before?.ejections ?? new ReasonCounts();
    if (before === undefined) return;
    this.requests = before.requests;
    this.connectFailures = before.connectFailures;
    this.resets = before.resets;
    this.timeouts = before.timeouts;
    this.hedges = before.hedges;
    this.answers.set(before.answers);
    this.latency.set(before.latency);
    this.latencySumMs = before.latencySumMs;
  }

  /** An attempt has had its whole answer. */
  answered(status: number, latencyMs: number): void {
    const index = Math.floor(status / 100) - 1;
    if (index < CLASSES) this.answers[index] = (this.answers[index] as number) + 1;
    if (status < 200) return;
    const bucket = coarseBucketOf(latencyMs);
    this.latency[bucket] = (this.latency[bucket] as number) + 1;
    this.latencySumMs += latencyMs;
  }

  get idleConnections(): number {
    return this.#idle.length;
  }

  takeIdle(): InstanceConnection | undefined {
    return this.#idle.pop();
  }

  putIdle(connection: InstanceConnection): void {
    if (this.#idle.length === IDLE_CONNECTIONS_MAX) this.#idle.shift()?.destroy();
    this.#idle.push(connection);
  }

  forget(connection: InstanceConnection): void {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** Closes what is idle; connections in use close after it. */
  retire(): void {
    this.retired = true;
    this.closeIdle();
  }

  closeIdle(): void {
    for (const connection of this.#idle) connection.destroy();
    this.#idle.length = 0;
  }

  /**
   * An operator wants its connections closed: idle ones and tunnels now, those with a request under
   * way after it, or now as well.
   */
  close(everything: boolean): void {
    this.closeIdle();
    for (const connection of this.#open) {
      // Without a user it is neither idle nor asked anything: a tunnel has it.
      if (everything || connection.user === undefined) connection.cut();
      else connection.last();
    }
  }

  opened(connection: InstanceConnection): void {
    this.#open.add(connection);
  }

  closed(connection: InstanceConnection): void {
    this.#open.delete(connection);
  }

  /**
   * The fence: another instance is the primary now. Whatever is under way here ends, whoever waits
   * for it, and nothing more can reach the instance from here when this returns.
   */
  cut(): void {
    for (const connection of this.#open) connection.cut();
  }
}

export class InstanceConnection implements WireOwner {
  readonly instance: Instance;
  readonly wire: Wire;
  readonly #context: Context;
  readonly #idleTimer: Timer;
  /** Absent while it is idle. */
  user: ConnectionUser | undefined;
  /** Has carried a request before this one. */
  reused = false;
  #idleMs = IDLE_CONNECTION_MS;
  #isLast = false;
  /** The beginning of an answer's head, and the reader that has read it so far. */
  readonly stash = new Stash();
  head: ResponseHead | undefined = undefined;

  constructor(context: Context, instance: Instance, user: ConnectionUser) {
    this.#context = context;
    this.instance = instance;
    this.user = user;
    this.#idleTimer = new Timer(() => this.#expire());
    const onConnected = (): void => this.user?.onConnected();
    this.wire = context.connect(instance.host, instance.port, this, onConnected);
    instance.opened(this);
  }

  /** Takes it out of the pool for a request. */
  use(user: ConnectionUser): void {
    this.user = user;
    this.reused = true;
    this.#idleTimer.stop();
  }

  /** What an answer's head says of the time that the instance keeps an idle connection. */
  heed(head: ResponseHead, bytes: Buffer): void {
    if (head.fields.keepAliveHint < 0) return;
    const seconds = head.keepAliveSeconds(bytes);
    if (seconds === undefined) return;
    this.#idleMs = Math.min(seconds * 1000 - IDLE_MARGIN_MS, IDLE_CONNECTION_MS_MAX);
  }

  /** What of an answer's head has come and is not read yet waits for its rest. */
  keepHead(bytes: Buffer, start: number, to: number): void {
    const { stash } = this;
    if (bytes === stash.bytes) stash.consume(start);
    else stash.add(bytes, start, to);
    if (stash.length === 0 || this.head !== undefined) return;
    // From now on it is read where it lies, going on from its last whole line.
    this.head = new ResponseHead(this.#context.limits);
    this.head.reset(stash.from);
  }

  /** The request under way is the last that it carries. */
  last(): void {
    this.#isLast = true;
  }

  /** Its request is over and it can carry another. */
  release(nowMs: number): void {
    this.user = undefined;
    this.stash.clear();
    this.head = undefined;
    if (this.instance.retired || this.#isLast || this.#idleMs <= 0 || this.#context.draining) {
      this.destroy();
      return;
    }
    this.instance.putIdle(this);
    this.#context.timers.schedule(this.#idleTimer, nowMs + this.#idleMs);
  }

  destroy(): void {
    this.user = undefined;
    this.#context.timers.remove(this.#idleTimer);
    this.instance.closed(this);
    this.wire.destroy();
  }

  /** Whoever uses it hears that it is lost; what was written has not been taken back. */
  cut(): void {
    const { owner } = this.wire;
    this.instance.closed(this);
    this.wire.reset();
    owner.onClosed(CUT);
  }

  onBytes(bytes: Buffer, from: number, to: number): void {
    // Bytes that nobody asked for: an answer to nothing. It must not meet the next request.
    if (this.user === undefined) this.#expire();
    else this.user.onAnswerBytes(bytes, from, to);
  }

  onEnd(): void {
    if (this.user === undefined) this.#expire();
    else this.user.onAnswerEnd();
  }

  onDrained(): void {
    this.user?.onRequestDrained();
  }

  onClosed(cause: string): void {
    this.#context.timers.remove(this.#idleTimer);
    this.instance.closed(this);
    const { user } = this;
    if (user === undefined) this.instance.forget(this);
    else user.onConnectionLost(cause);
  }

  #expire(): void {
    this.instance.forget(this);
    this.destroy();
  }
}

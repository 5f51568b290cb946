// What all connections of one worker share, and the bounds that are not in the file.

import { performance } from "node:perf_hooks";
import type { Random } from "../../core/base/prng.ts";
import type { GatewayLimits } from "../../core/route/table.ts";
import type { InstanceNotice } from "../contract.ts";
import { RequestHead } from "../http1/request-head.ts";
import { ResponseHead } from "../http1/response-head.ts";
import { Writer } from "../http1/writer.ts";
import { type Connect, READ_BYTES } from "../transport/wire.ts";
import type { AccessLog } from "./access-log.ts";
import { ReasonCounts } from "./route-counts.ts";
import type { Scanner } from "./scanner.ts";
import { TimerWheel } from "./timer-wheel.ts";

export const TICK_MS = 50;
const WHEEL_SLOTS = 1024;

/** Pipelined requests beyond this wait in the kernel. */
export const PIPELINE_BYTES_MAX = 16_384;
/** Idle connections to one instance, for each worker; the oldest is closed beyond it. */
export const IDLE_CONNECTIONS_MAX = 256;
/** An idle connection is closed before the instance closes it: Node's servers do after 5 s. */
export const IDLE_CONNECTION_MS = 4000;
/** Where the instance says how long it waits (`Keep-Alive: timeout=N`): this much before that, */
export const IDLE_MARGIN_MS = 1000;
/** but never longer than this. */
export const IDLE_CONNECTION_MS_MAX = 60_000;
/** Interim answers (1xx) to one request. */
export const INTERIM_ANSWERS_MAX = 16;
/** Whoever was shed for overload is asked to stay away for so long. */
export const SHED_RETRY_AFTER_MS = 1000;
/** After the last answer, for the client to read it and close. */
export const LINGER_MS = 1000;
/**
 * A client that has closed its sending side has usually gone away; it may also be one that asks
 * once and listens. It gets this long for each next byte of its answer.
 */
export const HALF_CLOSED_MS = 1000;
/** Idle connections of a draining worker are closed when this share of the time is over. */
export const DRAIN_PATIENCE_RATIO = 0.8;

export class Context {
  readonly timers: TimerWheel;
  readonly writer: Writer;
  readonly scanner: Scanner;
  readonly random: Random;
  readonly notice: (notice: InstanceNotice) => void;
  /** Asked for when a service is sticky. */
  readonly stickyKey: () => Buffer;
  readonly connect: Connect;
  limits: GatewayLimits;
  /** For heads that arrive whole, which nearly all do. One at a time is read. */
  requestHead: RequestHead;
  responseHead: ResponseHead;
  draining = false;
  /** Undefined while nothing is logged. */
  accessLog: AccessLog | undefined = undefined;

  refusedHeads = 0;
  /** Of requests that had no route, by reason. */
  readonly failures = new ReasonCounts();
  connections = 0;
  keptConnections = 0;

  constructor(options: {
    readonly limits: GatewayLimits;
    readonly random: Random;
    readonly nowMs: number;
    readonly scanner: Scanner;
    readonly notice: (notice: InstanceNotice) => void;
    readonly stickyKey: () => Buffer;
    readonly connect: Connect;
  }) {
    this.timers = new TimerWheel({ tickMs: TICK_MS, slots: WHEEL_SLOTS, nowMs: options.nowMs });
    this.writer = new Writer(options.limits.headBytes + READ_BYTES + 4096);
    this.scanner = options.scanner;
    this.random = options.random;
    this.notice = options.notice;
    this.stickyKey = options.stickyKey;
    this.connect = options.connect;
    this.limits = options.limits;
    this.requestHead = new RequestHead(options.limits);
    this.responseHead = new ResponseHead(options.limits);
  }

  setLimits(limits: GatewayLimits): void {
    this.limits = limits;
    this.requestHead = new RequestHead(limits);
    this.responseHead = new ResponseHead(limits);
  }

  /** Monotonic milliseconds. */
  nowMs(): number {
    return performance.now();
  }
}

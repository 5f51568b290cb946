// A service in one worker: its dispatcher, its instances by slot, its queue, its counters.

import type { RetryCode } from "../../core/base/reasons.ts";
import { readLoadReport } from "../../core/balance/load-report.ts";
import { createDispatcher } from "../../core/dispatch/create-dispatcher.ts";
import {
  type Dispatcher,
  type Ejection,
  type Outcome,
  outcome,
} from "../../core/dispatch/dispatcher.ts";
import { ConcurrencyLimit } from "../../core/guard/concurrency-limit.ts";
import { ejectionCode } from "../../core/dispatch/ejections.ts";
import type { ServiceStats } from "../../core/measure/gateway-stats.ts";
import { bucketOf, HISTOGRAM_BUCKETS, withoutZeros } from "../../core/measure/histogram.ts";
import type {
  RetryPolicy,
  StickyPolicy,
  TableInstance,
  TableRoute,
  TableService,
} from "../../core/route/table.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import type { Gate } from "./admission.ts";
import type { Attempt } from "./attempt.ts";
import type { Context } from "./context.ts";
import { Instance } from "./instance-connection.ts";
import { ReasonCounts, type RouteCounts } from "./route-counts.ts";
import { Pseudonyms, Sticky } from "./sticky.ts";
import { type Waiting, WaitingLine } from "./waiting-line.ts";

/** Waiting requests of one instance that are looked at in one scan. */
const HEDGE_LOOKS_MAX = 256;
/** Waiters who find nothing and hold up nobody, before the next of their priority are left out. */
const PASSED_MAX = 64;

/** Where a request goes. */
export interface Target {
  readonly route: TableRoute;
  readonly service: Service;
  /** What must let a request in first. */
  readonly gates: readonly Gate[];
  readonly counts: RouteCounts;
  /** Which cookie makes its clients stay with their instances. */
  readonly sticky: Sticky | undefined;
}

/** A request that waits for an instance. */
export interface Waiter extends Waiting {
  /** It has tried some already, and waits for others while one of those may be free. */
  readonly isChoosy: boolean;
  /** Whether it found one (or gave up), and leaves the queue. */
  tryAgain(): boolean;
  /**
   * It has left the queue, which is full, for one that is more important. Told in the turn of that
   * one, so it only makes a note and gives up in a turn of its own: whatever follows, such as the
   * client's next request, must not come while the other is on its way into the queue.
   */
  displaced(): void;
}

/** What of an attempt tells the dispatcher and the counters whose it was. */
export interface EndedAttempt {
  readonly slot: number;
  readonly instance: Instance;
  /** Its whole request lies unanswered. */
  readonly awaits: boolean;
}

/** The dispatcher's name for what is in a slot: the same object until the slot is lent anew. */
interface Lent {
  readonly lent: object;
  readonly instance: Instance;
}

export class Service {
  readonly name: string;
  /** What an HTTP/1.0 request without a Host is forwarded with. */
  readonly hostIfNone: Buffer;
  readonly dispatcher: Dispatcher;
  /** How many may wait for their answers at once; undefined: as many as come. */
  limit: ConcurrencyLimit | undefined;
  readonly #context: Context;
  #queueLength = 0;
  #heedsLoad = false;
  readonly #queue = new WaitingLine<Waiter>();
  #waking = false;
  /** Listed now, by id. */
  #listed = new Map<string, Instance>();
  /** Once a route is sticky. */
  #pseudonyms: Pseudonyms | undefined = undefined;
  /** By the dispatcher's slot. */
  readonly #bySlot: (Lent | undefined)[] = [];

  requests = 0;
  limited = 0;
  active = 0;
  retries = 0;
  /** Requests that were sent again after a failure and wait for the answer. */
  retrying = 0;
  readonly #retriedFor = new ReasonCounts();
  hedges = 0;
  refused = 0;
  lost = 0;
  serverErrors = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly latency = new Float64Array(HISTOGRAM_BUCKETS);

  constructor(context: Context, service: TableService, workers: number, nowMs: number) {
    this.#context = context;
    this.name = service.name;
    this.hostIfNone = Buffer.from(service.name, "latin1");
    this.dispatcher = createDispatcher(shareOf(service, workers), nowMs, {
      random: () => context.random.ratio(),
      onEjection: (ejection) => this.#noticed(ejection),
    });
    this.limit = limitOf(service, nowMs);
    this.#list(service);
  }

  #noticed(ejection: Ejection): void {
    const { kind, instance, cause } = ejection;
    if (kind === "ejected" && cause !== undefined) {
      this.#listed.get(instance)?.ejections.add(ejectionCode[cause]);
    }
    this.#context.notice(ejection);
  }

  update(service: TableService, workers: number, nowMs: number): void {
    this.dispatcher.update(shareOf(service, workers), nowMs);
    this.limit = limitOf(service, nowMs, this.limit);
    this.#list(service);
    this.wake();
  }

  /** Left the table: nothing is kept for later. */
  retire(): void {
    for (const instance of this.#listed.values()) instance.retire();
  }

  closeIdle(): void {
    for (const instance of this.#listed.values()) instance.closeIdle();
  }

  /** See Instance.close. */
  closeConnections(id: string, everything: boolean): void {
    this.#listed.get(id)?.close(everything);
  }

  setControlAlive(alive: boolean, nowMs: number): void {
    this.dispatcher.setControlAlive(alive, nowMs);
    this.wake();
  }

  sticky(policy: StickyPolicy): Sticky {
    if (this.#pseudonyms === undefined) {
      this.#pseudonyms = new Pseudonyms(this.#context.stickyKey(), this.name);
      this.#pseudonyms.list(this.#listed.values());
    }
    return new Sticky(policy, this.name, this.dispatcher, this.#pseudonyms);
  }

  instance(slot: number): Instance {
    const lent = this.dispatcher.instance(slot);
    const known = this.#bySlot[slot];
    if (known?.lent === lent) return known.instance;
    const instance = this.#listed.get(lent.id) ?? new Instance(lent);
    this.#bySlot[slot] = { lent, instance };
    return instance;
  }

  started(slot: number, instance: Instance, nowMs: number): void {
    instance.requests++;
    instance.active++;
    this.dispatcher.started(slot, nowMs);
  }

  /** A sign of life of the attempt that began `latencyMs` ago. */
  answering(slot: number, nowMs: number, latencyMs: number, waitedMs = -1, good = true): void {
    this.dispatcher.answering(slot, nowMs, latencyMs, waitedMs, good);
  }

  /** Looked for only where it counts: a field costs a comparison for each of the answer's. */
  heedLoad(slot: number, head: ResponseHead, bytes: Buffer): void {
    if (!this.#heedsLoad) return;
    const text = head.fields.find(bytes, "endpoint-load-metrics");
    const report = text === undefined ? undefined : readLoadReport(text);
    if (report !== undefined) this.dispatcher.reported(slot, this.#context.nowMs(), report);
  }

  /** The whole request lies with the instance. */
  awaits(attempt: Attempt, nowMs: number): void {
    attempt.await(nowMs);
    this.dispatcher.awaits(attempt.slot, nowMs);
    this.#context.scanner.arm(nowMs);
  }

  /** Looks for silent instances, and for what waits on them. True: something is unanswered. */
  scan(nowMs: number, lateByMs: number): boolean {
    const { dispatcher } = this;
    // Who was away himself says so, also when all that he had missed has been answered.
    if (dispatcher.awaitingCount > 0 || lateByMs > 0) dispatcher.scan(nowMs, lateByMs);
    if (dispatcher.awaitingCount === 0) return false;
    for (const [slot, lent] of this.#bySlot.entries()) {
      if (lent?.instance.unanswered.first === undefined) continue;
      const untilMs = nowMs - dispatcher.hedgeAfterMs(slot);
      lent.instance.unanswered.hedge(untilMs, nowMs, HEDGE_LOOKS_MAX);
    }
    return true;
  }

  /** Every tick: what nothing else wakes. */
  tick(nowMs: number): void {
    this.dispatcher.tick(nowMs);
    if (this.#queue.size > 0) this.wake();
  }

  /** `status` of the answer, or 0. */
  finished(
    attempt: EndedAttempt,
    nowMs: number,
    result: Outcome,
    latencyMs: number,
    status: number,
  ): void {
    const { slot, instance, awaits } = attempt;
    instance.active--;
    if (result === outcome.connectFailed) instance.connectFailures++;
    else if (result === outcome.reset) instance.resets++;
    else if (result === outcome.timedOut) instance.timeouts++;
    if (status > 0) instance.answered(status, latencyMs);
    this.dispatcher.finished(slot, nowMs, result, latencyMs, awaits);
    if (this.#queue.size > 0) this.wake();
  }

  /** Whether one more may wait for the answer to a further try. */
  mayRetry({ atOnce }: RetryPolicy): boolean {
    return atOnce === undefined || this.retrying < atOnce;
  }

  /** A request is sent again. */
  retried(why: RetryCode): void {
    this.retries++;
    this.#retriedFor.add(why);
  }

  /** An answer of our own making, because no instance gave one. */
  refuse(): void {
    this.refused++;
    this.lost++;
  }

  /** A request that was not let in, so that others are served. */
  shed(): void {
    this.requests++;
    this.refuse();
  }

  measured(latencyMs: number): void {
    const bucket = bucketOf(latencyMs);
    this.latency[bucket] = (this.latency[bucket] as number) + 1;
  }

  isWaiting(waiter: Waiter): boolean {
    return this.#queue.has(waiter);
  }

  /** False when the queue is full of those who are as important. */
  enqueue(waiter: Waiter): boolean {
    const queue = this.#queue;
    if (queue.size >= this.#queueLength) {
      const least = queue.leastBelow(waiter.priority);
      if (least === undefined) return false;
      queue.delete(least);
      least.displaced();
    }
    queue.add(waiter);
    return true;
  }

  leaveQueue(waiter: Waiter): void {
    this.#queue.delete(waiter);
  }

  /** Lets those who wait try, in order, until one finds nothing that would have taken anybody. */
  wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    for (const line of this.#queue.lines()) if (!this.#wakeLine(line)) break;
    this.#waking = false;
  }

  /** Whether there may be something left for others. */
  #wakeLine(line: ReadonlySet<Waiter>): boolean {
    let passed = 0;
    for (const waiter of line) {
      if (waiter.tryAgain()) this.#queue.delete(waiter);
      else if (!waiter.isChoosy) return false;
      else if (++passed === PASSED_MAX) return true;
    }
    return true;
  }

  stats(nowMs: number): ServiceStats {
    const ejected = new Set(this.dispatcher.ejected(nowMs));
    const late = new Set(this.dispatcher.late());
    return {
      name: this.name,
      requests: this.requests,
      limited: this.limited,
      active: this.active,
      queued: this.#queue.size,
      retries: this.retries,
      retriedFor: this.#retriedFor.all(),
      hedges: this.hedges,
      refused: this.refused,
      lost: this.lost,
      serverErrors: this.serverErrors,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      latency: Array.from(this.latency),
      ...concurrencyOf(this.limit),
      instances: [...this.#listed.values()].map((instance) => ({
        id: instance.id,
        requests: instance.requests,
        active: instance.active,
        connectFailures: instance.connectFailures,
        resets: instance.resets,
        timeouts: instance.timeouts,
        hedges: instance.hedges,
        answers: Array.from(instance.answers),
        latency: withoutZeros(instance.latency),
        latencySumMs: instance.latencySumMs,
        ejections: instance.ejections.all(),
        ejected: ejected.has(instance.id),
        late: late.has(instance.id),
      })),
    };
  }

  #list(service: TableService): void {
    this.#queueLength = service.queueLength;
    this.#heedsLoad = service.loadReports === true;
    const before = this.#listed;
    this.#listed = new Map();
    for (const entry of service.instances) {
      const known = before.get(entry.id);
      const same = known !== undefined && known.host === entry.host && known.port === entry.port;
      const instance = same ? known : new Instance(entry, known);
      this.#listed.set(entry.id, instance);
      if (entry.verdict === "draining") instance.retire();
      else instance.retired = false;
      if (isFenced(service, entry)) instance.cut();
    }
    for (const instance of before.values()) {
      if (this.#listed.get(instance.id) === instance) continue;
      instance.retire();
      if (service.mode === "primary-standby") instance.cut();
    }
    this.#pseudonyms?.list(this.#listed.values());
  }
}

/** Whether the table says that another one is, or will be, the primary. */
function isFenced(service: TableService, { verdict }: TableInstance): boolean {
  return service.mode === "primary-standby" && (verdict === "standby" || verdict === "down");
}

function concurrencyOf(limit: ConcurrencyLimit | undefined): Pick<ServiceStats, "concurrency"> {
  if (limit === undefined) return {};
  const { waiting, baselineMs } = limit;
  return { concurrency: { limit: limit.limit, waiting, baselineMs } };
}

/** What a worker has found out stays, unless the table asks for something else. */
function limitOf(
  { concurrency }: TableService,
  nowMs: number,
  known?: ConcurrencyLimit,
): ConcurrencyLimit | undefined {
  if (concurrency === undefined) return undefined;
  const { min, max, tolerance } = concurrency;
  const before = known?.settings;
  const isSame = before?.min === min && before.max === max && before.tolerance === tolerance;
  return isSame ? known : new ConcurrencyLimit(concurrency, nowMs);
}

/** `maxConnections` is for the instance; a worker takes its part, and at least one. */
function shareOf(service: TableService, workers: number): TableService {
  const share = (limit: number): number =>
    limit === 0 ? 0 : Math.max(1, Math.floor(limit / workers));
  const instances = service.instances.map((instance) =>
    instance.maxConnections === undefined
      ? instance
      : { ...instance, maxConnections: share(instance.maxConnections) },
  );
  return { ...service, instances, maxConnections: share(service.maxConnections) };
}

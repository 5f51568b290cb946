// A simulated gateway worker: the real routing and choosing, on simulated sockets.
//
// It follows tables, works on with the last one when control is gone, tells control what it
// notices, and never waits for anybody. src/gateway/worker is the real one; the two share
// core/dispatch and core/route, and this one shows what these do under faults.

import type { Observation } from "../../src/control/control.ts";
import type { Random } from "../../src/core/base/prng.ts";
import { createDispatcher } from "../../src/core/dispatch/create-dispatcher.ts";
import type { Dispatcher, Outcome } from "../../src/core/dispatch/dispatcher.ts";
import { SCAN_MS } from "../../src/core/detect/stall.ts";
import {
  type InstanceStats,
  quietInstance,
  quietService,
  quietWorker,
  type ServiceStats,
  type WorkerStats,
} from "../../src/core/measure/gateway-stats.ts";
import { bucketOf } from "../../src/core/measure/histogram.ts";
import { createRouter, type Router } from "../../src/core/route/router.ts";
import type { RoutingTable, TableService } from "../../src/core/route/table.ts";
import { type Attempt as Try, ClientRequest, type RequestEnd } from "./client-request.ts";
import type { EventLoop, Task } from "./event-loop.ts";
import { Gate } from "./gate.ts";
import type { MachineClock } from "./machine-clock.ts";
import type { Program } from "./program.ts";
import type { Attempt } from "./watcher.ts";

/** In a calm world, so long after something was asked or answered there is a scan for certain. */
const quietMsMax = 100;

/** The choosing of one service, and who waits for an instance of it. */
export interface Lane {
  service: TableService;
  readonly dispatcher: Dispatcher;
  waiting: ClientRequest[];
  /** Oldest first. */
  readonly unanswered: Set<Try>;
  readonly counts: Counts;
}

/** Cumulative, as in core/measure/gateway-stats.ts. */
interface Counts {
  requests: number;
  lost: number;
  hedges: number;
  serverErrors: number;
  /** Up to the last bucket that counts any. */
  readonly latency: number[];
  /** The same as it is told; undefined when it has changed since. */
  told: readonly number[] | undefined;
}

/** What a worker reaches of the world. */
export interface WorkerPorts {
  readonly loop: EventLoop;
  readonly clock: MachineClock;
  readonly random: Random;
  /** See WorldOptions.calm: nobody is stopped, and a scan that finds nothing is left out. */
  readonly isCalm: boolean;
  listener(host: string, port: number): Program | undefined;
  cutOff(instance: string): boolean;
  attempted(attempt: Attempt): void;
  attemptEnded(worker: Worker, instance: string, result: Outcome, beganMs: number): void;
  requestEnded(worker: Worker, end: RequestEnd): void;
  /** A notice to control; lost when there is no link. */
  noticed(worker: Worker, notice: Observation): void;
  followed(worker: Worker): void;
  trace(worker: Worker, subject: string, what: string): void;
}

export class Worker {
  readonly number: number;
  readonly gate: Gate;
  readonly loop: EventLoop;
  readonly open = new Set<ClientRequest>();
  /** Since when it hears control without a break; undefined while it does not. */
  linkedSinceMs: number | undefined;
  table: RoutingTable | undefined;
  /** When it was told something last: a table, or that control is there or gone. */
  toldAtMs = 0;
  /** When its last report is heard. */
  reportedMs = 0;
  /** When it took an instance back last. */
  readonly readmittedAtMs = new Map<string, number>();
  /** When it ejected an instance last, or a probe of it failed. */
  readonly ejectedAtMs = new Map<string, number>();
  /** Held back by its table, and taken because too few others were left. */
  readonly #needed = new Set<string>();
  readonly #ports: WorkerPorts;
  readonly #lanes = new Map<string, Lane>();
  readonly #active = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  /** Of each instance, what was told of it last: mostly only one has changed since. */
  readonly #told = new Map<string, InstanceStats>();
  #router: Router | undefined;
  /** What the router was made of. */
  #routes: RoutingTable["routes"] | undefined;
  /** Until something happens to it. */
  #stats: WorkerStats | undefined;
  /** Who is ejected or late may have changed since it was counted. */
  #wasScanned = false;
  #scan: { readonly task: Task; readonly dueMs: number } | undefined;
  /** Scans are whole steps from here. */
  #scansFromMs = 0;

  constructor(number: number, ports: WorkerPorts, table: RoutingTable | undefined) {
    this.number = number;
    this.#ports = ports;
    this.loop = ports.loop;
    this.gate = new Gate(ports.loop, false);
    if (table !== undefined) this.swap(table);
  }

  nowMs(): number {
    return this.#ports.clock.monotonicMs();
  }

  /** Follows a newer table; an older one, late or doubled, changes nothing. */
  swap(table: RoutingTable): void {
    if (this.table !== undefined && table.version <= this.table.version) return;
    this.table = table;
    this.#stats = undefined;
    this.toldAtMs = this.loop.nowMs;
    if (this.#routes !== table.routes) this.#router = createRouter(table.routes);
    this.#routes = table.routes;
    const named = new Set(table.services.map((service) => service.name));
    for (const service of table.services) this.#follow(service);
    for (const [name, lane] of this.#lanes) {
      if (!named.has(name)) this.#lanes.delete(name);
      this.pump(lane);
    }
    this.#ports.followed(this);
  }

  #follow(service: TableService): void {
    for (const { id, verdict } of service.instances) {
      if (verdict !== "standby") this.#needed.delete(id);
    }
    const lane = this.#lanes.get(service.name);
    if (lane !== undefined) {
      lane.service = service;
      lane.dispatcher.update(service, this.nowMs());
      return;
    }
    const random = this.#ports.random.stream(service.name);
    const dispatcher = createDispatcher(service, this.nowMs(), {
      random: () => random.ratio(),
      onEjection: ({ instance, sentence, kind, cause }) => {
        if (kind === "ejected") this.ejectedAtMs.set(instance, this.loop.nowMs);
        if (kind === "readmitted") this.#readmitted(instance);
        this.#ports.trace(this, instance, sentence);
        const isChange = kind === "ejected" || kind === "readmitted";
        const notice = { instance, detail: sentence, ...(cause && { cause }) };
        this.#ports.noticed(this, { ...notice, kind: isChange ? kind : "seen" });
      },
    });
    dispatcher.setControlAlive(this.linkedSinceMs !== undefined, this.nowMs());
    this.#lanes.set(service.name, {
      service,
      dispatcher,
      waiting: [],
      unanswered: new Set(),
      counts: {
        requests: 0,
        lost: 0,
        hedges: 0,
        serverErrors: 0,
        latency: [],
        told: undefined,
      },
    });
  }

  #readmitted(instance: string): void {
    this.readmittedAtMs.set(instance, this.loop.nowMs);
    const instances = this.table?.services.flatMap((service) => service.instances) ?? [];
    const isHeldBack = instances.some(
      ({ id, verdict }) => id === instance && verdict === "standby",
    );
    if (isHeldBack) this.#needed.add(instance);
  }

  linked(linked: boolean): void {
    if (linked === (this.linkedSinceMs !== undefined)) return;
    this.#stats = undefined;
    this.linkedSinceMs = linked ? this.loop.nowMs : undefined;
    this.toldAtMs = this.loop.nowMs;
    for (const lane of this.#lanes.values()) {
      lane.dispatcher.setControlAlive(linked, this.nowMs());
      this.pump(lane);
    }
    this.#ports.followed(this);
  }

  /** A client's request arrives. False when no route takes it. */
  request(path: string, idempotent: boolean, key: number): boolean {
    const method = idempotent ? "GET" : "POST";
    const index = this.#router?.find("shop.example", path, method, noHeader) ?? -1;
    const route = this.table?.routes[index];
    const lane = route === undefined ? undefined : this.#lanes.get(route.service);
    if (route === undefined || lane === undefined) return false;
    this.#stats = undefined;
    new ClientRequest(this, lane, route, idempotent, key).begin();
    return true;
  }

  /** Lets those that wait ask again. */
  pump(lane: Lane): void {
    this.#stats = undefined;
    if (lane.waiting.length === 0) return;
    const waiting = lane.waiting;
    lane.waiting = [];
    for (const request of waiting) request.tryOne();
  }

  /** What the real one reports, of what there is here. */
  stats(): WorkerStats {
    if (this.#stats !== undefined && this.#wasScanned && !this.#standsAs(this.#stats)) {
      this.#stats = undefined;
    }
    this.#wasScanned = false;
    this.#stats ??= this.#count();
    return this.#stats;
  }

  /** Whether the same are ejected and late. */
  #standsAs({ services }: WorkerStats): boolean {
    return services.every(({ name, instances }) => {
      const dispatcher = this.#lanes.get(name)?.dispatcher;
      const ejected = dispatcher?.ejected(this.nowMs()) ?? [];
      const late = dispatcher?.late() ?? [];
      return instances.every(
        (one) => one.ejected === ejected.includes(one.id) && one.late === late.includes(one.id),
      );
    });
  }

  #count(): WorkerStats {
    const ejected = this.ejected();
    const services = [...this.#lanes.values()].map((lane): ServiceStats => {
      const { service, counts, waiting, dispatcher } = lane;
      const late = dispatcher.late();
      const instances = service.instances.map(({ id }) => {
        return this.#countInstance(id, ejected.includes(id), late.includes(id));
      });
      counts.told ??= counts.latency.slice();
      const { requests, lost, hedges, serverErrors, told: latency } = counts;
      // Each field by its name, here and of instances: spreading over takes many times as long.
      return {
        name: service.name,
        requests,
        limited: 0,
        active: 0,
        queued: waiting.length,
        retries: 0,
        retriedFor: quietService.retriedFor,
        hedges,
        refused: 0,
        lost,
        serverErrors,
        bytesIn: 0,
        bytesOut: 0,
        latency,
        instances,
      };
    });
    return {
      ...quietWorker,
      worker: this.number,
      pid: this.number,
      tableVersion: this.table?.version ?? 0,
      services,
    };
  }

  /** As it was told the last time, if nothing of it has changed. */
  #countInstance(id: string, ejected: boolean, late: boolean): InstanceStats {
    const before = this.#told.get(id);
    const requests = this.#attempts.get(id) ?? 0;
    const active = this.active(id);
    const isSame = before?.requests === requests && before.active === active;
    if (isSame && before.ejected === ejected && before.late === late) return before;
    const { answers, latency, ejections } = quietInstance;
    const counted: InstanceStats = {
      id,
      requests,
      active,
      connectFailures: 0,
      resets: 0,
      timeouts: 0,
      hedges: 0,
      answers,
      latency,
      latencySumMs: 0,
      ejections,
      ejected,
      late,
    };
    this.#told.set(id, counted);
    return counted;
  }

  ejected(): readonly string[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.dispatcher.ejected(this.nowMs()));
  }

  /** Who of a service takes traffic: by the table, and by what this worker has found out. */
  takers(service: TableService): ReadonlySet<string> {
    const ejected = new Set(this.ejected());
    const isTried = this.linkedSinceMs === undefined && service.mode !== "primary-standby";
    const takers = service.instances.filter(({ id, verdict }) => {
      const isOpen = verdict === "up" || (verdict === "down" && isTried) || this.#needed.has(id);
      return isOpen && !ejected.has(id);
    });
    return new Set(takers.map(({ id }) => id));
  }

  active(instance: string): number {
    return this.#active.get(instance) ?? 0;
  }

  /** A whole request lies with an instance. */
  begin(lane: Lane, attempt: Try): void {
    const { instance, slot, beganMs } = attempt;
    this.#stats = undefined;
    this.#attempts.set(instance, (this.#attempts.get(instance) ?? 0) + 1);
    this.#active.set(instance, this.active(instance) + 1);
    lane.dispatcher.started(slot, beganMs);
    lane.dispatcher.awaits(slot, beganMs);
    lane.unanswered.add(attempt);
    this.#scanSoon();
  }

  finish(lane: Lane, attempt: Try): void {
    this.#stats = undefined;
    this.#active.set(attempt.instance, this.active(attempt.instance) - 1);
    lane.unanswered.delete(attempt);
  }

  /** As gateway/engine/scanner.ts: while anything is unanswered, and by how much it is late. */
  #scanSoon(wasScanned = false): void {
    const nowMs = this.nowMs();
    if (this.#scan === undefined) this.#scansFromMs = nowMs;
    const dueMs = this.#nextScanMs(nowMs, wasScanned);
    if (dueMs === Infinity || (this.#scan !== undefined && this.#scan.dueMs <= dueMs)) return;
    this.#scan?.task[Symbol.dispose]();
    const run = (): void => this.gate.enter(() => this.#scanned(this.nowMs() - dueMs));
    this.#scan = { task: this.loop.after(Math.max(0, dueMs - nowMs), run), dueMs };
  }

  /** The next step; in a calm world the first one at which a scan may find something. */
  #nextScanMs(nowMs: number, wasScanned: boolean): number {
    const next = Math.floor((nowMs - this.#scansFromMs) / SCAN_MS) + 1;
    if (!this.#ports.isCalm) return this.#scansFromMs + next * SCAN_MS;
    let quietMs = wasScanned ? Infinity : nowMs + quietMsMax;
    for (const lane of this.#lanes.values()) {
      if (lane.unanswered.size === 0) continue;
      quietMs = Math.min(quietMs, quietUntilMs(lane, nowMs, wasScanned));
    }
    const steps = Math.max(next, Math.ceil((quietMs - this.#scansFromMs) / SCAN_MS));
    return this.#scansFromMs + steps * SCAN_MS;
  }

  #scanned(lateByMs: number): void {
    if (lateByMs <= SCAN_MS) this.#scanNow(0);
    // What has arrived meanwhile is read before anything is judged.
    else this.loop.after(0, () => this.gate.enter(() => this.#scanNow(lateByMs)));
  }

  #scanNow(lateByMs: number): void {
    const nowMs = this.nowMs();
    this.#scan = undefined;
    this.#wasScanned = true;
    for (const { dispatcher, unanswered } of this.#lanes.values()) {
      dispatcher.tick(nowMs);
      if (unanswered.size === 0 && lateByMs === 0) continue;
      dispatcher.scan(nowMs, lateByMs);
      if (dispatcher.late().length === 0) continue;
      for (const attempt of unanswered) {
        const hedgeMs = attempt.beganMs + dispatcher.hedgeAfterMs(attempt.slot);
        if (hedgeMs <= nowMs) attempt.hedge();
      }
    }
    const isAnyAsked = [...this.#lanes.values()].some(({ unanswered }) => unanswered.size > 0);
    if (isAnyAsked) this.#scanSoon(true);
  }

  listener(host: string, port: number): Program | undefined {
    return this.#ports.listener(host, port);
  }

  cutOff(instance: string): boolean {
    return this.#ports.cutOff(instance);
  }

  attempted(attempt: Omit<Attempt, "worker">): void {
    this.#ports.attempted({ worker: this, ...attempt });
  }

  attemptEnded(instance: string, result: Outcome, beganMs: number): void {
    // Who is still asked may be late sooner, now that somebody has answered.
    if (this.#scan !== undefined && this.#ports.isCalm) this.#scanSoon();
    this.#ports.attemptEnded(this, instance, result, beganMs);
  }

  noticed(instance: string, detail: string): void {
    this.#ports.noticed(this, { instance, detail });
  }

  requestEnded(request: ClientRequest, end: RequestEnd): void {
    this.open.delete(request);
    this.#stats = undefined;
    this.#countEnd(end);
    this.#ports.requestEnded(this, end);
  }

  #countEnd({ service, result, startedAtMs, endedAtMs }: RequestEnd): void {
    const counts = this.#lanes.get(service)?.counts;
    if (counts === undefined) return;
    counts.requests++;
    if (result === "failed" || result === "refused") counts.lost++;
    if (result === "server-error") counts.serverErrors++;
    const bucket = bucketOf(endedAtMs - startedAtMs);
    counts.told = undefined;
    while (counts.latency.length <= bucket) counts.latency.push(0);
    counts.latency[bucket] = (counts.latency[bucket] as number) + 1;
  }

  /** kill -9: what was under way in it is lost. */
  kill(): void {
    for (const request of this.open) request.end("lost");
    this.linkedSinceMs = undefined;
    this.gate.end();
  }
}

/** Who waits for a late one may be sent elsewhere at any scan. */
function quietUntilMs({ dispatcher, unanswered }: Lane, nowMs: number, wasScanned: boolean) {
  const isTried = dispatcher.late().length > 0 && [...unanswered].some((one) => one.mayHedge);
  return isTried ? nowMs : dispatcher.quietUntilMs(nowMs, wasScanned);
}

function noHeader(): undefined {
  return undefined;
}

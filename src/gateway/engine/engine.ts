// The engine of one worker: takes connections, and holds the table that they are routed by.
//
// A table is swapped between two requests: a request under way keeps its route and its service
// objects to its end, whatever the new table says. Control, parent and store are unknown here;
// without any news the engine goes on with the last table for ever.

import { randomBytes } from "node:crypto";
import { alone, type WorkerPlace } from "../../core/balance/subset.ts";
import { assert, present } from "../../core/base/assert.ts";
import { createPrng } from "../../core/base/prng.ts";
import type { WorkerStats } from "../../core/measure/gateway-stats.ts";
import { addressGroup } from "../../core/guard/client-address.ts";
import { nameRoutes } from "../../core/route/route-names.ts";
import { createRouter, type Router, UNDECIDED } from "../../core/route/router.ts";
import type { RoutingTable, Timeouts } from "../../core/route/table.ts";
import type { Engine, EngineOptions, Spent } from "../contract.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { connectWire } from "../transport/handle-wire.ts";
import type { Wire } from "../transport/wire.ts";
import { ClientConnection, type ClientOwner } from "./client-connection.ts";
import { type Gate, Admission } from "./admission.ts";
import { Context, DRAIN_PATIENCE_RATIO, TICK_MS } from "./context.ts";
import { Crowds } from "./crowds.ts";
import { ExchangePool } from "./exchange-pool.ts";
import { RouteCounts } from "./route-counts.ts";
import { KeptLog } from "./kept-log.ts";
import { Scanner } from "./scanner.ts";
import { Service, type Target } from "./service.ts";
import { TcpConnection } from "./tcp-connection.ts";

export function createEngine(options: EngineOptions): Engine {
  return new WorkerEngine(options);
}

/** Of clients that no route has told otherwise. */
const timeoutsWithoutRoute: Timeouts = {
  connectMs: 1000,
  headMs: 10_000,
  idleMs: 30_000,
  keepAliveMs: 60_000,
  queueMs: 5000,
  responseMs: 30_000,
  tunnelMs: 3_600_000,
};

const PACE_EVERY_TICKS = 1000 / TICK_MS;
const LOG_EVERY_TICKS = 100 / TICK_MS;

const noGates: readonly Gate[] = [];

class WorkerEngine implements Engine, ClientOwner {
  readonly #worker: number;
  readonly #context: Context;
  readonly exchanges: ExchangePool;
  readonly #http = new Set<ClientConnection>();
  readonly #tcp = new Set<TcpConnection>();
  #table: RoutingTable;
  #router: Router;
  readonly #admission = new Admission();
  readonly #log: KeptLog;
  readonly #crowds = new Crowds();
  /** By route of the table. */
  #targets: readonly Target[] = [];
  #services = new Map<string, Service>();
  /** By name and service. */
  #counts = new Map<string, RouteCounts>();
  #controlAlive = true;
  #place = alone;
  #accepted = 0;
  #loopDelayMs = 0;
  #lastResidentBytes = 0;
  #ticks = 0;
  #lastTickMs: number;
  readonly #ticker: NodeJS.Timeout;
  #drain: Drain | undefined = undefined;

  constructor(options: EngineOptions) {
    this.#worker = options.worker;
    this.#table = options.table;
    this.#router = createRouter(options.table.routes);
    this.#lastTickMs = performance.now();
    this.#context = new Context({
      limits: options.table.limits,
      random: createPrng(randomBytes(4).readUInt32LE(0)),
      nowMs: this.#lastTickMs,
      scanner: new Scanner((nowMs, lateByMs) => this.#scan(nowMs, lateByMs)),
      notice: options.onNotice,
      stickyKey: options.stickyKey,
      connect: options.connect ?? connectWire,
    });
    this.exchanges = new ExchangePool(this.#context);
    this.#log = new KeptLog({
      place: options.accessLog,
      nowMs: () => this.#context.nowMs(),
      random: () => this.#context.random.ratio(),
    });
    this.#adopt(options.table);
    this.#context.accessLog = this.#log.follow(options.table.accessLog);
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  get connections(): number {
    return this.#http.size + this.#tcp.size;
  }

  get keptConnections(): number {
    return this.#context.keptConnections;
  }

  /** Before its first request a client is given the time of the least specific route. */
  get timeouts(): Timeouts {
    return this.#table.routes.at(-1)?.timeouts ?? timeoutsWithoutRoute;
  }

  acceptHttp(wire: Wire): void {
    this.#accepted++;
    const address = addressOf(wire);
    if (address === undefined) return;
    const group = addressGroup(address);
    if (!this.#mayStay(wire, group)) return;
    this.#http.add(new ClientConnection(this.#context, wire, { address, group }, this));
  }

  #mayStay(wire: Wire, group: string): boolean {
    const stays = this.#crowds.joined(group, this.#context.limits.connectionsPerAddress);
    if (!stays) wire.destroy();
    return stays;
  }

  acceptTcp(wire: Wire, route: number): void {
    this.#accepted++;
    const address = addressOf(wire);
    if (address === undefined) return;
    const target = this.#targets[route];
    if (target === undefined) {
      wire.destroy();
      return;
    }
    const group = addressGroup(address);
    if (!this.#mayStay(wire, group)) return;
    const onClosed = (connection: TcpConnection): void => {
      this.#crowds.left(group);
      this.#tcp.delete(connection);
      this.#settleDrain();
    };
    const connection = new TcpConnection(this.#context, wire, { ...target, address, onClosed });
    if (connection.wire.open) this.#tcp.add(connection);
  }

  swap(table: RoutingTable): void {
    this.#table = table;
    this.#router = createRouter(table.routes);
    this.#context.setLimits(table.limits);
    this.#adopt(table);
    this.#context.accessLog = this.#log.follow(table.accessLog);
  }

  setControlAlive(alive: boolean): void {
    this.#controlAlive = alive;
    const nowMs = this.#context.nowMs();
    for (const service of this.#services.values()) service.setControlAlive(alive, nowMs);
  }

  standAt(place: WorkerPlace): void {
    this.#place = place;
    const nowMs = this.#context.nowMs();
    for (const service of this.#services.values()) service.dispatcher.standAt(place, nowMs);
  }

  closeConnections(instance: string, everything: boolean): void {
    for (const service of this.#services.values()) service.closeConnections(instance, everything);
  }

  takeSpent(): readonly Spent[] {
    return this.#admission.takeSpent();
  }

  hearSpent(spent: readonly Spent[]): void {
    this.#admission.hearSpent(spent, this.#context.nowMs());
  }

  target(bytes: Buffer, head: RequestHead): Target | undefined {
    const router = this.#router;
    const to = pathEnd(bytes, head);
    const found = router.findByPath(bytes, head.pathFrom, to);
    const route = found === UNDECIDED ? this.#find(bytes, head, to) : found;
    return route < 0 ? undefined : this.#targets[route];
  }

  #find(bytes: Buffer, head: RequestHead, pathTo: number): number {
    const router = this.#router;
    const path = bytes.toString("latin1", head.pathFrom, pathTo) || "/";
    const host = router.asksHost ? hostOf(bytes, head) : "";
    const method = router.asksMethod
      ? bytes.toString("latin1", head.methodFrom, head.methodTo)
      : "";
    return router.find(host, path, method, (name) => head.fields.find(bytes, name));
  }

  closed(client: ClientConnection): void {
    this.#http.delete(client);
    this.#crowds.left(client.group);
    this.#settleDrain();
  }

  drain(deadlineMs: number, final = false): Promise<void> {
    if (this.#drain !== undefined) return this.#drain.done;
    this.#context.draining = true;
    const nowMs = this.#context.nowMs();
    this.#drain = createDrain(nowMs, deadlineMs, final ? 0 : DRAIN_PATIENCE_RATIO);
    this.#settleDrain();
    return this.#drain.done;
  }

  stats(): WorkerStats {
    const nowMs = this.#context.nowMs();
    const loopDelayMs = this.#loopDelayMs;
    this.#loopDelayMs = 0;
    return {
      worker: this.#worker,
      pid: process.pid,
      connections: this.connections,
      connectionsAccepted: this.#accepted,
      connectionsRefused: this.#crowds.refused,
      refusedHeads: this.#context.refusedHeads,
      failures: this.#context.failures.all(),
      logLines: this.#log.written,
      logLinesLost: this.#log.dropped,
      tableVersion: this.#table.version,
      routes: [...this.#counts.values()].map((counts) => counts.stats()),
      services: [...this.#services.values()].map((service) => service.stats(nowMs)),
      residentBytes: this.#residentBytes(),
      loopDelayMs,
    };
  }

  /** Node opens a file to learn it: without a descriptor left the last reading stands. */
  #residentBytes(): number {
    try {
      this.#lastResidentBytes = process.memoryUsage.rss();
    } catch {
      // Out of descriptors is a reason to go on serving, not to end.
    }
    return this.#lastResidentBytes;
  }

  #adopt(table: RoutingTable): void {
    const nowMs = this.#context.nowMs();
    const before = this.#services;
    this.#services = new Map();
    for (const entry of table.services) {
      const known = before.get(entry.name);
      const service = known ?? new Service(this.#context, entry, table.workers, nowMs);
      if (known === undefined) {
        service.setControlAlive(this.#controlAlive, nowMs);
        service.dispatcher.standAt(this.#place, nowMs);
      }
      this.#services.set(entry.name, service);
    }
    const gates = this.#admission.adopt(table.routes, table.workers);
    const counts = this.#countRoutes(table);
    this.#targets = table.routes.map((route, index) => {
      const service = this.#services.get(route.service);
      assert(service !== undefined, "each route's service is in the table");
      const counted = present(counts[index], "each route is counted");
      const sticky = route.sticky && service.sticky(route.sticky);
      return { route, service, gates: gates[index] ?? noGates, counts: counted, sticky };
    });
    for (const [name, service] of before) if (!this.#services.has(name)) service.retire();
    // Last, since it lets queued requests go on, by the new table.
    for (const entry of table.services) {
      const known = before.get(entry.name);
      known?.update(entry, table.workers, nowMs);
    }
  }

  /** A route that stays goes on counting where it was. */
  #countRoutes(table: RoutingTable): readonly RouteCounts[] {
    const before = this.#counts;
    this.#counts = new Map();
    return nameRoutes(table).map((name, index) => {
      const { service } = present(table.routes[index], "each name is a route's");
      const key = `${name} ${service}`;
      const counts = before.get(key) ?? new RouteCounts(name, service);
      this.#counts.set(key, counts);
      return counts;
    });
  }

  #tick(): void {
    const nowMs = this.#context.nowMs();
    const lateMs = nowMs - this.#lastTickMs - TICK_MS;
    this.#lastTickMs = nowMs;
    if (lateMs > this.#loopDelayMs) this.#loopDelayMs = lateMs;
    this.#context.timers.advance(nowMs);
    for (const service of this.#services.values()) service.tick(nowMs);
    if (this.#ticks % LOG_EVERY_TICKS === 0) this.#log.flush();
    if (this.#ticks++ % PACE_EVERY_TICKS === 0) this.#keepPace(nowMs);
    const drain = this.#drain;
    if (drain === undefined) return;
    if (nowMs >= drain.deadlineMs) this.#cut();
    else if (nowMs >= drain.closeIdleMs) for (const client of this.#http) client.closeIdle();
  }

  #keepPace(nowMs: number): void {
    const { minimumRate } = this.#context.limits;
    if (minimumRate > 0) for (const client of this.#http) client.keepPace(nowMs, minimumRate);
  }

  #scan(nowMs: number, lateByMs: number): boolean {
    let isAnyUnanswered = false;
    for (const service of this.#services.values()) {
      if (service.scan(nowMs, lateByMs)) isAnyUnanswered = true;
    }
    return isAnyUnanswered;
  }

  #cut(): void {
    for (const client of this.#http) client.destroy();
    for (const connection of this.#tcp) connection.destroy();
    this.#settleDrain();
  }

  #settleDrain(): void {
    const drain = this.#drain;
    if (drain === undefined || this.connections > 0) return;
    for (const service of this.#services.values()) service.retire();
    clearInterval(this.#ticker);
    this.#context.scanner.close();
    void this.#log.close().then(drain.resolve);
  }
}

/**
 * A client that reset its connection before it was accepted has no address any more, though what it
 * sent can still be read. Forwarded, that would say it came from nowhere: it is closed instead.
 */
function addressOf(wire: Wire): string | undefined {
  const address = wire.peerAddress;
  if (address === undefined) wire.destroy();
  return address;
}

interface Drain {
  readonly deadlineMs: number;
  readonly closeIdleMs: number;
  readonly done: Promise<void>;
  readonly resolve: () => void;
}

function createDrain(nowMs: number, deadlineMs: number, patienceRatio: number): Drain {
  let resolve: () => void = () => undefined;
  const done = new Promise<void>((settle) => {
    resolve = settle;
  });
  const closeIdleMs = nowMs + deadlineMs * patienceRatio;
  return { deadlineMs: nowMs + deadlineMs, closeIdleMs, done, resolve };
}

const QUERY = 0x3f;

/** Without the query. */
function pathEnd(bytes: Buffer, head: RequestHead): number {
  const { pathFrom, pathTo } = head;
  let to = pathFrom;
  while (to < pathTo && bytes[to] !== QUERY) to++;
  return to;
}

/** Lower case, without its port. */
function hostOf(bytes: Buffer, head: RequestHead): string {
  const { fields } = head;
  const host =
    head.authorityTo > head.authorityFrom
      ? bytes.toString("latin1", head.authorityFrom, head.authorityTo)
      : fields.host < 0
        ? ""
        : fields.value(bytes, fields.host);
  return host.replace(/:\d*$/, "").toLowerCase();
}

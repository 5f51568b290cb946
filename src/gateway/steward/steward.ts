// The steward: control's hand on the data plane.
//
// It hands out tables, adds up what workers count, passes on what they notice, and sees to it that
// there is a gateway at all. Invariant: a gateway that serves is never disturbed. As long as one
// process of it lives and talks, the gateway mends itself (worker/succession.ts, parent/plan.ts);
// the steward acts only when
//
// - nothing of a gateway lives: it starts a parent;
// - something lives and nothing has talked for 1.5 s: it ends what is left, whose sockets would be
//   in the way, and then starts a parent;
// - the holder of the parent's office has not been heard for 2 s: it is killed, and the workers
//   choose another.

import type { ChildProcess } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { sayDuration } from "../../core/base/duration.ts";
import { NinesError } from "../../core/base/errors.ts";
import { backoffCeilingMs } from "../../core/guard/backoff.ts";
import type { CauseName } from "../../core/dispatch/ejections.ts";
import type { InstanceStats, WorkerStats } from "../../core/measure/gateway-stats.ts";
import type { RoutingTable } from "../../core/route/table.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Events } from "../../ports/events.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";
import type { RoutingTables } from "../../ports/routing-tables.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import type { AnswerCounts, Traffic } from "../../ports/traffic.ts";
import type { WorkerReports } from "../../ports/worker-reports.ts";
import type {
  FromControl,
  Hello,
  InstanceNotice,
  ListenFailure,
  ToControl,
  WorkerState,
} from "../contract.ts";
import type { Link } from "../link/link.ts";
import { readToControl } from "../link/messages.ts";
import { createNoticeFilter } from "../link/notice-filter.ts";
import { type PeerHandlers, serveLinks } from "../link/server.ts";
import { type Board, openBoard } from "../process/board.ts";
import { beatEvery, type Identify, lives, signalProcess } from "../process/host.ts";
import { launch } from "../process/launch.ts";
import type { GatewayPaths } from "../process/paths.ts";
import { saveTable } from "../process/table-file.ts";
import { type KeptCounters, loadCounters, saveCounters } from "./kept-counters.ts";
import { SheddingNews } from "./shedding-news.ts";
import { createTotals, type GatewayTotals, type Totals } from "./totals.ts";

const BEAT_MS = 100;
const ALIVE_EVERY_BEATS = 5;
const HOLDER_EVERY_BEATS = 5;
const KEEP_EVERY_BEATS = 10;
const SHEDDING_EVERY_BEATS = 10;
const HOLDER_SILENT_MS = 2_000;
const ALL_SILENT_MS = 1_500;
/** Workers write on the board twenty times a second. */
const ALL_STILL_MS = 3_000;
const NO_WORKER_MS = 2_000;
/** A parent that we started has this long to talk. */
const LAUNCH_MS = 10_000;
const STOP_MARGIN_MS = 1_500;
const STOP_LOOK_MS = 20;
const EVENT_QUIET_MS = 1_000;
const relaunch = { baseMs: 250, maxMs: 5_000 };

export interface StewardOptions {
  readonly version: string;
  readonly clock: Clock;
  /** Of the office of gateway parent; the steward only looks. */
  readonly claims: Pick<TermClaims, "holder">;
  readonly identify: Identify;
  readonly paths: GatewayPaths;
  readonly parentCommand: readonly string[];
  readonly events: Events;
  /** What a worker noticed of an instance: reason enough for a check at once. */
  readonly onObservation: (observation: {
    readonly instance: string;
    readonly detail: string;
    readonly kind: "seen" | "ejected" | "readmitted";
    readonly cause?: CauseName;
  }) => void;
}

export interface GatewayStatus {
  /** The parent that control hears. */
  readonly parent: { readonly pid: number; readonly term: number } | undefined;
  readonly workers: readonly WorkerState[];
  /** Last reports, of workers that live. */
  readonly stats: readonly WorkerStats[];
  readonly totals: GatewayTotals;
  readonly listenFailures: readonly ListenFailure[];
  /** Of the table in force; 0 before the first. */
  readonly tableVersion: number;
}

export interface Steward extends RoutingTables, Traffic, WorkerReports {
  /**
   * Resolves when as many workers serve as the table asks for, and each has said that it follows
   * the table that was published last before this call. Rejects when that is not so in time
   * (NINES_GATEWAY_NOT_SERVING), or when this steward started the gateway and it cannot listen on
   * an address (NINES_GATEWAY_PORT_TAKEN, NINES_GATEWAY_LISTEN); a gateway that was found serving
   * goes on with the rest, and only says so.
   */
  ready(withinMs: number): Promise<void>;
  status(): GatewayStatus;
  /** What has been counted, for whoever adds it up further: never less than it was told before. */
  tellTotals(): GatewayTotals;
  /** Each worker by a new one that serves first. False when no parent is linked to hear it. */
  replaceWorkers(): boolean;
  /** See Engine.closeConnections; by how many workers: those that are linked hear it. */
  closeConnections(instance: string, everything: boolean): number;
  /** Drains and ends every process of the gateway; resolves when none is left. */
  stop(drainMs: number): Promise<void>;
  /** Lets go of the gateway and leaves it running. */
  release(): void;
}

/** Listens for gateway processes; starts none before the first table is published. */
export async function openSteward(options: StewardOptions): Promise<Steward> {
  const kept = loadCounters(options.paths.countersFile);
  const steward = new GatewaySteward(options, openBoard(options.paths.boardFile), kept);
  await steward.open();
  return steward;
}

interface Peer {
  readonly hello: Hello;
  link: Link<FromControl> | undefined;
  heardMs: number;
  stats: WorkerStats | undefined;
  workers: readonly WorkerState[];
  failures: readonly ListenFailure[];
}

interface Waiter {
  readonly version: number;
  readonly untilMs: number;
  readonly resolve: () => void;
  readonly reject: (error: NinesError) => void;
}

class GatewaySteward implements Steward {
  readonly #options: StewardOptions;
  readonly #board: Board;
  readonly #peers = new Map<number, Peer>();
  readonly #totals: Totals;
  readonly #shedding: SheddingNews;
  readonly #isNews = createNoticeFilter(EVENT_QUIET_MS);
  readonly #closers: Disposable[] = [];
  readonly #reportListeners = new Set<(stats: WorkerStats) => void>();
  /** The table on disk, as far as we wrote it. */
  #keptVersion = 0;
  #tableRefused = false;
  #countersRefused = false;
  #waiters: Waiter[] = [];
  #table: RoutingTable | undefined;
  #stopping = false;
  #stopped = false;
  #beats = 0;
  #released = false;
  /** Silence counts from here at the earliest: before, we were not there to hear. */
  #listeningSinceMs: number;
  /** Since when no worker is linked, while none is. */
  #noWorkerSinceMs: number;
  #holder = { term: -1, seenMs: 0 };
  #child: ChildProcess | undefined;
  #childSinceMs = 0;
  #launched = false;
  #launchFailures = 0;
  #mayLaunchAtMs = 0;
  #lastEnd = "";
  #renewedTerm = -1;

  constructor(options: StewardOptions, board: Board, kept: KeptCounters | undefined) {
    this.#options = options;
    this.#board = board;
    this.#listeningSinceMs = options.clock.monotonicMs();
    this.#noWorkerSinceMs = this.#listeningSinceMs;
    this.#shedding = new SheddingNews(options.clock.monotonicMs());
    // Those that have ended meanwhile are found out like any other.
    for (const { hello, stats } of kept?.workers ?? []) {
      const unheard = { link: undefined, heardMs: 0, workers: [], failures: [] };
      this.#peers.set(hello.identity.pid, { hello, stats, ...unheard });
    }
    // Whoever had counted may have ended by now, each replaced by another of the same gateway.
    const goesOn = this.#living().length > 0;
    if (!goesOn) this.#peers.clear();
    this.#totals = createTotals(goesOn ? kept?.ended : undefined);
  }

  async open(): Promise<void> {
    const { paths, clock } = this.#options;
    const server = await serveLinks<ToControl, FromControl>({
      path: paths.controlSocket,
      parse: readToControl,
      onPeer: (hello, link) => this.#meet(hello, link),
    });
    const beat = beatEvery(clock, BEAT_MS, (nowMs, lateMs) => this.#everyBeat(nowMs, lateMs));
    this.#closers.push(server, beat, this.#board);
  }

  publish(table: RoutingTable): void {
    if (this.#table !== undefined && table.version <= this.#table.version) return;
    this.#table = table;
    this.#totals.follow(table);
    this.#keepTable(table);
    for (const peer of this.#peers.values()) peer.link?.sendLatest({ type: "table", table });
    // Nothing to listen on is no gateway at all; the next table with a listener starts one again.
    if (table.listeners.length === 0) {
      this.#parent()?.link?.send({ type: "stop", drainMs: table.drainMs });
    }
    this.#revive(this.#options.clock.monotonicMs());
  }

  isIdle(instance: string, version: number): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    // After a stop nobody is left to send anything.
    if (this.#stopped) return true;
    const linked = this.#linked("worker");
    if (linked.length === 0) return nowMs - this.#noWorkerSinceMs >= NO_WORKER_MS;
    return linked.every((worker) => isIdleOn(worker, instance, version));
  }

  /**
   * Workers that live and are not linked are on the board; whoever is neither begins with the table
   * on disk.
   */
  isFenced(instance: string, version: number): boolean {
    if (this.#stopped) return true;
    if (this.#keptVersion < version) return false;
    const linked = this.#linked("worker");
    const pids = new Set(linked.map((worker) => worker.hello.identity.pid));
    const strays = this.#board
      .lines()
      .some(({ identity }) => !pids.has(identity.pid) && lives(this.#options.identify, identity));
    return !strays && linked.every((worker) => isIdleOn(worker, instance, version));
  }

  onReport(listener: (stats: WorkerStats) => void): Disposable {
    this.#reportListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#reportListeners.delete(listener) };
  }

  linkedWorkers(): readonly number[] {
    return this.#linked("worker").map(({ hello }) => hello.identity.pid);
  }

  counts(service: string): ReadonlyMap<string, AnswerCounts> {
    const { services } = this.status().totals;
    const instances = services.find(({ name }) => name === service)?.instances ?? [];
    return new Map(instances.map((one) => [one.id, answersOf(one)]));
  }

  async ready(withinMs: number): Promise<void> {
    const untilMs = this.#options.clock.monotonicMs() + withinMs;
    return await new Promise((resolve, reject) => {
      const version = this.#table?.version ?? 1;
      this.#waiters.push({ version, untilMs, resolve, reject });
      this.#answerWaiters();
    });
  }

  status(): GatewayStatus {
    const parent = this.#parent();
    const stats = [...this.#peers.values()].flatMap((peer) => peer.stats ?? []);
    return {
      parent: parent && { pid: parent.hello.identity.pid, term: parent.hello.term },
      workers: parent?.workers ?? [],
      stats,
      totals: this.#totals.sum(stats),
      listenFailures: this.#failures(),
      tableVersion: this.#table?.version ?? 0,
    };
  }

  tellTotals(): GatewayTotals {
    const { paths, events } = this.#options;
    const { totals } = this.status();
    const workers = [...this.#peers.values()].flatMap(({ hello, stats }) =>
      stats === undefined ? [] : [{ hello, stats }],
    );
    try {
      saveCounters(paths.countersFile, { ended: this.#totals.ended, workers });
      this.#countersRefused = false;
    } catch (error) {
      // Told all the same: a full disk is when numbers are wanted most.
      if (this.#countersRefused) return totals;
      this.#countersRefused = true;
      const why = error instanceof Error ? error.message : String(error);
      const sentence = `what the gateway counts could not be kept on disk: ${why}`;
      events.record({ kind: "gateway.counters-unkept", level: "warning", sentence });
    }
    return totals;
  }

  replaceWorkers(): boolean {
    const parent = this.#parent();
    parent?.link?.send({ type: "replace-workers" });
    return parent !== undefined;
  }

  closeConnections(instance: string, everything: boolean): number {
    const workers = this.#linked("worker");
    for (const { link } of workers) link?.send({ type: "close", instance, everything });
    return workers.length;
  }

  async stop(drainMs: number): Promise<void> {
    if (this.#released) return;
    this.#stopping = true;
    const { clock, identify } = this.#options;
    const parent = this.#parent();
    if (parent !== undefined) parent.link?.send({ type: "stop", drainMs });
    else for (const identity of this.#living()) signalProcess(identify, identity, "SIGTERM");
    if (parent === undefined) this.#child?.kill("SIGTERM");
    const killAtMs = clock.monotonicMs() + drainMs + STOP_MARGIN_MS;
    // The end is known from the processes, not from what they say: a port is free when nobody
    // holds it.
    while (!this.#released && (this.#living().length > 0 || this.#child !== undefined)) {
      const overdueMs = clock.monotonicMs() - killAtMs;
      if (overdueMs >= 0) this.#killAll();
      if (overdueMs >= STOP_MARGIN_MS) break;
      await wait(STOP_LOOK_MS);
    }
    this.#stopped = true;
    this.release();
  }

  release(): void {
    this.#released = true;
    for (const closer of this.#closers.splice(0)) closer[Symbol.dispose]();
    const error = new NinesError("NINES_GATEWAY_NOT_SERVING", "control lets go of the gateway");
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  #linked(role: Hello["role"]): readonly Peer[] {
    return [...this.#peers.values()].filter(
      (peer) => peer.hello.role === role && peer.link !== undefined,
    );
  }

  /** Of two that overlap the one with the newer term; the other is about to find out. */
  #parent(): Peer | undefined {
    return this.#linked("parent").toSorted((a, b) => b.hello.term - a.hello.term)[0];
  }

  #failures(): readonly ListenFailure[] {
    return [...this.#peers.values()].flatMap((peer) => (peer.link ? peer.failures : []));
  }

  #meet(hello: Hello, link: Link<FromControl>): PeerHandlers<ToControl> {
    const { pid } = hello.identity;
    const before = this.#known(hello.identity);
    const nowMs = this.#options.clock.monotonicMs();
    const kept = { stats: before?.stats, workers: before?.workers ?? [] };
    const peer: Peer = { hello, link, heardMs: nowMs, ...kept, failures: [] };
    this.#peers.set(pid, peer);
    before?.link?.close("it linked anew");
    if (hello.role === "parent") this.#launchFailures = 0;
    link.sendLatest({ type: "alive" });
    if (this.#table !== undefined) link.sendLatest({ type: "table", table: this.#table });
    this.#renew();
    return {
      onMessage: (message) => this.#hear(peer, message),
      onClose: () => {
        peer.link = undefined;
        if (this.#linked("worker").length === 0) {
          this.#noWorkerSinceMs = this.#options.clock.monotonicMs();
        }
      },
    };
  }

  /** Another process may have had its pid before it. */
  #known({ pid, startTime }: ProcessIdentity): Peer | undefined {
    const known = this.#peers.get(pid);
    if (known === undefined || known.hello.identity.startTime === startTime) return known;
    if (known.stats !== undefined) this.#totals.retire(known.stats);
    this.#peers.delete(pid);
    return undefined;
  }

  #hear(peer: Peer, message: ToControl): void {
    peer.heardMs = this.#options.clock.monotonicMs();
    switch (message.type) {
      case "stats":
        this.#shedding.heard(peer.stats, message.stats);
        peer.stats = message.stats;
        for (const listener of this.#reportListeners) listener(message.stats);
        return this.#answerWaiters();
      case "notice":
        return this.#notice(message.notice);
      case "workers":
        peer.workers = message.workers;
        return this.#answerWaiters();
      case "listen-failures":
        peer.failures = message.failures;
        return this.#answerWaiters();
      case "event": {
        const { kind, level, sentence } = message;
        return this.#options.events.record({ kind, level, sentence });
      }
      case "hello":
        return;
    }
  }

  #notice(notice: InstanceNotice): void {
    const { kind, instance, sentence, cause } = notice;
    const nowMs = this.#options.clock.monotonicMs();
    const told = kind === "ejected" || kind === "readmitted" ? kind : "seen";
    this.#options.onObservation({
      instance,
      detail: sentence,
      kind: told,
      ...(cause && { cause }),
    });
    if ((kind === "ejected" || kind === "readmitted") && this.#isNews(notice, nowMs)) {
      const level = kind === "ejected" ? "warning" : "info";
      const event = { kind: `gateway.instance-${kind}`, level, sentence, instance } as const;
      this.#options.events.record(event);
    }
  }

  #everyBeat(nowMs: number, lateMs: number): void {
    this.#beats++;
    if (lateMs > 0) this.#forgive(nowMs);
    if (this.#beats % ALIVE_EVERY_BEATS === 0) {
      for (const peer of this.#peers.values()) peer.link?.sendLatest({ type: "alive" });
    }
    this.#forgetTheDead();
    if (this.#beats % HOLDER_EVERY_BEATS === 0) this.#watchHolder(nowMs);
    if (this.#beats % KEEP_EVERY_BEATS === 0 && this.#table !== undefined) {
      if (this.#keptVersion < this.#table.version) this.#keepTable(this.#table);
    }
    if (this.#beats % SHEDDING_EVERY_BEATS === 0) this.#tellShedding(nowMs);
    this.#revive(nowMs);
    this.#answerWaiters();
  }

  #tellShedding(nowMs: number): void {
    const told = this.#linked("worker").flatMap(({ stats }) => stats?.services ?? []);
    const limitOf = (service: string): number =>
      told.reduce(
        (sum, one) => sum + (one.name === service ? (one.concurrency?.limit ?? 0) : 0),
        0,
      );
    for (const event of this.#shedding.look(nowMs, limitOf)) this.#options.events.record(event);
  }

  /** A disk that refuses costs the gateway nothing now; whoever starts later needs it. */
  #keepTable(table: RoutingTable): void {
    const { events, paths } = this.#options;
    try {
      saveTable(paths.tableFile, table);
    } catch (error) {
      if (this.#tableRefused) return;
      this.#tableRefused = true;
      const why = error instanceof Error ? error.message : String(error);
      const sentence = `the routing table could not be kept on disk: ${why}`;
      events.record({ kind: "gateway.table-unkept", level: "error", sentence });
      return;
    }
    this.#keptVersion = table.version;
    if (!this.#tableRefused) return;
    this.#tableRefused = false;
    const sentence = "the routing table is kept on disk again";
    events.record({ kind: "gateway.table-kept", level: "info", sentence });
  }

  /** We were held up ourselves: what we have not heard proves nothing. */
  #forgive(nowMs: number): void {
    for (const peer of this.#peers.values()) peer.heardMs = nowMs;
    this.#holder.seenMs = nowMs;
    this.#listeningSinceMs = nowMs;
  }

  #forgetTheDead(): void {
    for (const [pid, peer] of this.#peers) {
      if (peer.link !== undefined || lives(this.#options.identify, peer.hello.identity)) continue;
      if (peer.stats !== undefined) this.#totals.retire(peer.stats);
      this.#peers.delete(pid);
    }
  }

  #watchHolder(nowMs: number): void {
    const holder = this.#options.claims.holder();
    if (holder === undefined || !holder.alive || this.#stopping) return;
    if (holder.term !== this.#holder.term) this.#holder = { term: holder.term, seenMs: nowMs };
    const heardMs = this.#peers.get(holder.identity.pid)?.heardMs ?? 0;
    const silentMs = nowMs - Math.max(heardMs, this.#holder.seenMs);
    if (silentMs < HOLDER_SILENT_MS) return;
    if (!signalProcess(this.#options.identify, holder.identity, "SIGKILL")) return;
    const why = `it said nothing for ${sayDuration(silentMs)}`;
    const sentence = `the gateway's parent (pid ${holder.identity.pid}) was killed: ${why}`;
    this.#options.events.record({ kind: "gateway.parent-killed", level: "warning", sentence });
  }

  #revive(nowMs: number): void {
    if (this.#table === undefined || this.#table.listeners.length === 0 || this.#stopping) return;
    if (this.#child !== undefined && nowMs - this.#childSinceMs < LAUNCH_MS) return;
    // Links say who talks, not who lives: a stopped process keeps its links and says nothing.
    let heardMs = this.#listeningSinceMs;
    let linked = false;
    for (const peer of this.#peers.values()) {
      heardMs = Math.max(heardMs, peer.heardMs);
      linked ||= peer.link !== undefined;
    }
    const silent = nowMs - heardMs >= ALL_SILENT_MS;
    if (linked && !silent) return;
    if (this.#living().length === 0) {
      if (nowMs >= this.#mayLaunchAtMs) this.#launch(nowMs);
    } else if (silent && !this.#servesByItself(nowMs)) {
      this.#killAll();
    }
  }

  /**
   * A worker that writes on the board goes on serving, whether or not it has found its way to us:
   * it may still be linked to a control that hangs, or wait long for a processor. Only when
   * everything of the gateway is silent and still is killing it better than leaving it.
   */
  #servesByItself(nowMs: number): boolean {
    return this.#board.lines().some(({ identity, atMs }) => {
      const isFresh = Math.abs(nowMs - atMs) < ALL_STILL_MS;
      return isFresh && lives(this.#options.identify, identity);
    });
  }

  #launch(nowMs: number): void {
    const { parentCommand, paths, events } = this.#options;
    const child = launch({
      command: parentCommand,
      launch: { term: 0, worker: 0, listeners: [] },
      logFile: paths.logFile,
      onEnd: (why) => {
        if (this.#child === child) this.#child = undefined;
        this.#lastEnd = why;
      },
    });
    this.#child = child;
    this.#childSinceMs = nowMs;
    this.#launched = true;
    // Paid back when a parent links; until then each try waits longer.
    this.#launchFailures++;
    this.#mayLaunchAtMs = nowMs + backoffCeilingMs(relaunch, this.#launchFailures);
    const sentence = "a gateway is started: none lives";
    events.record({ kind: "gateway.started", level: "info", sentence });
  }

  /** Every process of the gateway that we know of and that lives, linked or not. */
  #living(): readonly ProcessIdentity[] {
    const { identify, claims } = this.#options;
    const holder = claims.holder();
    const known = [
      ...this.#board.lines().map((line) => line.identity),
      ...[...this.#peers.values()].map((peer) => peer.hello.identity),
      ...(holder?.alive === true ? [holder.identity] : []),
    ];
    const byPid = new Map(known.map((identity) => [identity.pid, identity]));
    return [...byPid.values()].filter((identity) => lives(identify, identity));
  }

  #killAll(): void {
    for (const identity of this.#living()) {
      signalProcess(this.#options.identify, identity, "SIGKILL");
    }
    this.#child?.kill("SIGKILL");
  }

  /**
   * A parent of another version is killed, since the workers then start one from the program as it
   * is now, which replaces workers of another version. Once a term: a program that stays old stays.
   */
  #renew(): void {
    const { version, identify, events } = this.#options;
    const parent = this.#parent();
    if (parent === undefined || this.#stopping || this.#renewedTerm >= parent.hello.term) return;
    const workers = this.#linked("worker");
    if (workers.length === 0) return;
    if (parent.hello.version !== version && this.#renewedTerm === -1) {
      this.#renewedTerm = parent.hello.term;
      const old = parent.hello.version;
      const sentence = `the gateway's parent is of version ${old}: one of ${version} takes its place`;
      events.record({ kind: "gateway.renewed", level: "info", sentence });
      signalProcess(identify, parent.hello.identity, "SIGKILL");
    } else if (workers.some((worker) => worker.hello.version !== version)) {
      this.#renewedTerm = parent.hello.term;
      const sentence = `gateway workers of another version are replaced by ones of ${version}`;
      events.record({ kind: "gateway.renewed", level: "info", sentence });
      this.replaceWorkers();
    }
  }

  #answerWaiters(): void {
    if (this.#waiters.length === 0) return;
    const failure = this.#launched ? this.#failures()[0] : undefined;
    const nowMs = this.#options.clock.monotonicMs();
    this.#waiters = this.#waiters.filter((waiter) => {
      if (failure !== undefined) {
        waiter.reject(new NinesError(failure.code, failure.sentence));
      } else if (this.#serves(waiter.version)) {
        waiter.resolve();
      } else if (nowMs >= waiter.untilMs) {
        waiter.reject(new NinesError("NINES_GATEWAY_NOT_SERVING", this.#whyNot()));
      } else {
        return true;
      }
      return false;
    });
  }

  #serves(version: number): boolean {
    if (this.#table === undefined) return false;
    if (this.#table.listeners.length === 0) return true;
    const workers = this.#parent()?.workers ?? [];
    const serving = workers.filter(({ state, pid }) => {
      const followed = this.#peers.get(pid)?.stats?.tableVersion ?? 0;
      return state === "serving" && followed >= version;
    });
    return serving.length >= this.#table.workers;
  }

  #whyNot(): string {
    const parent = this.#parent();
    if (parent === undefined) {
      const last = this.#lastEnd === "" ? "" : `; the last one ended with ${this.#lastEnd}`;
      return `no parent of the gateway has reported${last}`;
    }
    const states = parent.workers.map((worker) => `${worker.worker} ${worker.state}`);
    return `not all gateway workers serve: ${states.join(", ") || "none has started"}`;
  }
}

/** By what it said last: it follows the table, and has nothing under way there. */
function isIdleOn({ stats }: Peer, instance: string, version: number): boolean {
  if (stats === undefined || stats.tableVersion < version) return false;
  const seen = stats.services.flatMap((service) => service.instances);
  return seen.every((one) => one.id !== instance || one.active === 0);
}

function answersOf(stats: InstanceStats): AnswerCounts {
  const broken = stats.connectFailures + stats.resets + stats.timeouts;
  const requests = stats.answers.reduce((sum, count) => sum + count, broken);
  return { requests, errors: broken + (stats.answers[4] ?? 0) };
}

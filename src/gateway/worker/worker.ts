// A gateway worker: accepts clients, and routes by the last table it has heard of.
//
// Invariant: it needs nobody. It starts from the table on disk; with control gone it keeps its
// table and tells its engine so; with its parent gone it serves on and sees to a new one
// (parent-bond.ts). Only a drain ends it: its parent's word, SIGTERM, or a failure of its own.

import { randomBytes } from "node:crypto";
import { withPromotions } from "../../core/failover/kept-promotion.ts";
import type { RoutingTable } from "../../core/route/table.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";
import type { Records } from "../../ports/records.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import type {
  Engine,
  EngineOptions,
  FromControl,
  InstanceNotice,
  ListenFailure,
  ToControl,
} from "../contract.ts";
import { TELL_SPENT_MS } from "../engine/admission.ts";
import { keepLinked, type LinkClient } from "../link/client.ts";
import { readFromControl } from "../link/messages.ts";
import { createNoticeFilter } from "../link/notice-filter.ts";
import { type Board, openBoard } from "../process/board.ts";
import { HEARTBEAT_MS } from "../parent/plan.ts";
import { affordableConnections } from "../process/descriptors.ts";
import { beatEvery, endOnUncaught, type Identify, writeLog } from "../process/host.ts";
import type { Launch } from "../process/launch.ts";
import type { GatewayPaths } from "../process/paths.ts";
import { loadStickyKey } from "../process/sticky-key.ts";
import { loadTable } from "../process/table-file.ts";
import { Accepting } from "./accepting.ts";
import { ParentBond } from "./parent-bond.ts";

const BEAT_MS = 50;
const SPENT_EVERY_BEATS = TELL_SPENT_MS / BEAT_MS;
const STATS_EVERY_BEATS = 5;
const NOTICE_QUIET_MS = 100;
const DRAIN_MARGIN_MS = 1_000;
/** Control says every 500 ms that it lives. */
const CONTROL_SILENT_MS = 2_000;

export interface WorkerOptions {
  readonly launch: Launch;
  readonly identity: ProcessIdentity;
  readonly version: string;
  readonly clock: Clock;
  /** Of the office of gateway parent. */
  readonly claims: TermClaims;
  readonly identify: Identify;
  readonly paths: GatewayPaths;
  /** Where control keeps the promotions that the table on disk may not tell of. */
  readonly records: Pick<Records, "read">;
  /** Starts a parent, should ours be gone. */
  readonly parentCommand: readonly string[];
  readonly createEngine: (options: EngineOptions) => Engine;
}

/** Resolves when it has drained and nothing of it is left to do; the process then exits. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { clock, launch, paths, records } = options;
  const kept = loadTable(paths.tableFile);
  if (kept === undefined) {
    throw new Error(`worker ${launch.worker} has no routing table to start from`);
  }
  const { table, says } = withPromotions(kept, (key) => records.read(key));
  for (const sentence of says) writeLog(clock, `worker ${launch.worker}`, sentence);
  const worker = new Worker(options, table);
  await worker.ended;
}

class Worker {
  readonly ended: Promise<void>;
  readonly #options: WorkerOptions;
  readonly #engine: Engine;
  readonly #board: Board | undefined;
  readonly #accepting: Accepting;
  readonly #bond: ParentBond;
  readonly #control: LinkClient<ToControl>;
  readonly #beat: Disposable;
  readonly #isNew = createNoticeFilter(NOTICE_QUIET_MS);
  readonly #failures: ListenFailure[] = [];
  #table: RoutingTable;
  /** A new worker gives control the time to speak: else it would try what is not ready. */
  #controlHeardMs: number;
  #controlLinkedMs = -Infinity;
  #heartbeatMs = -Infinity;
  #controlAlive = true;
  #beats = 0;
  #draining = false;
  #finished = false;
  #end: () => void = () => undefined;

  constructor(options: WorkerOptions, table: RoutingTable) {
    this.#options = options;
    this.#table = table;
    this.#controlHeardMs = options.clock.monotonicMs();
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    endOnUncaught((sentence) => this.#log(sentence));
    process.on("SIGTERM", () => this.#drain(this.#table.drainMs));
    const { worker, listeners } = options.launch;
    const { clock, identity } = options;
    const onNotice = (notice: InstanceNotice): void => this.#notice(notice);
    const stickyKey = (): Buffer => this.#stickyKey();
    const accessLog = {
      defaultFile: options.paths.accessLogFile,
      say: (sentence: string): void =>
        this.#say("gateway.access-log-lost", "warning", `worker ${worker}: ${sentence}`),
    };
    this.#engine = options.createEngine({ worker, table, onNotice, stickyKey, accessLog });
    this.#board = this.#openBoard();
    const onFailure = (failure: ListenFailure): void => this.#listenFailed(failure);
    const affordable = affordableConnections();
    const onAffordableReached = (): void => this.#sayBound(affordable);
    const accepting = { clock, worker, identity, onFailure, inherited: listeners };
    const board = this.#board;
    const engine = this.#engine;
    this.#accepting = new Accepting({
      ...accepting,
      board,
      engine,
      affordable,
      onAffordableReached,
    });
    this.#accepting.follow(table);
    this.#bond = this.#bindToParent();
    this.#control = this.#linkToControl();
    this.#beat = beatEvery(clock, BEAT_MS, (nowMs, lateMs) => this.#everyBeat(nowMs, lateMs));
  }

  /** Without the file cookies are this worker's alone: still better than to refuse its clients. */
  #stickyKey(): Buffer {
    const { stickyKeyFile } = this.#options.paths;
    try {
      return loadStickyKey(stickyKeyFile);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log(`sticky cookies hold for this worker only: their key cannot be had: ${why}`);
      return randomBytes(32);
    }
  }

  #bindToParent(): ParentBond {
    const { clock, claims, identify, identity, version, paths, parentCommand } = this.#options;
    return new ParentBond({
      clock,
      claims,
      identify,
      identity,
      version,
      paths,
      parentCommand,
      worker: this.#options.launch.worker,
      term: this.#options.launch.term,
      descriptors: () => this.#accepting.descriptors,
      descriptorsComplete: () =>
        this.#accepting.descriptors.length === this.#table.listeners.length,
      isWorker: (holder) =>
        this.#board?.lines().some((line) => line.identity.pid === holder.pid) ?? true,
      onDrain: (drainMs, final) => this.#drain(drainMs, final),
      onSpent: (spent) => this.#engine.hearSpent(spent),
      say: (kind, level, sentence) => this.#say(kind, level, sentence),
    });
  }

  #linkToControl(): LinkClient<ToControl> {
    const { identity, version, launch, paths } = this.#options;
    const { worker, term } = launch;
    return keepLinked<FromControl, ToControl>({
      path: paths.controlSocket,
      hello: () => ({ type: "hello", role: "worker", identity, term, worker, version }),
      parse: readFromControl,
      onOpen: () => {
        this.#controlLinkedMs = this.#options.clock.monotonicMs();
        this.#sendStats();
        this.#sendFailures();
      },
      onMessage: (message) => this.#hearControl(message),
      onLost: () => this.#setControlAlive(false),
      onNobody: () => this.#setControlAlive(false),
    });
  }

  #everyBeat(nowMs: number, lateMs: number): void {
    this.#beats++;
    this.#accepting.publish();
    this.#bond.beat(nowMs, lateMs);
    // By the clock: of a busy worker's beats each may come late.
    if (nowMs - this.#heartbeatMs > HEARTBEAT_MS - BEAT_MS) {
      this.#heartbeatMs = nowMs;
      this.#bond.heartbeat();
    }
    if (this.#beats % SPENT_EVERY_BEATS === 0) this.#tellSpent();
    if (this.#beats % STATS_EVERY_BEATS === 0) this.#sendStats();
    if (lateMs > 0) this.#controlHeardMs += lateMs;
    if (nowMs - this.#controlHeardMs <= CONTROL_SILENT_MS) return;
    this.#setControlAlive(false);
    // It may hang for good, and another be at the socket by now.
    if (this.#control.open && nowMs - this.#controlLinkedMs > CONTROL_SILENT_MS) {
      this.#control.reconnect("it said nothing for 2 s");
    }
  }

  #tellSpent(): void {
    const spent = this.#engine.takeSpent();
    if (spent.length > 0) this.#bond.tell({ type: "spent", spent });
  }

  #hearControl(message: FromControl): void {
    this.#controlHeardMs = this.#options.clock.monotonicMs();
    this.#setControlAlive(true);
    if (message.type === "table" && message.table.version > this.#table.version) {
      this.#swap(message.table);
    }
    if (message.type === "close") {
      this.#engine.closeConnections(message.instance, message.everything);
    }
  }

  #swap(table: RoutingTable): void {
    this.#table = table;
    this.#engine.swap(table);
    this.#accepting.follow(table);
    this.#sendStats();
  }

  #setControlAlive(alive: boolean): void {
    if (alive === this.#controlAlive) return;
    this.#controlAlive = alive;
    this.#engine.setControlAlive(alive);
  }

  #notice(notice: InstanceNotice): void {
    // Kept for a control that is away it would be stale news.
    if (this.#control.open && this.#isNew(notice, this.#options.clock.monotonicMs())) {
      this.#control.send({ type: "notice", notice });
    }
  }

  #sendStats(): void {
    this.#control.sendLatest({ type: "stats", stats: this.#engine.stats() });
  }

  #sendFailures(): void {
    if (this.#failures.length === 0) return;
    this.#control.sendLatest({ type: "listen-failures", failures: this.#failures });
  }

  #listenFailed(failure: ListenFailure): void {
    const known = this.#failures.some((other) => other.sentence === failure.sentence);
    if (known) return;
    this.#failures.push(failure);
    this.#say("gateway.listen-failed", "error", failure.sentence);
    this.#sendFailures();
  }

  #say(kind: string, level: "info" | "warning" | "error", sentence: string): void {
    this.#log(sentence);
    this.#control.send({ type: "event", kind, level, sentence });
  }

  #log(sentence: string): void {
    writeLog(this.#options.clock, `worker ${this.#options.launch.worker}`, sentence);
  }

  #sayBound(connections: number): void {
    const { worker } = this.#options.launch;
    const sentence =
      `worker ${worker} has ${connections} connections, as many as its limit of open files ` +
      "(`ulimit -n`) allows: the next ones wait until others end";
    this.#say("gateway.connections-bounded", "warning", sentence);
  }

  #openBoard(): Board | undefined {
    try {
      return openBoard(this.#options.paths.boardFile);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log(`shares connections with nobody: no board: ${why}`);
      return undefined;
    }
  }

  /** Called again, it can only shorten the time that is left. */
  #drain(drainMs: number, final = false): void {
    // The engine cuts what is left at the deadline; should it fail to, the process ends anyway.
    setTimeout(() => this.#finish(), this.#draining ? drainMs : drainMs + DRAIN_MARGIN_MS);
    if (this.#draining) return;
    this.#draining = true;
    this.#log(`drains for at most ${Math.round(drainMs)} ms`);
    this.#accepting.close();
    this.#bond.drain();
    void this.#engine.drain(drainMs, final).then(() => this.#finish());
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#beat[Symbol.dispose]();
    this.#sendStats();
    this.#control.end();
    this.#bond.close();
    this.#board?.clear(this.#options.launch.worker);
    this.#end();
  }
}

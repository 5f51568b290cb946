// The gateway's parent: holds the listening sockets, and sees that the workers which the table asks
// for live and serve. It never accepts, so whatever becomes of it costs no client anything.
//
// Invariant: it acts only while its term is the newest. It looks before each start, drain and kill,
// and twice a second besides; a parent that was stopped and comes back finds itself replaced and
// ends. It starts from the table on disk and adopts the workers that the board names; it asks
// nobody.

import type { ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import { sayDuration } from "../../core/base/duration.ts";
import type { RoutingTable, TableListener } from "../../core/route/table.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";
import type { TermClaims } from "../../ports/term-claims.ts";
import type {
  FromControl,
  FromParent,
  Hello,
  ListenFailure,
  ToControl,
  ToParent,
  WorkerState,
} from "../contract.ts";
import { keepLinked, type LinkClient } from "../link/client.ts";
import type { Link } from "../link/link.ts";
import { readFromControl, readToParent } from "../link/messages.ts";
import { type PeerHandlers, serveLinks } from "../link/server.ts";
import { type Board, launchedLine, openBoard } from "../process/board.ts";
import { beatEvery, endOnUncaught, type Identify, lives } from "../process/host.ts";
import { readProcessorUse, signalProcess, writeLog } from "../process/host.ts";
import { type Launch, launch, sayAddress } from "../process/launch.ts";
import type { GatewayPaths } from "../process/paths.ts";
import { loadTable } from "../process/table-file.ts";
import {
  HEARTBEAT_MS,
  isStarved,
  type Kill,
  PAID_OFF_MS,
  planWorkers,
  type ProcessorUse,
  restartDelayMs,
  type WorkerView,
} from "./plan.ts";
import { Rotation } from "./rotation.ts";
import { type HeldSocket, holdSocket } from "./sockets.ts";

const BEAT_MS = 50;
const REPORT_EVERY_BEATS = 4;
const BIND_EVERY_BEATS = 5;
const TERM_EVERY_BEATS = 10;
const ROTATE_EVERY_BEATS = 20;

export interface ParentOptions {
  readonly launch: Launch;
  readonly identity: ProcessIdentity;
  readonly version: string;
  readonly clock: Clock;
  /** Of the office of gateway parent. */
  readonly claims: TermClaims;
  readonly identify: Identify;
  readonly paths: GatewayPaths;
  readonly workerCommand: readonly string[];
}

/** Why a parent ends: it was told to, a newer one acts, or it never held the office. */
export type ParentEnd = "stopped" | "replaced" | "not-claimed";

/** Resolves when there is nothing left for it to do; the process then exits. */
export async function runParent(options: ParentOptions): Promise<ParentEnd> {
  const { claims, launch, paths } = options;
  const term = claims.claim(undefined, launch.term === 0 ? undefined : launch.term);
  if (term === undefined) return "not-claimed";
  const table = loadTable(paths.tableFile);
  if (table === undefined) throw new Error("the gateway's parent has no routing table");
  const parent = new Parent(options, table, term, openBoard(paths.boardFile));
  return await parent.run();
}

interface Entry extends WorkerView {
  readonly identity: ProcessIdentity;
  state: WorkerView["state"];
  sinceMs: number;
  sinceWallMs: number;
  heardMs: number;
  outdated: boolean;
  starved: boolean;
  /** What it had used when it was heard last, and at the last look. */
  whenHeard: ProcessorUse | undefined;
  lastLook: ProcessorUse | undefined;
  drainUntilMs: number;
  /** It was ours to start, so its end comes as an event; an adopted one's is looked for. */
  readonly isChild: boolean;
  killed: boolean;
  link: Link<FromParent> | undefined;
}

class Parent {
  readonly #options: ParentOptions;
  readonly #term: number;
  readonly #board: Board;
  readonly #workers = new Map<number, Entry>();
  readonly #sockets = new Map<string, HeldSocket & Pick<TableListener, "host" | "port">>();
  readonly #failures = new Map<string, ListenFailure>();
  readonly #closers: Disposable[] = [];
  readonly #ended: Promise<ParentEnd>;
  #end: (end: ParentEnd) => void = () => undefined;
  #control: LinkClient<ToControl> | undefined;
  #table: RoutingTable;
  #stopping = false;
  #lastWorker: number;
  #startFailures = 0;
  #mayStartAtMs = 0;
  #beats = 0;
  readonly #rotation = new Rotation({
    say: (sentence) => this.#say("gateway.access-log-unrotated", "warning", sentence),
  });

  constructor(options: ParentOptions, table: RoutingTable, term: number, board: Board) {
    this.#options = options;
    this.#table = table;
    this.#term = term;
    this.#board = board;
    this.#lastWorker = board.largestWorker();
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async run(): Promise<ParentEnd> {
    endOnUncaught((sentence) => this.#log(sentence));
    process.on("SIGTERM", () => this.#stop(this.#stopping ? 0 : this.#table.drainMs));
    this.#adopt();
    this.#takeSockets();
    const { clock, paths } = this.#options;
    const server = await serveLinks<ToParent, FromParent>({
      path: paths.gatewaySocket,
      parse: readToParent,
      onPeer: (hello, link) => this.#meet(hello, link),
    });
    this.#control = this.#linkToControl();
    this.#announce();
    const beat = beatEvery(clock, BEAT_MS, (nowMs, lateMs) => this.#everyBeat(nowMs, lateMs));
    this.#closers.push(server, beat, this.#board);
    this.#work(clock.monotonicMs());
    const end = await this.#ended;
    this.#log(`ends: ${end}`);
    this.#report();
    this.#control.end();
    for (const socket of this.#sockets.values()) socket.close();
    for (const closer of this.#closers) closer[Symbol.dispose]();
    return end;
  }

  /** The workers of the parents before us. Each has until it counts as hung to link to us. */
  #adopt(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const line of this.#board.lines()) {
      if (!lives(this.#options.identify, line.identity)) {
        this.#board.clear(line.worker);
        continue;
      }
      const running = line.draining ? "draining" : "serving";
      const entry = this.#enter(line.worker, line.identity, line.atMs === 0 ? "starting" : running);
      entry.drainUntilMs = nowMs + this.#table.drainMs;
    }
  }

  #takeSockets(): void {
    for (const { host, port, fd } of this.#options.launch.listeners) {
      const socket = { host, port, fd, close: () => closeSync(fd) };
      this.#sockets.set(sayAddress(socket), socket);
    }
    this.#followListeners();
  }

  #announce(): void {
    const addresses = [...this.#sockets.keys()].join(", ") || "nothing";
    const adopted = [...this.#workers.values()].map((entry) => entry.worker);
    const workers = adopted.length === 0 ? "" : `; adopts workers ${adopted.join(", ")}`;
    const sentence = `gateway parent of term ${this.#term} holds ${addresses}${workers}`;
    this.#say("gateway.parent-started", "info", sentence);
  }

  #linkToControl(): LinkClient<ToControl> {
    const { identity, version, paths } = this.#options;
    const term = this.#term;
    return keepLinked<FromControl, ToControl>({
      path: paths.controlSocket,
      hello: () => ({ type: "hello", role: "parent", identity, term, worker: 0, version }),
      parse: readFromControl,
      onOpen: () => {
        this.#reportFailures();
        this.#report();
      },
      onMessage: (message) => this.#hearControl(message),
      onLost: () => undefined,
    });
  }

  #hearControl(message: FromControl): void {
    switch (message.type) {
      case "table":
        if (message.table.version <= this.#table.version || this.#stopping) return;
        this.#table = message.table;
        this.#followListeners();
        return this.#work(this.#options.clock.monotonicMs());
      case "replace-workers":
        for (const entry of this.#workers.values()) entry.outdated = true;
        return this.#work(this.#options.clock.monotonicMs());
      case "stop":
        return this.#stop(message.drainMs);
      case "alive":
      case "close":
        return;
    }
  }

  #everyBeat(nowMs: number, lateMs: number): void {
    this.#beats++;
    // We were held up ourselves: what we have not heard proves nothing against the workers.
    if (lateMs > 0) for (const entry of this.#workers.values()) entry.heardMs = nowMs;
    if ((lateMs > 0 || this.#beats % TERM_EVERY_BEATS === 0) && !this.#holdsTerm()) return;
    if (this.#beats % BIND_EVERY_BEATS === 0 && this.#failures.size > 0) this.#followListeners();
    this.#reap();
    for (const entry of this.#workers.values()) lookWhetherStarved(entry, nowMs);
    this.#work(nowMs);
    if (this.#beats % REPORT_EVERY_BEATS === 0) this.#report();
    if (this.#beats % ROTATE_EVERY_BEATS === 0) this.#rotate(nowMs);
  }

  #rotate(nowMs: number): void {
    const { accessLog } = this.#table;
    if (accessLog === undefined) return;
    const { file = this.#options.paths.accessLogFile, rotateBytes, keep } = accessLog;
    this.#rotation.look(file, rotateBytes, keep, nowMs);
  }

  #holdsTerm(): boolean {
    const holds = this.#options.claims.holder()?.term === this.#term;
    if (!holds) this.#end("replaced");
    return holds;
  }

  #work(nowMs: number): void {
    const wanted = this.#stopping ? 0 : this.#table.workers;
    const plan = planWorkers([...this.#workers.values()], wanted, this.#mayStartAtMs, nowMs);
    const acts = plan.start > 0 || plan.drain.length > 0 || plan.kill.length > 0;
    if (acts && !this.#holdsTerm()) return;
    for (const kill of plan.kill) this.#kill(kill);
    for (let started = 0; started < plan.start; started++) this.#startWorker(nowMs);
    for (const pid of plan.drain) this.#drain(pid, nowMs, this.#table.drainMs);
    if (this.#stopping && this.#workers.size === 0) this.#end("stopped");
  }

  #startWorker(nowMs: number): void {
    const { workerCommand, paths, identify } = this.#options;
    const worker = this.#board.nextWorker(this.#lastWorker, (one) => lives(identify, one));
    this.#lastWorker = worker;
    const child: ChildProcess | undefined = launch({
      command: workerCommand,
      launch: { term: this.#term, worker, listeners: [...this.#sockets.values()] },
      logFile: paths.logFile,
      onEnd: (why) => {
        const entry = this.#workers.get(child?.pid ?? 0);
        if (entry !== undefined) this.#leave(entry, why);
      },
    });
    const identity = child?.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) return this.#startFailed(nowMs, `worker ${worker} did not start`);
    this.#board.publish(launchedLine(worker, identity));
    this.#enter(worker, identity, "starting", true);
  }

  #startFailed(nowMs: number, sentence: string): void {
    this.#startFailures++;
    const delayMs = restartDelayMs(this.#startFailures);
    this.#mayStartAtMs = nowMs + delayMs;
    const next = delayMs === 0 ? "another starts at once" : `the next in ${sayDuration(delayMs)}`;
    this.#say("gateway.worker-failed", "error", `${sentence}; ${next}`);
  }

  #enter(
    worker: number,
    identity: ProcessIdentity,
    state: WorkerView["state"],
    isChild = false,
  ): Entry {
    const nowMs = this.#options.clock.monotonicMs();
    const entry: Entry = {
      pid: identity.pid,
      worker,
      identity,
      state,
      isChild,
      sinceMs: nowMs,
      sinceWallMs: this.#options.clock.wallMs(),
      heardMs: nowMs,
      drainUntilMs: 0,
      outdated: false,
      starved: false,
      whenHeard: readProcessorUse(identity.pid),
      lastLook: undefined,
      killed: false,
      link: undefined,
    };
    this.#lastWorker = Math.max(this.#lastWorker, worker);
    this.#workers.set(identity.pid, entry);
    return entry;
  }

  #turn(entry: Entry, state: WorkerView["state"]): void {
    entry.state = state;
    entry.sinceMs = this.#options.clock.monotonicMs();
    entry.sinceWallMs = this.#options.clock.wallMs();
    this.#report();
  }

  /** A worker said hello: it serves. */
  #meet(hello: Hello, link: Link<FromParent>): PeerHandlers<ToParent> | undefined {
    if (hello.role !== "worker") return undefined;
    const known = this.#workers.get(hello.identity.pid);
    const entry = known ?? this.#enter(hello.worker, hello.identity, "serving");
    const replaced = entry.link;
    entry.link = link;
    replaced?.close("it linked anew");
    heard(entry, this.#options.clock.monotonicMs());
    if (entry.state === "starting") {
      this.#turn(entry, "serving");
      this.#say(
        "gateway.worker-serving",
        "info",
        `worker ${entry.worker} serves, pid ${entry.pid}`,
      );
    }
    link.sendLatest({ type: "welcome", term: this.#term });
    if (entry.state === "draining") this.#sendDrain(entry);
    this.#work(entry.heardMs);
    return {
      onMessage: (message) => this.#hearWorker(entry, message),
      onClose: () => {
        if (entry.link === link) entry.link = undefined;
      },
    };
  }

  #hearWorker(entry: Entry, message: ToParent): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (message.type === "spent") {
      entry.heardMs = nowMs;
      for (const other of this.#workers.values()) if (other !== entry) other.link?.send(message);
      return;
    }
    heard(entry, nowMs);
    if (message.type !== "heartbeat" || message.state !== "draining") return;
    if (entry.state === "draining") return;
    entry.drainUntilMs = entry.heardMs + this.#table.drainMs;
    this.#turn(entry, "draining");
    this.#work(entry.heardMs);
  }

  #drain(pid: number, nowMs: number, drainMs: number): void {
    const entry = this.#workers.get(pid);
    if (entry === undefined) return;
    entry.drainUntilMs = nowMs + drainMs;
    this.#turn(entry, "draining");
    this.#sendDrain(entry);
  }

  #sendDrain(entry: Entry): void {
    const drainMs = Math.max(0, entry.drainUntilMs - this.#options.clock.monotonicMs());
    if (entry.link !== undefined)
      entry.link.send({ type: "drain", drainMs, final: this.#stopping });
    else signalProcess(this.#options.identify, entry.identity, "SIGTERM");
  }

  #kill(kill: Kill): void {
    const entry = this.#workers.get(kill.pid);
    if (entry === undefined || entry.killed) return;
    entry.killed = true;
    signalProcess(this.#options.identify, entry.identity, "SIGKILL");
    const sentence = `worker ${entry.worker} was killed: it ${kill.why}`.replace("it hangs: ", "");
    this.#say("gateway.worker-killed", "warning", sentence);
  }

  /** Adopted workers end without an event: the broken link is the sign, the pid is the proof. */
  #reap(): void {
    for (const entry of this.#workers.values()) {
      if (entry.isChild || entry.link !== undefined) continue;
      if (!lives(this.#options.identify, entry.identity)) this.#leave(entry, "it is gone");
    }
  }

  #leave(entry: Entry, why: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#workers.delete(entry.pid);
    this.#board.clear(entry.worker);
    entry.link?.close("it has ended");
    if (entry.state === "draining") {
      this.#say("gateway.worker-ended", "info", `worker ${entry.worker} has drained and ended`);
    } else if (
      entry.isChild &&
      (entry.state === "starting" || nowMs - entry.sinceMs < PAID_OFF_MS)
    ) {
      this.#startFailed(nowMs, `worker ${entry.worker} ended soon after its start: ${why}`);
    } else {
      this.#startFailures = 0;
      const sentence = `worker ${entry.worker} ended: ${why}; another takes its place`;
      this.#say("gateway.worker-replaced", "warning", sentence);
    }
    this.#work(nowMs);
    this.#report();
  }

  #stop(drainMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#stopping = true;
    for (const [address, socket] of this.#sockets) {
      this.#sockets.delete(address);
      socket.close();
    }
    for (const pid of this.#workers.keys()) this.#drain(pid, nowMs, drainMs);
    this.#work(nowMs);
  }

  /** Binds what is new before it lets go of what is not in the table any more. */
  #followListeners(): void {
    if (this.#stopping) return;
    const before = this.#failures.size;
    const wanted = new Map(this.#table.listeners.map((one) => [sayAddress(one), one]));
    for (const address of this.#failures.keys()) {
      if (!wanted.has(address)) this.#failures.delete(address);
    }
    let added = false;
    for (const [address, listener] of wanted) {
      if (!this.#sockets.has(address)) added = this.#hold(address, listener) || added;
    }
    for (const [address, socket] of this.#sockets) {
      if (wanted.has(address)) continue;
      this.#sockets.delete(address);
      socket.close();
    }
    // Descriptors reach a worker at its start only.
    if (added) for (const entry of this.#workers.values()) entry.outdated = true;
    if (before > 0 || this.#failures.size > 0) this.#reportFailures();
  }

  #hold(address: string, { host, port }: TableListener): boolean {
    const socket = holdSocket(host, port);
    if ("sentence" in socket) {
      if (!this.#failures.has(address)) {
        this.#failures.set(address, socket);
        this.#say("gateway.listen-failed", "error", socket.sentence);
      }
      return false;
    }
    this.#sockets.set(address, { host, port, fd: socket.fd, close: () => socket.close() });
    if (this.#failures.delete(address)) {
      this.#say("gateway.listening", "info", `listens on ${address} now`);
    }
    return true;
  }

  #reportFailures(): void {
    const failures = [...this.#failures.values()];
    this.#control?.sendLatest({ type: "listen-failures", failures });
  }

  #report(): void {
    const workers = [...this.#workers.values()].map(
      (entry): WorkerState => ({
        worker: entry.worker,
        pid: entry.pid,
        state: entry.killed ? "hung" : entry.state,
        sinceWallMs: entry.sinceWallMs,
      }),
    );
    this.#control?.sendLatest({ type: "workers", workers });
    for (const entry of this.#workers.values()) {
      entry.link?.sendLatest({ type: "welcome", term: this.#term });
    }
  }

  #say(kind: string, level: "info" | "warning" | "error", sentence: string): void {
    this.#log(sentence);
    this.#control?.send({ type: "event", kind, level, sentence });
  }

  #log(sentence: string): void {
    writeLog(this.#options.clock, `parent ${this.#term}`, sentence);
  }
}

function heard(entry: Entry, nowMs: number): void {
  entry.heardMs = nowMs;
  entry.whenHeard = readProcessorUse(entry.pid);
  entry.lastLook = entry.whenHeard;
}

/** Looks at what the kernel gives a worker as soon as a heartbeat is missed. */
function lookWhetherStarved(entry: Entry, nowMs: number): void {
  const isMissed = nowMs - entry.heardMs > HEARTBEAT_MS + BEAT_MS;
  const use = isMissed ? readProcessorUse(entry.pid) : undefined;
  const { whenHeard = use, lastLook = use } = entry;
  entry.starved =
    use !== undefined &&
    whenHeard !== undefined &&
    lastLook !== undefined &&
    isStarved(whenHeard, lastLook, use);
  if (use !== undefined) entry.lastLook = use;
}

// The data plane's processes, and the seams between them.
//
//   clients ──> worker ──> instances          workers accept; each on the same listening sockets
//                 │  ╲
//          gateway.sock  control.sock          newline-delimited JSON over unix sockets (link/)
//                 │        │
//               parent ── control
//
// parent: holds the listening sockets, never accepts; starts workers that inherit them; replaces
//   one that ends or misses three heartbeats of 200 ms.
// worker: accepts, routes by the last table, dispatches. Needs nobody to go on. When the parent's
//   link breaks, the workers race for its next term (ports/term-claims.ts); the one that gets it
//   starts a new parent with its own descriptors, and all link to it. Nobody is restarted.
// control: publishes tables, hears what workers notice, starts a gateway when none is left, and
//   kills a parent that hangs.
//
// Rejected: `cluster` (it ends workers when the primary dies), SO_REUSEPORT (a dead worker's queue
// is lost, and Node 20 has none), accepting in the parent (it would be needed).

import type { WorkerPlace } from "../core/balance/subset.ts";
import type { ErrorCode } from "../core/base/errors.ts";
import type { CauseName } from "../core/dispatch/ejections.ts";
import type { WorkerStats } from "../core/measure/gateway-stats.ts";
import type { RoutingTable } from "../core/route/table.ts";
import type { ProcessIdentity } from "../ports/processes.ts";
import type { Connect, Wire } from "./transport/wire.ts";

/** What a worker's accepting side hands connections to. */
export interface Engine {
  /** A connection on an http listener. The engine owns the wire from now on. */
  acceptHttp(wire: Wire): void;
  /** A connection on a tcp listener; `route` indexes the table's routes. */
  acceptTcp(wire: Wire, route: number): void;
  /** Takes effect for the next request of every connection; those under way keep their route. */
  swap(table: RoutingTable): void;
  setControlAlive(alive: boolean): void;
  /** Where this worker stands among those that live; services with a `subset` follow it. */
  standAt(place: WorkerPlace): void;
  /** To this instance: idle ones and tunnels; with `everything` also those with a request on them. */
  closeConnections(instance: string, everything: boolean): void;
  /** What rate limits have let in since the last call, for the other workers. */
  takeSpent(): readonly Spent[];
  /** What another worker's have let in. */
  hearSpent(spent: readonly Spent[]): void;
  /** Client connections open now. */
  readonly connections: number;
  /**
   * Client connections that have outlived their first exchange (kept alive, or tunnels): the ones
   * worth spreading evenly. See core/balance/accept-share.ts.
   */
  readonly keptConnections: number;
  /**
   * Answers what is under way, closes each connection after it (`Connection: close`), idle ones as
   * soon as that loses nothing. Resolves when none is left, or after `deadlineMs`, when the rest
   * is cut.
   * `final` says that nobody serves after us: idle connections then wait for nothing and are closed
   * at once.
   */
  drain(deadlineMs: number, final?: boolean): Promise<void>;
  stats(): WorkerStats;
}

/** Requests that one rate limit has let in for one key of it. */
export interface Spent {
  readonly limit: string;
  readonly key: string;
  readonly count: number;
}

export interface EngineOptions {
  readonly worker: number;
  readonly table: RoutingTable;
  /** Called at once, from the data path: a connect failure, a reset, an ejection. Must be cheap. */
  readonly onNotice: (notice: InstanceNotice) => void;
  /** What sticky cookies are signed with; asked for once a route of the table is sticky. */
  readonly stickyKey: () => Buffer;
  /** Makes the wires to instances; `connectWire` (transport/handle-wire.ts) when absent. */
  readonly connect?: Connect;
  /** Absent: nothing is logged, whatever the table says. */
  readonly accessLog?: {
    /** Where it goes unless the table names a file. */
    readonly defaultFile: string;
    /** Lines were lost: how many, and why. */
    readonly say: (sentence: string) => void;
  };
}

export interface InstanceNotice {
  readonly kind:
    | "connect-failed"
    | "reset"
    | "timed-out"
    | "ejected"
    | "readmitted"
    /** Requests stay unanswered, or are answered with errors: reason for a check, not more. */
    | "silent"
    | "errors";
  readonly instance: string;
  readonly sentence: string;
  /** Of an ejection. */
  readonly cause?: CauseName;
}

/** First message of every link, from the side that connects. */
export interface Hello {
  readonly type: "hello";
  readonly role: "parent" | "worker";
  readonly identity: ProcessIdentity;
  /** Of the parent: the one that it is, or the one the worker was started by. */
  readonly term: number;
  /** 0 for a parent; workers count from 1, and a number is not used again while its board lives. */
  readonly worker: number;
  /** Of Nines. A parent of another version is replaced, workers one after another. */
  readonly version: string;
}

export type ToControl =
  | Hello
  /** Every 250 ms, and right after a swap. */
  | { readonly type: "stats"; readonly stats: WorkerStats }
  | { readonly type: "notice"; readonly notice: InstanceNotice }
  /** From the parent, at each change and every 200 ms. */
  | { readonly type: "workers"; readonly workers: readonly WorkerState[] }
  /** From parent or worker, at each change: addresses of the table that it cannot listen on. */
  | { readonly type: "listen-failures"; readonly failures: readonly ListenFailure[] }
  /** From parent or worker, for the event log. */
  | {
      readonly type: "event";
      readonly kind: string;
      readonly level: "info" | "warning" | "error";
      readonly sentence: string;
    };

export interface ListenFailure {
  readonly host: string;
  readonly port: number;
  readonly code: ErrorCode;
  /** "cannot listen on 0.0.0.0:8080: the port is taken by another program". */
  readonly sentence: string;
}

export interface WorkerState {
  readonly worker: number;
  readonly pid: number;
  readonly state: "starting" | "serving" | "draining" | "hung";
  readonly sinceWallMs: number;
}

export type FromControl =
  | { readonly type: "table"; readonly table: RoutingTable }
  /** Every 500 ms: a control that is stopped keeps its links open, and only silence tells. */
  | { readonly type: "alive" }
  /** To a worker: see Engine.closeConnections. */
  | { readonly type: "close"; readonly instance: string; readonly everything: boolean }
  /** To the parent: replace all workers, each by one that serves before the old one drains. */
  | { readonly type: "replace-workers" }
  /** To the parent: drain all workers, then end. Nobody succeeds a parent that ends so. */
  | { readonly type: "stop"; readonly drainMs: number };

/** Every 200 ms, and at once when the state changes. A worker's hello says that it serves. */
export interface Heartbeat {
  readonly type: "heartbeat";
  readonly state: "serving" | "draining";
}

export type ToParent = Hello | Heartbeat | SpentMessage;

/** Passed on by the parent to every other worker. */
export interface SpentMessage {
  readonly type: "spent";
  readonly spent: readonly Spent[];
}

export type FromParent =
  | SpentMessage
  /** The answer to a hello: the worker belongs to this parent now. Then every 200 ms: it lives. */
  | { readonly type: "welcome"; readonly term: number }
  /** `final`: the whole gateway ends, no other worker takes over. */
  | { readonly type: "drain"; readonly drainMs: number; readonly final: boolean };

// Which instance takes this request, and what its outcome teaches. The contract.
//
// One dispatcher serves one service in one worker. The gateway drives it with real sockets and the
// simulator with virtual ones; neither knows anything of balancing, ejection or budgets. All state
// is in flat arrays by slot; `choose`, `started` and `finished` allocate nothing.
//
// Promises:
// - `choose` never returns a draining instance, nor one in `tried` while another can be had.
// - A connect failure or reset ejects at once, locally, for an ejection time that doubles from
//   `ejectionBaseMs`; when it has passed, exactly one real request is let through as the probe; its
//   success readmits, its failure doubles. A table with a larger `generation` readmits too. A probe
//   that has not ended by the next one's time (a tunnel, a hung instance) does not hold that up.
// - Three requests in a row that went unanswered eject as well: a hung instance still accepts.
// - Only evidence newer than the ejection counts: what began before neither readmits nor doubles.
// - While `controlAlive` is false, the table's own `down` verdicts count as ejections of that kind:
//   one real request finds out. While it is true they are final.
// - When every instance that is not draining is ejected, `choose` tries anyway (panic): a request
//   is refused only when there is nothing to try.
// - Backups are chosen only when no other instance can be.

import type { BalanceAlgorithm, TableService } from "../route/table.ts";

/** What became of an attempt. Numbers, since they cross the hot path. */
export const outcome = {
  /** An answer below 500 was relayed to its end, or a tunnel closed in order. */
  answered: 0,
  /** The instance answered 5xx. Counted; a foundation gateway does not eject on it. */
  serverError: 1,
  /** The connection could not be made: refused, unreachable, timed out. */
  connectFailed: 2,
  /** The connection broke before the answer's end, through the instance. */
  reset: 3,
  /** The answer did not begin or go on in time. */
  timedOut: 4,
  /** The client went away, or the attempt was given up for reasons not the instance's. */
  abandoned: 5,
} as const;
export type Outcome = (typeof outcome)[keyof typeof outcome];

/** Returned by `choose` when there is nothing to try. */
export const NO_INSTANCE = -1;
/** Returned by `choose` when every usable instance is at `maxConnections`: queue and ask again. */
export const ALL_BUSY = -2;

export interface Ejection {
  readonly instance: string;
  readonly kind: "ejected" | "readmitted";
  /** "web-2 ejected for 1 s: connection refused". */
  readonly sentence: string;
}

export interface Dispatcher {
  /**
   * A slot to try now, or NO_INSTANCE or ALL_BUSY. `tried` lists the first `triedCount` slots
   * already tried for this request. `key` is a 32-bit hash of the client's address, used by
   * source-hash only.
   */
  choose(
    balance: BalanceAlgorithm,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
  ): number;
  /**
   * An attempt on the slot begins, in the same turn as its `choose`. Every `started` has exactly
   * one `finished`.
   */
  started(slot: number, nowMs: number): void;
  /**
   * The answer's head has come, any status: proof of life, which need not wait for the end of a
   * long answer. May be left out where the end is near. `latencyMs` is the time since `started`.
   */
  answering(slot: number, nowMs: number, latencyMs: number): void;
  /** `latencyMs` is the time since `started`: what began before an ejection is told by it. */
  finished(slot: number, nowMs: number, result: Outcome, latencyMs: number): void;
  /** A first attempt (not a retry) was made; feeds the retry budget. */
  requestSeen(nowMs: number): void;
  /** Whether one more try may be made; taking it spends from the budget. */
  takeRetry(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean;
  /**
   * The instance in a slot: a slot keeps its instance for as long as any attempt on it is under
   * way, also when the instance left the table. The object is the same for as long: another one
   * means that the slot was lent anew.
   */
  instance(slot: number): { readonly id: string; readonly host: string; readonly port: number };
  /** Follows a new table; state of instances that stay (same id, host, port) is kept. */
  update(service: TableService, nowMs: number): void;
  setControlAlive(alive: boolean, nowMs: number): void;
  /** Instances of the table that are ejected now, for status. */
  ejected(nowMs: number): readonly string[];
}

export interface DispatcherOptions {
  /** First ejection, doubled at each failed probe; default 1000. */
  readonly ejectionBaseMs: number;
  /** Default 30000. */
  readonly ejectionMaxMs: number;
  /** Draws for `random` and for ties; in [0, 1). */
  readonly random: () => number;
  readonly onEjection: (ejection: Ejection) => void;
}

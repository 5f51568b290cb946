// Which instance takes this request, and what its outcome teaches. The contract.
//
// One dispatcher serves one service in one worker. The gateway drives it with real sockets and the
// simulator with virtual ones; neither knows anything of balancing, ejection or budgets. All state
// is in flat arrays by slot; `choose`, `started` and `finished` allocate nothing.
//
// Promises:
// - `choose` never returns a draining instance, and none in `tried` while another can be had. Of
//   `primary-standby` it returns nobody but the one that control has named; a stand-in (`backupOf`)
//   exactly while the instance that it stands in for is not usable.
// - Whom control holds back for its flapping (`standby` in another mode) it returns only when less
//   than half of the instances take traffic here without it, from then on until control says
//   otherwise: control may be gone, or reach instances that this worker does not.
// - A connect failure ejects at once, locally; a broken connection, three unanswered requests,
//   errors in a row, a success rate far below the peers', or silence while the peers answer do so
//   while `maxEjectedRatio` allows it.
// - An ejection lasts `ejectionBaseMs`, doubled by each further one and each failed probe within a
//   minute. When it has passed, exactly one real request is let through as the probe; its success
//   readmits, its failure doubles. A table with a larger `generation` readmits too. A probe that has
//   not ended by the next one's time (a tunnel, a hung instance) does not hold that up.
// - Changes of an instance count together, whoever made them: this worker's ejections, the table's
//   verdicts, a silence of a second and more. At most three in a minute reach the traffic: a return
//   beyond that waits, while half of the instances take traffic without it. One that control gives
//   may come 500 ms early, for control's minute began earlier. What somebody asked for (a drain)
//   is no change. A silence that was only avoided counts when it is the instance's own: of a second
//   and eight times as long as this worker was away itself lately.
// - Only evidence newer than the ejection counts: what began before neither readmits nor doubles;
//   what began before a readmission does not eject.
// - While `controlAlive` is false, the table's own `down` verdicts count as ejections of that kind:
//   one real request finds out. While it is true they are final.
// - When every instance that may take traffic is ejected or failing, or no more than `panicRatio` is
//   not, `choose` tries all (panic): a request is refused only when there is nothing to try.
// - Backups are chosen only when no other instance can be.

import type { LoadReport } from "../balance/load-report.ts";
import type { WorkerPlace } from "../balance/subset.ts";
import type { BalanceRule, TableService } from "../route/table.ts";
import type { CauseName } from "./ejections.ts";
import type { Place } from "./slots.ts";

/** What became of an attempt. Numbers, since they cross the hot path. */
export const outcome = {
  /** An answer below 500 was relayed to its end, or a tunnel closed in order. */
  answered: 0,
  /** The instance answered 5xx, or no HTTP at all. */
  serverError: 1,
  /** The connection could not be made: refused, unreachable, timed out. */
  connectFailed: 2,
  /** The connection broke before the answer's end, through the instance. */
  reset: 3,
  /** The answer did not begin or go on in time. */
  timedOut: 4,
  /** The client went away, or the attempt was given up for reasons not the instance's. */
  abandoned: 5,
  /** Unanswered until another instance had answered in its place. */
  silent: 6,
} as const;
export type Outcome = (typeof outcome)[keyof typeof outcome];

/** Returned by `choose` when there is nothing to try. */
export const NO_INSTANCE = -1;
/** Returned by `choose` when every usable instance is at `maxConnections`: queue and ask again. */
export const ALL_BUSY = -2;

export interface Ejection {
  readonly instance: string;
  /** `silent` and `errors` eject nobody: reasons for control to look. */
  readonly kind: "ejected" | "readmitted" | "silent" | "errors";
  /** Of an ejection. */
  readonly cause?: CauseName;
  /** "web-2 ejected for 1 s: connection refused". */
  readonly sentence: string;
}

export interface Dispatcher {
  /**
   * A slot to try now, or NO_INSTANCE or ALL_BUSY. `tried` lists the first `triedCount` slots
   * already tried for this request. `key` is a 32-bit hash of what the rule hashes.
   * `repeatable`: it may be sent again elsewhere, so it may try a sick instance.
   */
  choose(
    rule: BalanceRule,
    nowMs: number,
    key: number,
    tried: Int32Array,
    triedCount: number,
    repeatable: boolean,
  ): number;
  /**
   * The slot of an instance that a client is to stay with; ALL_BUSY while it takes nothing just now
   * (at its limit, silent for longer than usual); NO_INSTANCE when it is out, or its level takes no
   * traffic, and the client belongs elsewhere from now on.
   */
  stay(instance: Place, nowMs: number): number;
  /** A slot for a second attempt beside one in `tried`: usable and not late, or NO_INSTANCE. */
  chooseHedge(
    rule: BalanceRule,
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
  /** The whole request lies with the instance: from now on it can answer. */
  awaits(slot: number, nowMs: number): void;
  /**
   * The answer's head has come: proof of life, which need not wait for the end of a long answer.
   * `latencyMs` is the time since `started`, `waitedMs` that since `awaits` or -1 without one;
   * `good`: not a server error, which earns retries.
   */
  answering(slot: number, nowMs: number, latencyMs: number, waitedMs: number, good: boolean): void;
  /**
   * `latencyMs` is the time since `started`: what began before an ejection is told by it. `awaits`:
   * there was an `awaits` without an `answering` after it.
   */
  finished(slot: number, nowMs: number, result: Outcome, latencyMs: number, awaits: boolean): void;
  /** Requests that await an answer: while there are any, `scan` is worth calling. */
  readonly awaitingCount: number;
  /**
   * Judges silence; every few milliseconds. `lateByMs` is how much later the caller comes than it
   * meant to: who was away himself has not seen the instances be silent.
   */
  scan(nowMs: number, lateByMs: number): void;
  /**
   * Until then a scan finds nothing, if nothing is asked or answered before; `wasScanned`: nor was
   * since the latest scan.
   */
  quietUntilMs(nowMs: number, wasScanned: boolean): number;
  /** An answer said how loaded its instance is; counts where the service has `loadReports`. */
  reported(slot: number, nowMs: number, report: LoadReport): void;
  /** Judges success rates and loads; every second or more often. */
  tick(nowMs: number): void;
  /** After how long unanswered a request on the slot is worth a second attempt; Infinity: never. */
  hedgeAfterMs(slot: number): number;
  isLate(slot: number): boolean;
  /** Ejected, or on the way there: another instance had better answer what this one refuses. */
  isDoubted(slot: number): boolean;
  /** A first attempt (not a retry) was made: hedges are a share of them. */
  requestSeen(nowMs: number): void;
  /** Whether one more try may be made; taking it spends from the budget. */
  takeRetry(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean;
  /** The same for a second attempt beside the first, of its own budget. */
  takeHedge(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean;
  /**
   * Whether `takeHedge` would say yes: whoever looks at many that wait asks this first, and chooses
   * for none in vain.
   */
  mayHedge(nowMs: number, budgetRatio: number, budgetPerSecond: number): boolean;
  /**
   * The instance in a slot: a slot keeps its instance for as long as any attempt on it is under
   * way, also when the instance left the table. The object is the same for as long: another one
   * means that the slot was lent anew.
   */
  instance(slot: number): { readonly id: string; readonly host: string; readonly port: number };
  /** Follows a new table; state of instances that stay (same id, host, port) is kept. */
  update(service: TableService, nowMs: number): void;
  /** Where this worker stands among those that live; counts where the service has a `subset`. */
  standAt(place: WorkerPlace, nowMs: number): void;
  setControlAlive(alive: boolean, nowMs: number): void;
  /** Instances of the table that are ejected now, for status. */
  ejected(nowMs: number): readonly string[];
  /** Instances of the table that are late now, for status. */
  late(): readonly string[];
}

export interface DispatcherOptions {
  /** Draws for `random`, for ties and for shares; in [0, 1). */
  readonly random: () => number;
  readonly onEjection: (ejection: Ejection) => void;
}

// What a vault's keeper does by itself, and when: backups, looks, drills, prunes, a scrub that goes
// round and round.
//
// Pure: history and now in, the next duty out. One duty runs at a time, so that none slows another
// and no two work on one vault. Among those that are due the more urgent goes first, in the order
// of `dutyKinds`; a scrub fills the time that is left and is cut short for every other.
//
// A duty is due one interval after the last success *began*, so that a slow one does not drift.
// What was missed while the machine was off is one success behind, however long it was off, and so
// is run once. After a failure it is tried again sooner, with growing pauses, never longer than an
// interval or an hour. All this is wall time, for it outlives reboots: a clock that went back
// delays a duty by one interval at most, one that jumped ahead makes it run once too early.

import { backoffCeilingMs } from "../guard/backoff.ts";

export const dutyKinds = ["run", "look", "drill", "prune", "scrub"] as const;
export type DutyKind = (typeof dutyKinds)[number];

/** Intervals; a duty without one is not done. */
export type DutySchedule = Readonly<Partial<Record<DutyKind, number>>>;

export interface DutyHistory {
  /** When the last success began; undefined before the first. */
  readonly doneMs?: number;
  /** Since then. */
  readonly failures: number;
  /** When the last attempt ended. */
  readonly endedMs: number;
  /** What came of the last attempt. */
  readonly sentence: string;
  /** Where a scrub goes on; undefined between two rounds. */
  readonly cursor?: string;
  /** When the round that is under way began. */
  readonly roundMs?: number;
}

export type DutyHistories = Readonly<Partial<Record<DutyKind, DutyHistory>>>;

export interface DueDuty {
  readonly kind: DutyKind;
  /** In the past when it is late. */
  readonly atMs: number;
}

const retryBaseMs = 60_000;
const retryMaxMs = 3_600_000;

/** When each duty is due, by its urgency. */
export function dueTimes(
  schedule: DutySchedule,
  histories: DutyHistories,
  nowMs: number,
): readonly DueDuty[] {
  return dutyKinds.flatMap((kind) => {
    const everyMs = schedule[kind];
    return everyMs === undefined ? [] : [{ kind, atMs: dueMs(everyMs, histories[kind], nowMs) }];
  });
}

/** What is to be done now; undefined when nothing is due. */
export function chooseDuty(
  schedule: DutySchedule,
  histories: DutyHistories,
  nowMs: number,
): DutyKind | undefined {
  return dueTimes(schedule, histories, nowMs).find(({ atMs }) => atMs <= nowMs)?.kind;
}

/** Whether the duty under way should leave room for one that is due. */
export function mustYield(
  running: DutyKind,
  schedule: DutySchedule,
  histories: DutyHistories,
  nowMs: number,
): boolean {
  if (running !== "scrub") return false;
  const next = chooseDuty(schedule, histories, nowMs);
  return next !== undefined && next !== "scrub";
}

function dueMs(everyMs: number, history: DutyHistory | undefined, nowMs: number): number {
  if (history === undefined) return nowMs;
  const { doneMs, failures, roundMs } = history;
  // What lies ahead was written by a clock that has gone back since.
  const endedMs = Math.min(history.endedMs, nowMs);
  if (failures > 0) return endedMs + Math.min(everyMs, retryPauseMs(failures));
  const isBetweenRounds = roundMs === undefined && doneMs !== undefined;
  return isBetweenRounds ? Math.min(doneMs, nowMs) + everyMs : endedMs;
}

/** How long after so many failures in a row it is tried again, for long intervals. */
export function retryPauseMs(failures: number): number {
  return backoffCeilingMs({ baseMs: retryBaseMs, maxMs: retryMaxMs }, failures);
}

export type DutyOutcome = "done" | "unfinished" | "failed";

/** The history after an attempt. */
export function afterAttempt(
  before: DutyHistory | undefined,
  attempt: {
    readonly startedMs: number;
    readonly endedMs: number;
    readonly outcome: DutyOutcome;
    readonly sentence: string;
    readonly cursor?: string;
  },
): DutyHistory {
  const { startedMs, endedMs, outcome, sentence, cursor } = attempt;
  const doneMs = outcome === "done" ? (before?.roundMs ?? startedMs) : before?.doneMs;
  const roundMs = outcome === "unfinished" ? (before?.roundMs ?? startedMs) : before?.roundMs;
  const goesOnAt = cursor ?? before?.cursor;
  const isOver = outcome === "done";
  return {
    ...(doneMs === undefined ? {} : { doneMs }),
    failures: outcome === "failed" ? (before?.failures ?? 0) + 1 : 0,
    endedMs,
    sentence,
    ...(isOver || goesOnAt === undefined ? {} : { cursor: goesOnAt }),
    ...(isOver || roundMs === undefined ? {} : { roundMs }),
  };
}

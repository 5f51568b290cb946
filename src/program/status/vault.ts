// What the status report says of the vault, and how a person reads it. Pure.

import { dutyNames, type DutiesState } from "../../control/backup/duties.ts";
import { sayCount } from "../../core/base/count.ts";
import { sayDuration } from "../../core/base/duration.ts";
import type { VaultReport } from "./report.ts";

export function vaultReport(state: DutiesState): VaultReport {
  const { running, sources, due, histories, redundancy } = state;
  return {
    running: running?.order.kind ?? null,
    since: running === undefined ? null : toIso(running.startedMs),
    sources: sources.map(({ source, isStale, sentence, found }) => ({
      name: source,
      stale: isStale,
      why: sentence,
      newest: found?.restorable === undefined ? null : toIso(found.restorable.startedMs),
    })),
    duties: due.map(({ kind, atMs }) => {
      const history = histories[kind];
      return {
        duty: kind,
        next: toIso(atMs),
        last: history?.doneMs === undefined ? null : toIso(history.doneMs),
        failures: history?.failures ?? 0,
        why: history?.sentence ?? "",
      };
    }),
    redundancy: redundancy === undefined ? null : redundancyReport(redundancy),
    erasures: (redundancy?.erasures ?? []).map(({ subject, atMs, pending }) => {
      return { subject, at: toIso(atMs), pending: [...pending] };
    }),
  };
}

function redundancyReport(
  redundancy: NonNullable<DutiesState["redundancy"]>,
): VaultReport["redundancy"] {
  const { objects, whole, unreadable, spareMin, away } = redundancy;
  return { objects, whole, unreadable, spare: spareMin, away: [...away] };
}

/** One line for `nines status`: what is under way or next, what fails. */
export function sayVault(report: VaultReport, nowMs: number): string {
  const { running, since, duties } = report;
  const failing = duties.filter(({ failures }) => failures > 0);
  const next = duties.map((one) => ({ ...one, inMs: Date.parse(one.next) - nowMs }));
  const first = next.sort((a, b) => a.inMs - b.inMs)[0];
  const now =
    running !== null && since !== null
      ? `${dutyNames[running]} since ${sayDuration(Math.max(0, nowMs - Date.parse(since)))}`
      : first === undefined
        ? "nothing is scheduled"
        : `${dutyNames[first.duty]} in ${sayDuration(Math.max(0, first.inMs))}`;
  const bad = failing.map(
    ({ duty, failures, why }) => `${dutyNames[duty]} failed ${failures}x: ${why}`,
  );
  return [now, ...bad].join("; ");
}

/** The lines of `nines backup status`. */
export function describeVault(report: VaultReport, nowMs: number): readonly string[] {
  const { sources, duties, redundancy, running, erasures } = report;
  const age = (time: string) => sayDuration(Math.max(0, nowMs - Date.parse(time)));
  return [
    ...sources.map(({ stale, why }) => `${stale ? "STALE: " : ""}${why}`),
    ...(redundancy === null ? [] : [sayRedundancy(redundancy)]),
    ...erasures.map(({ subject, at, pending }) => {
      const where = pending.join(", ");
      const copy = `the copy of its key on ${where} is destroyed when it comes back`;
      return `Subject ${subject} was erased ${age(at)} ago; ${copy}.`;
    }),
    ...duties.map(({ duty, next, last, failures, why }) => {
      const inMs = Date.parse(next) - nowMs;
      const when = duty === running ? "under way" : inMs <= 0 ? "due" : `in ${sayDuration(inMs)}`;
      const done = last === null ? "not yet done by `nines up`" : `last done ${age(last)} ago`;
      const failed = failures === 0 ? "" : `, failed ${sayCount(failures, "time")} since`;
      return `${capital(dutyNames[duty])}: ${when}, ${done}${failed}${why === "" ? "" : `: ${why}`}`;
    }),
  ];
}

function sayRedundancy(redundancy: NonNullable<VaultReport["redundancy"]>): string {
  const { objects, whole, unreadable, spare, away } = redundancy;
  const lost = unreadable === 0 ? "" : `, ${unreadable} cannot be read`;
  const gone = away.length === 0 ? "" : `; not reached: ${away.join(", ")}`;
  const who = unreadable === 0 ? "each" : "each other";
  const any = `; ${who} can lose ${spare} and still be read`;
  return `Redundancy: ${whole} of ${objects} objects have every shard${lost}${any}${gone}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function toIso(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

// How old what could be restored is: the one figure of a backup that matters.
//
// It is looked at from the reader's side. That a run said "done" proves nothing: what counts is the
// newest snapshot of which every chunk is found on the targets now, and that no drill has failed to
// restore. So a run that fails, a run that never starts, a target that is away and a vault that has
// rotted are one alarm, and none of them can be silent.

import { sayDuration } from "../base/duration.ts";

export interface SourceFreshness {
  readonly source: string;
  /** The newest snapshot of which everything is there; undefined where there is none. */
  readonly restorable?: RestorableSnapshot;
  /** Newer snapshots of which something is missing. */
  readonly broken: number;
  /** What the newest of them lacks; "" where none is broken. */
  readonly reason: string;
}

export interface RestorableSnapshot {
  readonly snapshot: string;
  /** What it holds is as of then. */
  readonly startedMs: number;
}

export interface FreshnessQuestion {
  readonly source: string;
  /** What the last look found; undefined before the first. */
  readonly found: SourceFreshness | undefined;
  /** Snapshots that a drill could not restore. */
  readonly failedDrills: readonly string[];
  /** Undefined: none is too old. */
  readonly staleAfterMs: number | undefined;
  /**
   * Since when this source is kept, where somebody knows: a new one has the same time for its first
   * snapshot.
   */
  readonly sinceMs: number | undefined;
}

export interface FreshnessVerdict {
  readonly isStale: boolean;
  readonly sentence: string;
}

export function judgeFreshness(question: FreshnessQuestion, nowMs: number): FreshnessVerdict {
  const { source, found, failedDrills, staleAfterMs, sinceMs } = question;
  const restorable = found?.restorable;
  if (restorable !== undefined && failedDrills.includes(restorable.snapshot)) {
    const which = `snapshot ${restorable.snapshot.slice(0, 8)} of ${source}, its newest`;
    return { isStale: true, sentence: `A drill could not restore ${which}.` };
  }
  if (restorable === undefined && found !== undefined && found.broken > 0) {
    const what = `None of the newest ${found.broken} snapshots of ${source} can be restored whole`;
    return { isStale: true, sentence: `${what}: ${found.reason}.` };
  }
  // A clock that went back makes nothing older.
  const ageMs = restorable && Math.max(0, nowMs - restorable.startedMs);
  const waitedMs = ageMs ?? (sinceMs === undefined ? undefined : Math.max(0, nowMs - sinceMs));
  const isStale = staleAfterMs !== undefined && (waitedMs ?? staleAfterMs + 1) > staleAfterMs;
  const allowed = staleAfterMs === undefined ? "" : `; ${sayDuration(staleAfterMs)} are allowed`;
  const missing =
    found === undefined || found.broken === 0
      ? ""
      : `; newer ones that are not whole: ${found.broken}, ${found.reason}`;
  const since = waitedMs === undefined ? "" : `, since ${sayDuration(waitedMs)}`;
  const subject =
    ageMs === undefined
      ? `${source} has no snapshot that can be restored${since}`
      : `The newest snapshot of ${source} that can be restored is ${sayDuration(ageMs)} old`;
  return { isStale, sentence: `${subject}${allowed}${missing}.` };
}

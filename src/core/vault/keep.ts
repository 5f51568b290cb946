// Which snapshots are kept: the newest few, and the newest of each of the last hours, days, weeks.
//
// Periods are of UTC and weeks begin on Monday, so that every machine and every summer time agrees.
// Only periods that have a snapshot count, so that a machine that was off for a month does not come
// back to an empty history. The newest snapshot is always kept.

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** 1 January 1970 was a Thursday. */
const mondayShiftDays = 3;

export interface KeepRules {
  readonly last: number;
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
}

export interface DatedSnapshot {
  readonly id: string;
  readonly sequence: number;
  readonly startedMs: number;
}

/** Ids of those that are kept, each with why: "daily 3". */
export function keep(
  snapshots: readonly DatedSnapshot[],
  rules: KeepRules,
): ReadonlyMap<string, string> {
  const newestFirst = [...snapshots].sort(
    (a, b) => b.startedMs - a.startedMs || b.sequence - a.sequence,
  );
  const kept = new Map<string, string>();
  const rulesByName: readonly (readonly [string, number, (ms: number) => number])[] = [
    ["hourly", rules.hourly, (ms) => Math.floor(ms / hourMs)],
    ["daily", rules.daily, (ms) => Math.floor(ms / dayMs)],
    ["weekly", rules.weekly, (ms) => Math.floor((ms / dayMs + mondayShiftDays) / 7)],
  ];
  for (const [place, { id }] of newestFirst.slice(0, Math.max(1, rules.last)).entries()) {
    kept.set(id, `last ${place + 1}`);
  }
  for (const [name, count, periodOf] of rulesByName) {
    let found = 0;
    let period: number | undefined;
    for (const { id, startedMs } of newestFirst) {
      if (periodOf(startedMs) === period) continue;
      if (found === count) break;
      found++;
      period = periodOf(startedMs);
      if (!kept.has(id)) kept.set(id, `${name} ${found}`);
    }
  }
  return kept;
}

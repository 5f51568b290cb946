// What the data path notices of instances, on its way to control and to people: the first of a kind
// at once, its like not again for a moment. A dead instance under load fails hundreds of times a
// second in every worker, and one notice is reason enough for a check.

import type { InstanceNotice } from "../contract.ts";

/** Beyond this many instances and kinds the oldest is forgotten; it may then repeat too soon. */
const REMEMBERED_MAX = 1_000;

/** Whether a notice is news: none of its kind about its instance came in the last `quietMs`. */
export function createNoticeFilter(
  quietMs: number,
): (notice: InstanceNotice, nowMs: number) => boolean {
  const lastMs = new Map<string, number>();
  return (notice, nowMs) => {
    const key = `${notice.kind} ${notice.instance}`;
    if (nowMs - (lastMs.get(key) ?? -Infinity) < quietMs) return false;
    lastMs.delete(key);
    lastMs.set(key, nowMs);
    if (lastMs.size > REMEMBERED_MAX) {
      for (const oldest of lastMs.keys()) {
        lastMs.delete(oldest);
        break;
      }
    }
    return true;
  };
}

// Does the new version fail more often than the old one, or is it chance?
//
// Two proportions, each with one success and one failure added (Agresti and Caffo 2000: "Simple and
// effective confidence intervals for proportions ... result from adding two successes and two
// failures"), and their difference measured in standard errors:
//
//   p = (errors + 1) / (requests + 2),   z = (p_new - p_old) / sqrt(v_new + v_old),
//   v = p (1 - p) / (requests + 2)
//
// The additions keep small samples modest: two failures of three requests prove nothing, and
// without any old request p_old is 1/2. It is asked again and again while a deploy lasts, which 3
// standard errors, enough for a single test, would not stand; 4, with at least 5 errors and a
// difference that matters (one percentage point, and twice the old share), does: the test counts
// false alarms.
// Rejected: a fixed limit on the new version's errors, since a service may fail for other reasons
// than its version; Fisher's exact test, which costs factorials and says the same at these sizes.

import { sayPercent } from "../base/percent.ts";

export interface ErrorCounts {
  readonly requests: number;
  /** Answers 5xx, connections refused or broken, timeouts. */
  readonly errors: number;
}

export const noErrors: ErrorCounts = { requests: 0, errors: 0 };

const leastErrors = 5;
const standardErrors = 4;
const leastDifference = 0.01;
const leastRatio = 2;

/** Why the new version is worse, as a part of a sentence; undefined while that may be chance. */
export function clearlyWorse(fresh: ErrorCounts, old: ErrorCounts): string | undefined {
  if (fresh.errors < leastErrors) return undefined;
  const [now, before] = [smoothed(fresh), smoothed(old)];
  const difference = now.share - before.share;
  if (difference < leastDifference || now.share < leastRatio * before.share) return undefined;
  if (difference < standardErrors * Math.sqrt(now.variance + before.variance)) return undefined;
  return `${say(fresh)} of the new version failed, ${say(old)} of the old`;
}

function smoothed({ requests, errors }: ErrorCounts): { share: number; variance: number } {
  const share = (errors + 1) / (requests + 2);
  return { share, variance: (share * (1 - share)) / (requests + 2) };
}

function say({ requests, errors }: ErrorCounts): string {
  const share = requests === 0 ? "" : ` (${sayPercent(errors / requests)})`;
  return `${errors} of ${requests} requests${share}`;
}

// Silence by counting: patience = (misses + 1/2) x interval.
//
// Half an interval of slack: a heartbeat that is merely late by the jitter of a busy machine is not
// missed yet (VRRP adds a skew of up to one interval to its 3 for the same reason, RFC 9568).
// Knows nothing of how regular the heartbeats really are; phi-accrual.ts learns that.

import { sayDuration } from "../base/duration.ts";
import type { ArrivalDetector } from "./arrivals.ts";

export interface MissedSettings {
  readonly everyMs: number;
  readonly misses: number;
}

/** (misses + 1/2) x interval. */
export function missedPatienceMs({ everyMs, misses }: MissedSettings): number {
  return (misses + 0.5) * everyMs;
}

export function countMissed(settings: MissedSettings): ArrivalDetector {
  const { everyMs, misses } = settings;
  const count = misses === 1 ? "1 heartbeat" : `${misses} heartbeats`;
  return {
    heard: () => undefined,
    passedOver: () => undefined,
    patienceMs: () => missedPatienceMs(settings),
    explain: () => `${count} of one every ${sayDuration(everyMs)} missed`,
  };
}

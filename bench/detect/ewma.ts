// Silence by a moving average of the gaps and of their deviation: patience = mean + 4 deviations +
// pause, with gains of 1/8 and 1/4 (Jacobson and Karels, "Congestion avoidance and control", 1988;
// RFC 6298). Nothing of Nines: a row to compare with. It learns as phi accrual does, from a few
// heartbeats instead of a window; so it has forgotten a rare pause when the next one comes.

import type { ArrivalDetector } from "../../src/core/detect/arrivals.ts";

export function movingAverage(everyMs: number, pauseMs: number): ArrivalDetector {
  let lastMs: number | undefined;
  let meanMs = everyMs;
  let deviationMs = everyMs / 2;
  return {
    heard(nowMs) {
      if (lastMs !== undefined) {
        const error = nowMs - lastMs - meanMs;
        deviationMs += (Math.abs(error) - deviationMs) / 4;
        meanMs += error / 8;
      }
      lastMs = nowMs;
    },
    // Histories are heard heartbeat by heartbeat: none is passed over.
    passedOver: () => undefined,
    patienceMs: () => meanMs + 4 * deviationMs + pauseMs,
    explain: () => "no heartbeat for four deviations more than the mean",
  };
}

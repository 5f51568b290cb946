// What the gateway's workers count, as control hears of it.

import type { WorkerStats } from "../core/measure/gateway-stats.ts";

export interface WorkerReports {
  /** Calls with each report: every 250 ms a worker, and right after it follows a new table. */
  onReport(listener: (stats: WorkerStats) => void): Disposable;
  /** Pids of the workers that are linked to control now. */
  linkedWorkers(): readonly number[];
}

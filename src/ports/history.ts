// Where incidents are kept, so that they outlive whoever saw them.
//
// Promises: what was kept survives `kill -9` and power loss a moment later; what is beyond the
// bounds (src/state/history.ts) goes, the oldest first. A disk that fails costs history, never a
// decision: it is said, incidents stay in memory and are written when it works again.

import type { Incident } from "../core/incident/incident.ts";

export interface History {
  /** Takes the place of the kept one with the same id. Never waits, never throws. */
  keep(incident: Incident): void;
  /** What is kept, as far as it is known by now, oldest first. */
  incidents(): readonly Incident[];
  /** Calls once, when what earlier controls have kept is known; never if it cannot be read. */
  whenRestored(run: (kept: readonly Incident[]) => void): void;
}

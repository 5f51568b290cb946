// What the file says of a service's failover, complete; and what it says when it says nothing.

import type { ServiceMode } from "../route/table.ts";
import type { FailoverRules } from "./failover.ts";

export interface FailoverSettings extends FailoverRules {
  readonly mode: ServiceMode;
  /** Ids of instances, the one that it prefers first; empty: by ordinal. */
  readonly order: readonly string[];
  /** In `hot-standby`: by the id of an instance, the id of the one that stands in for it. */
  readonly backups: Readonly<Record<string, string>>;
  /** Whether an instance that will soon reach a limit is replaced before it does. */
  readonly predictive: boolean;
}

export const plainFailover: FailoverSettings = {
  mode: "active-active",
  order: [],
  backups: {},
  predictive: false,
  failback: "automatic",
  minimumHealthyMs: 30_000,
  drainMs: 2_000,
  fenceMs: 0,
  unfenced: "wait",
};

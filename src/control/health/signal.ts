// One source of evidence about one instance: its check, or its heartbeats.

import type { HealthConfig } from "../../config/config.ts";
import type { InstanceRecord } from "../registry/registry.ts";

/** What is asked of an instance now; undefined when it is not watched any more. */
export type Subject = () =>
  | { readonly record: InstanceRecord; readonly health: HealthConfig }
  | undefined;

export interface News {
  /** What the evidence is: "answered 200", "heartbeat". */
  readonly detail: string;
  /** Why the signal's verdict changed, without the instance's name; undefined when it did not. */
  readonly changed: string | undefined;
}

export interface Signal extends Disposable {
  readonly verdict: "unknown" | "up" | "down";
  /** When the first of the failures began that speak against it now. */
  readonly failingSinceMs: number | undefined;
  /** Live traffic met a failure. */
  suspect(detail: string): void;
}

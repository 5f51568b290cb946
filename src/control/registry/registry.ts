// The registry: where the loops meet. In memory, one on each machine; every loop writes what it knows
// of an instance and hears of every change at once. No loop imports another.

import type { Phase } from "../../core/supervise/phase.ts";

export type Health = "unknown" | "up" | "down";

export interface InstanceRecord {
  /** "web-2"; for endpoints "cache-10.0.0.7:6379". */
  readonly id: string;
  readonly service: string;
  /** 1, 2, 3, … for commands; position in the file, from 1, for endpoints. Kept for its whole life. */
  readonly ordinal: number;
  readonly origin: "command" | "endpoint";
  readonly host: string;
  /** 0 while no port is known yet. */
  readonly port: number;
  readonly weight: number;
  readonly backup: boolean;
  readonly zone: string;
  /** Written by the supervisor. "external" for endpoints. */
  readonly phase: Phase | "external";
  /** Written by the health loop; "unknown" at every start of the process. */
  readonly health: Health;
  /** Written by the supervisor on an operator's word, or ahead of a stop: no new traffic. */
  readonly draining: boolean;
  /** See TableInstance.generation. */
  readonly generation: number;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Why it is in its state: the sentence of the last event about it. */
  readonly why: string;
  /** Since when, by the wall clock, for people. */
  readonly sinceWallMs: number;
  /** When its process became ready last, monotonic; undefined before. */
  readonly readyAtMs: number | undefined;
}

export interface RegistryChange {
  readonly before: InstanceRecord | undefined;
  readonly after: InstanceRecord | undefined;
}

export interface Registry {
  /** All instances, by service as in the file, then ordinal. */
  instances(): readonly InstanceRecord[];
  get(id: string): InstanceRecord | undefined;
  add(record: InstanceRecord): void;
  /** Replaces the named fields; nothing is announced when nothing changes. */
  patch(id: string, fields: Partial<Omit<InstanceRecord, "id" | "service" | "origin">>): void;
  remove(id: string): void;
  /** Called at once, in the order of subscription, after each change. Must not throw. */
  subscribe(listener: (change: RegistryChange) => void): Disposable;
}

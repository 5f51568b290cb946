// The registry: where the loops meet. In memory, one on each machine; every loop writes what it
// knows of an instance and hears of every change at once. No loop imports another.

import type { InstanceVerdict } from "../../core/route/table.ts";
import type { AgentState } from "../../core/steer/agent-state.ts";
import type { WeightWord } from "../../core/steer/weights.ts";
import type { Phase } from "../../core/supervise/phase.ts";

export type Health = "unknown" | "up" | "down";

/** What the data plane was told of an instance last, and in which version of the table. */
export interface Told {
  readonly verdict: InstanceVerdict;
  /** The first version that said so, without a break. */
  readonly version: number;
}

/** What an earlier control knew of an instance, as far as the data plane goes by it. */
export interface Remembered {
  readonly told: Told | undefined;
  readonly generation: number;
}

/** An operator's words on an instance, until another word ends them. */
export interface Steered {
  readonly weight?: WeightWord;
  /** Stands above what its checks say. */
  readonly forced?: "up" | "down";
}

/** What came of asking an instance's agent last. */
export interface AgentHeard {
  readonly outcome: "said" | "refused" | "unreachable" | "late";
  /** Its line, or why there is none. */
  readonly text: string;
}

export interface InstanceRecord {
  /** "web-2"; for endpoints "cache-10.0.0.7:6379". */
  readonly id: string;
  readonly service: string;
  /**
   * 1, 2, 3, … for commands; position in the file, from 1, for endpoints. Kept for its life.
   */
  readonly ordinal: number;
  readonly origin: "command" | "endpoint";
  readonly host: string;
  /** 0 while no port is known yet. */
  readonly port: number;
  readonly weight: number;
  readonly backup: boolean;
  /** Its priority level; undefined: 1 for a backup, else 0. */
  readonly priority?: number | undefined;
  readonly zone: string;
  /** Written by the steering loop; absent while no operator says anything. */
  readonly steered?: Steered | undefined;
  /** Written by the steering loop: not in the file, an operator added it. */
  readonly added?: boolean;
  /** Written by the health loop: by what its agent said; absent where none is asked. */
  readonly agent?: AgentState | undefined;
  readonly agentHeard?: AgentHeard | undefined;
  /** Written by the supervisor. "external" for endpoints. */
  readonly phase: Phase | "external";
  /** Written by the health loop; "unknown" at every start of the process. */
  readonly health: Health;
  /** Written by the health loop: what the last check met; absent before the first. */
  readonly lastCheck?: string;
  /**
   * Written by the health loop: when the first of the checks that fail now began, monotonic;
   * undefined while they pass.
   */
  readonly failingSinceMs?: number | undefined;
  /** Written by the supervisor on an operator's word, or ahead of a stop: no new traffic. */
  readonly draining: boolean;
  /**
   * Written by the observing loop: the newest generation that a worker ejected, while any that
   * control hears still has it ejected; undefined when none has.
   */
  readonly ejectedGeneration?: number | undefined;
  /**
   * Written by the failover loop: `active` takes traffic when it can; `leaving` hands its place
   * over; `standby` gets none, however well it is.
   */
  readonly standing: "active" | "leaving" | "standby";
  /** A sentence: why it is not active, or is primary; empty where there is nothing to say. */
  readonly standingWhy: string;
  /** Written by the failover loop: why it must not be started yet; empty when it may. */
  readonly startHeld: string;
  /** See TableInstance.generation. */
  readonly generation: number;
  /** Written by the supervisor: of a full instance's traffic, in (0, 1]. Absent: all of it. */
  readonly share?: number;
  /** Written by the supervisor: it is one more than there are to be, for the time of a deploy. */
  readonly extra?: boolean;
  /** Written by the supervisor: which version of the service its process is. */
  readonly version?: number;
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Why it is in its state: the sentence of the last event about it. */
  readonly why: string;
  /** Since when, by the wall clock, for people. */
  readonly sinceWallMs: number;
  /** When its process became ready last, monotonic; undefined before. */
  readonly readyAtMs: number | undefined;
  /** Written by the routing loop; at the start of control, what the control before it told. */
  readonly told?: Told;
}

export interface RegistryChange {
  readonly before: InstanceRecord | undefined;
  readonly after: InstanceRecord | undefined;
}

export interface Registry {
  /** All instances, by service as in the file (those of no service in it last), then ordinal. */
  instances(): readonly InstanceRecord[];
  /** The file's order of services, for `instances`. */
  orderServices(names: readonly string[]): void;
  get(id: string): InstanceRecord | undefined;
  add(record: InstanceRecord): void;
  /** Replaces the named fields; nothing is announced when nothing changes. */
  patch(id: string, fields: Partial<Omit<InstanceRecord, "id" | "service" | "origin">>): void;
  remove(id: string): void;
  /** Of a service: see TableService.epoch. Written by the failover loop. */
  epoch(service: string): number;
  setEpoch(service: string, epoch: number): void;
  /** Called at once, in the order of subscription, after each change. Must not throw. */
  subscribe(listener: (change: RegistryChange) => void): Disposable;
}

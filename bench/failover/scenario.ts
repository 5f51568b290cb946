// What a scenario is: a set-up, a load, something that happens a second into it, and what is
// promised of the outcome. Each scenario is a value in `scenarios/`; `plan.ts` lists them all.

import type { Figure } from "../shared/figures.ts";
import type { LoadResult } from "./load.ts";
import type { Received } from "./traffic.ts";

/** Requests a second of every load. */
export const RATE_PER_SECOND = 400;
/** When a scenario's fault comes, after the start of its load. */
export const FAULT_AT_MS = 1_000;
export const INSTANCES = 3;

/** How three instances of one service stand behind a contender. */
export interface SetUp {
  /** How long an instance works on a request. */
  readonly serviceMs: number;
  /** The first takes all traffic, the others stand by; who gives it back to the first. */
  readonly primary?: "automatic failback" | "manual failback";
  /** Nines runs in the background, with a keeper that watches control. */
  readonly detached?: boolean;
}

export interface Instance {
  readonly index: number;
  readonly pid: number;
  readonly port: number;
}

/** A load balancer under test, with its three instances. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  /** The file prefix in which instances note what they received. */
  readonly receivedFile: string;
  /** All three, by index; a pid of 0 where no process runs now. */
  instances(): Promise<readonly Instance[]>;
  reload(): Promise<void>;
  drain(index: number): Promise<void>;
  undrain(index: number): Promise<void>;
  stop(): Promise<void>;
}

export const peers = ["haproxy", "haproxy tuned", "nginx"] as const;
export type Peer = (typeof peers)[number];

/** What a scenario sees of the load that it acts upon. */
export interface Run {
  readonly durationMs: number;
  /** Milliseconds since the load's start. */
  elapsedMs(): number;
  /** Returns at that moment after the load's start. */
  until(elapsedMs: number): Promise<void>;
  /** What the instances have received of it until now. */
  received(): readonly Received[];
}

/** A process that is gone or stands still: the POSTs that it had been sent may be lost. */
export interface Lost {
  readonly pid: number;
  /** When that happened, by the wall clock. */
  readonly atMs: number;
}

/** What was done. */
export interface Fault {
  readonly lost?: readonly Lost[];
  /** Measurements of this scenario alone; NaN is "could not be measured". */
  readonly extra?: Readonly<Record<string, number>>;
}

export interface Outcome extends LoadResult {
  readonly durationMs: number;
  readonly received: readonly Received[];
  /** Failed POSTs that no lost instance had been sent: they should have been tried elsewhere. */
  readonly wronglyLostPosts: number;
  readonly extra: Readonly<Record<string, number>>;
}

/**
 * Beside what a scenario of Nines may run, on a machine of two cores; all of a peer run one after
 * another, beside those of the other peers.
 * - `timed`: its figures are times; it runs alone.
 * - `idle`: it has no load and mostly waits; it runs beside the peers.
 * - `first`, `second`, `third`: its figures are counts; three lanes beside each other.
 */
export type Lane = "timed" | "idle" | "first" | "second" | "third";

export interface Scenario<C extends Contender = Contender> {
  readonly name: string;
  /** Scenarios with the same value here run back to back on one started system. */
  readonly setUp: SetUp;
  /** Length of the load; 0 is no load. */
  readonly durationMs: number;
  /** In a quick run; as long when absent. */
  readonly quickDurationMs?: number;
  /** How long a client waits for an answer. */
  readonly patienceMs?: number;
  readonly lane: Lane;
  /** Peers that cannot do this, each with the reason. */
  readonly cannot?: Readonly<Partial<Record<Peer, string>>>;
  /** Before the load. */
  readonly prepare?: (contender: C) => Promise<void>;
  readonly act: (contender: C, run: Run) => Promise<Fault>;
  /** Nines' figures with their bars, out of one outcome a round. */
  readonly promises: (outcomes: readonly Outcome[]) => readonly Figure[];
  /** What is told of a peer besides failures and times; `prefix` names peer and scenario. */
  readonly told?: (prefix: string, outcomes: readonly Outcome[]) => readonly Figure[];
}

/** A reason for every peer. */
export function nobodyElse(reason: string): Readonly<Record<Peer, string>> {
  return { haproxy: reason, "haproxy tuned": reason, nginx: reason };
}

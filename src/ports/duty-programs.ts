// The programs that do a vault's duties, each in a process of its own: hashing and coding for hours
// must never hold up the loops of control.
//
// A duty's process outlives control like every process that Nines starts; its last word is a file,
// so that the next control still learns what came of it. A process that leaves no word was killed,
// or its machine was.

import type { DutyKind, DutyOutcome } from "../core/vault/duties.ts";
import type { SourceFreshness } from "../core/vault/freshness.ts";
import type { EventEntry } from "./events.ts";
import type { StartRequest } from "./processes.ts";

export interface DutyOrder {
  /** Names the attempt and its report; letters and digits. */
  readonly id: string;
  readonly kind: DutyKind;
  /** Where a scrub goes on. */
  readonly cursor?: string;
}

export interface DutyReport {
  readonly outcome: DutyOutcome;
  /** What came of it, or why it failed. */
  readonly sentence: string;
  /** What there was to say on the way, the first few hundred. */
  readonly said: readonly EventEntry[];
  readonly cursor?: string;
  readonly freshness?: readonly SourceFreshness[];
  readonly redundancy?: Redundancy;
  /** Of a drill: snapshots that it could not restore, and those that it could. */
  readonly drilled?: { readonly failed: readonly string[]; readonly passed: readonly string[] };
}

/** How many objects of the vault could lose how much, by what the targets list. */
export interface Redundancy {
  readonly objects: number;
  /** With every shard that they should have. */
  readonly whole: number;
  /** That have too few shards to be read. */
  readonly unreadable: number;
  /** Any so many shards of any readable object may be lost. */
  readonly spareMin: number;
  /** Targets that could not be listed. */
  readonly away: readonly string[];
  /** Of subjects whose key may be left on a target that is away; absent in what older ones said. */
  readonly erasures?: readonly PendingErasure[];
}

export interface PendingErasure {
  /** The beginning of the name's HMAC: what the record of the erasure says. */
  readonly subject: string;
  readonly atMs: number;
  readonly pending: readonly string[];
}

export interface DutyPrograms {
  /** What to start for it. The program ends soon after SIGTERM, and leaves a report then, too. */
  request(order: DutyOrder): StartRequest;
  /** The last word of an attempt, once its process has ended. Undefined when it left none. */
  report(id: string): DutyReport | undefined;
  /** Removes it. Nothing happens when it is not there. */
  forget(id: string): void;
}

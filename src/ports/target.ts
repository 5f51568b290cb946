// A target: a place that keeps a vault's objects. A folder on a disk or a mount, a bucket, later a
// machine. The vault lays each object over several targets (core/vault/placement.ts), so a target
// may be lost, full, slow or wrong; what it may not do is say that it has kept what it has not.
//
// Objects, none of them empty, are written once, whole, under a name that is never used again, and
// never changed. That is all that the vault builds on, and what folders and stores have in common.
// A target that is append-only refuses `remove` and is good for everything else.
//
// What a target may do to us, and the vault is ready for:
// - lose objects, hand out wrong or fewer bytes, hand out an object's older neighbour: each shard
//   says what it is and carries its hash (core/vault/shard.ts);
// - acknowledge a write that it then cuts short: found by scrub, or by the next reader;
// - fail after having done what was asked, or do it after having failed: names are never reused;
// - go back to an older state, alone or with all others: the union of the targets counts, and a
//   local mark says when all of them are older than what was known (core/vault/high-water.ts);
// - be swapped with another: what lies where is found by listing, not by remembering.
// What it may not do: forget on power loss what `put` has acknowledged.
//
// Each call settles within the time that the target was opened with; a call that takes longer
// rejects with "timeout", and whether it was done is then open. Failures are TargetErrors.

import type { Allocate } from "../core/vault/memory.ts";

export type TargetErrorKind =
  /** No room, or over a quota. */
  | "full"
  | "read-only"
  | "not-found"
  /** Credentials that lack the right: to remove, on an append-only target. */
  | "not-allowed"
  | "timeout"
  /** Nobody answers: not mounted, no network. */
  | "unreachable"
  /** The device, the kernel or the store failed, in whatever way is not listed above. */
  | "io";

export class TargetError extends Error {
  override readonly name = "TargetError";
  readonly kind: TargetErrorKind;

  /** `what` names the operation, the object, and the world's word for it. */
  constructor(kind: TargetErrorKind, what: string, options?: { readonly cause?: unknown }) {
    super(what, options);
    this.kind = kind;
  }
}

/** The kind of a failure that came from a target; undefined for any other error. */
export function targetErrorKind(error: unknown): TargetErrorKind | undefined {
  // By name, not by class: a program may hold two copies of this module.
  return error instanceof Error && error.name === "TargetError"
    ? (error as TargetError).kind
    : undefined;
}

/** The most names of one `list` answer. */
export const listPageMax = 1_000;

export interface Target {
  /** As the file calls it; unique among a vault's targets. */
  readonly name: string;
  /** What fails together with it: two shards of a stripe are never in one domain. */
  readonly domain: string;
  /** Known to refuse `remove`, always: nobody asks. Others may refuse it as well. */
  readonly isAppendOnly: boolean;
  /**
   * Keeps the object whole and durable, or rejects and shows nothing of it, now and after a power
   * loss. `pieces` are its bytes, one after the other; they stay as they are until it settles.
   * Names are `kind/leaf`: lower-case letters, then a leaf of letters, digits, dots and dashes that
   * begins with a hexadecimal digit, 200 characters at most. An object that is there already under
   * this name is replaced, whole.
   */
  put(name: string, pieces: readonly Uint8Array[]): Promise<void>;
  /**
   * The bytes of the object from `offset` on, `length` of them or as many as there are: the
   * caller's own, in memory from `allocate` where the target can read into it. Rejects with
   * "not-found".
   */
  read(name: string, offset: number, length: number, allocate?: Allocate): Promise<Uint8Array>;
  /**
   * Names of the objects of a kind, in order, from the first one after `after` ("" for the first of
   * all) on: a full page, or all that are left. Shows every `put` that was acknowledged
   * before the call, and may show others.
   */
  list(kind: string, after: string): Promise<readonly string[]>;
  /** Durable when it resolves. Nothing happens when the object is not there. */
  remove(name: string): Promise<void>;
  /**
   * Removes what puts that were cut off have left behind, of which `list` shows nothing. For when
   * nobody else puts.
   */
  clean(): Promise<void>;
  /** Room for more; undefined where the place does not say. */
  freeBytes(): Promise<number | undefined>;
  /** Waits for the calls that are under way. */
  close(): Promise<void>;
}

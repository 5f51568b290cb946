// The sentences of what goes wrong, each made in one place.

import { type ErrorCode, NinesError } from "../../core/base/errors.ts";
import { DiskError, diskErrorKind, type DiskFolder } from "../../ports/disk.ts";
import type { Damage } from "./examine.ts";

export function rotten(damage: Damage): NinesError {
  const place = `${damage.fileName}, at byte ${damage.offset}`;
  const record = damage.sequence === 0 ? "" : ` (record ${damage.sequence})`;
  return new NinesError("NINES_JOURNAL_ROT", `${place}${record}: ${damage.what}`, {
    cause: damage,
  });
}

/** What a disk's refusal means where nothing is at stake yet; other errors stay as they are. */
export function refused(error: unknown, what: string, code: ErrorCode = "NINES_JOURNAL_DISK") {
  if (diskErrorKind(error) === undefined) return error;
  return new NinesError(code, `${what}: ${messageOf(error)}`, { cause: error });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The call, or the refusal as the journal says it. */
export async function orRefused<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw refused(error, what);
  }
}

/**
 * Makes names durable. A flush that fails leaves open which of them are, and the next may lie: in
 * whatever way it fails, it is never only "full".
 */
export async function flushNames(folder: DiskFolder): Promise<void> {
  try {
    await folder.flush();
  } catch (error) {
    throw new DiskError("io", messageOf(error), { cause: error });
  }
}

export function isFull(error: unknown): boolean {
  return diskErrorKind(error) === "full";
}

// What is kept of a file, a folder or a link beside its content.
//
// Names are bytes, as kernels keep them: a string with one character a byte (latin1), so that a
// name that is not UTF-8 comes back as it was, and so that names sort by their bytes.

/** One character a byte. Never "", ".", "..", and without "/" and the zero byte. */
export type ByteName = string;

export interface ExtendedAttribute {
  readonly name: ByteName;
  readonly value: Uint8Array;
}

/** What is kept of an entry beside its name and content. */
export interface EntryFacts {
  /** Permission bits with setuid, setgid and sticky: 12 bits. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Since 1970, in nanoseconds of 64 bits; may be negative. */
  readonly modifiedNs: bigint;
  readonly attributes: readonly ExtendedAttribute[];
}

export type EntryKind = "file" | "folder" | "link";

/** A time as it can be kept, from 1677 to 2262: file systems know later ones. */
export function keptTimeNs(timeNs: bigint): bigint {
  const isKept = BigInt.asIntN(64, timeNs) === timeNs;
  if (isKept) return timeNs;
  return timeNs > 0n ? 2n ** 63n - 1n : -(2n ** 63n);
}

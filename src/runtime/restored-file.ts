// One file of a restore, by system calls that are over when they return.
//
// Whoever has the bytes makes the file, the program itself or a thread: on a tree of small files
// these calls are most of the work, and finding room for a new file most of these.

import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { EntryFacts } from "../core/vault/entry.ts";
import { directFlag } from "./direct.ts";
import { codeOf } from "./error-code.ts";

const makingFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Smaller ones go through the cache. */
const directBytesLeast = 1_048_576;

/** Of a file's facts those that its descriptor takes. */
export interface OwnFacts extends Pick<EntryFacts, "mode" | "userId" | "groupId"> {
  readonly modifiedSeconds: number;
}

export function ownFacts({ mode, userId, groupId, modifiedNs }: EntryFacts): OwnFacts {
  return { mode, userId, groupId, modifiedSeconds: secondsOf(modifiedNs) };
}

/**
 * Node takes seconds with fractions, and cuts off what is below a microsecond: in the middle of
 * one, the nearest fraction there is lies within it as well.
 */
export function secondsOf(timeNs: bigint): number {
  return (Number(timeNs / 1_000n) + (timeNs < 0n ? -0.5 : 0.5)) / 1_000_000;
}

/** As a number, Node would take a time before 1970 for "now". */
export function sayTime(seconds: number): string {
  return String(seconds);
}

export interface FilePlace {
  readonly place: Buffer;
  /** Beside it, for what is not whole yet. */
  readonly unfinished: Buffer;
}

/** Whether it got its owner, which only root may set. */
export function putFile(at: FilePlace, bytes: Uint8Array, facts: OwnFacts): boolean {
  const file = makeFile(at.unfinished);
  try {
    writeAll(file, bytes, 0);
    const isOwned = setFacts(file, facts);
    renameSync(at.unfinished, at.place);
    return isOwned;
  } catch (error) {
    unlinkIfThere(at.unfinished);
    throw error;
  } finally {
    closeSync(file);
  }
}

/** Looks whether it is there only when it is: a failure costs as much as making ten. */
export function makeFile(place: Buffer): number {
  try {
    return openSync(place, makingFlags, 0o600);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    unlinkSync(place);
    return openSync(place, makingFlags, 0o600);
  }
}

export function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

/** Whether it got its owner. */
export function setFacts(file: number, facts: OwnFacts): boolean {
  const isOwned = isAllowed(() => fchownSync(file, facts.userId, facts.groupId));
  // After the owner, whose change takes setuid away.
  fchmodSync(file, facts.mode);
  const time = sayTime(facts.modifiedSeconds);
  futimesSync(file, time, time);
  return isOwned;
}

export function isAllowed(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    return false;
  }
}

/** Finished by an earlier restore: of this size, and modified at this time, to the millisecond. */
export function isFinished(place: Buffer, sizeBytes: number, modifiedSeconds: number): boolean {
  const stat = lstatSync(place, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile() || stat.size !== sizeBytes) return false;
  return Math.abs(stat.mtimeMs / 1000 - modifiedSeconds) < 0.001;
}

export function unlinkIfThere(place: Buffer): void {
  try {
    unlinkSync(place);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** A file that gets its bytes in any order. */
export interface SizedFile {
  readonly descriptor: number;
  /** A second one, past the cache, where that is worth while and the file system has it. */
  readonly direct: number | undefined;
  /** Once or more often. */
  close(): void;
}

/** The file has its size at once: the kernel then takes its blocks in any order. */
export function makeSizedFile(place: Buffer, sizeBytes: number): SizedFile {
  const descriptor = makeFile(place);
  try {
    ftruncateSync(descriptor, sizeBytes);
  } catch (error) {
    closeSync(descriptor);
    unlinkIfThere(place);
    throw error;
  }
  const direct = sizeBytes < directBytesLeast ? undefined : openDirectly(descriptor);
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    closeSync(descriptor);
    if (direct !== undefined) closeSync(direct);
  };
  return { descriptor, direct, close };
}

function openDirectly(descriptor: number): number | undefined {
  if (directFlag === undefined) return undefined;
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | directFlag);
  } catch {
    return undefined;
  }
}

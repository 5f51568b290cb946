// Keeps the access log bounded: a file that is too large is renamed, and its writers begin another
// one when they see that the name is gone (engine/line-file.ts). Nothing is copied and no line is
// lost.
//
// The parent does it, of which there is one, whatever becomes of control; two that overlap for a
// moment see the same small file. Where it can't (the folder belongs to somebody else), the workers
// stop at a multiple of the size (engine/kept-log.ts) and say so.

import { renameSync, rmSync, statSync } from "node:fs";

/** FILE becomes FILE.1, and each older one moves on by one; `keep` stay. Throws what the disk says. */
export function rotateIfLarge(file: string, rotateBytes: number, keep: number): boolean {
  if (sizeOf(file) <= rotateBytes) return false;
  // More than one is over when `keep` has become smaller.
  for (let age = Math.max(keep, 1); sizeOf(`${file}.${age}`) >= 0; age++) rmSync(`${file}.${age}`);
  if (keep === 0) {
    rmSync(file);
    return true;
  }
  for (let age = keep - 1; age >= 1; age--) {
    if (sizeOf(`${file}.${age}`) >= 0) renameSync(`${file}.${age}`, `${file}.${age + 1}`);
  }
  renameSync(file, `${file}.1`);
  return true;
}

/** -1 when it is not there. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1;
}

// Keeps the access log bounded: a file that is too large is renamed, and its writers begin another
// one when they see that the name is gone (engine/line-file.ts). Nothing is copied and no line is
// lost.
//
// The parent does it, of which there is one, whatever becomes of control; two that overlap for a
// moment see the same small file. Where it can't (the folder belongs to somebody else), the workers
// stop at a multiple of the size (engine/kept-log.ts) and say so. The file may lie on a disk of its
// own, and a disk may hang (a mount whose server is away): the thread pool asks it, one question
// about a file at a time, and the parent waits for no answer. A table with another file is the way
// out of it, so that one is looked at whatever the old one's disk owes.

import { rename, rm, stat } from "node:fs/promises";

/** An answer that the disk owes for so long is told of. */
const OVERDUE_MS = 10_000;

export interface RotationOptions {
  /** Once for each trouble: that the file grows on, and why. */
  readonly say: (sentence: string) => void;
  readonly rotate?: typeof rotateIfLarge;
}

export class Rotation {
  readonly #options: RotationOptions;
  /** The file that is to be bounded now. */
  #file = "";
  /** Since when the disk owes an answer, by the file that it was asked about. */
  readonly #owed = new Map<string, number>();
  #trouble: string | undefined = undefined;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** Rotates soon if the file is too large; returns at once. */
  look(file: string, rotateBytes: number, keep: number, nowMs: number): void {
    this.#file = file;
    const sinceMs = this.#owed.get(file);
    if (sinceMs !== undefined) {
      if (nowMs - sinceMs < OVERDUE_MS) return;
      this.#tell(`${file} may grow on: its disk has not answered for ${OVERDUE_MS / 1000} s`);
      return;
    }
    this.#owed.set(file, nowMs);
    const { rotate = rotateIfLarge } = this.#options;
    void rotate(file, rotateBytes, keep).then(
      () => this.#answered(file, undefined),
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#answered(file, `${file} grows on: ${why}`);
      },
    );
  }

  #answered(file: string, trouble: string | undefined): void {
    this.#owed.delete(file);
    // Of a file that is no longer written to it would be stale news.
    if (file === this.#file) this.#tell(trouble);
  }

  #tell(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== undefined) this.#options.say(trouble);
  }
}

/** FILE becomes FILE.1, and each older one moves on by one; `keep` stay. Rejects as the disk does. */
export async function rotateIfLarge(
  file: string,
  rotateBytes: number,
  keep: number,
): Promise<boolean> {
  if ((await sizeOf(file)) <= rotateBytes) return false;
  // More than one is over when `keep` has become smaller.
  for (let age = Math.max(keep, 1); (await sizeOf(`${file}.${age}`)) >= 0; age++) {
    await rm(`${file}.${age}`);
  }
  if (keep === 0) {
    await rm(file);
    return true;
  }
  for (let age = keep - 1; age >= 1; age--) {
    if ((await sizeOf(`${file}.${age}`)) >= 0) {
      await rename(`${file}.${age}`, `${file}.${age + 1}`);
    }
  }
  await rename(file, `${file}.1`);
  return true;
}

/** -1 when it is not there. */
async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return -1;
    throw error;
  }
}

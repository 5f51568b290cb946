// Keeps instances' logs bounded. The instance holds its file open, so the file cannot be moved away
// from under it: it is copied and then cut back to nothing, and the appending writer goes on at its
// start.
//
// What is written between the last read of the copy and the cut is lost. All but the newest part is
// copied beforehand; the last read, which must find nothing new and end with a line, and the cut
// follow each other in one turn: the window is two system calls whatever the size, some 10 us, or
// as long as the scheduler puts us aside just there. What is lost are whole lines. At 20,000
// lines/s hardly one is; a program that does nothing but write keeps the kernel from cutting for up
// to 5 ms.
//
// A rotation that is interrupted repeats lines and loses none: the copy `FILE~rotating` is kept. On
// a full disk the oldest copies go first; when there is none left, a file of twice its size is cut
// all the same, and the number of lost bytes is said. A service is never stopped for its log.
// Rejected: renaming and asking the service to reopen (few can), a pipe through us (it would tie
// the service to us), logrotate (a second place to configure, hourly at best).

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Events } from "../ports/events.ts";

export interface RotatedLog {
  readonly file: string;
  readonly rotateBytes: number;
  /** Copies kept: FILE.1 is the newest. */
  readonly keep: number;
}

export interface LogRotation extends Disposable {
  /** These files from now on, and no others. */
  watch(logs: readonly RotatedLog[]): void;
  /** Looks at every file now; resolves when each that had to be is rotated. Never rejects. */
  rotateNow(): Promise<void>;
  readonly [Symbol.dispose]: () => void;
}

export interface LogRotationOptions {
  readonly clock: Pick<Clock, "after">;
  readonly events: Events;
  readonly intervalMs?: number;
}

const intervalMsDefault = 5_000;
const chunkBytes = 256 * 1024;
/** The part that is copied within the last turn. */
const tailBytesMax = 1024 * 1024;
const passesMax = 4;
/** How often a line that is just being written is waited for: about a millisecond. */
const lineEndLooksMax = 1_000;
const newline = 0x0a;
const rotatingSuffix = "~rotating";

export function createLogRotation(options: LogRotationOptions): LogRotation {
  const { clock, events } = options;
  const intervalMs = options.intervalMs ?? intervalMsDefault;
  const failing = new Set<string>();
  let logs: readonly RotatedLog[] = [];
  let timer: Timer | undefined;
  let disposed = false;

  function say(kind: string, level: "info" | "warning" | "error", sentence: string): void {
    events.record({ kind, level, sentence });
  }

  async function rotate(log: RotatedLog): Promise<void> {
    try {
      await rotateLog(log);
      failing.delete(log.file);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const lostBytes = cutIfTooLarge(log);
      if (lostBytes > 0) {
        const what = `${log.file} was cut, losing ${lostBytes} bytes: it could not be copied`;
        say("logs.cut", "error", `${what} (${why})`);
      } else if (!failing.has(log.file)) {
        failing.add(log.file);
        say("logs.rotation-failed", "warning", `${log.file} grows on: no copy of it (${why})`);
      }
    }
  }

  async function rotateNow(): Promise<void> {
    for (const log of logs) {
      if (sizeOf(log.file) > log.rotateBytes) await rotate(log);
    }
  }

  async function goOn(): Promise<void> {
    await rotateNow();
    if (!disposed) timer = clock.after(intervalMs, () => void goOn());
  }

  timer = clock.after(intervalMs, () => void goOn());
  return {
    watch: (next) => void (logs = next),
    rotateNow,
    [Symbol.dispose]() {
      disposed = true;
      timer?.[Symbol.dispose]();
    },
  };
}

async function rotateLog(log: RotatedLog): Promise<void> {
  // Of a rotation that did not live to see its end.
  if (sizeOf(log.file + rotatingSuffix) > 0) promote(log);
  if (log.keep === 0) return truncateSync(log.file);
  for (let oldest = log.keep; ; oldest--) {
    try {
      await copyAndCut(log.file);
      return promote(log);
    } catch (error) {
      rmSync(log.file + rotatingSuffix, { force: true });
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if ((code !== "ENOSPC" && code !== "EDQUOT") || oldest === 0) throw error;
      rmSync(`${log.file}.${oldest}`, { force: true });
    }
  }
}

async function copyAndCut(file: string): Promise<void> {
  let copied = 0;
  for (let pass = 0; pass < passesMax; pass++) {
    const size = sizeOf(file);
    if (size - copied <= tailBytesMax) break;
    copied = await copyUpTo(file, copied, size);
  }
  const source = openSync(file, "r+");
  let target: number | undefined;
  try {
    target = openSync(file + rotatingSuffix, copied === 0 ? "w" : "r+", 0o640);
    const bytes = Buffer.allocUnsafe(chunkBytes);
    let atLineEnd = false;
    for (let looks = 0; looks < lineEndLooksMax; looks++) {
      const read = readSync(source, bytes, 0, bytes.length, copied);
      // From here to the cut is the window in which a line is lost.
      if (read === 0 && atLineEnd) break;
      if (read === 0) continue;
      writeAll(target, bytes.subarray(0, read), copied);
      copied += read;
      atLineEnd = bytes[read - 1] === newline;
      looks = 0;
    }
    ftruncateSync(source);
  } finally {
    closeSync(source);
    if (target !== undefined) closeSync(target);
  }
}

/** Copies from `from` to `to` without holding up anybody. */
async function copyUpTo(file: string, from: number, to: number): Promise<number> {
  await using source = await open(file, "r");
  await using target = await open(file + rotatingSuffix, from === 0 ? "w" : "r+", 0o640);
  const bytes = Buffer.allocUnsafe(chunkBytes);
  let copied = from;
  while (copied < to) {
    const { bytesRead } = await source.read(bytes, 0, bytes.length, copied);
    if (bytesRead === 0) break;
    for (let done = 0; done < bytesRead; ) {
      done += (await target.write(bytes, done, bytesRead - done, copied + done)).bytesWritten;
    }
    copied += bytesRead;
  }
  return copied;
}

function writeAll(target: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(target, bytes, done, bytes.length - done, position + done);
  }
}

/** The finished copy becomes FILE.1, and each older one moves on by one. */
function promote(log: RotatedLog): void {
  const keep = Math.max(log.keep, 1);
  // More than one is over when `keep` has become smaller.
  for (let age = keep; sizeOf(`${log.file}.${age}`) >= 0; age++) rmSync(`${log.file}.${age}`);
  for (let age = keep - 1; age >= 1; age--) {
    if (sizeOf(`${log.file}.${age}`) >= 0) {
      renameSync(`${log.file}.${age}`, `${log.file}.${age + 1}`);
    }
  }
  renameSync(log.file + rotatingSuffix, `${log.file}.1`);
}

function cutIfTooLarge(log: RotatedLog): number {
  try {
    const descriptor = openSync(log.file, "r+");
    try {
      const { size } = fstatSync(descriptor);
      if (size <= 2 * log.rotateBytes) return 0;
      ftruncateSync(descriptor);
      return size;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return 0;
  }
}

/** -1 when it is not there. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1;
}

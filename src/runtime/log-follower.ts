// The lines of several logs: the last of each, and then new ones as they come.
//
// A file is looked at five times a second. (Being told by the kernel would need a watch for each
// file, and none tells of a file that is cut back.) When it is shorter than it was, it was rotated
// (log-rotation.ts): what was not read yet is in FILE.1 by then, or will be at the next look, and
// is read from there first. A line is given when its end is written; one longer than the bound is
// cut.

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

export interface LogLine {
  readonly file: string;
  readonly line: string;
}

export interface FollowOptions {
  /** How many of each file's last lines come first. */
  readonly lines: number;
  /** Go on until `signal` aborts; else end with the last line that is there. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

const lookIntervalMs = 200;
const chunkBytes = 64 * 1024;
const tailBytesMax = 4 * 1024 * 1024;
export const lineBytesMax = 16 * 1024;
const newline = 0x0a;

/** `files` is asked at each look: an instance may be started meanwhile. A missing file is empty. */
export async function* followLogs(
  files: () => readonly string[],
  options: FollowOptions,
): AsyncGenerator<LogLine> {
  const readers = new Map<string, LogReader>();
  for (const file of files()) {
    const reader = createLogReader(file, options.lines);
    readers.set(file, reader);
    for (const line of reader.read(!options.follow)) yield { file, line };
  }
  while (options.follow && !options.signal.aborted) {
    await wait(lookIntervalMs, undefined, { signal: options.signal }).catch(() => undefined);
    for (const file of files()) {
      const reader = readers.get(file) ?? createLogReader(file, Number.POSITIVE_INFINITY);
      readers.set(file, reader);
      for (const line of reader.read(false)) yield { file, line };
    }
  }
}

interface LogReader {
  /** The lines since the last call; with `all`, one without an end as well. */
  read(all: boolean): Generator<string>;
}

function createLogReader(file: string, lines: number): LogReader {
  let offset = startOfLast(file, lines);
  let rotation = identityOf(`${file}.1`);
  let shrunk = false;
  const splitter = createLineSplitter();

  function* read(all: boolean): Generator<string> {
    const now = identityOf(`${file}.1`);
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (now !== undefined && now !== rotation) {
      yield* readFrom(`${file}.1`, offset);
      offset = 0;
      shrunk = false;
    } else if (size < offset && !shrunk) {
      // Cut, and its copy is not in place yet.
      shrunk = true;
      return;
    } else if (size < offset) {
      offset = 0;
      shrunk = false;
    }
    rotation = now;
    yield* readFrom(file, offset);
    if (all) yield* splitter.rest();
  }

  function* readFrom(path: string, from: number): Generator<string> {
    const bytes = Buffer.allocUnsafe(chunkBytes);
    for (let position = from; ; ) {
      const read = readAt(path, bytes, position);
      if (read === 0) return;
      position += read;
      offset = position;
      yield* splitter.add(bytes.subarray(0, read));
    }
  }

  return { read };
}

interface LineSplitter {
  add(bytes: Buffer): Generator<string>;
  rest(): Generator<string>;
}

function createLineSplitter(): LineSplitter {
  let pieces: Buffer[] = [];
  let pendingBytes = 0;
  let cut = false;

  function keep(bytes: Buffer): void {
    const room = lineBytesMax - pendingBytes;
    if (bytes.length > room) cut = true;
    const piece = Buffer.from(bytes.subarray(0, room));
    pieces.push(piece);
    pendingBytes += piece.length;
  }

  function take(): string {
    const text = Buffer.concat(pieces).toString("utf8").replace(/\r$/, "");
    const line = cut ? `${text} … (line cut after ${lineBytesMax} bytes)` : text;
    pieces = [];
    pendingBytes = 0;
    cut = false;
    return line;
  }

  return {
    *add(bytes) {
      let start = 0;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
        keep(bytes.subarray(start, end));
        yield take();
        start = end + 1;
      }
      if (start < bytes.length) keep(bytes.subarray(start));
    },
    *rest() {
      if (pendingBytes > 0) yield take();
    },
  };
}

/** Where the last `lines` lines begin, looking back no further than the bound. */
function startOfLast(file: string, lines: number): number {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const furthest = Math.max(0, size - tailBytesMax);
  if (lines === Number.POSITIVE_INFINITY) return 0;
  const bytes = Buffer.allocUnsafe(chunkBytes);
  let found = 0;
  for (let end = size; end > furthest; ) {
    const start = Math.max(furthest, end - chunkBytes);
    const read = readAt(file, bytes.subarray(0, end - start), start);
    for (let index = read - 1; index >= 0; index--) {
      // The newline that ends the last line starts no other.
      if (bytes[index] !== newline || start + index === size - 1) continue;
      if (++found === lines) return start + index + 1;
    }
    end = start;
  }
  return lines === 0 ? size : furthest;
}

function readAt(file: string, bytes: Buffer, position: number): number {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    return readSync(descriptor, bytes, 0, bytes.length, position);
  } catch (error) {
    // Not there (yet, or between two steps of a rotation): nothing to read.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Tells one copy from the next: a rotation puts another file in its place. */
function identityOf(file: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const { ino, birthtimeMs } = fstatSync(descriptor);
    return `${ino}-${birthtimeMs}`;
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

// A file that lines are appended to, without anybody waiting for the disk.
//
// Lines gather in chunks of memory, as bytes, and are written by the thread pool ten times a second
// or when a chunk is full. One write is under way at a time and holds whole lines, so that workers
// may share a file. A disk that is slow, full or gone costs lines and nothing else: when CHUNKS_MAX
// wait, further lines are dropped, counted, and said. Somebody else renames the file when it is
// large (parent/rotation.ts); once a second a write looks whether the name is still that of the
// open file.
//
// A disk that never answers holds one of the pool's four threads, whatever we give up: the kernel
// has it. One write a file is the bound, and another file comes only with another table; what else
// is asked of the pool, the names of endpoints, has the other three. Rejected: a thread of our own
// (held as long, and waited for at the end of the process, as the pool's is: process/host.ts), a
// stream (it buffers without a bound), lines kept as strings (they outlive a collection of
// garbage), a pipe to a process (one more that can hang), writing at once (a disk's pause would be
// a request's).

import { mkdir, open, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Sink } from "../http1/writer.ts";

export const CHUNK_BYTES = 256 * 1024;
/** Chunks that wait for the disk: 4 MiB. */
export const CHUNKS_MAX = 16;
const LOOK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 10_000;
const CLOSE_MS = 500;
const NEWLINE = 10;
const newline = Buffer.from("\n");

export interface LineFileOptions {
  readonly path: string;
  /** A larger file is left alone until it is renamed; 0 is no bound. */
  readonly bytesMax: number;
  readonly nowMs: () => number;
  /** At most once in ten seconds, what was lost since. */
  readonly say: (sentence: string) => void;
}

interface Chunk {
  readonly bytes: Buffer;
  readonly lines: number;
}

export class LineFile implements Sink {
  /** Written, and dropped, since this file was opened. */
  written = 0;
  dropped = 0;
  readonly #options: LineFileOptions;
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Written, and used again. */
  #spare: Buffer | undefined = undefined;
  #used = 0;
  #lines = 0;
  /** Full, or on their way. */
  #waiting: Chunk[] = [];
  #file: { readonly handle: FileHandle; readonly inode: number } | undefined = undefined;
  #lookedMs = -Infinity;
  #writing: Promise<void> | undefined = undefined;
  #gaveUp = false;
  /** The last write ended within a line. */
  #torn = false;
  #said = { atMs: -Infinity, dropped: 0 };

  constructor(options: LineFileOptions) {
    this.#options = options;
  }

  /** Takes a copy of a line with its newline; one that is longer than a chunk is dropped. */
  write(line: Uint8Array): boolean {
    if (line.length > CHUNK_BYTES - this.#used) this.flush();
    if (line.length > CHUNK_BYTES - this.#used) {
      if (line.length > CHUNK_BYTES || this.#waiting.length >= CHUNKS_MAX) {
        this.#drop(1, "the disk takes less than there is to write");
        return true;
      }
      this.#seal();
    }
    this.#chunk.set(line, this.#used);
    this.#used += line.length;
    this.#lines++;
    return true;
  }

  /** Begins to write what there is, unless a write is under way. */
  flush(): void {
    if (this.#writing !== undefined) return;
    if (this.#used > 0) this.#seal();
    if (this.#waiting.length === 0) return;
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes what is left, for half a second at most. Never rejects. */
  async close(): Promise<void> {
    const all = async (): Promise<void> => {
      await this.#writing;
      if (!this.#gaveUp) this.flush();
      await this.#writing;
      const file = this.#file;
      this.#file = undefined;
      await file?.handle.close().catch(() => undefined);
    };
    const late = new AbortController();
    const overdue = wait(CLOSE_MS, undefined, { signal: late.signal }).then(
      () => this.#giveUp(),
      () => undefined,
    );
    await Promise.race([all(), overdue]);
    late.abort();
  }

  /** What waits behind the write under way will not be written. */
  #giveUp(): void {
    this.#gaveUp = true;
    for (const { lines } of this.#waiting.splice(1)) this.dropped += lines;
    this.dropped += this.#lines;
    this.#used = 0;
    this.#lines = 0;
  }

  #seal(): void {
    this.#waiting.push({ bytes: this.#chunk.subarray(0, this.#used), lines: this.#lines });
    this.#chunk = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#spare = undefined;
    this.#used = 0;
    this.#lines = 0;
  }

  async #writeAll(): Promise<void> {
    for (let chunk = this.#waiting[0]; chunk !== undefined; chunk = this.#waiting[0]) {
      await this.#store(chunk);
      this.#waiting.shift();
      this.#spare = Buffer.from(chunk.bytes.buffer);
    }
  }

  async #store({ bytes, lines }: Chunk): Promise<void> {
    let done = 0;
    try {
      const handle = await this.#opened();
      if (this.#torn) await handle.write(newline);
      this.#torn = false;
      while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
      this.written += lines;
    } catch (error) {
      if (done > 0) this.#torn = bytes[done - 1] !== NEWLINE;
      const whole = countLines(bytes.subarray(0, done));
      this.written += whole;
      this.#drop(lines - whole, error instanceof Error ? error.message : String(error));
    }
  }

  /** The file that has the name now: another one where it was renamed. */
  async #opened(): Promise<FileHandle> {
    const { path, bytesMax, nowMs } = this.#options;
    if (this.#file !== undefined && nowMs() - this.#lookedMs < LOOK_EVERY_MS) {
      return this.#file.handle;
    }
    this.#lookedMs = -Infinity;
    const named = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (named !== undefined && bytesMax > 0 && named.size > bytesMax) {
      throw new Error(`it has ${named.size} bytes and was not rotated`);
    }
    this.#lookedMs = nowMs();
    if (this.#file !== undefined && this.#file.inode === named?.ino) return this.#file.handle;
    const before = this.#file;
    this.#file = undefined;
    this.#torn = false;
    await before?.handle.close().catch(() => undefined);
    if (named === undefined) await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    const handle = await open(path, "a", 0o640);
    this.#file = { handle, inode: (await handle.stat()).ino };
    return handle;
  }

  #drop(lines: number, why: string): void {
    this.dropped += lines;
    const nowMs = this.#options.nowMs();
    if (lines === 0 || nowMs - this.#said.atMs < SAY_EVERY_MS) return;
    const lost = this.dropped - this.#said.dropped;
    this.#said = { atMs: nowMs, dropped: this.dropped };
    const what = `${lost} ${lost === 1 ? "line" : "lines"} of ${this.#options.path}`;
    this.#options.say(`${what} could not be written and are lost: ${why}`);
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

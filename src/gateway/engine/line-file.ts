// A file that lines are appended to, without anybody waiting for the disk.
//
// Lines gather in memory and are written together, by the thread pool: when there is much, and at each
// tick. One write is under way at a time and holds whole lines, so that workers may share a file. A
// disk that is slow, full or gone costs lines and nothing else: past PENDING_LENGTH_MAX they are
// dropped, counted, and said. Somebody else renames the file when it is large (parent/rotation.ts);
// each write looks whether the name is still that of the open file. Rejected: a stream (it buffers
// without a bound), a pipe to a process (one more that can hang), writing at once (a disk's pause
// would be a request's).

import { mkdir, open, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** Characters that wait for the disk. */
export const PENDING_LENGTH_MAX = 4 * 1024 * 1024;
const FLUSH_LENGTH = 64 * 1024;
const SAY_EVERY_MS = 10_000;
const CLOSE_MS = 500;
const NEWLINE = 10;

export interface LineFileOptions {
  readonly path: string;
  /** A larger file is left alone until it is renamed; 0 is no bound. */
  readonly bytesMax: number;
  readonly nowMs: () => number;
  /** At most once in ten seconds, what was lost since. */
  readonly say: (sentence: string) => void;
}

export class LineFile {
  /** Written, and dropped, since this file was opened. */
  written = 0;
  dropped = 0;
  readonly #options: LineFileOptions;
  #pending = "";
  #pendingLines = 0;
  #file: { readonly handle: FileHandle; readonly inode: number } | undefined = undefined;
  #writing: Promise<void> | undefined = undefined;
  /** The last write ended within a line. */
  #torn = false;
  #said = { atMs: -Infinity, dropped: 0 };

  constructor(options: LineFileOptions) {
    this.#options = options;
  }

  /** `line` with its newline. */
  append(line: string): void {
    if (this.#pending.length + line.length > PENDING_LENGTH_MAX) {
      this.#drop(1, "the disk takes less than there is to write");
      return;
    }
    this.#pending += line;
    this.#pendingLines++;
    if (this.#pending.length >= FLUSH_LENGTH) this.flush();
  }

  flush(): void {
    if (this.#writing !== undefined || this.#pendingLines === 0) return;
    const mending = this.#torn ? "\n" : "";
    const bytes = Buffer.from(mending + this.#pending);
    const lines = this.#pendingLines;
    this.#pending = "";
    this.#pendingLines = 0;
    this.#writing = this.#write(bytes, mending.length, lines).then(() => {
      this.#writing = undefined;
      if (this.#pending.length >= FLUSH_LENGTH) this.flush();
    });
  }

  /** Writes what is left, for half a second at most. Never rejects. */
  async close(): Promise<void> {
    const all = async (): Promise<void> => {
      await this.#writing;
      this.flush();
      await this.#writing;
      await this.#file?.handle.close().catch(() => undefined);
    };
    const late = new AbortController();
    const overdue = wait(CLOSE_MS, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([all(), overdue]);
    late.abort();
  }

  /** The lines begin at `from`. */
  async #write(bytes: Buffer, from: number, lines: number): Promise<void> {
    let done = 0;
    try {
      const handle = await this.#opened();
      while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
      this.#torn = false;
      this.written += lines;
    } catch (error) {
      if (done > 0) this.#torn = bytes[done - 1] !== NEWLINE;
      const whole = countLines(bytes.subarray(Math.min(from, done), done));
      this.written += whole;
      this.#drop(lines - whole, error instanceof Error ? error.message : String(error));
    }
  }

  /** The file that has the name now: another one where it was renamed. */
  async #opened(): Promise<FileHandle> {
    const { path, bytesMax } = this.#options;
    const named = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (named !== undefined && bytesMax > 0 && named.size > bytesMax) {
      throw new Error(`it has ${named.size} bytes and was not rotated`);
    }
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

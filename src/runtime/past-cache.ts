// A file that is written or read once: large ranges go past the kernel's cache (O_DIRECT), the rest
// through it.
//
// A copy in the cache costs what finding a page for it costs, for each page: on a virtual machine
// whose free memory goes back to its host, writing a file through the cache took three times as
// long as the device. And a read through it may say what was written and not what is on the device.
//
// A range goes directly where its whole blocks lie in memory as they do in the file (direct.ts);
// what is before and behind them follows through the cache. Who refuses (a file system that has no
// such way, a device with larger blocks) is not asked again for this file.

import { type FileHandle, open } from "node:fs/promises";
import { isInLine } from "../core/base/aligned-memory.ts";
import { blockBytes } from "../ports/disk.ts";
import { directFlag } from "./direct.ts";
import { codeOf } from "./error-code.ts";

/** For less, a wait for the device takes longer than the way through the cache. */
const directBytesLeast = 65_536;

export class PastCache {
  readonly #handle: FileHandle;
  readonly #flags: number;
  #direct: Promise<FileHandle | undefined> | undefined;
  #isRefused = false;

  /** `handle`: the file, opened with these flags. */
  constructor(handle: FileHandle, flags: number) {
    this.#handle = handle;
    this.#flags = flags;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const start = blockBytes * Math.ceil(offset / blockBytes);
    const end = blockBytes * Math.floor((offset + bytes.length) / blockBytes);
    const blocks = bytes.subarray(start - offset, Math.max(start, end) - offset);
    const direct = await this.#wayFor(blocks, start);
    if (direct === undefined || !(await this.#isTaken(writeAll(direct, blocks, start)))) {
      return writeAll(this.#handle, bytes, offset);
    }
    await writeAll(this.#handle, bytes.subarray(0, start - offset), offset);
    await writeAll(this.#handle, bytes.subarray(end - offset), end);
  }

  /** How many bytes it got, fewer only where the file ends. */
  async read(into: Uint8Array, offset: number): Promise<number> {
    const blocks = into.subarray(0, into.length - (into.length % blockBytes));
    const direct = offset % blockBytes === 0 ? await this.#wayFor(blocks, offset) : undefined;
    let done = 0;
    if (direct !== undefined) {
      const reading = direct.read(blocks, 0, blocks.length, offset).then(({ bytesRead }) => {
        done = bytesRead;
      });
      await this.#isTaken(reading);
    }
    return done + (await readAll(this.#handle, into.subarray(done), offset + done));
  }

  async close(): Promise<void> {
    await (await this.#direct)?.close();
  }

  async #wayFor(blocks: Uint8Array, offset: number): Promise<FileHandle | undefined> {
    if (
      this.#isRefused ||
      blocks.length < directBytesLeast ||
      !isInLine(blocks, offset, blockBytes)
    )
      return undefined;
    this.#direct ??= this.#open();
    return this.#direct;
  }

  async #open(): Promise<FileHandle | undefined> {
    if (directFlag === undefined) return undefined;
    // This very file, whatever has its name by now.
    return open(`/proc/self/fd/${this.#handle.fd}`, this.#flags | directFlag).catch(
      () => undefined,
    );
  }

  /** False when the kernel takes nothing this way. */
  async #isTaken(transfer: Promise<void>): Promise<boolean> {
    try {
      await transfer;
      return true;
    } catch (error) {
      if (codeOf(error) !== "EINVAL") throw error;
      this.#isRefused = true;
      return false;
    }
  }
}

export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const left = bytes.length - done;
    done += (await handle.write(bytes, done, left, offset + done)).bytesWritten;
  }
}

export async function readAll(
  handle: FileHandle,
  into: Uint8Array,
  offset: number,
): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

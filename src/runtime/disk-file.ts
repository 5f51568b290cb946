// One open file of the real disk.
//
// A short read ends a file, a short write does not end a write: the kernel may take less than it
// was given, and says why at the next call. `close` waits for what is under way, for a thread that
// writes to a number after it was closed may hit the next file that got the number.

import type { FileHandle } from "node:fs/promises";
import type { DiskFile } from "../ports/disk.ts";
import { isAligned } from "./direct.ts";
import { attempt } from "./disk-error.ts";
import type { DurableWriter } from "./disk-writer.ts";

/** How a file is written whose every write waits for the device. */
export interface Durably {
  readonly writer: DurableWriter;
  /** For what is aligned, where the file system has it. */
  readonly direct: FileHandle | undefined;
}

export function createDiskFile(
  path: string,
  handle: FileHandle,
  durable: Durably | undefined,
): DiskFile {
  const pending = new Set<Promise<void>>();

  function write(bytes: Uint8Array, offset: number): Promise<void> | undefined {
    if (durable === undefined) return writeAll(path, handle, bytes, offset);
    const { writer, direct } = durable;
    const way = direct !== undefined && isAligned(bytes, offset) ? direct : handle;
    const written = writer.write(path, way.fd, bytes, offset);
    if (written === undefined) return undefined;
    pending.add(written);
    const settled = () => pending.delete(written);
    written.then(settled, settled);
    return written;
  }

  return {
    sizeBytes: async () => (await attempt("measure", path, () => handle.stat())).size,
    read: (into, offset) => readAll(path, handle, into, offset),
    write,
    flush: () => attempt("flush", path, () => handle.datasync()),
    truncate: (sizeBytes) => attempt("truncate", path, () => handle.truncate(sizeBytes)),
    close: async () => {
      await Promise.allSettled(pending);
      await durable?.direct?.close();
      await attempt("close", path, () => handle.close());
    },
  };
}

async function readAll(
  path: string,
  handle: FileHandle,
  into: Uint8Array,
  offset: number,
): Promise<number> {
  return attempt("read", path, async () => {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  });
}

async function writeAll(
  path: string,
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  await attempt("write", path, async () => {
    let done = 0;
    while (done < bytes.length) {
      const left = bytes.length - done;
      done += (await handle.write(bytes, done, left, offset + done)).bytesWritten;
    }
  });
}

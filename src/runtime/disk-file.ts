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
import { type PastCache, readAll, writeAll } from "./past-cache.ts";

/** How a file is written whose every write waits for the device. */
export interface Durably {
  readonly writer: DurableWriter;
  /** For what is aligned, where the file system has it. */
  readonly direct: FileHandle | undefined;
}

/** Ways beside the file's own descriptor. */
export interface Ways {
  readonly durable?: Durably | undefined;
  readonly once?: PastCache | undefined;
}

export function createDiskFile(
  path: string,
  handle: FileHandle,
  { durable, once }: Ways = {},
): DiskFile {
  const pending = new Set<Promise<void>>();

  function write(bytes: Uint8Array, offset: number): Promise<void> | undefined {
    if (durable === undefined) {
      return attempt("write", path, () =>
        once === undefined ? writeAll(handle, bytes, offset) : once.write(bytes, offset),
      );
    }
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
    read: (into, offset) =>
      attempt("read", path, () =>
        once === undefined ? readAll(handle, into, offset) : once.read(into, offset),
      ),
    write,
    flush: () => attempt("flush", path, () => handle.datasync()),
    truncate: (sizeBytes) => attempt("truncate", path, () => handle.truncate(sizeBytes)),
    close: async () => {
      await Promise.allSettled(pending);
      await attempt("close", path, async () => {
        try {
          await durable?.direct?.close();
          await once?.close();
        } finally {
          await handle.close();
        }
      });
    },
  };
}

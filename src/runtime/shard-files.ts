// Shards and their content in files.
//
// Pieces go from the stripe's memory to the device and back without a stay in the kernel's cache
// where memory, offset and length allow it (direct.ts): what is written once and read by nobody
// soon would only push out what others read, and whoever verifies wants to hear from the device,
// not from the cache. The kernel says which memory suits it: what it refuses takes the ordinary
// way, as do headers and checksums, whose memory begins anywhere. With `cached` everything does:
// faster as long as everything fits, and the device is met at the end.

import { constants, read as readAt, readv, write as writeAt, writev } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import type { ContentSink, ContentSource, ShardFile } from "../core/erasure/shard-files.ts";
import { openDirect } from "./direct.ts";
import { attempt, toDiskError } from "./disk-error.ts";

// By number: a call on a FileHandle costs twice as much, and there are fifteen a stripe.
const readInto = promisify(readAt);
const writeFrom = promisify(writeAt);
const readViews = promisify(readv);
const writeViews = promisify(writev);

/** Shorter calls gain nothing by the direct way. */
const directBytesMin = 4096;

export interface OpenShardFile extends ShardFile {
  readonly path: string;
  close(): Promise<void>;
}

/** `read` an existing file, `create` one that there is not, `overwrite` one or create it. */
export type ShardAccess = "read" | "create" | "overwrite";

const flagsOf: Readonly<Record<ShardAccess, number>> = {
  read: constants.O_RDONLY,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  overwrite: constants.O_RDWR | constants.O_CREAT,
};

export async function openShardFile(
  path: string,
  access: ShardAccess,
  cached: boolean,
): Promise<OpenShardFile> {
  const handle = await attempt("open", path, () => open(path, flagsOf[access]));
  const mode = access === "read" ? constants.O_RDONLY : constants.O_RDWR;
  const direct = cached ? undefined : await openDirect(path, mode);
  return {
    path,
    sizeBytes: async () => (await attempt("measure", path, () => handle.stat())).size,
    read: (into, offset) =>
      attempt("read", path, () => eachPart(direct, handle, into, offset, readPart)),
    write: (bytes, offset) =>
      attempt("write", path, async () => {
        await eachPart(direct, handle, bytes, offset, writePart);
      }),
    truncate: (sizeBytes) => attempt("truncate", path, () => handle.truncate(sizeBytes)),
    flush: () => attempt("flush", path, () => handle.datasync()),
    close: async () => {
      await direct?.close();
      await attempt("close", path, () => handle.close());
    },
  };
}

/** Moves some of the bytes, how many; none where a file ends. */
type Part = (fd: number, bytes: Uint8Array, offset: number) => Promise<number>;

const readPart: Part = async (fd, bytes, offset) =>
  (await readInto(fd, bytes, 0, bytes.length, offset)).bytesRead;

const writePart: Part = async (fd, bytes, offset) => {
  const { bytesWritten } = await writeFrom(fd, bytes, 0, bytes.length, offset);
  if (bytesWritten === 0) throw new Error("nothing more was written");
  return bytesWritten;
};

/** Moves them all, or as many as there are; directly as long as the kernel does not object. */
async function eachPart(
  direct: FileHandle | undefined,
  handle: FileHandle,
  bytes: Uint8Array,
  offset: number,
  part: Part,
): Promise<number> {
  let way = bytes.length < directBytesMin ? handle : (direct ?? handle);
  let done = 0;
  while (done < bytes.length) {
    try {
      const some = await part(way.fd, bytes.subarray(done), offset + done);
      if (some === 0) return done;
      done += some;
    } catch (error) {
      if (way === handle || !isMisaligned(error)) throw error;
      way = handle;
    }
  }
  return done;
}

function isMisaligned(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EINVAL";
}

export interface OpenSource extends ContentSource {
  close(): Promise<void>;
}

/** A file's content, from its beginning to wherever it ends when that is reached. */
export async function openSource(path: string): Promise<OpenSource> {
  const handle = await attempt("open", path, () => open(path, "r"));
  let offset = 0;
  return {
    fill: async (views) => {
      let done = 0;
      for (let rest = views; rest.length > 0; rest = after(views, done)) {
        const { bytesRead } = await attempt("read", path, () => readViews(handle.fd, rest, offset));
        if (bytesRead === 0) break;
        offset += bytesRead;
        done += bytesRead;
      }
      return done;
    },
    close: () => attempt("close", path, () => handle.close()),
  };
}

/** Bytes as they come from a stream. They are copied once, into the stripe's memory. */
export function streamSource(chunks: AsyncIterable<Uint8Array>): OpenSource {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  let isEnded = false;
  const nextBytes = async (most: number): Promise<Uint8Array> => {
    while (chunk.length === 0 && !isEnded) {
      const result = await iterator.next();
      if (result.done === true) isEnded = true;
      else chunk = result.value;
    }
    const bytes = chunk.subarray(0, most);
    chunk = chunk.subarray(bytes.length);
    return bytes;
  };
  return {
    fill: async (views) => {
      let done = 0;
      for (const view of views) {
        for (let at = 0; at < view.length; ) {
          const bytes = await nextBytes(view.length - at);
          if (bytes.length === 0) return done;
          view.set(bytes, at);
          at += bytes.length;
          done += bytes.length;
        }
      }
      return done;
    },
    close: async () => {
      if (!isEnded) await iterator.return?.();
    },
  };
}

/** Writes content into an open file. */
export function fileSink(path: string, handle: FileHandle): ContentSink {
  return {
    write: async (views, offset) => {
      try {
        let done = 0;
        for (let rest = views; rest.length > 0; rest = after(views, done)) {
          const { bytesWritten } = await writeViews(handle.fd, rest, offset + done);
          if (bytesWritten === 0) throw new Error("nothing more was written");
          done += bytesWritten;
        }
      } catch (error) {
        throw toDiskError("write", path, error);
      }
    },
  };
}

/** What is left of the views after so many bytes. */
function after(views: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return views.flatMap((view) => {
    const skipped = Math.min(skip, view.length);
    skip -= skipped;
    return skipped < view.length ? [view.subarray(skipped)] : [];
  });
}

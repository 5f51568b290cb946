// `nines/erasure`: parity and Reed-Solomon over shards of bytes, for applications. A stripe is pure
// computation in memory; a set of shards is files, written, verified, mended and read back with
// bounded memory. This binds sets, which know no files, to the real ones.

import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { defaultPieceBytes, encodeShards } from "../core/erasure/encode-shards.ts";
import {
  decodeShards,
  type Mended,
  repairShards,
  type SetReport,
  verifyShards,
} from "../core/erasure/examine-shards.ts";
import type { PassOptions, Stoppable } from "../core/erasure/shard-files.ts";
import { setIdBytes, type ShardSet } from "../core/erasure/shard-format.ts";
import type { ErasureCodec } from "../core/erasure/stripe.ts";
import { attempt } from "../runtime/disk-error.ts";
import {
  fileSink,
  openShardFile,
  openSource,
  type OpenShardFile,
  streamSource,
} from "../runtime/shard-files.ts";

export { NinesError } from "../core/base/errors.ts";
export {
  type ErasureCodec,
  erasureCodecs,
  Stripe,
  type StripeOptions,
  shardBytesMax,
  shardsMax,
} from "../core/erasure/stripe.ts";
export type {
  LostRange,
  Mended,
  SetReport,
  ShardReport,
} from "../core/erasure/examine-shards.ts";
export type { ShardSet } from "../core/erasure/shard-format.ts";

export interface SetOptions {
  /** Asked before each stripe. */
  readonly signal?: Stoppable;
  /** Through the kernel's cache, instead of past it where that is possible. Default: false. */
  readonly cached?: boolean;
}

export interface EncodeOptions extends SetOptions {
  /** Default: `rs-xor`. */
  readonly codec?: ErasureCodec;
  readonly dataShards: number;
  readonly parityShards: number;
  /** Whole blocks of 4 KiB, at most 64 MiB in all shards. Default: 256 KiB, or what fits. */
  readonly pieceBytes?: number;
  /** Over files that are there, which saves finding room for them anew. Default: false. */
  readonly overwrite?: boolean;
}

/**
 * Makes k + m files of the content, a file or a stream: `paths[i]` becomes shard i. They are on the
 * device when it resolves; files that are not whole are no shards. A file that it created is
 * removed when it fails.
 */
export async function encodeFile(
  content: string | AsyncIterable<Uint8Array>,
  paths: readonly string[],
  options: EncodeOptions,
): Promise<ShardSet> {
  const { codec = "rs-xor", dataShards, parityShards, overwrite = false } = options;
  const { pieceBytes = defaultPieceBytes(dataShards + parityShards) } = options;
  const id = randomBytes(setIdBytes);
  const access = overwrite ? "overwrite" : "create";
  const source = typeof content === "string" ? await openSource(content) : streamSource(content);
  const files: OpenShardFile[] = [];
  try {
    for (const path of paths) {
      files.push(await openShardFile(path, access, options.cached ?? false));
    }
    const layout = { codec, dataShards, parityShards, pieceBytes, id };
    const set = await encodeShards(source, files, layout, passOf(options));
    await flushFolders(paths);
    return set;
  } catch (error) {
    if (!overwrite) await remove(files.map(({ path }) => path));
    throw error;
  } finally {
    await closeAll([source, ...files]);
  }
}

/** What of the set is damaged, missing or lost. Reads everything, changes nothing. */
export function verifyFiles(
  paths: readonly string[],
  options: SetOptions = {},
): Promise<SetReport> {
  return withShards(paths, options, (files) => verifyShards(files, passOf(options)));
}

/**
 * Writes the content into the file `target`, mending on the way. The shards stay as they are;
 * `target` is there when all of it is, or not at all.
 */
export function decodeFiles(
  paths: readonly string[],
  target: string,
  options: SetOptions = {},
): Promise<SetReport> {
  return withShards(paths, options, async (files) => {
    const part = `${target}.part`;
    const handle = await attempt("create", part, () => open(part, "w"));
    try {
      const report = await decodeShards(files, fileSink(part, handle), passOf(options));
      await attempt("flush", part, () => handle.datasync());
      await attempt("rename", part, () => rename(part, target));
      await flushFolders([target]);
      return report;
    } catch (error) {
      await remove([part]);
      throw error;
    } finally {
      await handle.close();
    }
  });
}

/**
 * Writes what is damaged, missing or misplaced anew, beside the old file and then in its place:
 * `paths[i]` is where shard i belongs. Says what it found before.
 */
export function repairFiles(paths: readonly string[], options: SetOptions = {}): Promise<Mended> {
  return withShards(paths, options, async (files) => {
    const fresh = new Map<string, OpenShardFile>();
    try {
      return await repairShards(
        files,
        async (shard) => {
          const path = paths[shard] as string;
          await remove([mendingName(path)]);
          const file = await openShardFile(mendingName(path), "create", options.cached ?? false);
          fresh.set(path, file);
          return file;
        },
        async () => {
          for (const path of fresh.keys()) {
            await attempt("rename", path, () => rename(mendingName(path), path));
          }
          await flushFolders([...fresh.keys()]);
        },
        passOf(options),
      );
    } finally {
      await closeAll([...fresh.values()]);
      await remove([...fresh.keys()].map(mendingName));
    }
  });
}

function passOf({ signal, cached = false }: SetOptions): PassOptions {
  return { aligned: !cached, ...(signal === undefined ? {} : { signal }) };
}

function mendingName(path: string): string {
  return `${path}.mending`;
}

/** A file that cannot be opened is a lost shard. */
async function withShards<T>(
  paths: readonly string[],
  { cached = false }: SetOptions,
  use: (files: readonly (OpenShardFile | undefined)[]) => Promise<T>,
): Promise<T> {
  const files: (OpenShardFile | undefined)[] = [];
  try {
    for (const path of paths) {
      files.push(await openShardFile(path, "read", cached).catch(() => undefined));
    }
    return await use(files);
  } finally {
    await closeAll(files.filter((file) => file !== undefined));
  }
}

/** Names are in folders, and folders are on the device when they are flushed themselves. */
async function flushFolders(paths: readonly string[]): Promise<void> {
  for (const folder of new Set(paths.map(dirname))) {
    await attempt("flush", folder, async () => {
      const handle = await open(folder, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }
}

async function remove(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}

async function closeAll(opened: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.allSettled(opened.map((each) => each.close()));
}

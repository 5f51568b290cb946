// From content to a set of shards, stripe by stripe.
//
// Content is read into the memory that parity is made in, and written from there: nothing is
// copied. Three stripes are under way, so reading, coding and writing overlap (pipeline.ts), and
// memory is bounded whatever the content's size, which need not be known before.
//
// Crash safety: a header is written when everything before it is on the device, and the header of
// a file that is written over goes first. So a shard with a header is whole, and old and new never
// mix. Rejected: a size that is promised in advance (files change while they are read).

import { assert, present } from "../base/assert.ts";
import { NinesError } from "../base/errors.ts";
import { runPipeline } from "./pipeline.ts";
import type { ContentSource, PassOptions, ShardFile } from "./shard-files.ts";
import {
  blockBytes,
  ChecksumBlock,
  checksumsAt,
  groupOf,
  type Layout,
  pieceAt,
  pieceBytesFor,
  piecesPerGroup,
  placeOf,
  refusalOf,
  type ShardSet,
  shardFileBytes,
  stripeBytesMax,
  writeHeader,
} from "./shard-format.ts";
import { Stripe } from "./stripe.ts";

/** Of reading, coding, writing, each has one. */
const slotsCount = 3;
/** Large enough that a call costs little beside its bytes, small enough that a stripe is cached. */
const pieceBytesDefault = 262_144;

/** 256 KiB, or what so many shards leave of a stripe. */
export function defaultPieceBytes(shards: number): number {
  const most = Math.floor(stripeBytesMax / shards / blockBytes) * blockBytes;
  return Math.min(pieceBytesDefault, most);
}

export function createSlots(layout: Layout, aligned = false): Stripe[] {
  const { codec, dataShards, parityShards, pieceBytes } = layout;
  const options = { codec, dataShards, parityShards, shardBytes: pieceBytes, aligned };
  return Array.from({ length: slotsCount }, () => new Stripe(options));
}

/** One stripe of a set, in a slot. */
export interface Piece {
  readonly stripe: number;
  /** Of each shard. */
  readonly pieceBytes: number;
}

/**
 * Writes all shards; `files[i]` becomes shard i. Throws NINES_ERASURE_GEOMETRY when there cannot be
 * such a set. O(content) time, three stripes of memory.
 */
export async function encodeShards(
  content: ContentSource,
  files: readonly ShardFile[],
  layout: Layout,
  { signal, aligned }: PassOptions = {},
): Promise<ShardSet> {
  const refusal = refusalOf({ ...layout, contentBytes: 0 }) ?? countRefusal(files, layout);
  if (refusal !== undefined) throw new NinesError("NINES_ERASURE_GEOMETRY", `${refusal}.`);
  await Promise.all(files.map(forget));
  const writer = new ShardWriter(layout, new Map(files.entries()));
  const { dataShards } = layout;
  let contentBytes = 0;
  await runPipeline<Stripe, Piece & { readonly bytes: number }>(createSlots(layout, aligned), {
    read: async ({ shards }, stripe) => {
      signal?.throwIfAborted();
      const bytes = await content.fill(shards.slice(0, dataShards));
      contentBytes += bytes;
      return bytes === 0 ? undefined : { stripe, bytes, pieceBytes: pieceBytesFor(layout, bytes) };
    },
    work: (slot, piece) => {
      if (piece.bytes < dataShards * layout.pieceBytes) spread(slot, piece.bytes, piece.pieceBytes);
      slot.encode(piece.pieceBytes);
      writer.sum(slot, piece);
    },
    write: (slot, piece) => writer.write(slot, piece),
  });
  const set = { ...layout, contentBytes };
  await writer.finish(set);
  return set;
}

function countRefusal(files: readonly ShardFile[], layout: Layout): string | undefined {
  const count = layout.dataShards + layout.parityShards;
  return files.length === count ? undefined : `${files.length} files for ${count} shards`;
}

/** What was there before is no shard any more. */
async function forget(file: ShardFile): Promise<void> {
  if ((await file.sizeBytes()) === 0) return;
  await file.write(new Uint8Array(blockBytes), 0);
  await file.flush();
}

/** The last stripe: its content lies in the first shards, and is shared out among all. */
function spread({ shards, dataShards }: Stripe, bytes: number, pieceBytes: number): void {
  const all = new Uint8Array(dataShards * pieceBytes);
  let done = 0;
  for (const shard of shards.slice(0, dataShards)) {
    all.set(shard.subarray(0, bytes - done), done);
    done += Math.min(shard.length, bytes - done);
    if (done === bytes) break;
  }
  for (const [index, shard] of shards.slice(0, dataShards).entries()) {
    shard.set(all.subarray(index * pieceBytes, (index + 1) * pieceBytes));
  }
}

/** Writes some shards of a set: their pieces, their checksums, and at last their headers. */
export class ShardWriter {
  readonly #layout: Layout;
  readonly #files: ReadonlyMap<number, ShardFile>;
  /** Of the groups that are not written yet: for each shard, its checksums. */
  readonly #groups = new Map<number, ReadonlyMap<number, ChecksumBlock>>();

  constructor(layout: Layout, files: ReadonlyMap<number, ShardFile>) {
    this.#layout = layout;
    this.#files = files;
  }

  /** Before its pieces are written, so that the next ones may be computed meanwhile. */
  sum(slot: Stripe, { stripe, pieceBytes }: Piece): void {
    const group = groupOf(stripe);
    const blocks = this.#groups.get(group) ?? this.#begin(group);
    for (const [shard, block] of blocks) {
      const place = placeOf(this.#layout.id, shard, stripe);
      block.put(stripe, slot.checksum(shard, pieceBytes, place));
    }
  }

  async write(slot: Stripe, { stripe, pieceBytes }: Piece): Promise<void> {
    const at = pieceAt(this.#layout, stripe);
    const writes = [...this.#files].map(([shard, file]) => {
      const bytes = present(slot.shards[shard], "a shard of the stripe");
      return file.write(bytes.subarray(0, pieceBytes), at);
    });
    if (stripe % piecesPerGroup === piecesPerGroup - 1) writes.push(this.#end(groupOf(stripe)));
    await settled(writes);
  }

  /** Everything is on the device when it resolves, headers last. */
  async finish(set: ShardSet): Promise<void> {
    assert(this.#groups.size <= 1, "only the last group is unfinished");
    await settled([...this.#groups.keys()].map((group) => this.#end(group)));
    await settled(
      [...this.#files].map(async ([shard, file]) => {
        await file.truncate(shardFileBytes(set));
        await file.flush();
        await file.write(writeHeader({ set, shard }), 0);
        await file.flush();
      }),
    );
  }

  #begin(group: number): ReadonlyMap<number, ChecksumBlock> {
    const blocks = new Map([...this.#files.keys()].map((shard) => [shard, new ChecksumBlock()]));
    this.#groups.set(group, blocks);
    return blocks;
  }

  async #end(group: number): Promise<void> {
    const blocks = present(this.#groups.get(group), "the group was begun");
    this.#groups.delete(group);
    const at = checksumsAt(this.#layout, group);
    await settled(
      [...blocks].map(([shard, block]) => {
        block.seal(placeOf(this.#layout.id, shard, group));
        return present(this.#files.get(shard), "a file of the set").write(block.bytes, at);
      }),
    );
  }
}

/** All of them have ended, well or not, when it settles; the first failure is thrown. */
export async function settled(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === "rejected") throw result.reason;
  }
}

// Which files are shards of one set, and their pieces, each looked at before it is believed.
//
// Files come in any order, some missing, some of other sets, some no shards at all. Headers say
// which belong together: the set that most of them are of. A piece counts when its checksum, for
// its place, is right; a file that cannot be read, is too short, or whose block of checksums is
// damaged has lost the pieces in question and no others.

import { NinesError } from "../base/errors.ts";
import type { ShardFile } from "./shard-files.ts";
import {
  blockBytes,
  ChecksumBlock,
  checksumsAt,
  groupOf,
  pieceAt,
  placeOf,
  readHeader,
  type ShardHeader,
  type ShardSet,
} from "./shard-format.ts";
import type { Piece } from "./encode-shards.ts";
import type { Stripe } from "./stripe.ts";

/** A file that is a shard, and where it was in the list. */
export interface Member {
  readonly file: ShardFile;
  readonly position: number;
}

export interface OpenedSet {
  readonly set: ShardSet;
  /** By number of the shard. */
  readonly members: ReadonlyMap<number, Member>;
  /** Why the file at a position in the list is none of them. */
  readonly refused: ReadonlyMap<number, string>;
}

/**
 * Throws NINES_ERASURE_SET when no file is a shard, or as many are of one set as of another.
 * A missing file is `undefined`.
 */
export async function openSet(files: readonly (ShardFile | undefined)[]): Promise<OpenedSet> {
  const found = await Promise.all(files.map(headerOf));
  const sets = new Map<string, number>();
  for (const header of found) {
    if (typeof header === "object") sets.set(keyOf(header), (sets.get(keyOf(header)) ?? 0) + 1);
  }
  const [first, second] = [...sets].sort(([, a], [, b]) => b - a);
  if (first === undefined) {
    const reasons = new Set(found.filter((header) => typeof header === "string"));
    const why = [...reasons].slice(0, 4).join("; ");
    throw new NinesError("NINES_ERASURE_SET", `None of ${files.length} files is a shard: ${why}.`);
  }
  if (second !== undefined && second[1] === first[1]) {
    const what = `${first[1]} files are of one set, ${second[1]} of another`;
    throw new NinesError("NINES_ERASURE_SET", `${what}: it is not clear which one is meant.`);
  }
  const members = new Map<number, Member>();
  const refused = new Map<number, string>();
  let set: ShardSet | undefined;
  for (const [position, header] of found.entries()) {
    const file = files[position];
    if (typeof header === "string") refused.set(position, header);
    else if (keyOf(header) !== first[0]) refused.set(position, "a shard of another set");
    else if (members.has(header.shard)) refused.set(position, `shard ${header.shard} once more`);
    else if (file !== undefined) {
      set = header.set;
      members.set(header.shard, { file, position });
    }
  }
  if (set === undefined) throw new NinesError("NINES_ERASURE_SET", "No file is a shard.");
  return { set, members, refused };
}

async function headerOf(file: ShardFile | undefined): Promise<ShardHeader | string> {
  if (file === undefined) return "missing";
  const block = new Uint8Array(blockBytes);
  try {
    return readHeader(block.subarray(0, await file.read(block, 0)));
  } catch (error) {
    return `unreadable: ${String(error)}`;
  }
}

/** Equal for headers of one set. */
function keyOf({ set }: ShardHeader): string {
  const { codec, dataShards, parityShards, pieceBytes, contentBytes, id } = set;
  return [codec, dataShards, parityShards, pieceBytes, contentBytes, id.join()].join(" ");
}

/** Reads pieces into slots and says which of them are not there, or not what was written. */
export class ShardReader {
  readonly #opened: OpenedSet;
  readonly #groups = new Map<number, Promise<ReadonlyMap<number, ChecksumBlock>>>();

  constructor(opened: OpenedSet) {
    this.#opened = opened;
  }

  /** The shards among `wanted` whose piece of this stripe is lost. */
  async read(slot: Stripe, piece: Piece, wanted: readonly number[]): Promise<readonly number[]> {
    const blocks = await this.#checksums(groupOf(piece.stripe));
    const sound = await Promise.all(
      wanted.map(async (shard) => {
        const member = this.#opened.members.get(shard);
        const block = blocks.get(shard);
        if (member === undefined || block === undefined) return false;
        return this.#isSound(slot, piece, shard, member.file, block);
      }),
    );
    return wanted.filter((_, index) => sound[index] === false);
  }

  async #isSound(
    slot: Stripe,
    { stripe, pieceBytes }: Piece,
    shard: number,
    file: ShardFile,
    block: ChecksumBlock,
  ): Promise<boolean> {
    const { set } = this.#opened;
    const into = (slot.shards[shard] as Uint8Array).subarray(0, pieceBytes);
    // A sector that the device gives up on is one lost piece, not the end of reading.
    const got = await file.read(into, pieceAt(set, stripe)).catch(() => 0);
    if (got < pieceBytes) return false;
    return block.matches(stripe, slot.checksum(shard, pieceBytes, placeOf(set.id, shard, stripe)));
  }

  /** Read once a group; of an earlier group nobody asks any more when the second next begins. */
  #checksums(group: number): Promise<ReadonlyMap<number, ChecksumBlock>> {
    const found = this.#groups.get(group) ?? this.#readChecksums(group);
    this.#groups.set(group, found);
    this.#groups.delete(group - 2);
    return found;
  }

  async #readChecksums(group: number): Promise<ReadonlyMap<number, ChecksumBlock>> {
    const { set, members } = this.#opened;
    const blocks = new Map<number, ChecksumBlock>();
    await Promise.all(
      [...members].map(async ([shard, { file }]) => {
        const bytes = new Uint8Array(blockBytes);
        const got = await file.read(bytes, checksumsAt(set, group)).catch(() => 0);
        const block = new ChecksumBlock(bytes);
        if (got === blockBytes && block.isSealed(placeOf(set.id, shard, group))) {
          blocks.set(shard, block);
        }
      }),
    );
    return blocks;
  }
}

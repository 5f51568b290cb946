// A set of shards looked through, mended, and read back into its content.
//
// All three are one pass: stripe by stripe the pieces are read and judged by their checksums, up to
// m lost ones are made anew from the others. More than m lost ones in a stripe take with them the
// lost data pieces of that stripe and nothing else: verifying says which bytes of the content those
// are, reading and mending refuse.
//
// Mending writes new files beside the old ones, which stay as they are until the new ones are
// whole: a repair that is cut off has changed nothing.

import { NinesError } from "../base/errors.ts";
import { createSlots, type Piece, ShardWriter } from "./encode-shards.ts";
import { type OpenedSet, openSet, ShardReader } from "./open-shards.ts";
import { runPipeline } from "./pipeline.ts";
import type { ContentSink, PassOptions, ShardFile } from "./shard-files.ts";
import { contentOf, pieceBytesFor, type ShardSet, stripesOf } from "./shard-format.ts";
import type { Stripe } from "./stripe.ts";

export interface ShardReport {
  readonly shard: number;
  /** `misplaced`: sound, but not at its position in the list. */
  readonly state: "sound" | "damaged" | "misplaced" | "missing";
  readonly lostPieces: number;
  /** One sentence. */
  readonly message: string;
}

/** Bytes of the content. */
export interface LostRange {
  readonly from: number;
  readonly bytes: number;
}

export interface SetReport {
  readonly set: ShardSet;
  readonly stripes: number;
  readonly shards: readonly ShardReport[];
  /** Stripes with a lost piece, with more than m of them, and whose parity is of other data. */
  readonly damagedStripes: number;
  readonly lostStripes: number;
  readonly wrongStripes: number;
  readonly lostBytes: number;
  /** The first sixteen. */
  readonly lost: readonly LostRange[];
}

const lostRangesMax = 16;

/** Reads everything; changes nothing. Throws NINES_ERASURE_SET when there is no set to verify. */
export async function verifyShards(
  files: readonly (ShardFile | undefined)[],
  options: PassOptions = {},
): Promise<SetReport> {
  const opened = await openSet(files);
  const account = new Account(opened);
  await eachStripe(opened, options, {
    wanted: numbersBelow(opened.set.dataShards + opened.set.parityShards),
    work: (slot, piece) => {
      account.add(piece);
      if (piece.lost.length === 0 && slot.verify(piece.pieceBytes).length > 0) account.wrong++;
    },
    write: async () => undefined,
  });
  return account.report();
}

/**
 * Writes the content, mending on the way; the shards stay as they are. Throws NINES_ERASURE_LOST
 * at the first stripe that cannot be mended: what was written before is right.
 */
export async function decodeShards(
  files: readonly (ShardFile | undefined)[],
  sink: ContentSink,
  options: PassOptions = {},
): Promise<SetReport> {
  const opened = await openSet(files);
  const { dataShards, parityShards, pieceBytes } = opened.set;
  const account = new Account(opened);
  await eachStripe(opened, options, {
    wanted: numbersBelow(dataShards),
    spare: numbersBelow(parityShards).map((row) => dataShards + row),
    work: (slot, piece) => {
      account.add(piece);
      mend(opened, slot, piece);
    },
    write: (slot, piece) => {
      let left = contentOf(opened.set, piece.stripe);
      const views = slot.shards.slice(0, dataShards).flatMap((shard) => {
        const bytes = Math.min(left, piece.pieceBytes);
        left -= bytes;
        return bytes > 0 ? [shard.subarray(0, bytes)] : [];
      });
      return sink.write(views, piece.stripe * dataShards * pieceBytes);
    },
  });
  return account.report();
}

export interface Mended {
  readonly report: SetReport;
  /** Numbers of the shards that were written anew. */
  readonly mended: readonly number[];
}

/**
 * Writes every shard that is damaged, missing or misplaced anew, into the file that `create` gives
 * for it; `commit` puts those in the place of the old ones when all are whole. Throws
 * NINES_ERASURE_LOST when something is lost, and creates nothing then. Reads everything twice.
 */
export async function repairShards(
  files: readonly (ShardFile | undefined)[],
  create: (shard: number) => Promise<ShardFile>,
  commit: () => Promise<void>,
  options: PassOptions = {},
): Promise<Mended> {
  const opened = await openSet(files);
  const { set } = opened;
  const count = set.dataShards + set.parityShards;
  if (files.length !== count) {
    const what = `${files.length} places for the ${count} shards of the set.`;
    throw new NinesError("NINES_ERASURE_GEOMETRY", what);
  }
  const report = await verifyShards(files, options);
  const mended = report.shards.flatMap(({ shard, state }) => (state === "sound" ? [] : [shard]));
  if (report.lostStripes > 0) throw lostError(opened, report.lostStripes, report.lost);
  if (mended.length === 0) return { report, mended };
  const targets = new Map<number, ShardFile>();
  for (const shard of mended) targets.set(shard, await create(shard));
  const writer = new ShardWriter(set, targets);
  await eachStripe(opened, options, {
    wanted: numbersBelow(count),
    work: (slot, piece) => {
      mend(opened, slot, piece);
      writer.sum(slot, piece);
    },
    write: (slot, piece) => writer.write(slot, piece),
  });
  await writer.finish(set);
  await commit();
  return { report, mended };
}

interface ReadPiece extends Piece {
  /** Shards whose piece is lost, of those that were read. */
  readonly lost: readonly number[];
}

interface Pass {
  readonly wanted: readonly number[];
  /** Read as well when of those a piece is lost. */
  readonly spare?: readonly number[];
  readonly work: (slot: Stripe, piece: ReadPiece) => void;
  readonly write: (slot: Stripe, piece: ReadPiece) => Promise<void>;
}

async function eachStripe(
  opened: OpenedSet,
  { signal, aligned }: PassOptions,
  pass: Pass,
): Promise<void> {
  const { set } = opened;
  const stripes = stripesOf(set);
  const reader = new ShardReader(opened);
  await runPipeline<Stripe, ReadPiece>(createSlots(set, aligned), {
    read: async (slot, stripe) => {
      if (stripe >= stripes) return undefined;
      signal?.throwIfAborted();
      const piece = { stripe, pieceBytes: pieceBytesFor(set, contentOf(set, stripe)) };
      const lost = await reader.read(slot, piece, pass.wanted);
      const spare = lost.length > 0 ? (pass.spare ?? []) : [];
      return { ...piece, lost: [...lost, ...(await reader.read(slot, piece, spare))] };
    },
    work: pass.work,
    write: pass.write,
  });
}

function mend({ set }: OpenedSet, slot: Stripe, { stripe, pieceBytes, lost }: ReadPiece): void {
  if (lost.length > set.parityShards) {
    throw lostError({ set }, 1, lostOf(set, { stripe, pieceBytes, lost }));
  }
  slot.reconstruct(lost, pieceBytes);
}

function lostError(
  { set }: Pick<OpenedSet, "set">,
  stripes: number,
  lost: readonly LostRange[],
): NinesError {
  const ranges = lost.map(({ from, bytes }) => `${from} to ${from + bytes - 1}`).join(", ");
  const what = `${stripes} of ${stripesOf(set)} stripes have lost more than ${set.parityShards}`;
  const where = ranges === "" ? "no byte of the content" : `of the content bytes ${ranges}`;
  return new NinesError("NINES_ERASURE_LOST", `${what} pieces: ${where}.`);
}

/** The content in the lost data pieces. */
function lostOf(set: ShardSet, { stripe, pieceBytes, lost }: ReadPiece): LostRange[] {
  const begin = stripe * set.dataShards * set.pieceBytes;
  const end = begin + contentOf(set, stripe);
  return lost.flatMap((shard) => {
    const from = begin + shard * pieceBytes;
    const isData = shard < set.dataShards && from < end;
    return isData ? [{ from, bytes: Math.min(pieceBytes, end - from) }] : [];
  });
}

/** Counts what a pass finds. */
class Account {
  readonly #opened: OpenedSet;
  readonly #lostPieces = new Map<number, number>();
  readonly #lost: LostRange[] = [];
  #damagedStripes = 0;
  #lostStripes = 0;
  #lostBytes = 0;
  wrong = 0;

  constructor(opened: OpenedSet) {
    this.#opened = opened;
  }

  add(piece: ReadPiece): void {
    const { set } = this.#opened;
    if (piece.lost.length > 0) this.#damagedStripes++;
    for (const shard of piece.lost) {
      this.#lostPieces.set(shard, (this.#lostPieces.get(shard) ?? 0) + 1);
    }
    if (piece.lost.length <= set.parityShards) return;
    this.#lostStripes++;
    for (const range of lostOf(set, piece)) {
      this.#lostBytes += range.bytes;
      if (this.#lost.length < lostRangesMax) this.#lost.push(range);
    }
  }

  report(): SetReport {
    const { set } = this.#opened;
    return {
      set,
      stripes: stripesOf(set),
      shards: numbersBelow(set.dataShards + set.parityShards).map((shard) => this.#shard(shard)),
      damagedStripes: this.#damagedStripes,
      lostStripes: this.#lostStripes,
      wrongStripes: this.wrong,
      lostBytes: this.#lostBytes,
      lost: this.#lost,
    };
  }

  #shard(shard: number): ShardReport {
    const { members, refused, set } = this.#opened;
    const member = members.get(shard);
    const lostPieces = this.#lostPieces.get(shard) ?? 0;
    if (member === undefined) {
      const why = refused.get(shard) ?? "missing";
      return { shard, state: "missing", lostPieces, message: `Shard ${shard}: ${why}.` };
    }
    if (lostPieces > 0) {
      const what = `${lostPieces} of ${stripesOf(set)} pieces are damaged or cannot be read`;
      return { shard, state: "damaged", lostPieces, message: `Shard ${shard}: ${what}.` };
    }
    if (member.position !== shard) {
      const message = `Shard ${shard} is where shard ${member.position} belongs.`;
      return { shard, state: "misplaced", lostPieces, message };
    }
    return { shard, state: "sound", lostPieces, message: `Shard ${shard} is sound.` };
  }
}

function numbersBelow(count: number): readonly number[] {
  return Array.from({ length: count }, (_, number) => number);
}

// The bytes of a shard file: what it is, and where in it each piece lies.
//
// A set of shards is k + m files. Its content is cut into stripes, a stripe into k data pieces, one
// for each data shard, and the m parity pieces that belong to them:
//
//   header | checksums | piece 0 | ... | piece 510 | checksums | piece 511 | ...
//
// - Everything is whole blocks of 4 KiB, so that a file can be read and written without the
//   kernel's cache. Pieces of the last stripe are shorter: as many blocks as it takes.
// - A header is written last. Without one a shard is not whole, and does not count.
// - Checksums (checksum.ts) are over a piece and its place in the set, shard and stripe; a rotten
//   block of them costs the pieces that it speaks of, which parity gives back.
//
//   header, little-endian                       checksums of a group of 511 pieces
//    0  8  "NINESHRD"                              8 i  8  of its piece i: two words of 32 bits
//    8  2  version, 1                             4088  4  zeros
//   10  1  codec: 1 rs-vand, 2 rs-xor, 3 xor      4092  4  CRC32C of the rest, of set, shard, group
//   11  1  k
//   12  1  m
//   13  1  number of this shard, data first
//   14  2  zeros
//   16  4  bytes of a piece
//   20  4  zeros
//   24  8  bytes of the content
//   32 16  number of the set: chance, the same in all its shards
//   48     zeros
//   4092 4 CRC32C of the rest
//
// Nothing that a file says is believed beyond its bounds: a reader takes no more memory than
// `stripeBytesMax` a stripe, whatever the header claims.
// Rejected: checksums behind each piece (pieces would not begin at blocks), in a file of their own
// (one more thing to lose), at the end (memory for all of them, or a second pass).

import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import type { Checksum, PlaceWords } from "./checksum.ts";
import { type ErasureCodec, shardsMax } from "./stripe.ts";

export const blockBytes = 4096;
export const piecesPerGroup = 511;
export const setIdBytes = 16;
/** All pieces of one stripe, parity as well. */
export const stripeBytesMax = 64 * 1_048_576;

const magic = "NINESHRD";
const version = 1;
const sealAt = blockBytes - 4;
const codecNumbers: Readonly<Record<ErasureCodec, number>> = { "rs-vand": 1, "rs-xor": 2, xor: 3 };

/** What is known before the content is. */
export interface Layout {
  readonly codec: ErasureCodec;
  readonly dataShards: number;
  readonly parityShards: number;
  /** Of every stripe but the last: whole blocks. */
  readonly pieceBytes: number;
  /** 16 bytes of chance. */
  readonly id: Uint8Array;
}

export interface ShardSet extends Layout {
  readonly contentBytes: number;
}

export interface ShardHeader {
  readonly set: ShardSet;
  /** 0 to k + m - 1. */
  readonly shard: number;
}

/** Why there can be no such set; undefined when there can. */
export function refusalOf(set: ShardSet): string | undefined {
  const { codec, dataShards, parityShards, pieceBytes, contentBytes, id } = set;
  const count = dataShards + parityShards;
  if (!(codec in codecNumbers)) return `there is no codec "${codec}"`;
  if (!isWithin(dataShards, 1, shardsMax - 1) || !isWithin(parityShards, 1, shardsMax - 1)) {
    return `${dataShards} + ${parityShards} shards: each is 1 to ${shardsMax - 1}`;
  }
  if (count > shardsMax) return `${count} shards: there are ${shardsMax} at most`;
  if (codec === "xor" && parityShards !== 1) return `${parityShards} parity shards by xor`;
  if (!isWithin(pieceBytes, blockBytes, stripeBytesMax) || pieceBytes % blockBytes !== 0) {
    return `pieces of ${pieceBytes} bytes: they are whole blocks of ${blockBytes}`;
  }
  if (pieceBytes * count > stripeBytesMax) {
    return `stripes of ${count} pieces of ${pieceBytes} bytes: over ${stripeBytesMax} in all`;
  }
  if (!isWithin(contentBytes, 0, Number.MAX_SAFE_INTEGER)) return `${contentBytes} bytes`;
  if (id.length !== setIdBytes) return `a set's number of ${id.length} bytes`;
  return undefined;
}

export function writeHeader({ set, shard }: ShardHeader): Uint8Array {
  assert(refusalOf(set) === undefined, "a header is written of a set that there can be");
  const block = new Uint8Array(blockBytes);
  const view = viewOf(block);
  for (let at = 0; at < magic.length; at++) block[at] = magic.charCodeAt(at);
  view.setUint16(8, version, true);
  block.set([codecNumbers[set.codec], set.dataShards, set.parityShards, shard], 10);
  view.setUint32(16, set.pieceBytes, true);
  view.setBigUint64(24, BigInt(set.contentBytes), true);
  block.set(set.id, 32);
  view.setUint32(sealAt, crc32c(0, view, 0, sealAt), true);
  return block;
}

/** What a header says, or why it is none. */
export function readHeader(block: Uint8Array): ShardHeader | string {
  if (block.length < blockBytes) return `${block.length} bytes, not the ${blockBytes} of a header`;
  if (block.every((byte) => byte === 0)) return "no header: it was never written to its end";
  const view = viewOf(block);
  if (String.fromCharCode(...block.subarray(0, magic.length)) !== magic) return "not a shard";
  if (view.getUint32(sealAt, true) !== crc32c(0, view, 0, sealAt)) return "a damaged header";
  const found = view.getUint16(8, true);
  if (found !== version) return `version ${found}, this is for version ${version}`;
  const codec = (Object.keys(codecNumbers) as ErasureCodec[]).find(
    (name) => codecNumbers[name] === block[10],
  );
  if (codec === undefined) return `codec ${block[10]}, which there is not`;
  const set: ShardSet = {
    codec,
    dataShards: block[11] as number,
    parityShards: block[12] as number,
    pieceBytes: view.getUint32(16, true),
    contentBytes: Number(view.getBigUint64(24, true)),
    id: block.slice(32, 32 + setIdBytes),
  };
  const refusal = refusalOf(set);
  if (refusal !== undefined) return refusal;
  const shard = block[13] as number;
  const count = set.dataShards + set.parityShards;
  return shard < count ? { set, shard } : `shard ${shard} of ${count}`;
}

export function stripesOf({ contentBytes, dataShards, pieceBytes }: ShardSet): number {
  return Math.ceil(contentBytes / (dataShards * pieceBytes));
}

/** How much of the content is in a stripe. */
export function contentOf(set: ShardSet, stripe: number): number {
  const stripeBytes = set.dataShards * set.pieceBytes;
  return Math.min(stripeBytes, set.contentBytes - stripe * stripeBytes);
}

/** Of a piece of a stripe with so much content. */
export function pieceBytesFor(set: Layout, contentBytes: number): number {
  return Math.ceil(contentBytes / set.dataShards / blockBytes) * blockBytes;
}

const groupBytesOf = ({ pieceBytes }: Layout): number => blockBytes + piecesPerGroup * pieceBytes;

export function groupOf(stripe: number): number {
  return Math.floor(stripe / piecesPerGroup);
}

/** Where in each shard file the checksums of a group lie. */
export function checksumsAt(set: Layout, group: number): number {
  return blockBytes + group * groupBytesOf(set);
}

/** Where in each shard file its piece of a stripe lies. */
export function pieceAt(set: Layout, stripe: number): number {
  const before = stripe % piecesPerGroup;
  return checksumsAt(set, groupOf(stripe)) + blockBytes + before * set.pieceBytes;
}

/** The bytes of each shard file. */
export function shardFileBytes(set: ShardSet): number {
  const stripes = stripesOf(set);
  if (stripes === 0) return blockBytes;
  return pieceAt(set, stripes - 1) + pieceBytesFor(set, contentOf(set, stripes - 1));
}

/** What a piece's checksum begins with: which piece of which shard of which set it is. */
export function placeOf(id: Uint8Array, shard: number, stripe: number): PlaceWords {
  const view = viewOf(id);
  const words = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
  return [...words, shard, stripe >>> 0, Math.floor(stripe / 2 ** 32)];
}

/** The checksums of one group of one shard, written as they come and sealed at the end. */
export class ChecksumBlock {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array = new Uint8Array(blockBytes)) {
    this.bytes = bytes;
    this.#view = viewOf(bytes);
  }

  put(stripe: number, [first, second]: Checksum): void {
    const at = 8 * (stripe % piecesPerGroup);
    this.#view.setUint32(at, first, true);
    this.#view.setUint32(at + 4, second, true);
  }

  matches(stripe: number, [first, second]: Checksum): boolean {
    const at = 8 * (stripe % piecesPerGroup);
    return (
      this.#view.getUint32(at, true) === first && this.#view.getUint32(at + 4, true) === second
    );
  }

  seal(place: PlaceWords): void {
    this.#view.setUint32(sealAt, this.#sum(place), true);
  }

  isSealed(place: PlaceWords): boolean {
    return this.#view.getUint32(sealAt, true) === this.#sum(place);
  }

  #sum(place: PlaceWords): number {
    const where = new DataView(new ArrayBuffer(4 * place.length));
    for (const [index, word] of place.entries()) where.setUint32(4 * index, word, true);
    return crc32c(crc32c(0, where, 0, where.byteLength), this.#view, 0, sealAt);
  }
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// A shard as it lies on a target: 128 bytes that say what it is, then its part of the object.
//
//   0   "NINESVLT"             8   version (2)           10  kind (1)      11  codec (1)
//   12  data shards (1)        13  parity shards (1)     14  shard (1)     15  zero
//   16  object's id (16)       32  vault's id (16)
//   48  object's length (8)    56  shard's length (8)
//   64  sum of the shard's bytes (8; window-coder.ts), then zeros (24)
//   96  SHA-256 of bytes 0..96 (32)
//   128 the shard's bytes
//
// The shard's length is the object's divided by the data shards, rounded up to whole steps of the
// codecs; the last of them end with zeros. A reader needs one header to know all that the others
// must say, and no index. The sum and the hash find rot, not malice: what an object holds is
// authenticated where it is encrypted.
//
// Rejected: one sum over the whole object (a reader of one shard could not tell whether it is
// whole), the header in a file of its own (it could be lost alone).

import { type ErasureCodec, erasureCodecs, shardBytesMax } from "../erasure/stripe.ts";
import { ByteReader, ByteWriter, bytesOfHex, hexOf, sameBytes } from "./wire.ts";
import { type ObjectId, type ObjectKind, objectKinds } from "./names.ts";

export const shardHeaderBytes = 128;
export const formatVersion = 2;
/** The most that an object may hold, over all its shards. */
export const objectBytesMax = 1_073_741_824;

/** The most that a shard with its header takes; a target that gives more gives something else. */
export const shardFileBytesMax = shardHeaderBytes + shardBytesMax;

/** Of the sum of a shard's bytes. */
export const sumBytes = 8;

const magic = "NINESVLT";
const hashedBytes = 96;

/** How an object is laid over shards. `copies: 3` is one data shard and two of parity. */
export interface Geometry {
  readonly codec: ErasureCodec;
  readonly dataShards: number;
  readonly parityShards: number;
}

export interface ObjectLengths {
  readonly objectBytes: number;
  readonly shardBytes: number;
}

export interface ShardHeader extends Geometry, ObjectLengths {
  readonly kind: ObjectKind;
  readonly id: ObjectId;
  /** 32 hexadecimal digits. */
  readonly vault: string;
  readonly shard: number;
  readonly sum: Uint8Array;
}

type Sha256 = (...pieces: readonly Uint8Array[]) => Uint8Array;

/** What every codec and checksum works in. Memory is also copied several times as fast in line. */
const stepBytes = 128;

export function shardBytesOf(objectBytes: number, dataShards: number): number {
  return stepBytes * Math.max(1, Math.ceil(objectBytes / dataShards / stepBytes));
}

export function writeShardHeader(header: ShardHeader, sha256: Sha256): Uint8Array {
  const writer = new ByteWriter();
  for (const character of magic) writer.u8(character.charCodeAt(0));
  writer.u16(formatVersion).u8(objectKinds.indexOf(header.kind));
  writer.u8(erasureCodecs.indexOf(header.codec));
  writer.u8(header.dataShards).u8(header.parityShards).u8(header.shard).u8(0);
  writer.raw(bytesOfHex(header.id)).raw(bytesOfHex(header.vault));
  writer.i64(BigInt(header.objectBytes)).i64(BigInt(header.shardBytes)).raw(header.sum);
  writer.raw(new Uint8Array(hashedBytes - writer.length));
  return writer.raw(sha256(writer.done())).done();
}

/** Why a header says nothing that could be used. */
export type HeaderRefusal = "foreign" | "of another version" | "rotten";

export function readShardHeader(bytes: Uint8Array, sha256: Sha256): ShardHeader | HeaderRefusal {
  if (bytes.length < shardHeaderBytes) return "rotten";
  const reader = new ByteReader(bytes.subarray(0, shardHeaderBytes), "a shard's header");
  const start = String.fromCharCode(...reader.raw(magic.length));
  const hash = sha256(bytes.subarray(0, hashedBytes));
  if (!sameBytes(hash, bytes.subarray(hashedBytes, shardHeaderBytes))) {
    return start === magic ? "rotten" : "foreign";
  }
  if (start !== magic) return "foreign";
  if (reader.u16() !== formatVersion) return "of another version";
  const kind = objectKinds[reader.u8()];
  const codec = erasureCodecs[reader.u8()];
  const [dataShards, parityShards, shard] = [reader.u8(), reader.u8(), reader.u8()];
  reader.u8();
  const [id, vault] = [hexOf(reader.raw(16)), hexOf(reader.raw(16))];
  const [objectBytes, shardBytes] = [Number(reader.i64()), Number(reader.i64())];
  const isPossible =
    dataShards >= 1 &&
    parityShards >= 1 &&
    shard < dataShards + parityShards &&
    dataShards + parityShards <= 255 &&
    objectBytes >= 0 &&
    objectBytes <= objectBytesMax &&
    shardBytes === shardBytesOf(objectBytes, dataShards) &&
    shardBytes <= shardBytesMax;
  if (kind === undefined || codec === undefined || !isPossible) return "rotten";
  const sum = reader.raw(sumBytes).slice();
  const geometry = { codec, dataShards, parityShards };
  return { ...geometry, kind, id, vault, shard, objectBytes, shardBytes, sum };
}

/** Whether two shards are of one object, written by one writer. */
export function areOfOneObject(a: ShardHeader, b: ShardHeader): boolean {
  return (
    a.id === b.id &&
    a.vault === b.vault &&
    a.kind === b.kind &&
    a.codec === b.codec &&
    a.dataShards === b.dataShards &&
    a.parityShards === b.parityShards &&
    a.objectBytes === b.objectBytes
  );
}

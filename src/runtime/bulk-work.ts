// Whole chunks hashed, deflated, sealed and opened, and shards coded and summed: what a thread of
// bulk-threads.ts does, and who has no threads does by itself.
//
// node:crypto gives every result in memory of its own. Results of a megabyte would be new memory
// each time, which the kernel has to find and clear; so what is sealed or opened goes in pieces
// that stay in the processor's cache, one in the place of the other, to where it belongs. There
// pieces begin at whole words: to shared memory the engine copies all else byte by byte.

import { createCipheriv, createDecipheriv, createHmac, type DecipherGCM } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type WasmMemory, webAssembly } from "../core/base/web-assembly.ts";
import {
  type Bulk,
  type FileToMake,
  type MadeFile,
  type OpenFile,
  type SealedChunk,
  type Sealing,
  tagBytes,
} from "../core/vault/crypto.ts";
import { ObjectBytes } from "../core/vault/object-coder.ts";
import { findForged } from "../core/vault/pack.ts";
import type { Geometry } from "../core/vault/shard.ts";
import { ShardSummer, WindowCoder } from "../core/vault/window-coder.ts";
import { codeOf } from "./error-code.ts";
import { letGo } from "./let-go.ts";
import { putFile, writeAll } from "./restored-file.ts";

export const cipher = "aes-256-gcm";
/** Fast rather than small: a backup waits for it. */
const deflateLevel = 1;
const pieceBytes = 65_536;
const wordBytes = 8;
const pageBytes = 65_536;
/** Of the devices that there are, or a multiple of it. */
const blockBytes = 4_096;
/** For less, a wait for the device takes longer than the way through the cache. */
const directBytesLeast = 65_536;

export type BulkKind = keyof Bulk;

/** The same as `Bulk`, done at once. */
type BulkDoing = {
  readonly [Kind in BulkKind]: (
    ...given: Parameters<Bulk[Kind]>
  ) => Awaited<ReturnType<Bulk[Kind]>>;
};

export const bulkDoing: BulkDoing = {
  mac: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
  deflate,
  seal,
  open: ({ sealing, sealed, deflated }, into) => open(sealing, sealed, into, deflated),
  openTo,
  makeFiles,
  encode: (geometry, data, parity) => coderFor(geometry).encode(data, parity),
  sum: (shard) => (summer ??= new ShardSummer()).sum(shard),
  findForged: (key, lengths, shards) =>
    findForged(key, new ObjectBytes(lengths, shards), openWhole, isAuthentic),
};

let summer: ShardSummer | undefined;
/** A vault has one geometry, or few. */
const coders = new Map<string, WindowCoder>();

function coderFor({ codec, dataShards, parityShards }: Geometry): WindowCoder {
  const key = `${codec} ${dataShards} ${parityShards}`;
  const coder = coders.get(key) ?? new WindowCoder({ codec, dataShards, parityShards });
  coders.set(key, coder);
  return coder;
}

function deflate(bytes: Uint8Array, into: Uint8Array): number | undefined {
  const chunkSize = resultRoomFor(into.length);
  const deflated = deflateRawSync(bytes, { level: deflateLevel, chunkSize });
  const { length } = deflated;
  const fits = length <= into.length;
  if (fits) into.set(deflated);
  letGo(deflated);
  return fits ? length : undefined;
}

function seal({ key, nonce, about }: Sealing, plain: Uint8Array, into: Uint8Array): void {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  sealing.setAAD(about);
  pieceByPiece(plain, into, (piece, at) => move(sealing.update(piece), into, at));
  sealing.final();
  into.set(sealing.getAuthTag(), plain.length);
}

function open(sealing: Sealing, sealed: Uint8Array, into: Uint8Array, inflate: boolean): boolean {
  const end = sealed.length - tagBytes;
  if (end < 0 || (!inflate && end !== into.length)) return false;
  const opening = createOpening(sealing, sealed.subarray(end));
  const body = inflate ? bodyOf(end) : into;
  const cipherText = sealed.subarray(0, end);
  pieceByPiece(cipherText, body, (piece, at) => move(opening.update(piece), body, at));
  // Only what is authentic is inflated.
  return isFinal(opening) && (!inflate || inflateInto(into, body));
}

function openTo({ descriptor, direct, offset }: OpenFile, chunk: SealedChunk): boolean {
  // As far behind the beginning of a block as it will be in the file.
  const lead = offset % blockBytes;
  const plain = openedIn(chunk, lead);
  if (plain === undefined) return false;
  const start = (blockBytes - lead) % blockBytes;
  const end = plain.length - ((lead + plain.length) % blockBytes);
  if (direct === undefined || end - start < directBytesLeast) {
    writeAll(descriptor, plain, offset);
    return true;
  }
  const blocks = plain.subarray(start, end);
  writeAll(descriptor, plain.subarray(0, start), offset);
  if (!isWrittenDirectly(direct, blocks, offset + start)) {
    writeAll(descriptor, blocks, offset + start);
  }
  writeAll(descriptor, plain.subarray(end), offset + end);
  return true;
}

function makeFiles(files: readonly FileToMake[], temporary: string): readonly MadeFile[] {
  const unfinished = Buffer.from(temporary, "latin1");
  return files.map((file) => {
    const { path, chunk } = file;
    const place = Buffer.from(path, "latin1");
    const plain = chunk === undefined ? new Uint8Array(0) : openedIn(chunk, 0);
    if (plain === undefined) return "wrong";
    return putFile({ place, unfinished }, plain, file) ? "made" : "unowned";
  });
}

/** The chunk, until the next one is opened, so far behind the beginning of a block. */
function openedIn(chunk: SealedChunk, lead: number): Uint8Array | undefined {
  const { sealing, sealed, plainBytes, deflated } = chunk;
  const plain = roomFor(lead + plainBytes).subarray(lead);
  return open(sealing, sealed, plain, deflated) ? plain : undefined;
}

/** False when the kernel takes nothing this way: other devices have other blocks. */
function isWrittenDirectly(direct: number, bytes: Uint8Array, offset: number): boolean {
  try {
    writeAll(direct, bytes, offset);
    return true;
  } catch (error) {
    if (codeOf(error) !== "EINVAL") throw error;
    return false;
  }
}

/** Memory of whole pages for one chunk at a time, until a larger one comes. */
let room = new Uint8Array(0);

function roomFor(length: number): Uint8Array {
  if (room.length < length) {
    const pages = roomyBytes(length) / pageBytes;
    const memory: WasmMemory = new webAssembly.Memory({ initial: pages, maximum: pages });
    room = new Uint8Array(memory.buffer);
  }
  return room.subarray(0, length);
}

function createOpening({ key, nonce, about }: Sealing, tag: Uint8Array): DecipherGCM {
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  opening.setAAD(about);
  return opening.setAuthTag(tag);
}

function isFinal(opening: DecipherGCM): boolean {
  try {
    opening.final();
    return true;
  } catch {
    return false;
  }
}

/** What is kept and grows does so in few steps, for what it was before is let go late. */
function roomyBytes(bytes: number): number {
  let roomy = pieceBytes;
  while (roomy < bytes) roomy *= 4;
  return roomy;
}

let resultBytes = 0;

/**
 * How much zlib takes at once for its result, which so comes in one piece. It is always the same,
 * but for the first few: of every size another the allocator makes ever new memory.
 */
function resultRoomFor(bytes: number): number {
  resultBytes = Math.max(resultBytes, roomyBytes(bytes));
  return resultBytes;
}

/** False when it is of another length, or no deflate. */
function inflateInto(into: Uint8Array, body: Uint8Array): boolean {
  const maxOutputLength = Math.max(1, into.length);
  const chunkSize = resultRoomFor(into.length);
  try {
    const plain = inflateRawSync(body, { maxOutputLength, chunkSize });
    const isRight = plain.length === into.length;
    if (isRight) into.set(plain);
    letGo(plain);
    return isRight;
  } catch {
    return false;
  }
}

function openWhole({ key, nonce, about }: Sealing, sealed: Uint8Array): Uint8Array | undefined {
  const plain = new Uint8Array(Math.max(0, sealed.length - tagBytes));
  return open({ key, nonce, about }, sealed, plain, false) ? plain : undefined;
}

function isAuthentic(sealing: Sealing, sealed: Uint8Array): boolean {
  const end = sealed.length - tagBytes;
  if (end < 0) return false;
  const opening = createOpening(sealing, sealed.subarray(end));
  pieceByPiece(sealed.subarray(0, end), sealed, (piece) => letGo(opening.update(piece)));
  return isFinal(opening);
}

/** What is opened before it is inflated, one at a time. */
let opened = new Uint8Array(0);

function bodyOf(length: number): Uint8Array {
  if (opened.length < length) opened = new Uint8Array(roomyBytes(length));
  return opened.subarray(0, length);
}

function move(result: Buffer<ArrayBuffer>, into: Uint8Array, at: number): void {
  into.set(result, at);
  letGo(result);
}

/** Pieces of `bytes` so that those of `into` at the same places begin at whole words. */
function pieceByPiece(
  bytes: Uint8Array,
  into: Uint8Array,
  take: (piece: Uint8Array, at: number) => void,
): void {
  const lead = (wordBytes - (into.byteOffset % wordBytes)) % wordBytes;
  if (lead > 0) take(bytes.subarray(0, lead), 0);
  for (let at = lead; at < bytes.length; at += pieceBytes) {
    take(bytes.subarray(at, at + pieceBytes), at);
  }
}

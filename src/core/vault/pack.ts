// A pack: the chunks of one key domain that one run has brought, sealed one by one, and the table
// that says what they are. The index can be made again from the tables alone.
//
//   chunks, one after the other, each the cipher text and its tag (16)
//   the table, sealed: what it holds (1), then for each chunk its name (32), sealed length, plain
//     length, whether it is deflated (1)
//   domain's id (16), sealed table's length (4), "NPK1"
//
// A chunk's context is its name, its plain length and whether it is deflated, so that one chunk
// cannot stand in for another. Its nonce is where it begins: no two begin at one place.

import { assert } from "../base/assert.ts";
import { hashBytes, type SealedChunk, type Sealing, tagBytes, type VaultCrypto } from "./crypto.ts";
import { chunkBytesMax } from "./chunker.ts";
import { type Domain, ObjectSealer, sealingAt } from "./keys.ts";
import { idBytes, type ObjectId } from "./names.ts";
import type { ObjectBytes } from "./object-coder.ts";
import { ByteReader, ByteWriter, bytesOfHex, byteStringOf, hexOf } from "./wire.ts";

const footerBytes = idBytes + 8;
const footerMagic = "NPK1";
export const packChunksMax = 1 << 20;

/**
 * `data`: content of files. `tree`: folders and lists of chunks, which are read without the rest.
 */
export const packHoldings = ["data", "tree"] as const;
export type PackHolding = (typeof packHoldings)[number];

/** Where a chunk lies in its pack. */
export interface PackedChunk {
  /** 32 bytes. */
  readonly name: Uint8Array;
  readonly offset: number;
  readonly sealedBytes: number;
  readonly plainBytes: number;
  readonly deflated: boolean;
}

export interface PackTable {
  readonly id: ObjectId;
  readonly domainId: string;
  readonly holds: PackHolding;
  readonly packBytes: number;
  readonly chunks: readonly PackedChunk[];
}

export interface FinishedPack extends PackTable {
  /** The whole pack, in the memory that the builder was given. */
  readonly bytes: Uint8Array;
}

/** Of the table, for one chunk; and for all that is there of it once. */
const rowBytesMax = hashBytes + 4 + 4 + 1;
const endBytesMax = 1 + 4 + tagBytes + footerBytes;

/** For the zeros with which the last shards of a pack end. */
const paddingBytesMax = 65_536;

/** How much memory a pack takes of so many bytes of chunks, with room for its table. */
export function packRoomBytes(bytes: number): number {
  const least = bytes + Math.ceil(bytes / 64) + rowBytesMax + tagBytes + endBytesMax;
  return least + paddingBytesMax;
}

/**
 * A pack in the making. Chunks get their places one after the other, and are sealed into them
 * beside each other.
 */
export class PackBuilder {
  readonly id: ObjectId;
  readonly domain: Domain;
  readonly holds: PackHolding;
  /** Where the pack is made, shared between threads; the pack holds what fits. */
  readonly memory: Uint8Array;
  readonly #sealer: ObjectSealer;
  readonly #chunks: PackedChunk[] = [];
  readonly #sealing = new Set<Promise<void>>();
  #bytes = 0;

  constructor(
    sealer: ObjectSealer,
    domain: Domain,
    id: ObjectId,
    holds: PackHolding,
    memory: Uint8Array,
  ) {
    this.id = id;
    this.domain = domain;
    this.holds = holds;
    this.memory = memory;
    this.#sealer = sealer;
  }

  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** Whether there is room for one more chunk, of so many bytes before its tag. */
  fits(bodyBytes: number): boolean {
    const rows = this.#chunks.length + 1;
    const end = this.#bytes + bodyBytes + tagBytes + rows * rowBytesMax + endBytesMax;
    return rows <= packChunksMax && end <= this.memory.length - paddingBytesMax;
  }

  /**
   * `body`: the chunk, or its deflate when that is shorter; it may be used again when it resolves.
   */
  add(name: Uint8Array, body: Uint8Array, plainBytes: number, deflated: boolean): Promise<void> {
    assert(this.fits(body.length), "who adds a chunk has asked whether it fits");
    const offset = this.#bytes;
    const sealedBytes = body.length + tagBytes;
    this.#bytes += sealedBytes;
    this.#chunks.push({ name, offset, sealedBytes, plainBytes, deflated });
    const about = aboutChunk(name, plainBytes, deflated);
    const into = this.memory.subarray(offset, offset + sealedBytes);
    const sealing = this.#sealer.crypto.bulk.seal(this.#sealer.at(offset, about), body, into);
    this.#sealing.add(sealing);
    return sealing;
  }

  /** Rejects when a chunk could not be sealed. */
  async finish(): Promise<FinishedPack> {
    await Promise.all(this.#sealing);
    const table = new ByteWriter().u8(packHoldings.indexOf(this.holds));
    writeChunks(table, this.#chunks);
    const domainId = bytesOfHex(this.domain.id);
    const sealed = this.#sealer.seal(this.#bytes, domainId, table.done());
    const footer = new ByteWriter().raw(domainId).u32(sealed.length);
    for (const character of footerMagic) footer.u8(character.charCodeAt(0));
    const packBytes = this.#bytes + sealed.length + footerBytes;
    this.memory.set(sealed, this.#bytes);
    this.memory.set(footer.done(), packBytes - footerBytes);
    const { id, holds, domain } = this;
    const bytes = this.memory.subarray(0, packBytes);
    return { id, domainId: domain.id, holds, packBytes, chunks: this.#chunks, bytes };
  }
}

/** The chunk with what opens it. */
export function sealedChunk(
  sealer: ObjectSealer,
  chunk: PackedChunk,
  sealed: Uint8Array,
): SealedChunk {
  const { name, offset, plainBytes, deflated } = chunk;
  const sealing = sealer.at(offset, aboutChunk(name, plainBytes, deflated));
  return { sealing, sealed, plainBytes, deflated };
}

/**
 * Opens all that is in a pack and keeps nothing of it. What is not as it was sealed with this key
 * of the pack's, or undefined.
 */
export function findForged(
  key: Uint8Array,
  pack: ObjectBytes,
  open: (sealing: Sealing, sealed: Uint8Array) => Uint8Array | undefined,
  isAuthentic: (sealing: Sealing, sealed: Uint8Array) => boolean,
): string | undefined {
  const { length } = pack;
  const footer = readFooter(pack.slice(Math.max(0, length - footerBytes), length), length);
  if (footer === undefined) return "its end";
  const start = length - footerBytes - footer.tableBytes;
  const sealed = pack.slice(start, length - footerBytes);
  const table = open(sealingAt(key, start, bytesOfHex(footer.domainId)), sealed);
  if (table === undefined) return "its table";
  let scratch = new Uint8Array(0);
  const allocate = (bytes: number) => {
    if (scratch.length < bytes) scratch = new Uint8Array(Math.max(bytes, 4 * scratch.length));
    return scratch.subarray(0, bytes);
  };
  for (const chunk of readTable(table, start).chunks) {
    const { name, offset, sealedBytes, plainBytes, deflated } = chunk;
    const sealing = sealingAt(key, offset, aboutChunk(name, plainBytes, deflated));
    const isRight = isAuthentic(sealing, pack.slice(offset, offset + sealedBytes, allocate));
    if (!isRight) return `the chunk at ${offset}`;
  }
  return undefined;
}

/** The domain of a whole pack; undefined when it does not end like one. */
export function packDomainOf(pack: Uint8Array): string | undefined {
  const footer = readFooter(pack);
  return footer?.domainId;
}

/** The table of a whole pack; undefined when it is not one that the domain's key has sealed. */
export function readPackTable(
  crypto: VaultCrypto,
  domain: Domain,
  id: ObjectId,
  pack: Uint8Array,
): PackTable | undefined {
  const footer = readFooter(pack);
  if (footer === undefined || footer.domainId !== domain.id) return undefined;
  const start = pack.length - footerBytes - footer.tableBytes;
  const sealed = pack.subarray(start, pack.length - footerBytes);
  const sealer = new ObjectSealer(crypto, domain, id);
  const plain = sealer.open(start, bytesOfHex(domain.id), sealed);
  if (plain === undefined) return undefined;
  return { id, domainId: domain.id, packBytes: pack.length, ...readTable(plain, start) };
}

function readTable(plain: Uint8Array, bytesMax: number): Pick<PackTable, "holds" | "chunks"> {
  const reader = new ByteReader(plain, "the table of a pack");
  const holds = packHoldings[reader.u8()] ?? reader.refuse("it holds nothing that is known");
  const chunks = readChunks(reader, bytesMax);
  reader.end();
  return { holds, chunks };
}

export function writeChunks(writer: ByteWriter, chunks: readonly PackedChunk[]): void {
  writer.count(chunks.length);
  for (const { name, sealedBytes, plainBytes, deflated } of chunks) {
    writer.raw(name).count(sealedBytes).count(plainBytes);
    writer.u8(deflated ? 1 : 0);
  }
}

/**
 * Chunks lie one after the other from the pack's beginning, and end at `bytesMax` at the latest.
 */
export function readChunks(reader: ByteReader, bytesMax: number): readonly PackedChunk[] {
  const count = reader.count(packChunksMax);
  const chunks: PackedChunk[] = [];
  let offset = 0;
  for (let read = 0; read < count; read++) {
    const name = reader.raw(hashBytes).slice();
    const sealedBytes = reader.count(chunkBytesMax + tagBytes);
    const plainBytes = reader.count(chunkBytesMax);
    const deflated = reader.u8() === 1;
    if (sealedBytes < tagBytes) reader.refuse("a chunk is shorter than its tag");
    chunks.push({ name, offset, sealedBytes, plainBytes, deflated });
    offset += sealedBytes;
  }
  if (offset > bytesMax) reader.refuse(`its chunks end at ${offset}, it does at ${bytesMax}`);
  return chunks;
}

/** Of a whole pack, or its end where the pack is of so many bytes. */
function readFooter(
  end: Uint8Array,
  packBytes: number = end.length,
): { readonly domainId: string; readonly tableBytes: number } | undefined {
  if (end.length < footerBytes) return undefined;
  const reader = new ByteReader(end.subarray(end.length - footerBytes), "a pack's end");
  const domainId = hexOf(reader.raw(idBytes));
  const tableBytes = reader.u32();
  const isWhole = byteStringOf(reader.raw(4)) === footerMagic;
  if (!isWhole || tableBytes > packBytes - footerBytes) return undefined;
  return { domainId, tableBytes };
}

function aboutChunk(name: Uint8Array, plainBytes: number, deflated: boolean): Uint8Array {
  const about = new Uint8Array(hashBytes + 5);
  about.set(name);
  new DataView(about.buffer).setUint32(hashBytes, plainBytes, true);
  about[hashBytes + 4] = deflated ? 1 : 0;
  return about;
}

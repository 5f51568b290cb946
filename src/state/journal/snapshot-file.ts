// A snapshot's file: a header, blocks, and an end that says how much there was.
//
//   0  "NINESNAP"   8 version   12 zero   16 the last record that is in it (8)
//   24 wall clock, ms since 1970 (8)   32 zero   36 checksum of bytes 0..36
//   40 blocks: checksum, length, bytes, zeros up to a word; the checksum goes on from the block
//      before, the first one's from the header's
//   then checksum, 0, and the bytes of content (8); then nothing
//
// It is written under a temporary name, flushed, read back, moved into place, and the folder is
// flushed: under its own name it is whole or has rotted. Blocks are cut anew at 256 KiB, whatever
// the application's chunks are: that bounds what a reader needs.

import { crc32c } from "../../core/base/crc32c.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { DiskFile, DiskFolder } from "../../ports/disk.ts";
import type { Damage } from "./examine.ts";
import { rotten } from "./failures.ts";
import {
  getLong,
  hasMagic,
  setLong,
  snapshotFileName,
  viewOf,
  wholeWords,
  writeMagic,
} from "./format.ts";

const magic = "NINESNAP";
const snapshotVersion = 1;
const headerBytes = 40;
const checksumOffset = 36;
const blockHeaderBytes = 8;
const endBytes = 16;
/** What a reader accepts; a writer cuts smaller. */
const blockBytesMax = 1_048_576;
const blockContentBytes = 262_144;

export interface SnapshotHeader {
  readonly through: number;
  readonly wallMs: number;
}

/** Collects content into blocks and writes each when it is full. */
export class SnapshotWriter {
  readonly #file: DiskFile;
  readonly #block = new Uint8Array(blockHeaderBytes + blockContentBytes);
  readonly #view = viewOf(this.#block);
  #filled = 0;
  #offset = 0;
  #checksum = 0;
  #contentBytes = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  get contentBytes(): number {
    return this.#contentBytes;
  }

  async begin(header: SnapshotHeader): Promise<void> {
    const bytes = new Uint8Array(headerBytes);
    const view = viewOf(bytes);
    writeMagic(bytes, magic);
    view.setUint32(8, snapshotVersion, true);
    setLong(view, 16, header.through);
    setLong(view, 24, header.wallMs);
    this.#checksum = crc32c(0, view, 0, checksumOffset);
    view.setUint32(checksumOffset, this.#checksum, true);
    await this.#write(bytes);
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.length; ) {
      const piece = chunk.subarray(taken, taken + blockContentBytes - this.#filled);
      this.#block.set(piece, blockHeaderBytes + this.#filled);
      this.#filled += piece.length;
      taken += piece.length;
      if (this.#filled === blockContentBytes) await this.#writeBlock();
    }
  }

  /** The content is complete; it is on the device when this resolves. */
  async end(): Promise<void> {
    if (this.#filled > 0) await this.#writeBlock();
    const bytes = new Uint8Array(endBytes);
    const view = viewOf(bytes);
    setLong(view, 8, this.#contentBytes);
    view.setUint32(0, crc32c(this.#checksum, view, 4, endBytes), true);
    await this.#write(bytes);
    await this.#file.flush();
  }

  async #writeBlock(): Promise<void> {
    const end = blockHeaderBytes + wholeWords(this.#filled);
    this.#block.fill(0, blockHeaderBytes + this.#filled, end);
    this.#view.setUint32(4, this.#filled, true);
    this.#checksum = crc32c(this.#checksum, this.#view, 4, end);
    this.#view.setUint32(0, this.#checksum, true);
    await this.#write(this.#block.subarray(0, end));
    this.#contentBytes += this.#filled;
    this.#filled = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes, this.#offset);
    this.#offset += bytes.length;
  }
}

/** What a whole pass over the file has shown. */
export interface SnapshotCheck extends SnapshotHeader {
  readonly fileName: string;
  readonly contentBytes: number;
}

/** Reads it all and compares; the damage if it is not whole. Rejects with NINES_JOURNAL_NEWER. */
export async function checkSnapshot(
  folder: DiskFolder,
  through: number,
  fileName: string = snapshotFileName(through),
): Promise<SnapshotCheck | Damage> {
  const file = await folder.open(fileName, "read");
  try {
    const reader = new SnapshotReader(file, fileName);
    const header = await reader.begin(through);
    let contentBytes = 0;
    for await (const block of reader.blocks()) contentBytes += block.length;
    return { ...header, fileName, contentBytes };
  } catch (error) {
    if (error instanceof NinesError && error.code === "NINES_JOURNAL_ROT") {
      return error.cause as Damage;
    }
    throw error;
  } finally {
    await file.close();
  }
}

/** The content of a snapshot that was checked. Rejects with NINES_JOURNAL_ROT if it has changed. */
export async function* readSnapshot(
  folder: DiskFolder,
  through: number,
): AsyncGenerator<Uint8Array, void, void> {
  const fileName = snapshotFileName(through);
  const file = await folder.open(fileName, "read");
  try {
    const reader = new SnapshotReader(file, fileName);
    await reader.begin(through);
    for await (const block of reader.blocks()) yield block.slice();
  } finally {
    await file.close();
  }
}

class SnapshotReader {
  readonly #file: DiskFile;
  readonly #fileName: string;
  /** Grows to the largest block: most snapshots are small. */
  #bytes = new Uint8Array(headerBytes);
  #view = viewOf(this.#bytes);
  #offset = 0;
  #checksum = 0;

  constructor(file: DiskFile, fileName: string) {
    this.#file = file;
    this.#fileName = fileName;
  }

  async begin(through: number): Promise<SnapshotHeader> {
    await this.#fetch(0, headerBytes);
    if (!hasMagic(this.#bytes, magic)) this.#rotten("the file does not begin as a snapshot does");
    // Every version keeps this checksum in this place, so that rot is not taken for the future.
    this.#checksum = crc32c(0, this.#view, 0, checksumOffset);
    if (this.#view.getUint32(checksumOffset, true) !== this.#checksum) {
      this.#rotten("the header does not match its checksum");
    }
    if (this.#view.getUint32(8, true) > snapshotVersion) {
      const what = `${this.#fileName} has a format beyond version ${snapshotVersion}`;
      throw new NinesError("NINES_JOURNAL_NEWER", what);
    }
    if (getLong(this.#view, 16) !== through) this.#rotten("this is another snapshot, renamed");
    this.#offset = headerBytes;
    return { through, wallMs: getLong(this.#view, 24) };
  }

  /** Each is valid until the next. */
  async *blocks(): AsyncGenerator<Uint8Array, void, void> {
    let contentBytes = 0;
    for (;;) {
      await this.#fetch(0, blockHeaderBytes);
      const length = this.#view.getUint32(4, true);
      if (length === 0) break;
      if (length > blockBytesMax) this.#rotten("a block has no possible length");
      const end = blockHeaderBytes + wholeWords(length);
      await this.#fetch(blockHeaderBytes, end);
      this.#compare(end, "a block does not match its checksum");
      this.#offset += end;
      contentBytes += length;
      yield this.#bytes.subarray(blockHeaderBytes, blockHeaderBytes + length);
    }
    await this.#fetch(blockHeaderBytes, endBytes);
    this.#compare(endBytes, "the end does not match its checksum");
    if (getLong(this.#view, 8) !== contentBytes) this.#rotten("content is missing");
    this.#offset += endBytes;
    const sizeBytes = await this.#file.sizeBytes();
    if (sizeBytes !== this.#offset) this.#rotten("there is something behind the end");
  }

  #compare(end: number, what: string): void {
    this.#checksum = crc32c(this.#checksum, this.#view, 4, end);
    if (this.#view.getUint32(0, true) !== this.#checksum) this.#rotten(what);
  }

  async #fetch(start: number, end: number): Promise<void> {
    if (start === end) return;
    if (end > this.#bytes.length) this.#grow(end);
    const got = await this.#file.read(this.#bytes.subarray(start, end), this.#offset + start);
    if (got < end - start) this.#rotten("the file was truncated");
  }

  #grow(length: number): void {
    const bytes = new Uint8Array(length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  #rotten(what: string): never {
    throw rotten({ fileName: this.#fileName, offset: this.#offset, sequence: 0, what });
  }
}

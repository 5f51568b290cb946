// Segments: the files of the log. Each is allotted in full before it is used, under a temporary
// name; it is flushed, moved to its own name, and the folder is flushed. So a segment that has its
// name has its size, its header and its number, whatever happens, and a write into it changes no
// size, no name and no block of the file system: one write to the device makes it durable.
//
// A new file is filled with zeros, which takes the disk as long as what is then written into it. A
// *spare*, a segment that compaction took out of the log, is allotted already: it gets a new
// header, and keeps the rest, for each sector says which segment wrote it (format.ts).

import { assert } from "../../core/base/assert.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { type DiskFolder, sectorBytes } from "../../ports/disk.ts";
import type { Damage } from "./examine.ts";
import { flushNames } from "./failures.ts";
import {
  formatVersion,
  readSegmentHeader,
  type SegmentHeader,
  segmentBytesMax,
  segmentFileName,
  segmentIndexMax,
  writeSegmentHeader,
} from "./format.ts";

/**
 * Zeros are flushed in stretches. A flush holds up the log's own writes for as long as it takes,
 * and has a price of its own besides: so a stretch is what the device takes in about this time.
 */
const stretchMs = 10;
const pieceBytes = 1_048_576;

export interface NewSegment {
  readonly index: number;
  readonly sizeBytes: number;
  readonly wallMs: number;
}

/**
 * Makes a segment. Rejects with a DiskError; of "full" nothing is left behind, but what could not
 * be removed.
 */
export async function prepareSegment(
  folder: DiskFolder,
  clock: Clock,
  segment: NewSegment,
): Promise<void> {
  const name = segmentFileName(segment.index);
  const temporary = `${name}.tmp`;
  try {
    await writeZeros(folder, clock, temporary, headerOf(segment), segment.sizeBytes);
    await folder.rename(temporary, name);
  } catch (error) {
    // The first failure is the one that counts.
    await folder.remove(temporary).catch(() => undefined);
    throw error;
  }
  await flushNames(folder);
}

/**
 * Makes a segment of a spare of the same size. Rejects with a DiskError; of "full" the spare is a
 * spare as before.
 */
export async function reuseSegment(
  folder: DiskFolder,
  spare: string,
  segment: NewSegment,
): Promise<void> {
  const file = await folder.open(spare, "durable");
  try {
    await file.write(headerOf(segment), 0);
  } finally {
    await file.close();
  }
  await folder.rename(spare, segmentFileName(segment.index));
  await flushNames(folder);
}

function headerOf(segment: NewSegment): Uint8Array {
  assert(segment.index <= segmentIndexMax, "a seal has room for the segment's number");
  const header = new Uint8Array(sectorBytes);
  writeSegmentHeader(header, segment);
  return header;
}

async function writeZeros(
  folder: DiskFolder,
  clock: Clock,
  name: string,
  header: Uint8Array,
  sizeBytes: number,
): Promise<void> {
  const file = await folder.create(name);
  try {
    const piece = new Uint8Array(Math.min(pieceBytes, sizeBytes));
    piece.set(header);
    let [offset, stretch, begunMs] = [0, 1, clock.monotonicMs()];
    while (offset < sizeBytes) {
      for (let pieces = 0; pieces < stretch && offset < sizeBytes; pieces++) {
        await file.write(piece.subarray(0, sizeBytes - offset), offset);
        if (offset === 0) piece.fill(0, 0, header.length);
        offset += piece.length;
      }
      await file.flush();
      const endedMs = clock.monotonicMs();
      stretch = endedMs - begunMs < stretchMs / 2 ? stretch * 2 : Math.max(1, stretch >> 1);
      begunMs = endedMs;
    }
  } finally {
    await file.close();
  }
}

/**
 * What the segment says of itself, or the damage to it. Rejects with NINES_JOURNAL_FOREIGN and
 * _NEWER.
 */
export async function examineSegment(
  folder: DiskFolder,
  index: number,
): Promise<SegmentHeader | Damage> {
  const fileName = segmentFileName(index);
  const damaged = (what: string): Damage => ({ fileName, offset: 0, sequence: 0, what });
  const file = await folder.open(fileName, "read");
  try {
    const sizeBytes = await file.sizeBytes();
    const sector = new Uint8Array(sectorBytes);
    const got = await file.read(sector, 0);
    const header = readSegmentHeader(sector);
    if (got < sectorBytes) return damaged(`the file has ${sizeBytes} bytes: it was truncated`);
    if (header === "newer" || header === "older") throw ofVersion(header, folder, fileName);
    if (header === "rotten") return damaged("the header does not match its checksum");
    if (header === "foreign") return damaged("the file does not begin as a segment does");
    if (header.index !== index) return damaged(`this is segment ${header.index}, renamed`);
    if (header.sizeBytes !== sizeBytes || sizeBytes > segmentBytesMax) {
      return damaged(`the file has ${sizeBytes} bytes and was made with ${header.sizeBytes}`);
    }
    return header;
  } finally {
    await file.close();
  }
}

function ofVersion(age: "newer" | "older", folder: DiskFolder, fileName: string): NinesError {
  const [code, word] =
    age === "newer"
      ? (["NINES_JOURNAL_NEWER", "beyond"] as const)
      : (["NINES_JOURNAL_OLDER", "before"] as const);
  const what = `${fileName} in ${folder.path} has a format ${word} version ${formatVersion}`;
  return new NinesError(code, what);
}

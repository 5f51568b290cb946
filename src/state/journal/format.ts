// The bytes on the disk. docs/reference/journal-format.md says the same, byte by byte, for readers.
// All numbers are unsigned and little-endian; a word is 4 bytes; a sector is 512.
//
// A segment is a header sector, then groups, each from the beginning of a sector, then zeros up to
// the size that it was allotted when it was made. A group is what one write brought:
//
//   0  checksum of bytes 4..40            4  the checksum that the group before has here at 0
//   8  bytes up to the last record's end  12 number of records
//   16 sequence of its first record (8)   24 wall clock, ms since 1970 (8)
//   32 the checksum of its last record    36 zero
//   40 records: checksum, length, bytes, zeros up to a word; the checksum goes on from the record
//      before, the first one's from byte 4 of the group
//
// So the groups are a chain: each is checked with what its predecessor was, and a byte of another
// journal, another segment or another time fits nowhere.
//
// What a crash tears is told from rot by *marks*: the last word of each sector of a group is the
// checksum of the group before (1 where that is 0; it is never 0). A sector of the group that was
// written is therefore never all zeros, whatever the records hold, and one that was not written is.
// The words that stood in the marks' places follow the last record, in order, in the places between
// the marks. Each sector thus has 127 words of content. A group without records marks a clean
// close.
//
// Rejected: records across sectors without marks and "a sector of zeros means torn" (etcd: a record
// of zeros that rots at the tail is cut, though it was acknowledged), reuse of old segments (their
// stale bytes are neither zeros nor ours), one checksum a record without groups (half of an append
// of several records could come back).

import { assert } from "../../core/base/assert.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { sectorBytes } from "../../ports/disk.ts";

export const formatVersion = 1;
export const groupHeaderBytes = 40;
export const recordHeaderBytes = 8;
export const sectorWords = sectorBytes / 4;
export const contentWords = sectorWords - 1;
/** The largest group, which bounds the memory of writers and readers alike. */
export const groupBytesMax = 1_048_576;
export const segmentBytesMin = 4_096;
export const segmentBytesMax = 1_073_741_824;

const markOffset = sectorBytes - 4;

// Names

const logName = /^(\d{16})\.log$/;
const snapshotName = /^(\d{16})\.snapshot$/;

export type FileKind =
  | { readonly kind: "segment"; readonly index: number }
  | { readonly kind: "snapshot"; readonly through: number }
  /** A file on its way into its place, left by a crash. */
  | { readonly kind: "unfinished" }
  /** What a repair has moved aside. */
  | { readonly kind: "aside" }
  | { readonly kind: "foreign" };

export function segmentFileName(index: number): string {
  return `${String(index).padStart(16, "0")}.log`;
}

export function snapshotFileName(through: number): string {
  return `${String(through).padStart(16, "0")}.snapshot`;
}

export function fileKind(name: string): FileKind {
  const log = logName.exec(name);
  if (log !== null) return { kind: "segment", index: Number(log[1]) };
  const snapshot = snapshotName.exec(name);
  if (snapshot !== null) return { kind: "snapshot", through: Number(snapshot[1]) };
  if (name.endsWith(".damaged")) return { kind: "aside" };
  const base = name.endsWith(".tmp") ? name.slice(0, -".tmp".length) : "";
  return { kind: logName.test(base) || snapshotName.test(base) ? "unfinished" : "foreign" };
}

// Numbers of 8 bytes: all of ours are below 2^53.

export function setLong(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a long is a safe integer, not negative");
  view.setUint32(offset, value % 0x1_0000_0000, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** Unsafe where the bytes are not ours; then it is a number that no check lets pass. */
export function getLong(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// Segment headers

export interface SegmentHeader {
  readonly index: number;
  readonly sizeBytes: number;
  /** What the first group of the first segment goes on from, unless it is headless. */
  readonly checksum: number;
  /** A repair took its beginning away: its first group goes on from one that is gone. */
  readonly isHeadless: boolean;
}

const segmentMagic = "NINESLOG";

export function writeSegmentHeader(
  sector: Uint8Array,
  header: {
    readonly index: number;
    readonly sizeBytes: number;
    readonly wallMs: number;
    readonly isHeadless?: boolean;
  },
): void {
  const view = viewOf(sector);
  writeMagic(sector, segmentMagic);
  view.setUint32(8, formatVersion, true);
  view.setUint32(12, header.isHeadless === true ? 1 : 0, true);
  setLong(view, 16, header.index);
  setLong(view, 24, header.sizeBytes);
  setLong(view, 32, header.wallMs);
  view.setUint32(markOffset, crc32c(0, view, 0, markOffset), true);
}

/** `foreign`: not one of ours. `newer`: ours, of a version that is not known here. */
export function readSegmentHeader(
  sector: Uint8Array,
): SegmentHeader | "foreign" | "newer" | "rotten" {
  if (!hasMagic(sector, segmentMagic)) return "foreign";
  const view = viewOf(sector);
  const checksum = view.getUint32(markOffset, true);
  // Every version keeps this checksum in this place, so that rot is not taken for the future.
  if (checksum !== crc32c(0, view, 0, markOffset)) return "rotten";
  if (view.getUint32(8, true) > formatVersion) return "newer";
  const isHeadless = view.getUint32(12, true) === 1;
  return { index: getLong(view, 16), sizeBytes: getLong(view, 24), checksum, isHeadless };
}

export function writeMagic(bytes: Uint8Array, magic: string): void {
  for (let at = 0; at < magic.length; at++) bytes[at] = magic.charCodeAt(at);
}

export function hasMagic(bytes: Uint8Array, magic: string): boolean {
  for (let at = 0; at < magic.length; at++) {
    if (bytes[at] !== magic.charCodeAt(at)) return false;
  }
  return true;
}

// Groups

/** Sectors of a group whose records end at this byte. */
export function groupSectors(contentEnd: number): number {
  return Math.ceil(Math.ceil(contentEnd / 4) / contentWords);
}

/** The most bytes that the records of a group of so many sectors may end at. */
export function contentBytesMax(sectors: number): number {
  return sectors * contentWords * 4;
}

export function recordBytes(length: number): number {
  return recordHeaderBytes + ((length + 3) & ~3);
}

/** What every sector of the group after this one ends with. */
export function markAfter(chain: number): number {
  return chain === 0 ? 1 : chain;
}

/** Where the word that a mark displaced stands: the `place`-th word that is not a mark. */
function contentWordOffset(start: number, place: number): number {
  return start + (place + Math.floor(place / contentWords)) * 4;
}

/** Puts the marks into a group whose records end at `start + contentEnd`; the rest is zeros. */
export function placeMarks(view: DataView, start: number, contentEnd: number, mark: number): void {
  const words = Math.ceil(contentEnd / 4);
  const displaced = Math.floor(words / sectorWords);
  const sectors = groupSectors(contentEnd);
  for (let sector = 0; sector < sectors; sector++) {
    const at = start + sector * sectorBytes + markOffset;
    if (sector < displaced) {
      const place = contentWordOffset(start, words - displaced + sector);
      view.setInt32(place, view.getInt32(at, true), true);
    }
    view.setUint32(at, mark, true);
  }
}

/** Whether each of a group's sectors has its mark. */
export function hasMarks(view: DataView, start: number, sectors: number, mark: number): boolean {
  for (let sector = 0; sector < sectors; sector++) {
    if (view.getUint32(start + sector * sectorBytes + markOffset, true) !== mark) return false;
  }
  return true;
}

/**
 * The reverse: puts the displaced words back into the place of the marks, and zeros where they
 * stood. False when what was not content was not zeros.
 */
export function takeMarks(view: DataView, start: number, contentEnd: number): boolean {
  const words = Math.ceil(contentEnd / 4);
  const displaced = Math.floor(words / sectorWords);
  const sectors = groupSectors(contentEnd);
  for (let sector = 0; sector < sectors; sector++) {
    const at = start + sector * sectorBytes + markOffset;
    if (sector < displaced) {
      const place = contentWordOffset(start, words - displaced + sector);
      view.setInt32(at, view.getInt32(place, true), true);
      view.setInt32(place, 0, true);
    } else {
      view.setInt32(at, 0, true);
    }
  }
  return isZero(view, start + words * 4, start + sectors * sectorBytes);
}

/** Whether the words from `start` to before `end` are all zero. */
export function isZero(view: DataView, start: number, end: number): boolean {
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const some =
      view.getInt32(at, true) |
      view.getInt32(at + 4, true) |
      view.getInt32(at + 8, true) |
      view.getInt32(at + 12, true);
    if (some !== 0) return false;
  }
  for (; at < end; at += 4) if (view.getInt32(at, true) !== 0) return false;
  return true;
}

export function markOf(view: DataView, sectorStart: number): number {
  return view.getUint32(sectorStart + markOffset, true);
}

export interface GroupHeader {
  readonly checksum: number;
  readonly previous: number;
  readonly contentEnd: number;
  readonly records: number;
  readonly firstSequence: number;
  readonly wallMs: number;
  readonly lastRecordChecksum: number;
}

export function writeGroupHeader(
  view: DataView,
  start: number,
  header: Omit<GroupHeader, "checksum">,
): number {
  view.setUint32(start + 4, header.previous, true);
  view.setUint32(start + 8, header.contentEnd, true);
  view.setUint32(start + 12, header.records, true);
  setLong(view, start + 16, header.firstSequence);
  setLong(view, start + 24, header.wallMs);
  view.setUint32(start + 32, header.lastRecordChecksum, true);
  view.setUint32(start + 36, 0, true);
  const checksum = crc32c(0, view, start + 4, start + groupHeaderBytes);
  view.setUint32(start, checksum, true);
  return checksum;
}

/** Whether a group's header stands here, whole; a group is never longer than `bytesMax`. */
export function isGroupHeader(view: DataView, start: number, bytesMax: number): boolean {
  const checksum = crc32c(0, view, start + 4, start + groupHeaderBytes);
  if (view.getUint32(start, true) !== checksum) return false;
  // Forty zeros have no checksum of zero, so that an empty sector does not come this far.
  const contentEnd = view.getUint32(start + 8, true);
  if (contentEnd < groupHeaderBytes) return false;
  return groupSectors(contentEnd) * sectorBytes <= Math.min(bytesMax, groupBytesMax);
}

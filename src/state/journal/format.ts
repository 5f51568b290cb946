// The bytes on the disk. docs/reference/journal-format.md says the same, byte by byte, for readers.
// All numbers are unsigned and little-endian; a word is 4 bytes; a sector is 512.
//
// A segment is a header sector, then groups, each from the beginning of a sector. Behind them lies
// what the file held before: zeros, or groups of an older segment that the same file once was. A
// group is what one write brought:
//
//   0  checksum of the group before       4  bytes up to the last record's end
//   8  number of records                  12 checksum of the checksums of its other sectors
//   16 sequence of its first record (8)   24 wall clock, ms since 1970 (8)
//   32 zero                               36 records: length, bytes, zeros up to 8 bytes
//
// Each sector of a group ends with a *seal*: the number of its segment, with the highest bit where
// the group begins, and the checksum of the sector. So a sector alone says whether it is whole, and
// in which life of the file it was written: numbers of segments only grow, and what has a smaller
// one is *older*, no matter what it says. The words that stood in the seals' places follow the last
// record, in order, in the places between the seals; each sector thus has 126 words of content.
//
// The checksum of a group's first sector is the group's. It covers, through bytes 12..16, every
// other sector, and through bytes 0..4 the group before: groups are a chain, in which nothing of
// another journal fits. A group without records marks a clean close.
//
// Rejected: a checksum a record (the sectors' find what they find, and the tail needs those),
// a fresh file of zeros for each segment (each byte is written twice; half of the bandwidth),
// checksums that go on from the chain instead of a number in the seal (stale bytes do not match
// them, but neither does rot), "a sector of zeros means torn" (etcd: a record of zeros that rots at
// the tail is cut, though it was acknowledged).

import { assert } from "../../core/base/assert.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { sectorBytes } from "../../ports/disk.ts";

export const formatVersion = 2;
/** Behind it and a record's length, bytes lie at multiples of 8: copying is many times faster. */
export const groupHeaderBytes = 36;
export const recordHeaderBytes = 4;
/** The largest group, which bounds the memory of writers and readers alike. */
export const groupBytesMax = 1_048_576;
export const segmentBytesMin = 4_096;
export const segmentBytesMax = 1_073_741_824;
/** What a seal can say: with segments of 16 MiB, after 32 PiB. */
export const segmentIndexMax = 0x7fff_ffff;

const sectorWords = sectorBytes / 4;
export const sealWords = 2;
const contentWords = sectorWords - sealWords;
export const sealOffset = sectorBytes - 8;
export const checksumOffset = sectorBytes - 4;
/** Added to the number in the seal of a group's first sector. */
export const beginsGroup = 0x8000_0000;

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
  view.setUint32(checksumOffset, crc32c(0, view, 0, checksumOffset), true);
}

/** `foreign`: not one of ours. `newer`, `older`: ours, of a version that is not read here. */
export function readSegmentHeader(
  sector: Uint8Array,
): SegmentHeader | "foreign" | "newer" | "older" | "rotten" {
  if (!hasMagic(sector, segmentMagic)) return "foreign";
  const view = viewOf(sector);
  const checksum = view.getUint32(checksumOffset, true);
  // Every version keeps this checksum in this place, so that rot is not taken for the future.
  if (checksum !== crc32c(0, view, 0, checksumOffset)) return "rotten";
  const version = view.getUint32(8, true);
  if (version !== formatVersion) return version > formatVersion ? "newer" : "older";
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

// Sectors of a segment

/**
 * `blank`: all zeros. `older`: whole, of an earlier life of the file. `begin`, `inner`: whole, of
 * this segment; a group begins there, or goes on. `rotten`: none of these.
 */
export type SectorKind = "blank" | "older" | "begin" | "inner" | "rotten";

/** What stands in this sector of the segment with this number. */
export function sectorKind(view: DataView, start: number, index: number): SectorKind {
  const checksum = view.getUint32(start + checksumOffset, true);
  const seal = view.getUint32(start + sealOffset, true);
  if (checksum === 0 && seal === 0 && isZero(view, start)) return "blank";
  if (checksum !== crc32c(0, view, start, start + checksumOffset)) return "rotten";
  const number = seal % beginsGroup;
  if (number === index) return seal < beginsGroup ? "inner" : "begin";
  return number < index ? "older" : "rotten";
}

/** Of a whole sector. */
export function checksumOf(view: DataView, start: number): number {
  return view.getUint32(start + checksumOffset, true);
}

const otherChecksums = new DataView(new ArrayBuffer((groupBytesMax / sectorBytes) * 4));

/** The checksum of the checksums of all sectors of a group but the first. */
export function checksumOfOthers(view: DataView, start: number, end: number): number {
  let length = 0;
  for (let at = start + sectorBytes; at < end; at += sectorBytes) {
    otherChecksums.setUint32(length, checksumOf(view, at), true);
    length += 4;
  }
  return crc32c(0, otherChecksums, 0, length);
}

function isZero(view: DataView, start: number): boolean {
  for (let at = start; at < start + sectorBytes; at += 16) {
    const some =
      view.getInt32(at, true) |
      view.getInt32(at + 4, true) |
      view.getInt32(at + 8, true) |
      view.getInt32(at + 12, true);
    if (some !== 0) return false;
  }
  return true;
}

// Groups

export interface GroupHeader {
  /** The checksum of the group before. */
  readonly previous: number;
  readonly contentEnd: number;
  readonly records: number;
  readonly checksumOfOthers: number;
  readonly firstSequence: number;
  readonly wallMs: number;
}

/** Sectors of a group whose records end at this byte. */
export function groupSectors(contentEnd: number): number {
  return Math.ceil(Math.ceil(contentEnd / 4) / contentWords);
}

/** The most bytes that the records of a group of so many sectors may end at. */
export function contentBytesMax(sectors: number): number {
  return sectors * contentWords * 4;
}

/** What a record of so many bytes takes in a group. */
export function recordBytes(length: number): number {
  return Math.ceil((recordHeaderBytes + length) / 8) * 8;
}

/** The longest record that fits alone into so many sectors. */
export function recordLengthMax(sectors: number): number {
  const room = contentBytesMax(sectors) - groupHeaderBytes;
  return Math.floor(room / 8) * 8 - recordHeaderBytes;
}

/** So many bytes, and zeros up to a word. */
export function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

export function writeGroupHeader(view: DataView, start: number, header: GroupHeader): void {
  view.setUint32(start, header.previous, true);
  view.setUint32(start + 4, header.contentEnd, true);
  view.setUint32(start + 8, header.records, true);
  view.setUint32(start + 12, header.checksumOfOthers, true);
  setLong(view, start + 16, header.firstSequence);
  setLong(view, start + 24, header.wallMs);
  view.setUint32(start + 32, 0, true);
}

/** What the group says whose first sector this is. */
export function readGroupHeader(view: DataView, start: number): GroupHeader {
  return {
    previous: view.getUint32(start, true),
    contentEnd: view.getUint32(start + 4, true),
    records: view.getUint32(start + 8, true),
    checksumOfOthers: view.getUint32(start + 12, true),
    firstSequence: getLong(view, start + 16),
    wallMs: getLong(view, start + 24),
  };
}

/** Puts the words of the content back into the places of the seals, which are gone then. */
export function openGroup(view: DataView, start: number, contentEnd: number): void {
  const words = contentEnd / 4;
  let from = words - displacedWords(words);
  for (let to = contentWords; to < words; to = nextSealWord(to)) {
    view.setInt32(start + to * 4, view.getInt32(wordOffset(start, from++), true), true);
  }
}

/** How many of the first so many words stand where seals do. */
export function displacedWords(words: number): number {
  const rest = words % sectorWords;
  return Math.floor(words / sectorWords) * sealWords + Math.max(0, rest - contentWords);
}

/** The place of a seal's word that follows this one. */
function nextSealWord(word: number): number {
  return word % sectorWords === sectorWords - 1 ? word + contentWords + 1 : word + 1;
}

/** Where the `place`-th of the words is that are in no seal. */
export function wordOffset(start: number, place: number): number {
  return start + (place + Math.floor(place / contentWords) * sealWords) * 4;
}

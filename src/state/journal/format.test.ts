// The bytes on disk: what is written is read, and nothing else is taken for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sectorBytes } from "../../ports/disk.ts";
import {
  checksumOf,
  checksumOfOthers,
  contentBytesMax,
  fileKind,
  groupHeaderBytes,
  groupSectors,
  openGroup,
  readGroupHeader,
  readSegmentHeader,
  recordBytes,
  recordHeaderBytes,
  recordLengthMax,
  sectorKind,
  segmentFileName,
  segmentIndexMax,
  snapshotFileName,
  viewOf,
  writeSegmentHeader,
} from "./format.ts";
import { GroupBuffer } from "./group-buffer.ts";

const index = 7;

/** A group of one record, so long that the content ends here. */
function groupOf(contentEnd: number, byte: (at: number) => number, place = {}) {
  const length = contentEnd - groupHeaderBytes - recordHeaderBytes;
  const buffer = new GroupBuffer((sizeBytes) => new Uint8Array(sizeBytes).fill(0xee));
  buffer.begin({ previous: 77, firstSequence: 2 ** 40, index, sectorsMax: 300, ...place });
  buffer.add(Uint8Array.from({ length }, (_, at) => byte(at)));
  const { bytes, checksum } = buffer.seal(1.7e12);
  return { bytes: bytes.slice(), checksum };
}

function kinds(bytes: Uint8Array, number = index): readonly string[] {
  const starts = Array.from({ length: bytes.length / sectorBytes }, (_, at) => at * sectorBytes);
  return starts.map((start) => sectorKind(viewOf(bytes), start, number));
}

test("content goes in and comes out again, whatever the length", () => {
  const start = groupHeaderBytes + recordHeaderBytes;
  for (let contentEnd = start + 4; contentEnd < 12_000; contentEnd += 8) {
    const { bytes } = groupOf(contentEnd, (at) => 1 + (at % 251));
    const view = viewOf(bytes);
    assert.equal(readGroupHeader(view, 0).contentEnd, contentEnd);
    openGroup(view, 0, contentEnd);
    for (let at = start; at < contentEnd; at++) {
      if (bytes[at] !== 1 + ((at - start) % 251)) assert.fail(`byte ${at} of ${contentEnd}`);
    }
  }
});

test("content is the same in one record as in many", () => {
  const many = new GroupBuffer((sizeBytes) => new Uint8Array(sizeBytes).fill(0xee));
  many.begin({ previous: 77, firstSequence: 1, index, sectorsMax: 300 });
  for (let length = 0; length < 400; length += 3) many.add(new Uint8Array(length).fill(length));
  const { bytes } = many.seal(1);
  const header = readGroupHeader(viewOf(bytes), 0);
  openGroup(viewOf(bytes), 0, header.contentEnd);
  let at = groupHeaderBytes;
  for (let length = 0; length < 400; length += 3) {
    assert.equal(viewOf(bytes).getUint32(at, true), length);
    const [start, end] = [at + recordHeaderBytes, at + recordHeaderBytes + length];
    assert.ok(bytes.subarray(start, end).every((byte) => byte === (length & 255)));
    at += recordBytes(length);
    assert.ok(bytes.subarray(end, at).every((byte) => byte === 0));
  }
  assert.equal(at, header.contentEnd);
});

test("each sector of a group says what it is, though its records are zeros", () => {
  for (const contentEnd of [44, 500, 508, 5_004, 100_004]) {
    const { bytes } = groupOf(contentEnd, () => 0);
    const [first, ...others] = kinds(bytes);
    assert.equal(first, "begin");
    assert.ok(others.every((kind) => kind === "inner"));
    // A later life of the file knows them as older, an earlier one not at all.
    assert.ok(kinds(bytes, index + 1).every((kind) => kind === "older"));
    assert.ok(kinds(bytes, index - 1).every((kind) => kind === "rotten"));
  }
  assert.deepEqual(kinds(new Uint8Array(sectorBytes)), ["blank"]);
});

test("the largest number of a segment has room beside the bit that begins a group", () => {
  const { bytes } = groupOf(1_004, () => 1, { index: segmentIndexMax });
  assert.deepEqual(kinds(bytes, segmentIndexMax), ["begin", "inner"]);
});

test("a group's checksum covers its sectors and the group before", () => {
  const made = (previous: number, last: number): number => {
    const { bytes, checksum } = groupOf(2_004, (at) => (at === 1_900 ? last : 0), { previous });
    const view = viewOf(bytes);
    assert.equal(checksumOf(view, 0), checksum);
    const others = checksumOfOthers(view, 0, bytes.length);
    assert.equal(readGroupHeader(view, 0).checksumOfOthers, others);
    return checksum;
  };
  assert.equal(new Set([made(1, 1), made(2, 1), made(1, 2), made(2, 2)]).size, 4);
});

test("a sector holds 504 bytes of content", () => {
  assert.equal(groupSectors(504), 1);
  assert.equal(groupSectors(505), 2);
  assert.equal(contentBytesMax(3), 3 * 504);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2048 }), (sectors) => {
      assert.equal(groupSectors(contentBytesMax(sectors)), sectors);
      assert.equal(groupSectors(contentBytesMax(sectors) + 1), sectors + 1);
    }),
  );
});

test("the longest record that fits is as long as can be", () => {
  for (let sectors = 1; sectors < 300; sectors++) {
    const longest = recordLengthMax(sectors);
    assert.equal(groupSectors(groupHeaderBytes + recordBytes(longest)), sectors);
    assert.ok(groupSectors(groupHeaderBytes + recordBytes(longest + 1)) > sectors);
  }
});

test("a turned bit anywhere in a sector is seen", () => {
  const { bytes: group } = groupOf(1_500, (at) => at % 256);
  for (let bit = 0; bit < group.length * 8; bit++) {
    flip(group, bit);
    const sector = Math.floor(bit / 8 / sectorBytes) * sectorBytes;
    assert.equal(sectorKind(viewOf(group), sector, index), "rotten", `bit ${bit}`);
    flip(group, bit);
  }
  const segment = new Uint8Array(sectorBytes);
  writeSegmentHeader(segment, { index: 7, sizeBytes: 8_192, wallMs: 5 });
  assert.equal(typeof readSegmentHeader(segment), "object");
  for (let bit = 0; bit < sectorBytes * 8; bit++) {
    flip(segment, bit);
    const read = readSegmentHeader(segment);
    assert.ok(read === "rotten" || read === "foreign", `bit ${bit} of a segment's header`);
    flip(segment, bit);
  }
});

test("a file's name says what it is", () => {
  assert.deepEqual(fileKind(segmentFileName(12)), { kind: "segment", index: 12 });
  assert.deepEqual(fileKind(snapshotFileName(34)), { kind: "snapshot", through: 34 });
  assert.equal(fileKind(`${segmentFileName(12)}.tmp`).kind, "unfinished");
  assert.equal(fileKind(`${snapshotFileName(12)}.tmp`).kind, "unfinished");
  assert.equal(fileKind(`${segmentFileName(12)}.damaged`).kind, "aside");
  for (const name of ["notes.txt", "12.log", "x.tmp", "0000000000000001.log~"]) {
    assert.equal(fileKind(name).kind, "foreign", name);
  }
});

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}

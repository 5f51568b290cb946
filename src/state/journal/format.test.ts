// The bytes on disk: what is written is read, and nothing else is taken for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sectorBytes } from "../../ports/disk.ts";
import {
  checksumOf,
  contentBytesMax,
  fileKind,
  groupHeaderBytes,
  groupSectors,
  openGroup,
  otherChecksums,
  readGroupHeader,
  readSegmentHeader,
  sealGroup,
  sectorKind,
  segmentFileName,
  segmentIndexMax,
  snapshotFileName,
  viewOf,
  withChecksumOf,
  writeSegmentHeader,
} from "./format.ts";

const index = 7;

/** A group that is not sealed yet, of so many bytes of content. */
function content(contentEnd: number, byte: (at: number) => number): Uint8Array {
  const bytes = new Uint8Array(groupSectors(contentEnd) * sectorBytes);
  for (let at = groupHeaderBytes; at < contentEnd; at++) bytes[at] = byte(at);
  return bytes;
}

function sealed(bytes: Uint8Array, contentEnd: number, number = index): number {
  const header = { previous: 77, contentEnd, records: 3, firstSequence: 2 ** 40, wallMs: 1.7e12 };
  return sealGroup(viewOf(bytes), 0, header, number);
}

function kinds(bytes: Uint8Array, number = index): readonly string[] {
  const starts = Array.from({ length: bytes.length / sectorBytes }, (_, at) => at * sectorBytes);
  return starts.map((start) => sectorKind(viewOf(bytes), start, number));
}

test("content goes in and comes out again, whatever the length", () => {
  for (let contentEnd = groupHeaderBytes; contentEnd < 40_000; contentEnd += 4) {
    const bytes = content(contentEnd, (at) => 1 + (at % 251));
    const before = bytes.slice(groupHeaderBytes, contentEnd);
    sealed(bytes, contentEnd);
    openGroup(viewOf(bytes), 0, contentEnd);
    assert.deepEqual(bytes.subarray(groupHeaderBytes, contentEnd), before);
    assert.equal(readGroupHeader(viewOf(bytes), 0).contentEnd, contentEnd);
  }
});

test("each sector of a group says what it is, though its records are zeros", () => {
  for (const contentEnd of [32, 504, 508, 5_000, 100_000]) {
    const bytes = content(contentEnd, () => 0);
    sealed(bytes, contentEnd);
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
  const bytes = content(1_000, () => 1);
  sealed(bytes, 1_000, segmentIndexMax);
  assert.deepEqual(kinds(bytes, segmentIndexMax), ["begin", "inner"]);
});

test("a group's checksum covers its sectors and the group before", () => {
  const made = (previous: number, byte: number): number => {
    const bytes = content(2_000, () => byte);
    const header = { previous, contentEnd: 2_000, records: 1, firstSequence: 1, wallMs: 1 };
    const checksum = sealGroup(viewOf(bytes), 0, header, index);
    assert.equal(checksumOf(viewOf(bytes), 0), checksum);
    let others = 0;
    for (let at = sectorBytes; at < bytes.length; at += sectorBytes) {
      others = withChecksumOf(viewOf(bytes), at, others);
    }
    assert.equal(otherChecksums(viewOf(bytes), 0), others);
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

test("a turned bit anywhere in a sector is seen", () => {
  const group = content(1_500, (at) => at % 256);
  sealed(group, 1_500);
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

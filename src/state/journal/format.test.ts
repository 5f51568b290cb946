// The bytes on disk: what is written is read, and nothing else is taken for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sectorBytes } from "../../ports/disk.ts";
import {
  contentBytesMax,
  fileKind,
  groupHeaderBytes,
  groupSectors,
  hasMarks,
  isGroupHeader,
  placeMarks,
  readSegmentHeader,
  segmentFileName,
  snapshotFileName,
  takeMarks,
  viewOf,
  writeGroupHeader,
  writeSegmentHeader,
} from "./format.ts";

/** A group of so many bytes of content, each of them this. */
function content(contentEnd: number, byte: (at: number) => number): Uint8Array {
  const bytes = new Uint8Array(groupSectors(contentEnd) * sectorBytes);
  // Content ends at a word, as records do.
  for (let at = 0; at < Math.ceil(contentEnd / 4) * 4; at++) bytes[at] = byte(at);
  return bytes;
}

test("marks go in and out again without a trace, whatever the length", () => {
  for (let contentEnd = groupHeaderBytes; contentEnd < 40_000; contentEnd += 4) {
    const bytes = content(contentEnd, (at) => 1 + (at % 251));
    const before = bytes.slice();
    const view = viewOf(bytes);
    placeMarks(view, 0, contentEnd, 0xabcdef01);
    assert.ok(hasMarks(view, 0, groupSectors(contentEnd), 0xabcdef01));
    assert.ok(takeMarks(view, 0, contentEnd));
    assert.deepEqual(bytes, before);
  }
});

test("no sector of a group is all zeros, though its records are", () => {
  for (const contentEnd of [40, 508, 512, 5_000, 100_000]) {
    const bytes = content(contentEnd, () => 0);
    placeMarks(viewOf(bytes), 0, contentEnd, 1);
    for (let sector = 0; sector < bytes.length; sector += sectorBytes) {
      assert.ok(bytes.subarray(sector, sector + sectorBytes).some((byte) => byte !== 0));
    }
  }
});

test("a sector holds 508 bytes of content", () => {
  assert.equal(groupSectors(508), 1);
  assert.equal(groupSectors(509), 2);
  assert.equal(contentBytesMax(3), 3 * 508);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2048 }), (sectors) => {
      assert.equal(groupSectors(contentBytesMax(sectors)), sectors);
      assert.equal(groupSectors(contentBytesMax(sectors) + 1), sectors + 1);
    }),
  );
});

test("a turned bit anywhere in a header is seen", () => {
  const group = new Uint8Array(sectorBytes);
  writeGroupHeader(viewOf(group), 0, {
    previous: 77,
    contentEnd: 300,
    records: 3,
    firstSequence: 2 ** 40,
    wallMs: 1_700_000_000_000,
    lastRecordChecksum: 99,
  });
  const segment = new Uint8Array(sectorBytes);
  writeSegmentHeader(segment, { index: 7, sizeBytes: 8_192, wallMs: 5 });
  assert.ok(isGroupHeader(viewOf(group), 0, sectorBytes));
  assert.equal(typeof readSegmentHeader(segment), "object");
  for (let bit = 0; bit < groupHeaderBytes * 8; bit++) {
    flip(group, bit);
    assert.ok(!isGroupHeader(viewOf(group), 0, sectorBytes), `bit ${bit} of a group's header`);
    flip(group, bit);
  }
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

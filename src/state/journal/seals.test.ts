// Folding gives the checksums that tables give, and a seal changes nothing but its own place.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { present } from "../../core/base/assert.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { sectorBytes } from "../../ports/disk.ts";
import { checksumOf, checksumOffset, sealOffset, viewOf } from "./format.ts";
import { batchBytes, byFolding, byTables, sealSectors } from "./seals.ts";

const fold = present(byFolding(), "this engine has vectors");

function checksumsBy(set: typeof fold, bytes: Uint8Array): readonly number[] {
  const view = viewOf(bytes);
  set(bytes, view, 0, bytes.length);
  const sectors = Array.from({ length: bytes.length / sectorBytes }, (_, at) => at * sectorBytes);
  return sectors.map((start) => checksumOf(view, start));
}

/** Folding is linear: what is right for each bit alone is right for any bytes. */
test("the checksums are those of the tables, bit by bit", () => {
  assert.deepEqual(
    checksumsBy(fold, new Uint8Array(1024)),
    checksumsBy(byTables, new Uint8Array(1024)),
  );
  for (let bit = 0; bit < 8 * checksumOffset; bit++) {
    const bytes = new Uint8Array(sectorBytes);
    bytes[bit >> 3] = 1 << (bit & 7);
    const expected = checksumsBy(byTables, bytes.slice());
    assert.deepEqual(checksumsBy(fold, bytes), expected, `bit ${bit}`);
  }
});

test("a sector's seal is its own, among however many, and nothing else changes", () => {
  const sectorsMax = (2 * batchBytes) / sectorBytes + 3;
  const sectors = fc.integer({ min: 0, max: sectorsMax });
  const number = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(
      sectors,
      sectors,
      number,
      fc.infiniteStream(fc.nat(255)),
      (from, count, is, fill) => {
        const bytes = Uint8Array.from({ length: (from + count + 1) * sectorBytes }, () => 0);
        for (let at = 0; at < bytes.length; at += 7) bytes[at] = fill.next().value as number;
        const expected = bytes.slice();
        const [start, end] = [from * sectorBytes, (from + count) * sectorBytes];
        for (let at = start; at < end; at += sectorBytes) {
          viewOf(expected).setUint32(at + sealOffset, is, true);
          const checksum = crc32c(0, viewOf(expected), at, at + checksumOffset);
          viewOf(expected).setUint32(at + checksumOffset, checksum, true);
        }
        sealSectors(bytes, viewOf(bytes), [start, end], is);
        assert.deepEqual(bytes, expected);
      },
    ),
    { numRuns: 50 },
  );
});

// Headers say what they were written with, or why they are none; nothing they claim is believed
// beyond the bounds.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../base/crc32c.ts";
import {
  blockBytes,
  checksumsAt,
  pieceAt,
  piecesPerGroup,
  readHeader,
  refusalOf,
  shardFileBytes,
  type ShardSet,
  stripeBytesMax,
  stripesOf,
  writeHeader,
} from "./shard-format.ts";

const id = Uint8Array.from({ length: 16 }, (_, at) => at + 1);
const set: ShardSet = {
  codec: "rs-xor",
  dataShards: 10,
  parityShards: 4,
  pieceBytes: 262_144,
  contentBytes: 5_000_000_000,
  id,
};

const anySet: fc.Arbitrary<ShardSet> = fc
  .tuple(fc.integer({ min: 1, max: 254 }), fc.integer({ min: 1, max: 254 }))
  .filter(([k, m]) => k + m <= 255)
  .chain(([dataShards, parityShards]) =>
    fc.record(
      {
        codec: fc.constantFrom("rs-vand", "rs-xor"),
        dataShards: fc.constant(dataShards),
        parityShards: fc.constant(parityShards),
        pieceBytes: fc.integer({ min: 1, max: 64 }).map((blocks) => blocks * blockBytes),
        contentBytes: fc.maxSafeNat(),
        id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      },
      { noNullPrototype: true },
    ),
  );

test("version 1 begins with these bytes", () => {
  const block = writeHeader({ set, shard: 13 });
  assert.equal(
    Buffer.from(block.subarray(0, 48)).toString("hex"),
    "4e494e4553485244" + // NINESHRD
      "0100" + // version
      "020a040d0000" + // codec, k, m, shard
      "00000400" + // bytes of a piece
      "00000000" +
      "00f2052a01000000" + // bytes of the content
      "0102030405060708090a0b0c0d0e0f10",
  );
  assert.ok(block.subarray(48, 4092).every((byte) => byte === 0));
});

test("a header is read as it was written", () => {
  fc.assert(
    fc.property(anySet, fc.nat(254), (written, number) => {
      const shard = number % (written.dataShards + written.parityShards);
      assert.deepEqual(readHeader(writeHeader({ set: written, shard })), { set: written, shard });
    }),
  );
});

test("one changed bit anywhere, or fewer bytes, and it is none", () => {
  fc.assert(
    fc.property(fc.nat(8 * blockBytes - 1), (bit) => {
      const block = writeHeader({ set, shard: 0 });
      block[bit >> 3] = (block[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(typeof readHeader(block), "string");
      assert.equal(typeof readHeader(block.subarray(0, bit >> 3)), "string");
    }),
  );
  assert.match(String(readHeader(new Uint8Array(blockBytes))), /never written to its end/);
});

test("a shard beyond the set's is none", () => {
  const block = writeHeader({ set, shard: 13 });
  const view = new DataView(block.buffer);
  block[13] = 14;
  view.setUint32(blockBytes - 4, crc32c(0, view, 0, blockBytes - 4), true);
  assert.equal(readHeader(block), "shard 14 of 14");
});

test("whatever a sealed header claims, it is refused or within the bounds", () => {
  const hostile = fc.record({
    version: fc.constantFrom(1, 1, 1, 0, 2, 65_535),
    codec: fc.integer({ min: 0, max: 255 }),
    counts: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)),
    pieceBytes: fc.oneof(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.constantFrom(0, 1, 4096, 4097, 2 ** 31, 2 ** 32 - 4096),
    ),
    contentBytes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  });
  fc.assert(
    fc.property(hostile, fc.boolean(), (claims, isLikely) => {
      const block = writeHeader({ set, shard: 0 });
      const view = new DataView(block.buffer);
      view.setUint16(8, claims.version, true);
      block.set([isLikely ? 1 + (claims.codec % 3) : claims.codec, ...claims.counts], 10);
      view.setUint32(16, claims.pieceBytes, true);
      view.setBigUint64(24, claims.contentBytes, true);
      view.setUint32(blockBytes - 4, crc32c(0, view, 0, blockBytes - 4), true);
      const header = readHeader(block);
      if (typeof header === "string") return;
      const { dataShards: k, parityShards: m, pieceBytes, contentBytes } = header.set;
      assert.ok(k >= 1 && m >= 1 && k + m <= 255 && header.shard < k + m);
      assert.ok(pieceBytes >= blockBytes && (k + m) * pieceBytes <= stripeBytesMax);
      assert.ok(Number.isSafeInteger(contentBytes) && contentBytes >= 0);
      assert.equal(refusalOf(header.set), undefined);
    }),
    { numRuns: 2000 },
  );
});

test("checksums and pieces lie one behind the other, without gaps", () => {
  let end = blockBytes;
  for (let stripe = 0; stripe < 3 * piecesPerGroup; stripe++) {
    if (stripe % piecesPerGroup === 0) {
      assert.equal(checksumsAt(set, stripe / piecesPerGroup), end);
      end += blockBytes;
    }
    assert.equal(pieceAt(set, stripe), end);
    end += set.pieceBytes;
  }
});

test("a shard file ends where its last piece does; without content it is a header", () => {
  assert.equal(shardFileBytes({ ...set, contentBytes: 0 }), blockBytes);
  assert.equal(shardFileBytes({ ...set, contentBytes: 1 }), 3 * blockBytes);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (contentBytes) => {
      const some = { ...set, contentBytes };
      const room = stripesOf(some) * set.pieceBytes * set.dataShards;
      assert.ok(room >= contentBytes && room - contentBytes < set.pieceBytes * set.dataShards);
      const pieces = shardFileBytes(some) - blockBytes * (1 + Math.ceil(stripesOf(some) / 511));
      assert.ok(pieces * set.dataShards >= contentBytes);
      assert.ok(pieces * set.dataShards < contentBytes + set.dataShards * blockBytes);
    }),
  );
});

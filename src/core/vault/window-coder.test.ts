// Shards coded window by window are those of one large stripe, and no change of a shard keeps its
// sum.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng } from "../base/prng.ts";
import { Stripe } from "../erasure/stripe.ts";
import { type Geometry, sumBytes } from "./shard.ts";
import { ShardSummer, WindowCoder } from "./window-coder.ts";

const geometries: readonly Geometry[] = [
  { codec: "rs-xor", dataShards: 4, parityShards: 2 },
  { codec: "rs-vand", dataShards: 2, parityShards: 1 },
  { codec: "xor", dataShards: 3, parityShards: 1 },
];
const lengths = [128, 65_536, 65_536 + 128, 3 * 65_536 - 128];
const summer = new ShardSummer();

/** Bytes that lie at any place within a word, as those of a pack do. */
function noise(seed: number, length: number): Uint8Array {
  const random = createPrng(seed);
  return Uint8Array.from({ length: length + 3 }, () => random.below(256)).subarray(3);
}

function shardsOf({ dataShards, parityShards }: Geometry, length: number) {
  const data = Array.from({ length: dataShards }, (_, shard) => noise(shard, length));
  const parity = Array.from({ length: parityShards }, () => new Uint8Array(length));
  return { data, parity };
}

for (const geometry of geometries) {
  describe(`windows of ${geometry.codec}`, () => {
    it("make the parity of one large stripe, and the sums that shards have by themselves", () => {
      const coder = new WindowCoder(geometry);
      for (const length of lengths) {
        const { data, parity } = shardsOf(geometry, length);
        const sums = coder.encode(data, parity);
        const stripe = new Stripe({ ...geometry, shardBytes: length });
        for (const [shard, bytes] of data.entries()) stripe.shards[shard]?.set(bytes);
        stripe.encode();
        for (const [row, bytes] of parity.entries()) {
          assert.deepEqual(bytes, stripe.shards[data.length + row], `${length}, parity ${row}`);
        }
        assert.deepEqual(
          sums,
          [...data, ...parity].map((bytes) => summer.sum(bytes)),
        );
        assert.deepEqual(coder.encode(data, []), sums);
      }
    });

    it("give back what is lost", () => {
      const coder = new WindowCoder(geometry);
      for (const length of lengths) {
        const { data, parity } = shardsOf(geometry, length);
        coder.encode(data, parity);
        const made = new Map([[1, new Uint8Array(length)]]);
        const left = [...data, ...parity].map((bytes, shard) => (shard === 1 ? undefined : bytes));
        coder.reconstruct(left, made, length);
        assert.deepEqual([...(made.get(1) ?? [])], [...(data[1] ?? [])]);
      }
    });
  });
}

describe("the sum of a shard", () => {
  it("changes with each bit, with each length, and with what is swapped", () => {
    const length = 2 * 65_536 + 256;
    const shard = noise(7, length);
    const sum = summer.sum(shard).join();
    const other = (change: (bytes: Uint8Array) => Uint8Array) =>
      summer.sum(change(shard.slice())).join();
    fc.assert(
      fc.property(fc.nat(8 * length - 1), (bit) => {
        const turned = other((bytes) => {
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return bytes;
        });
        assert.notEqual(turned, sum);
      }),
      { numRuns: 50 },
    );
    assert.notEqual(
      other((bytes) => bytes.subarray(0, -128)),
      sum,
    );
    const swapped = other((bytes) => {
      bytes.copyWithin(0, 65_536, 2 * 65_536);
      bytes.set(shard.subarray(0, 65_536), 65_536);
      return bytes;
    });
    assert.notEqual(swapped, sum);
    const zeros = new Set(
      [128, 256, 65_536, 2 * 65_536].map((size) => summer.sum(new Uint8Array(size)).join()),
    );
    assert.equal(zeros.size, 4);
    assert.equal(summer.sum(shard).length, sumBytes);
  });
});

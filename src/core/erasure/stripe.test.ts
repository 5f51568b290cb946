// What a stripe promises: the bytes of other libraries, any m losses, and nothing by chance.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NinesError } from "../base/errors.ts";
import { cauchy, recovery, vandermonde } from "./matrix.ts";
import { erasureCodecs, Stripe, type StripeOptions } from "./stripe.ts";
import { expectedParity, filled, firstUnmended, parityDigest, subsets } from "./stripe.fixture.ts";
import { bestSwizzle } from "./swizzle-kernel.ts";

test("rs-vand makes the bytes of Backblaze's testOneEncode (5 + 5)", () => {
  const stripe = new Stripe({
    codec: "rs-vand",
    dataShards: 5,
    parityShards: 5,
    shardBytes: 2,
  });
  for (const [at, bytes] of [
    [0, 1],
    [4, 5],
    [2, 3],
    [6, 7],
    [8, 9],
  ].entries()) {
    stripe.shards[at]?.set(bytes);
  }
  stripe.encode();
  const parity = stripe.shards.slice(5).map((shard) => [...shard]);
  assert.deepEqual(parity, [
    [12, 13],
    [10, 11],
    [14, 15],
    [90, 91],
    [94, 95],
  ]);
});

// klauspost/reedsolomon 1.12.1 and the npm package @subspace/reed-solomon-erasure.wasm make the
// same of these data, ISA-L with Backblaze's matrix as well.
const digests = [
  { dataShards: 10, parityShards: 4, shardBytes: 65_536, sha256: "43b0b2022d72" },
  { dataShards: 10, parityShards: 4, shardBytes: 1_048_576, sha256: "879aff93d2b4" },
  { dataShards: 4, parityShards: 2, shardBytes: 65_536, sha256: "c11201247e0b" },
];
for (const { sha256, ...geometry } of digests) {
  const { dataShards, parityShards, shardBytes } = geometry;
  test(`rs-vand ${dataShards} + ${parityShards} x ${shardBytes}: the digest of others`, () => {
    for (const kernel of ["strict", "planes"] as const) {
      const stripe = filled({ codec: "rs-vand", kernel, ...geometry });
      stripe.encode();
      assert.equal(parityDigest(stripe).slice(0, sha256.length), sha256, kernel);
    }
  });
}

test("xor makes the plain xor of the data", () => {
  const stripe = filled({ codec: "xor", dataShards: 3, parityShards: 1, shardBytes: 301 });
  stripe.encode();
  const [a, b, c, parity] = stripe.shards.map((shard) => [...shard]);
  assert.deepEqual(
    parity,
    a?.map((byte, at) => byte ^ (b?.[at] ?? 0) ^ (c?.[at] ?? 0)),
  );
});

const swizzles =
  bestSwizzle() === "relaxed" ? (["strict", "relaxed"] as const) : ["strict" as const];
const kernels: readonly Pick<StripeOptions, "codec" | "kernel">[] = [
  ...swizzles.map((kernel) => ({ codec: "rs-vand", kernel }) as const),
  { codec: "rs-vand", kernel: "planes" },
  { codec: "rs-xor" },
];

for (const kernel of kernels) {
  const name = `${kernel.codec}${kernel.kernel === undefined ? "" : `, ${kernel.kernel}`}`;

  test(`${name}: the twin's parity at every length of up to two groups`, () => {
    for (const [dataShards, parityShards] of [
      [3, 1],
      [4, 2],
      [5, 3],
      [17, 5],
    ] as const) {
      const stripe = filled({ ...kernel, dataShards, parityShards, shardBytes: 256 });
      for (let length = 0; length <= 256; length++) {
        for (const shard of stripe.shards.slice(dataShards)) shard.fill(0xaa);
        stripe.encode(length);
        for (const [row, expected] of expectedParity(stripe, length).entries()) {
          const shard = stripe.shards[dataShards + row] as Uint8Array;
          assert.deepEqual(shard.subarray(0, length), expected, `length ${length}, row ${row}`);
          assert.ok(
            shard.subarray(length).every((byte) => byte === 0xaa),
            "nothing beyond",
          );
        }
      }
    }
  });

  test(`${name}: any losses of any geometry come back`, () => {
    const geometry = fc
      .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 }))
      .chain(([dataShards, parityShards]) =>
        fc.record({
          dataShards: fc.constant(dataShards),
          parityShards: fc.constant(parityShards),
          shardBytes: fc.integer({ min: 1, max: 700 }),
          lost: fc.uniqueArray(fc.nat(dataShards + parityShards - 1), { maxLength: parityShards }),
        }),
      );
    fc.assert(
      fc.property(geometry, ({ lost, ...options }) => {
        const stripe = filled({ ...kernel, ...options });
        stripe.encode();
        const whole = stripe.shards.map((shard) => shard.slice());
        for (const shard of lost) stripe.shards[shard]?.fill(0x55);
        stripe.reconstruct(lost);
        assert.deepEqual(stripe.shards, whole);
        assert.deepEqual(stripe.verify(), []);
      }),
      { numRuns: 25 },
    );
  });

  test(`${name}: an update leaves what encoding anew would`, () => {
    const change = fc.record({
      shardBytes: fc.integer({ min: 200, max: 40_000 }),
      shard: fc.nat(3),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    });
    fc.assert(
      fc.property(change, ({ shardBytes, shard, at, bytes }) => {
        const stripe = filled({ ...kernel, dataShards: 4, parityShards: 3, shardBytes });
        stripe.encode();
        const offset = Math.floor(at * (shardBytes - bytes.length));
        stripe.update(shard, offset, bytes);
        assert.deepEqual(stripe.shards[shard]?.slice(offset, offset + bytes.length), bytes);
        const updated = stripe.shards.map((each) => each.slice());
        stripe.encode();
        assert.deepEqual(
          updated,
          stripe.shards.map((each) => each.slice()),
        );
      }),
      { numRuns: 40 },
    );
  });

  test(`${name}: one flipped bit anywhere is told by the parity shards that miss it`, () => {
    const stripe = filled({ ...kernel, dataShards: 4, parityShards: 2, shardBytes: 33_000 });
    stripe.encode();
    const flip = fc.record({ shard: fc.nat(5), at: fc.nat(32_999), bit: fc.nat(7) });
    fc.assert(
      fc.property(flip, ({ shard, at, bit }) => {
        const bytes = stripe.shards[shard] as Uint8Array;
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        const wrong = stripe.verify();
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        assert.deepEqual(wrong, shard < 4 ? [4, 5] : [shard]);
        assert.deepEqual(stripe.verify(), []);
      }),
      { numRuns: 60 },
    );
  });
}

test("a geometry that codes much gets a program of its own, and the same parity", () => {
  const geometry = {
    codec: "rs-vand",
    dataShards: 7,
    parityShards: 3,
    shardBytes: 2 ** 20,
  } as const;
  const [stripe, other] = [filled(geometry), filled({ ...geometry, kernel: "strict" })];
  other.encode();
  const expected = parityDigest(other);
  // 294 MiB, which is more than 256.
  for (let call = 0; call < 42; call++) stripe.encode();
  assert.equal(parityDigest(stripe), expected);
  assert.deepEqual(stripe.verify(), []);
});

test("every set of losses up to 10 + 4 comes back (rs-vand), and of 4 + 2 and 5 + 3 (rs-xor)", () => {
  assert.equal(firstUnmended("rs-vand", 10, 4), undefined);
  assert.equal(firstUnmended("rs-xor", 4, 2), undefined);
  assert.equal(firstUnmended("rs-xor", 5, 3), undefined);
  assert.equal(firstUnmended("xor", 7, 1), undefined);
});

test("of both matrices every ten rows of 10 + 4 can be inverted", () => {
  for (const rows of [vandermonde(10, 4), cauchy(10, 4)]) {
    for (const lost of subsets(14, 4)) {
      const left = Array.from({ length: 14 }, (_, shard) => shard).filter((s) => !lost.includes(s));
      assert.ok(recovery(rows, left.slice(0, 10), lost) !== undefined, lost.join());
    }
  }
});

test("the largest stripes there are: 254 + 1, 1 + 254, 200 + 55", () => {
  for (const [dataShards, parityShards] of [
    [254, 1],
    [1, 254],
    [200, 55],
  ] as const) {
    const stripe = filled({ codec: "rs-vand", dataShards, parityShards, shardBytes: 40 });
    stripe.encode();
    const whole = stripe.shards.map((shard) => shard.slice());
    const lost = Array.from({ length: parityShards }, (_, at) => at);
    for (const shard of lost) stripe.shards[shard]?.fill(0);
    stripe.reconstruct(lost);
    assert.deepEqual(stripe.shards, whole);
  }
});

test("shards begin where devices want them when they are asked to, and code alike", () => {
  const geometry = { codec: "rs-xor", dataShards: 9, parityShards: 3, shardBytes: 5000 } as const;
  const [stripe, aligned] = [filled(geometry), filled({ ...geometry, aligned: true })];
  for (const each of [stripe, aligned]) each.encode();
  assert.ok(aligned.shards.every(({ byteOffset }) => byteOffset % 512 === 0));
  assert.equal(parityDigest(aligned), parityDigest(stripe));
});

test("what cannot be is refused with a code", () => {
  const good: StripeOptions = { codec: "rs-vand", dataShards: 4, parityShards: 2, shardBytes: 64 };
  const refusals: readonly Partial<StripeOptions>[] = [
    { dataShards: 0 },
    { parityShards: 0 },
    { dataShards: 1.5 },
    { dataShards: 200, parityShards: 56 },
    { codec: "xor" },
    { shardBytes: 0 },
    { shardBytes: Number.NaN },
    { shardBytes: 2 ** 40 },
    { dataShards: 100, shardBytes: 64 * 1_048_576 },
    { codec: "rs-none" as (typeof erasureCodecs)[number] },
  ];
  for (const refusal of refusals) {
    assert.throws(() => new Stripe({ ...good, ...refusal }), { code: "NINES_ERASURE_GEOMETRY" });
  }
  const stripe = filled(good);
  stripe.encode();
  assert.throws(
    () => stripe.reconstruct([0, 1, 5]),
    (error) =>
      error instanceof NinesError && /3 of 6 shards are lost, 2 may be/.test(error.message),
  );
});

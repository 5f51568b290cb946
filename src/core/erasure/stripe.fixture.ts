// Stripes full of data, what they should hold, and every way to lose shards.

import { createHash } from "node:crypto";
import { cauchy, vandermonde } from "./matrix.ts";
import { multiplyBytes, multiplyPlanes } from "./plain.ts";
import { type ErasureCodec, Stripe, type StripeOptions } from "./stripe.ts";
import { groupBytes } from "./xor-kernel.ts";

/** Marsaglia's xorshift32, a word at a time: the data of the published digests. */
export function fill(stripe: Stripe, seed = 0x12345678): void {
  let state = seed;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
  for (const shard of stripe.shards.slice(0, stripe.dataShards)) {
    for (let at = 0; at < shard.length; at += 4) {
      const word = next();
      for (let byte = at; byte < Math.min(at + 4, shard.length); byte++) {
        shard[byte] = word >>> (8 * (byte - at));
      }
    }
  }
}

export function filled(options: StripeOptions): Stripe {
  const stripe = new Stripe(options);
  fill(stripe);
  return stripe;
}

/** Parity by the slow twin. */
export function expectedParity(stripe: Stripe, length: number): readonly Uint8Array[] {
  const { codec, dataShards, parityShards } = stripe;
  const rows = (codec === "rs-vand" ? vandermonde : cauchy)(dataShards, parityShards);
  const data = stripe.shards.slice(0, dataShards);
  const parity = rows.map(() => new Uint8Array(length));
  const whole = codec === "rs-vand" ? 0 : length - (length % groupBytes);
  multiplyPlanes(rows, data, parity, whole);
  multiplyBytes(rows, data, parity, [whole, length], false);
  return parity;
}

export function parityDigest(stripe: Stripe): string {
  const hash = createHash("sha256");
  for (const shard of stripe.shards.slice(stripe.dataShards)) hash.update(shard);
  return hash.digest("hex");
}

/** All sets of up to `most` of `count` numbers. */
export function* subsets(count: number, most: number, from = 0): Generator<number[]> {
  yield [];
  if (most === 0) return;
  for (let first = from; first < count; first++) {
    for (const rest of subsets(count, most - 1, first + 1)) yield [first, ...rest];
  }
}

/**
 * Loses every set of shards that may be lost, and says of the first one that does not come back.
 */
export function firstUnmended(codec: ErasureCodec, dataShards: number, parityShards: number) {
  const stripe = filled({ codec, dataShards, parityShards, shardBytes: 300 });
  stripe.encode();
  const whole = stripe.shards.map((shard) => shard.slice());
  for (const lost of subsets(dataShards + parityShards, parityShards)) {
    for (const shard of lost) stripe.shards[shard]?.fill(0xee);
    stripe.reconstruct(lost);
    const isWhole = stripe.shards.every((shard, at) =>
      shard.every((byte, index) => byte === whole[at]?.[index]),
    );
    if (!isWhole) return lost;
  }
  return undefined;
}

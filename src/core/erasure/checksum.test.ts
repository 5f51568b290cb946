// The checksum of a piece: the kernel's is the twin's, and no change of a word goes unseen.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { plainChecksum } from "./checksum.ts";
import { Stripe } from "./stripe.ts";

const stripe = new Stripe({ codec: "xor", dataShards: 1, parityShards: 1, shardBytes: 4096 });
const words = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 32 });

test("the kernel takes the twin's checksum, of any bytes in any place", () => {
  const piece = fc.record({
    bytes: fc.uint8Array({ minLength: 4096, maxLength: 4096 }),
    steps: fc.integer({ min: 0, max: 32 }),
    place: words,
  });
  fc.assert(
    fc.property(piece, ({ bytes, steps, place }) => {
      stripe.shards[0]?.set(bytes);
      const expected = plainChecksum(bytes.subarray(0, 128 * steps), place);
      assert.deepEqual(stripe.checksum(0, 128 * steps, place), expected);
    }),
    { numRuns: 50 },
  );
});

test("it is what it was when the format was made", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  assert.deepEqual(plainChecksum(bytes, [1, 2, 3]), [608_755_016, 1_298_050_380]);
});

test("one changed byte, two changed bits, another place, another length: another checksum", () => {
  const bytes = Uint8Array.from({ length: 4096 }, (_, at) => at * 7);
  const before = plainChecksum(bytes, [5]).join();
  const bit = fc.nat(4096 * 8 - 1);
  fc.assert(
    fc.property(bit, bit, fc.boolean(), (first, second, isOne) => {
      const changed = bytes.slice();
      for (const at of isOne ? [first] : new Set([first, second])) {
        changed[at >> 3] = (changed[at >> 3] as number) ^ (1 << (at & 7));
      }
      assert.notEqual(plainChecksum(changed, [5]).join(), before);
    }),
    { numRuns: 300 },
  );
  // Sums of words would let two changes of a top bit cancel each other.
  const cancelling = bytes.slice();
  for (const at of [3, 131]) cancelling[at] = (cancelling[at] as number) ^ 128;
  assert.notEqual(plainChecksum(cancelling, [5]).join(), before);
  assert.notEqual(plainChecksum(bytes, [6]).join(), before);
  assert.notEqual(plainChecksum(bytes.subarray(0, 3968), [5]).join(), before);
  const [zeros, more] = [new Uint8Array(128), new Uint8Array(256)];
  assert.notDeepEqual(plainChecksum(zeros, []), plainChecksum(more, []));
});

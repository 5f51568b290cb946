// The checksum against published values and its own definition, bit by bit.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "./crc32c.ts";

function viewOf(bytes: ArrayLike<number>): DataView {
  return new DataView(Uint8Array.from(bytes).buffer);
}

function checksum(bytes: ArrayLike<number>): number {
  return crc32c(0, viewOf(bytes), 0, bytes.length);
}

/** The definition: one bit at a time. */
function slowChecksum(bytes: Iterable<number>): number {
  let state = 0xffffffff;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f63b78 : 0);
  }
  return ~state >>> 0;
}

test("the published vectors (RFC 3720 B.4 and the catalogue of CRCs)", () => {
  assert.equal(checksum(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(checksum(new TextEncoder().encode("A")), 0xe16dcdee);
  assert.equal(checksum(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(checksum(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assert.equal(checksum(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e);
  assert.equal(checksum([]), 0);
});

test("it is the definition's at every length and at every place in memory", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, start) => {
      const view = viewOf([...new Uint8Array(start).fill(7), ...bytes, 9, 9, 9]);
      assert.equal(crc32c(0, view, start, start + bytes.length), slowChecksum(bytes));
    }),
  );
});

test("it goes on from the checksum of what came before", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
      const joined = checksum([...first, ...second]);
      assert.equal(crc32c(checksum(first), viewOf(second), 0, second.length), joined);
    }),
  );
});

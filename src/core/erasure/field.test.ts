// The field is a field, and its product is that of polynomials, one bit after the other.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { inverse, multiply, power } from "./field.ts";

const byte = fc.integer({ min: 0, max: 255 });

/** Long multiplication of polynomials, the remainder taken bit by bit. */
function slowProduct(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) if ((b >> bit) & 1) product ^= a << bit;
  for (let bit = 14; bit >= 8; bit--) if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
  return product;
}

test("every product is the polynomials', every number but zero has an inverse", () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) assert.equal(multiply(a, b), slowProduct(a, b), `${a} x ${b}`);
    if (a > 0) assert.equal(multiply(a, inverse(a)), 1);
  }
});

test("a power is a product of so many factors", () => {
  fc.assert(
    fc.property(byte, fc.integer({ min: 0, max: 600 }), (base, exponent) => {
      let expected = 1;
      for (let factor = 0; factor < exponent; factor++) expected = multiply(expected, base);
      assert.equal(power(base, exponent), expected);
    }),
  );
});

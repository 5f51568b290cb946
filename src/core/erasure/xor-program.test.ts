// A program of xors computes what its matrix says, with fewer xors when it shares them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { multiply } from "./field.ts";
import { cauchy } from "./matrix.ts";
import { plainProgram, sharedProgram, type XorProgram, xorsOf } from "./xor-program.ts";

/** Runs it on single bits: one symbol an input. */
function run(program: XorProgram, symbols: readonly number[]): number[] {
  const values = Array.from(
    { length: program.inputs },
    (_, plane) => ((symbols[plane >> 3] as number) >> (plane & 7)) & 1,
  );
  for (const [a, b] of program.pairs) values.push((values[a] as number) ^ (values[b] as number));
  const bits = program.outputs.map((sum) => sum.reduce((bit, at) => bit ^ (values[at] ?? 0), 0));
  return Array.from({ length: bits.length / 8 }, (_, row) =>
    bits.slice(8 * row, 8 * row + 8).reduce((symbol, bit, at) => symbol | (bit << at), 0),
  );
}

const byte = fc.integer({ min: 0, max: 255 });
const matrixAndSymbols = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }))
  .chain(([columns, rows]) =>
    fc.tuple(
      fc.array(fc.uint8Array({ minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
      fc.array(byte, { minLength: columns, maxLength: columns }),
    ),
  );

test("both programs multiply the matrix with the symbols", () => {
  fc.assert(
    fc.property(matrixAndSymbols, ([rows, symbols]) => {
      const expected = rows.map((row) =>
        row.reduce((sum, factor, at) => sum ^ multiply(factor, symbols[at] as number), 0),
      );
      assert.deepEqual(run(plainProgram(rows), symbols), expected);
      assert.deepEqual(run(sharedProgram(rows), symbols), expected);
    }),
  );
});

test("sharing halves the xors of 10 + 4, and never adds one", () => {
  const rows = cauchy(10, 4);
  assert.ok(xorsOf(plainProgram(rows)) <= 860);
  assert.ok(xorsOf(sharedProgram(rows)) <= 440);
  fc.assert(
    fc.property(matrixAndSymbols, ([matrix]) => {
      assert.ok(xorsOf(sharedProgram(matrix)) <= xorsOf(plainProgram(matrix)));
    }),
  );
});

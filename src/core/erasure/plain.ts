// The same sums in plain JavaScript, one byte after the other: what is left of a shard after its
// last whole step, and the twin that every kernel is held against.

import { multiply } from "./field.ts";
import type { Matrix } from "./matrix.ts";
import { groupBytes } from "./xor-kernel.ts";
import { plainProgram } from "./xor-program.ts";

/** Outputs = rows x inputs in [from, to), byte by byte; or added to the outputs. */
export function multiplyBytes(
  rows: Matrix,
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
  [from, to]: readonly [number, number],
  accumulate: boolean,
): void {
  for (const [index, row] of rows.entries()) {
    const output = outputs[index] as Uint8Array;
    if (!accumulate) output.fill(0, from, to);
    for (const [column, coefficient] of row.entries()) {
      const input = inputs[column] as Uint8Array;
      for (let at = from; at < to; at++) {
        output[at] = (output[at] as number) ^ multiply(coefficient, input[at] as number);
      }
    }
  }
}

/** The same on bit planes, in whole groups; only tests are this slow. */
export function multiplyPlanes(
  rows: Matrix,
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
  length: number,
): void {
  const program = plainProgram(rows);
  for (let group = 0; group < length; group += groupBytes) {
    for (const [index, values] of program.outputs.entries()) {
      const output = outputs[index >> 3] as Uint8Array;
      const to = group + 16 * (index & 7);
      output.fill(0, to, to + 16);
      for (const value of values) {
        const input = inputs[value >> 3] as Uint8Array;
        const from = group + 16 * (value & 7);
        for (let at = 0; at < 16; at++) {
          output[to + at] = (output[to + at] as number) ^ (input[from + at] as number);
        }
      }
    }
  }
}

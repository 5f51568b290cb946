// Matrices over GF(2^8): what makes parity of data, and data of what is left.
//
// A generator of k + m rows and k columns has the identity on top (shards 0 to k-1 are the data
// itself) and m rows below that make parity. It is good for its work exactly if every k of its rows
// can be inverted: then any k shards give back all. Two constructions that are:
// - `vandermonde`: row r is 1, r, r^2, ...; multiplied by the inverse of its upper square, so that
//   the identity stands on top. Backblaze's, and so klauspost's and many others' shards.
// - `cauchy`: 1 / (x_i + y_j) with all x and y different; every square part of it can be inverted.
//   Rows and columns are scaled so that the first row and column are ones, and of the choices for
//   each row the one with the fewest bits is taken: fewer bits are fewer xors ("Cauchy good", Plank
//   and Xu, NCA 2006).
// Rejected: Vandermonde rows below an identity as they are (ISA-L's gf_gen_rs_matrix): some losses
// cannot be mended then (its issues 10, 40, 46, 319).

import { assert } from "../base/assert.ts";
import { inverse, multiply, power } from "./field.ts";

/** Rows of coefficients. */
export type Matrix = readonly Uint8Array[];

export function identity(size: number): Uint8Array[] {
  return Array.from({ length: size }, (_, row) => {
    const coefficients = new Uint8Array(size);
    coefficients[row] = 1;
    return coefficients;
  });
}

export function product(left: Matrix, right: Matrix): Uint8Array[] {
  const columns = right[0]?.length ?? 0;
  return left.map((row) => {
    const result = new Uint8Array(columns);
    for (const [index, coefficient] of row.entries()) {
      const other = right[index] as Uint8Array;
      for (let column = 0; column < columns; column++) {
        result[column] =
          (result[column] as number) ^ multiply(coefficient, other[column] as number);
      }
    }
    return result;
  });
}

/** Gauss and Jordan; undefined when the square matrix cannot be inverted. O(n^3). */
export function inverted(matrix: Matrix): Uint8Array[] | undefined {
  const size = matrix.length;
  assert(
    matrix.every((row) => row.length === size),
    "a square matrix is inverted",
  );
  const left = matrix.map((row) => row.slice());
  const right = identity(size);
  for (let at = 0; at < size; at++) {
    const pivot = left.findIndex((row, index) => index >= at && row[at] !== 0);
    if (pivot < 0) return undefined;
    for (const rows of [left, right]) {
      [rows[at], rows[pivot]] = [rows[pivot] as Uint8Array, rows[at] as Uint8Array];
    }
    const scale = inverse((left[at] as Uint8Array)[at] as number);
    for (const rows of [left, right]) multiplyRow(rows[at] as Uint8Array, scale);
    for (let row = 0; row < size; row++) {
      const factor = (left[row] as Uint8Array)[at] as number;
      if (row === at || factor === 0) continue;
      for (const rows of [left, right]) {
        addMultiple(rows[row] as Uint8Array, rows[at] as Uint8Array, factor);
      }
    }
  }
  return right;
}

function multiplyRow(row: Uint8Array, factor: number): void {
  for (const [index, value] of row.entries()) row[index] = multiply(value, factor);
}

function addMultiple(row: Uint8Array, other: Uint8Array, factor: number): void {
  for (const [index, value] of other.entries()) {
    row[index] = (row[index] as number) ^ multiply(value, factor);
  }
}

/** The m parity rows of Backblaze's construction. */
export function vandermonde(dataShards: number, parityShards: number): Uint8Array[] {
  const rows = Array.from({ length: dataShards + parityShards }, (_, row) =>
    Uint8Array.from({ length: dataShards }, (_unused, column) => power(row, column)),
  );
  const top = inverted(rows.slice(0, dataShards));
  assert(top !== undefined, "a square Vandermonde matrix of different numbers can be inverted");
  return product(rows.slice(dataShards), top);
}

/** The m parity rows of the scaled Cauchy construction; the first one is all ones. */
export function cauchy(dataShards: number, parityShards: number): Uint8Array[] {
  const plain = Array.from({ length: parityShards }, (_, row) =>
    Uint8Array.from({ length: dataShards }, (_unused, column) =>
      inverse(row ^ (parityShards + column)),
    ),
  );
  const first = (plain[0] as Uint8Array).slice();
  for (const row of plain) {
    for (const [column, value] of row.entries()) {
      row[column] = multiply(value, inverse(first[column] as number));
    }
  }
  return plain.map((row, index) => (index === 0 ? row : fewestBits(row)));
}

/** The row divided by that one of its coefficients which leaves the fewest bits to xor. */
function fewestBits(row: Uint8Array): Uint8Array {
  let best = row;
  for (const divisor of new Set(row)) {
    const scaled = row.map((value) => multiply(value, inverse(divisor)));
    if (bitsOf(scaled) < bitsOf(best)) best = scaled;
  }
  return best;
}

function bitsOf(row: Uint8Array): number {
  let bits = 0;
  for (const coefficient of row) {
    for (let column = 0; column < 8; column++)
      bits += countOnes(multiply(coefficient, 1 << column));
  }
  return bits;
}

function countOnes(byte: number): number {
  let ones = 0;
  for (let left = byte; left !== 0; left &= left - 1) ones++;
  return ones;
}

/**
 * Rows that make the shards `wanted` out of the shards `from` (k of them). Undefined when they do
 * not suffice, which the constructions above exclude.
 */
export function recovery(
  parityRows: Matrix,
  from: readonly number[],
  wanted: readonly number[],
): Uint8Array[] | undefined {
  const dataShards = from.length;
  const generator = [...identity(dataShards), ...parityRows];
  const rowsOf = (shards: readonly number[]) =>
    shards.map((shard) => generator[shard] as Uint8Array);
  const back = inverted(rowsOf(from));
  return back === undefined ? undefined : product(rowsOf(wanted), back);
}

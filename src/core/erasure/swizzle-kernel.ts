// Coefficients times bytes, sixteen at a time, for any matrix.
//
// A byte is two nibbles, and multiplication by a constant is linear: c x b = c x low ^ c x (high
// << 4). Each half has 16 possible values, so 16 products fit into one vector, and one shuffle
// (`i8x16.swizzle`) looks up 16 bytes at once (Plank, Greenan, Miller, "Screaming fast Galois field
// arithmetic using Intel SIMD instructions", FAST 2013). One function for each number of rows up to
// four: accumulators stay in registers, inputs are read once for four rows.
//
// The inner loop runs over the inputs and is not unrolled: V8 up to Node 22 hoists the tables'
// loads out of an unrolled one and spills them all (2.1 instead of 5.4 GB/s). With relaxed swizzles
// (one instruction instead of two; Node 22 and later) two vectors a step are faster, before not.
//
// Layout in memory while it runs: pointers of inputs, pointers of outputs, then for each input and
// row two vectors of products.

import { multiply } from "./field.ts";
import type { Matrix } from "./matrix.ts";
import { type Bytes, i32, op, v128, type WasmFunction, wasmModule } from "../base/wasm-module.ts";
import { type WasmMemory, webAssembly } from "../base/web-assembly.ts";

const rowsMax = 4;
const vectorBytes = 16;
const shardsMax = 255;
const pointersBytes = 4 * shardsMax;
const tableBytes = 2 * vectorBytes;

/** What a kernel needs of the memory for itself. */
export const swizzleScratchBytes = 2 * pointersBytes + 8 + shardsMax * rowsMax * tableBytes;

/** Outputs = rows x inputs, or added to the outputs, in the memory that it was made for. */
export interface Kernel {
  /** `length` is cut down to this. */
  readonly stepBytes: number;
  run(
    rows: Matrix,
    inputs: readonly number[],
    outputs: readonly number[],
    length: number,
    accumulate: boolean,
  ): void;
}

/** Low nibbles' products, then high nibbles', for each coefficient. */
const products = new Uint8Array(256 * tableBytes);
for (let coefficient = 0; coefficient < 256; coefficient++) {
  for (let nibble = 0; nibble < 16; nibble++) {
    const at = coefficient * tableBytes + nibble;
    products[at] = multiply(coefficient, nibble);
    products[at + vectorBytes] = multiply(coefficient, nibble << 4);
  }
}

export type SwizzleKind = "strict" | "relaxed";

/** Relaxed where the engine has it. */
export function bestSwizzle(): SwizzleKind {
  best ??= webAssembly.validate(wasmModule([rowsFunction(1, false, "relaxed")]))
    ? "relaxed"
    : "strict";
  return best;
}
let best: SwizzleKind | undefined;

/** `scratch` is the address of `swizzleScratchBytes` that nobody else uses. */
export function createSwizzleKernel(
  memory: WasmMemory,
  scratch: number,
  kind: SwizzleKind = bestSwizzle(),
): Kernel {
  const { exports } = new webAssembly.Instance(moduleOf(kind), { host: { memory } });
  const bytes = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const outputsAt = scratch + pointersBytes;
  // Vectors are read at multiples of eight at least.
  const tablesAt = (outputsAt + pointersBytes + 7) & ~7;
  const writePointers = (at: number, pointers: readonly number[]): void => {
    for (const [index, pointer] of pointers.entries())
      view.setUint32(at + 4 * index, pointer, true);
  };
  const stepBytes = stepOf(kind);

  return {
    stepBytes,
    run(rows, inputs, outputs, length, accumulate) {
      const wholeBytes = length - (length % stepBytes);
      if (wholeBytes === 0) return;
      writePointers(scratch, inputs);
      for (let first = 0; first < rows.length; first += rowsMax) {
        const some = rows.slice(first, first + rowsMax);
        writePointers(outputsAt, outputs.slice(first, first + rowsMax));
        let at = tablesAt;
        for (const column of inputs.keys()) {
          for (const row of some) {
            const from = (row[column] as number) * tableBytes;
            bytes.set(products.subarray(from, from + tableBytes), at);
            at += tableBytes;
          }
        }
        const work = exports[nameOf(some.length, accumulate)];
        work?.(scratch, scratch + 4 * inputs.length, tablesAt, outputsAt, wholeBytes);
      }
    },
  };
}

const modules = new Map<SwizzleKind, object>();

/** Compiled once for all memories: a memory is bound when it is instantiated. */
function moduleOf(kind: SwizzleKind): object {
  const found = modules.get(kind);
  if (found !== undefined) return found;
  const functions: WasmFunction[] = [];
  for (let rows = 1; rows <= rowsMax; rows++) {
    functions.push(rowsFunction(rows, false, kind), rowsFunction(rows, true, kind));
  }
  const module = new webAssembly.Module(wasmModule(functions));
  modules.set(kind, module);
  return module;
}

function nameOf(rows: number, accumulate: boolean): string {
  return `${accumulate ? "add" : "set"}${rows}`;
}

function stepOf(kind: SwizzleKind): number {
  return kind === "relaxed" ? 2 * vectorBytes : vectorBytes;
}

function rowsFunction(rows: number, accumulate: boolean, kind: SwizzleKind): WasmFunction {
  const vectors = stepOf(kind) / vectorBytes;
  const swizzle = kind === "relaxed" ? op.relaxedSwizzle : op.swizzle;
  const [inputs, inputsEnd, tables, outputs, length] = [0, 1, 2, 3, 4];
  let next = 5;
  const local = (): number => next++;
  const locals = (count: number): number[] => Array.from({ length: count }, local);
  const [offset, pointer, table, address] = [local(), local(), local(), local()];
  const targets = locals(rows);
  const integers = next - 5;
  const [mask, lowTable, highTable] = [local(), local(), local()];
  const low = locals(vectors);
  const high = locals(vectors);
  const sums = Array.from({ length: vectors }, () => locals(rows));
  const vectorLocals = next - 5 - integers;
  const sum = (vector: number, row: number): number => (sums[vector] as number[])[row] as number;
  const at = (list: readonly number[], index: number): number => list[index] as number;
  const body: Bytes[] = [];
  const say = (...instructions: readonly Bytes[]): void => void body.push(...instructions);
  const each = (visit: (vector: number, row: number) => void): void => {
    for (let vector = 0; vector < vectors; vector++) {
      for (let row = 0; row < rows; row++) visit(vector, row);
    }
  };

  for (const [row, target] of targets.entries()) {
    say(op.get(outputs), op.load(4 * row), op.set(target));
  }
  say(op.const(15), op.splatBytes, op.set(mask), op.const(0), op.set(offset), op.loop);
  each((vector, row) => {
    if (accumulate) {
      say(op.get(at(targets, row)), op.get(offset), op.add, op.loadVector(16 * vector));
    } else say(op.zeroVector);
    say(op.set(sum(vector, row)));
  });
  say(op.get(inputs), op.set(pointer), op.get(tables), op.set(table), op.loop);
  say(op.get(pointer), op.load(0), op.get(offset), op.add, op.set(address));
  for (let vector = 0; vector < vectors; vector++) {
    say(op.get(address), op.loadVector(16 * vector), op.tee(at(low, vector)));
    say(op.const(4), op.shiftBytesRight, op.set(at(high, vector)));
    say(op.get(at(low, vector)), op.get(mask), op.and, op.set(at(low, vector)));
  }
  for (let row = 0; row < rows; row++) {
    say(op.get(table), op.loadVector(tableBytes * row), op.set(lowTable));
    say(op.get(table), op.loadVector(tableBytes * row + vectorBytes), op.set(highTable));
    for (let vector = 0; vector < vectors; vector++) {
      say(op.get(sum(vector, row)));
      say(op.get(lowTable), op.get(at(low, vector)), swizzle, op.xor);
      say(op.get(highTable), op.get(at(high, vector)), swizzle, op.xor, op.set(sum(vector, row)));
    }
  }
  say(op.get(table), op.const(tableBytes * rows), op.add, op.set(table));
  say(op.get(pointer), op.const(4), op.add, op.tee(pointer));
  say(op.get(inputsEnd), op.lessThan, op.branchIf(0), op.end);
  each((vector, row) => {
    say(op.get(at(targets, row)), op.get(offset), op.add);
    say(op.get(sum(vector, row)), op.storeVector(16 * vector));
  });
  say(op.get(offset), op.const(16 * vectors), op.add, op.tee(offset));
  say(op.get(length), op.lessThan, op.branchIf(0), op.end);
  const types = [...Array<number>(integers).fill(i32), ...Array<number>(vectorLocals).fill(v128)];
  return { name: nameOf(rows, accumulate), parameters: 5, locals: types, body };
}

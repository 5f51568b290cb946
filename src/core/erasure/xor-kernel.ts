// Runs xor programs on bit planes: straight-line code for one matrix, generated and kept.
//
// Within each 128 bytes of a shard, byte 16 p + i holds bit p of symbols 8 i to 8 i + 7: eight
// planes of 16 bytes, one vector each. So a program runs on vectors as they lie in memory, without
// looking anything up. Common pairs are computed where they are first needed and forgotten after
// their last use. Input planes are read from memory at every use, which is the cache: kept in
// locals they would be spilled to it anyway, after a store (10.2 instead of 17.3 GB/s at 10 + 4).
//
// A large matrix is cut into blocks of at most 16 inputs and 4 outputs, so that no program grows
// without bound; the first block of a row sets its outputs, the others add to them. Compiled blocks
// are kept, once for all stripes, and the least recently used one is forgotten.

import { assert, present } from "../base/assert.ts";
import type { Matrix } from "./matrix.ts";
import type { Kernel } from "./swizzle-kernel.ts";
import { type Bytes, op, v128, type WasmFunction, wasmModule } from "../base/wasm-module.ts";
import { type WasmMemory, webAssembly } from "../base/web-assembly.ts";
import { sharedProgram, type XorProgram } from "./xor-program.ts";

/** Eight planes of 16 bytes. */
export const groupBytes = 128;
const planes = 8;
const planeBytes = 16;
const columnsMax = 16;
const rowsMax = 4;
/** Enough for any geometry, of which 127 + 128 has the most, and a row of rebuilds beside it. */
const keptMax = 512;

/** How many blocks, and so programs, a matrix of so many columns and rows has. */
export function blocksOf(columns: number, rows: number): number {
  return Math.ceil(columns / columnsMax) * Math.ceil(rows / rowsMax);
}

type Compiled = (...pointersAndEnd: number[]) => void;

export function createXorKernel(memory: WasmMemory): Kernel {
  return blockKernel(memory, "xor", programFunction, []);
}

type Writer = (program: XorProgram, accumulate: boolean) => WasmFunction;

/** Modules, by how they are written and what they compute. */
const modules = new Map<string, object>();

/** Runs what `write` makes of each block of a matrix; `extra` are parameters after the end. */
export function blockKernel(
  memory: WasmMemory,
  name: string,
  write: Writer,
  extra: readonly number[],
): Kernel {
  // An instance belongs to a module and to a memory; it goes when either does.
  const instances = new WeakMap<object, Compiled>();
  const compiled = (rows: Matrix, accumulate: boolean): Compiled => {
    const module = moduleOf(`${name} ${accumulate}`, rows, () =>
      write(sharedProgram(rows), accumulate),
    );
    const run = instances.get(module) ?? instantiate(module, memory);
    instances.set(module, run);
    return run;
  };

  return {
    stepBytes: groupBytes,
    run(rows, inputs, outputs, length, accumulate) {
      const wholeBytes = length - (length % groupBytes);
      if (wholeBytes === 0) return;
      for (let row = 0; row < rows.length; row += rowsMax) {
        for (let column = 0; column < inputs.length; column += columnsMax) {
          const block = rows
            .slice(row, row + rowsMax)
            .map((coefficients) => coefficients.slice(column, column + columnsMax));
          const from = inputs.slice(column, column + columnsMax);
          const to = outputs.slice(row, row + rowsMax);
          const end = (from[0] as number) + wholeBytes;
          compiled(block, accumulate || column > 0)(...from, ...to, end, ...extra);
        }
      }
    },
  };
}

function moduleOf(kind: string, rows: Matrix, write: () => WasmFunction): object {
  const key = `${kind} ${rows.map((row) => row.join()).join(";")}`;
  const found = modules.get(key) ?? new webAssembly.Module(wasmModule([write()]));
  modules.delete(key);
  modules.set(key, found);
  const [oldest] = modules.keys();
  if (modules.size > keptMax && oldest !== undefined) modules.delete(oldest);
  return found;
}

function instantiate(module: object, memory: WasmMemory): Compiled {
  const { exports } = new webAssembly.Instance(module, { host: { memory } });
  return present(exports["run"], "the module exports what it was made with");
}

/** Parameters: addresses of inputs and outputs, moved on by a group each round, and the end. */
function programFunction(program: XorProgram, accumulate: boolean): WasmFunction {
  const columns = program.inputs / planes;
  const shards = columns + program.outputs.length / planes;
  const load = (value: number): Bytes => {
    const place = planeBytes * (value % planes);
    return [...op.get(Math.floor(value / planes)), ...op.loadVector(place)];
  };
  const writer = new ProgramWriter(program, shards + 1, load);
  const body: Bytes[] = [op.loop];
  for (const [output, values] of program.outputs.entries()) {
    const pointer = op.get(columns + Math.floor(output / planes));
    body.push(...writer.sum(values, pointer, planeBytes * (output % planes), accumulate));
  }
  for (let shard = 0; shard < shards; shard++) {
    body.push(op.get(shard), op.const(groupBytes), op.add, op.set(shard));
  }
  body.push(op.get(0), op.get(shards), op.lessThan, op.branchIf(0), op.end);
  const locals = Array<number>(writer.locals).fill(v128);
  return { name: "run", parameters: shards + 1, locals, body };
}

/** Keeps common pairs in locals from their first use to their last. */
export class ProgramWriter {
  readonly #program: XorProgram;
  readonly #firstLocal: number;
  readonly #usesLeft = new Map<number, number>();
  readonly #localOf = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #load: (value: number) => Bytes;
  locals = 0;

  /** `load` puts an input plane on the stack. */
  constructor(program: XorProgram, firstLocal: number, load: (value: number) => Bytes) {
    this.#program = program;
    this.#firstLocal = firstLocal;
    this.#load = load;
    for (const value of [...program.pairs, ...program.outputs].flat()) {
      this.#usesLeft.set(value, (this.#usesLeft.get(value) ?? 0) + 1);
    }
  }

  /** Stores the sum of the values at an address, or adds it to what is there. */
  sum(values: readonly number[], pointer: Bytes, offset: number, accumulate: boolean): Bytes[] {
    const before = values.flatMap((value) => this.#prepare(value));
    const terms = values.map((value) => this.#use(value));
    if (accumulate) terms.push([...pointer, ...op.loadVector(offset)]);
    const [first = op.zeroVector, ...others] = terms;
    const added = others.flatMap((term) => [term, op.xor]);
    return [...before, pointer, first, ...added, op.storeVector(offset)];
  }

  /** Instructions that compute the value, and what it needs, unless it is there. */
  #prepare(value: number): Bytes[] {
    const { inputs, pairs } = this.#program;
    const pair = pairs[value - inputs];
    if (pair === undefined || this.#localOf.has(value)) return [];
    const [a, b] = pair;
    const before = [...this.#prepare(a), ...this.#prepare(b)];
    const sum = [this.#use(a), this.#use(b), op.xor];
    return [...before, ...sum, op.set(this.#take(value))];
  }

  /** Puts the value on the stack; after the last use of a pair its local is free. */
  #use(value: number): Bytes {
    if (value < this.#program.inputs) return this.#load(value);
    const local = this.#localOf.get(value);
    assert(local !== undefined, "a value is prepared before it is used");
    const left = (this.#usesLeft.get(value) ?? 0) - 1;
    this.#usesLeft.set(value, left);
    if (left === 0) {
      this.#localOf.delete(value);
      this.#free.push(local);
    }
    return op.get(local);
  }

  #take(value: number): number {
    const local = this.#free.pop() ?? this.#firstLocal + this.locals++;
    this.#localOf.set(value, local);
    return local;
  }
}

// The xor program of a matrix, on bytes as `rs-vand` lays them out.
//
// Bits are sorted into planes first and back afterwards: eight vectors are an 8 x 8 matrix of bits
// in each byte lane, and transposing it takes 72 instructions (three rounds of swapping halves;
// Warren, "Hacker's Delight", 7-3). For 10 + 4 that is 14 transpositions and 500 xors for 1280
// bytes, half of what looking each product up with strict swizzles takes: 6.8 instead of 5.0 GB/s.
//
// Finding the program takes tens of milliseconds, which looking up would have lost after some
// hundred megabytes: from then on a geometry has its program. Where swizzles are relaxed they are
// faster than this; for one parity shard as well.

import type { Kernel } from "./swizzle-kernel.ts";
import { type Bytes, op, v128, type WasmFunction } from "../base/wasm-module.ts";
import type { WasmMemory } from "../base/web-assembly.ts";
import { blockKernel, blocksOf, groupBytes, ProgramWriter } from "./xor-kernel.ts";
import type { XorProgram } from "./xor-program.ts";

const planes = 8;
const planeBytes = 16;
/** Distance of the vectors whose halves are swapped, and the half of each byte that stays. */
const rounds = [
  [4, 0x0f],
  [2, 0x33],
  [1, 0x55],
] as const;

/** Of a block's inputs and outputs, while they are planes. */
export const planeScratchBytes = (16 + 4) * planes * planeBytes;

/** Enough of them for 64 + 16; beyond that the programs of a geometry take seconds to find. */
const blocksMax = 16;
const worthBytesPerBlock = 256 * 1_048_576;

/** Data bytes that each geometry has coded in this process so far, by k and m. */
const codedBytes = new Map<number, number>();

/**
 * By `few` until the matrix's size has been met often enough for a program of its own, or from the
 * first byte `at once`. `scratch` is the address of `planeScratchBytes` that nobody else uses.
 */
export function createPlaneKernel(
  memory: WasmMemory,
  scratch: number,
  few: Kernel,
  atOnce: boolean,
): Kernel {
  const many = blockKernel(memory, "planes", programFunction, [scratch]);
  const isWorthIt = (columns: number, rows: number, length: number): boolean => {
    const blocks = blocksOf(columns, rows);
    if (atOnce || rows === 1 || blocks > blocksMax) return atOnce;
    const key = 256 * columns + rows;
    const bytes = (codedBytes.get(key) ?? 0) + columns * length;
    codedBytes.set(key, bytes);
    return bytes > blocks * worthBytesPerBlock;
  };
  return {
    stepBytes: few.stepBytes,
    run(rows, inputs, outputs, length, accumulate) {
      const isMany = isWorthIt(inputs.length, rows.length, length);
      const done = isMany ? length - (length % many.stepBytes) : 0;
      const rest = (addresses: readonly number[]) => addresses.map((address) => address + done);
      if (isMany) many.run(rows, inputs, outputs, length, accumulate);
      few.run(rows, rest(inputs), rest(outputs), length - done, accumulate);
    },
  };
}

/** Parameters: addresses of inputs and outputs, the end of the first input, and the scratch. */
function programFunction(program: XorProgram, accumulate: boolean): WasmFunction {
  const columns = program.inputs / planes;
  const shards = columns + program.outputs.length / planes;
  const [end, scratch, firstLocal] = [shards, shards + 1, shards + 2];
  const load = (value: number): Bytes => [...op.get(scratch), ...op.loadVector(planeBytes * value)];
  const transposer = new Transposer(firstLocal);
  const writer = new ProgramWriter(program, firstLocal + Transposer.locals, load);
  const body: Bytes[] = [...transposer.begin(), op.loop];
  for (let column = 0; column < columns; column++) {
    const from = (at: number): Bytes => [...op.get(column), ...op.loadVector(planeBytes * at)];
    const to = (at: number, vector: Bytes): Bytes =>
      [op.get(scratch), vector, op.storeVector(planeBytes * (planes * column + at))].flat();
    body.push(...transposer.move(from, to));
  }
  for (const [output, values] of program.outputs.entries()) {
    const offset = planeBytes * (program.inputs + output);
    body.push(...writer.sum(values, op.get(scratch), offset, false));
  }
  for (let row = 0; row < shards - columns; row++) {
    const pointer = op.get(columns + row);
    const from = (at: number): Bytes => load(program.inputs + planes * row + at);
    const to = (at: number, vector: Bytes): Bytes => {
      const before = accumulate ? [pointer, op.loadVector(planeBytes * at), op.xor] : [];
      return [pointer, vector, ...before, op.storeVector(planeBytes * at)].flat();
    };
    body.push(...transposer.move(from, to));
  }
  for (let shard = 0; shard < shards; shard++) {
    body.push(op.get(shard), op.const(groupBytes), op.add, op.set(shard));
  }
  body.push(op.get(0), op.get(end), op.lessThan, op.branchIf(0), op.end);
  const locals = Array<number>(Transposer.locals + writer.locals).fill(v128);
  return { name: "run", parameters: shards + 2, locals, body };
}

/** Moves eight vectors, and makes planes of bytes or bytes of planes on the way. */
class Transposer {
  /** Eight vectors, what is swapped, and a mask a round. */
  static readonly locals = planes + 1 + rounds.length;
  readonly #vectors: readonly number[];
  readonly #swapped: number;
  readonly #masks: readonly number[];

  constructor(firstLocal: number) {
    this.#vectors = Array.from({ length: planes }, (_, at) => firstLocal + at);
    this.#swapped = firstLocal + planes;
    this.#masks = rounds.map((_, round) => firstLocal + planes + 1 + round);
  }

  begin(): Bytes[] {
    return this.#masks.map((local, round) => {
      const mask = (rounds[round] as readonly [number, number])[1];
      return [...op.const(mask), ...op.splatBytes, ...op.set(local)];
    });
  }

  move(from: (at: number) => Bytes, to: (at: number, vector: Bytes) => Bytes): Bytes[] {
    const loads = this.#vectors.map((vector, at) => [...from(at), ...op.set(vector)]);
    const stores = this.#vectors.map((vector, at) => to(at, op.get(vector)));
    return [...loads, ...this.#transpose(), ...stores];
  }

  #transpose(): Bytes[] {
    return rounds.flatMap(([distance], round) =>
      this.#vectors.flatMap((low, at) => {
        if ((at & distance) !== 0) return [];
        const high = this.#vectors[at + distance] as number;
        return this.#swap(low, high, distance, this.#masks[round] as number);
      }),
    );
  }

  /** The high halves of `low` and the low halves of `high` change places. */
  #swap(low: number, high: number, distance: number, mask: number): Bytes[] {
    return [
      [...op.get(low), ...op.const(distance), ...op.shiftLongsRight, ...op.get(high), ...op.xor],
      [...op.get(mask), ...op.and, ...op.tee(this.#swapped)],
      [...op.get(high), ...op.xor, ...op.set(high)],
      [...op.get(this.#swapped), ...op.const(distance), ...op.shiftLongsLeft],
      [...op.get(low), ...op.xor, ...op.set(low)],
    ];
  }
}

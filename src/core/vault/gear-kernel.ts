// The loop of the chunker (chunker.ts) as WebAssembly: twice as fast as the same in JavaScript, and
// it goes over every byte of every backup.
//
// Bytes are copied to the kernel in windows that stay in the processor's cache; the hash goes on
// from one window to the next. They lie there as they lay within a word, since the engine copies
// what lies otherwise byte by byte, at a seventh of the speed. The kernel's memory: the hash and
// where it stopped, the gear table, a window.

import { i32, op, wasmModule } from "../base/wasm-module.ts";
import { webAssembly } from "../base/web-assembly.ts";

const stoppedAt = 4;
const tableAt = 1_024;
const windowAt = 4_096;
const wordBytes = 8;
const windowBytes = 65_536 - windowAt - wordBytes;

export interface GearKernel {
  /**
   * Goes over `bytes` from `start` to `end` and on with the hash that it had; the place after the
   * first byte at which the hash has zeros where `mask` has ones, or undefined.
   */
  find(bytes: Uint8Array, start: number, end: number, mask: number): number | undefined;
  /** The hash of no bytes. */
  reset(): void;
}

export function createGearKernel(gear: Int32Array): GearKernel {
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
  const module = new webAssembly.Module(wasmModule([{ name: "run", ...loop() }]));
  const { exports } = new webAssembly.Instance(module, { host: { memory } });
  const run = exports["run"] as (at: number, end: number, mask: number) => void;
  const words = new Int32Array(memory.buffer, 0, 2);
  const windows = Array.from({ length: wordBytes }, (_, shift) => {
    return new Uint8Array(memory.buffer, windowAt + shift, windowBytes);
  });
  new Int32Array(memory.buffer, tableAt, gear.length).set(gear);
  return {
    find: (bytes, start, end, mask) => {
      for (let from = start; from < end; from += windowBytes) {
        const length = Math.min(windowBytes, end - from);
        const window = windows[(bytes.byteOffset + from) % wordBytes] as Uint8Array;
        const at = window.byteOffset;
        window.set(bytes.subarray(from, from + length));
        run(at, at + length, mask);
        const [hash = 0, stopped = 0] = words;
        if ((hash & mask) === 0) return from + stopped - at;
      }
      return undefined;
    },
    reset: () => void words.fill(0),
  };
}

function loop() {
  const [at, end, mask, hash] = [0, 1, 2, 3];
  const gearOfByte = [
    ...op.get(at),
    ...op.loadByte(0),
    ...op.const(2),
    ...op.shiftLeft,
    ...op.load(tableAt),
  ];
  const body = [
    [...op.const(0), ...op.load(0), ...op.set(hash)],
    op.block,
    op.loop,
    [...op.get(hash), ...op.const(1), ...op.shiftLeft, ...gearOfByte, ...op.add, ...op.set(hash)],
    [...op.get(at), ...op.const(1), ...op.add, ...op.set(at)],
    // Out of the block when a cut is found, around again while there are bytes.
    [...op.get(hash), ...op.get(mask), ...op.andWord, ...op.isZero, ...op.branchIf(1)],
    [...op.get(at), ...op.get(end), ...op.lessThan, ...op.branchIf(0)],
    op.end,
    op.end,
    [...op.const(0), ...op.get(hash), ...op.store(0)],
    [...op.const(0), ...op.get(at), ...op.store(stoppedAt)],
  ];
  return { parameters: 3, locals: [i32], body };
}

// Seals: what each sector of a group ends with, its segment's number and its CRC32C; almost three
// times as fast as by looking up every byte.
//
// A checksum is the remainder of the bytes, as one long polynomial over bits, by Castagnoli's. To
// divide by a multiple of that polynomial first changes nothing, and some multiples are almost
// empty: x^209 + x^144 + x^54 + x^39 + x^14 + 1 is one. Squared three times it has the same terms
// at eight times the exponents, and says: a byte may be taken away if it is added (xor) 65, 155,
// 170, 195 and 209 bytes behind. So 16 bytes go with five xors, until hardly more than 209 are
// left; then multiples of smaller degrees go on, and tables divide the last 64 bytes. It is one
// straight line of vector instructions (Russell, "Chorba: a novel CRC32 implementation", 2024).
//
// The first of 32 vectors is four zeros and the first 12 bytes, for zeros in front change no
// remainder. What a checksum adds to a remainder (it begins with ones) is the same for all sectors.
//
// Rejected: tables in WebAssembly (1.3 times as fast as in JavaScript), two sectors interleaved (no
// faster), quotients in memory (read at odd places just after they were written: half the speed),
// the group's own memory (saves a copy, but not every disk's memory is WebAssembly's).

import { present } from "../../core/base/assert.ts";
import { crc32c } from "../../core/base/crc32c.ts";
import { type Bytes, op, v128, wasmModule } from "../../core/base/wasm-module.ts";
import { webAssembly } from "../../core/base/web-assembly.ts";
import { sectorBytes } from "../../ports/disk.ts";
import { checksumOffset, sealOffset, viewOf } from "./format.ts";

const vectorBytes = 16;
const vectors = sectorBytes / vectorBytes;
/** Before the first sector, and in the place of each checksum. */
const zerosBytes = sectorBytes - checksumOffset;

interface Stage {
  /** How many vectors it takes away. */
  readonly vectors: number;
  /** Exponents of a multiple of Castagnoli's polynomial, the second 16 or more below the first. */
  readonly exponents: readonly number[];
}

/** Found by search: multiples of the fewest terms for their degrees. */
const stages: readonly Stage[] = [
  { vectors: 18, exponents: [209, 144, 54, 39, 14, 0] },
  { vectors: 7, exponents: [98, 77, 51, 38, 33, 28, 4, 0] },
  { vectors: 3, exponents: [60, 44, 34, 33, 32, 29, 25, 20, 10, 9, 4, 0] },
];
const folded = stages.reduce((sum, stage) => sum + stage.vectors, 0);
const restBytes = (vectors - folded) * vectorBytes;

/** So many sectors at a time: their bytes are still in the fastest cache. */
export const batchBytes = 16 * sectorBytes;
/** Shared memory is copied word by word if both ends are at multiples of 8, else byte by byte. */
const sectorsAt = vectorBytes;
const restsAt = sectorsAt + batchBytes;

/** Sets the checksums of at most a batch of sectors, where zeros stand in their places. */
type Batch = (bytes: Uint8Array, view: DataView, start: number, end: number) => void;
let setChecksums: Batch | undefined;

/** Ends each sector from `start` to before `end` with its seal. */
export function sealSectors(
  bytes: Uint8Array,
  view: DataView,
  [start, end]: readonly [number, number],
  number: number,
): void {
  for (let at = start; at < end; at += sectorBytes) {
    view.setUint32(at + sealOffset, number, true);
    view.setUint32(at + checksumOffset, 0, true);
  }
  setChecksums ??= byFolding() ?? byTables;
  for (let at = start; at < end; at += batchBytes) {
    setChecksums(bytes, view, at, Math.min(at + batchBytes, end));
  }
}

/** What folding is held against, and what does where it cannot run. */
export function byTables(_: Uint8Array, view: DataView, start: number, end: number): void {
  for (let at = start; at < end; at += sectorBytes) {
    view.setUint32(at + checksumOffset, crc32c(0, view, at, at + checksumOffset), true);
  }
}

/** Undefined where the engine has no vectors, or compiles nothing at run time. */
export function byFolding(): Batch | undefined {
  const kernel = compile();
  if (kernel === undefined) return undefined;
  const sectors = new Uint8Array(kernel.memory.buffer, sectorsAt);
  const rests = new DataView(kernel.memory.buffer, restsAt);
  const from = sectorsAt - zerosBytes;
  const begun = ~crc32c(0, viewOf(new Uint8Array(checksumOffset)), 0, checksumOffset);
  return (bytes, view, start, end) => {
    sectors.set(bytes.subarray(start, end));
    kernel.fold(from, from + end - start, restsAt);
    for (let at = start, rest = 0; at < end; at += sectorBytes, rest += restBytes) {
      const divided = crc32c(0xffffffff, rests, rest, rest + restBytes);
      view.setUint32(at + checksumOffset, begun ^ divided, true);
    }
  };
}

function compile() {
  try {
    const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
    const module = new webAssembly.Module(foldModule());
    const { exports } = new webAssembly.Instance(module, { host: { memory } });
    return { memory, fold: present(exports["fold"], "the module exports what it was made with") };
  } catch {
    return undefined;
  }
}

/** fold(from, to, rests): what is left of each sector from one address to before the other. */
function foldModule(): Uint8Array<ArrayBuffer> {
  const [from, to, rests] = [0, 1, 2];
  const body: Bytes[] = [op.loop];
  for (let vector = 0; vector < vectors; vector++) {
    const value = [...op.get(from), ...op.loadVector(vectorBytes * vector), ...carried(vector)];
    body.push(
      vector < folded
        ? [...value, ...op.set(quotient(vector))]
        : [...op.get(rests), ...value, ...op.storeVector(vectorBytes * (vector - folded))],
    );
  }
  body.push(
    [...op.get(rests), ...op.const(restBytes), ...op.add, ...op.set(rests)],
    [...op.get(from), ...op.const(sectorBytes), ...op.add, ...op.tee(from)],
    [...op.get(to), ...op.lessThan, ...op.branchIf(0), ...op.end],
  );
  const locals = Array<number>(1 + folded).fill(v128);
  return wasmModule([{ name: "fold", parameters: 3, locals, body }]);
}

/** A local that is never set. */
const zero = 3;
const quotient = (vector: number): number => zero + 1 + vector;

/** Adds what the vectors before this one, when they were taken away, have left in its place. */
function carried(vector: number): Bytes {
  const code: number[] = [];
  let first = 0;
  for (const { vectors: count, exponents } of stages) {
    const isTaken = (at: number): boolean => at >= first && at < first + count && at < vector;
    for (const exponent of exponents.slice(1)) {
      const distance = present(exponents[0], "a polynomial has terms") - exponent;
      const low = vector - Math.ceil(distance / vectorBytes);
      const shift = (vector - low) * vectorBytes - distance;
      const isIn = [isTaken(low), shift > 0 && isTaken(low + 1)];
      if (!isIn.includes(true)) continue;
      const [lower = zero, upper = zero] = isIn.map((is, at) => (is ? quotient(low + at) : zero));
      code.push(...op.get(lower));
      if (shift > 0) code.push(...op.get(upper), ...op.bytesFrom(shift));
      code.push(...op.xor);
    }
    first += count;
  }
  return code;
}

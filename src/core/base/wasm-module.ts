// As much of the WebAssembly binary format as the kernels need: one imported memory, functions of
// i32 parameters without results, locals, loops, and vectors of 128 bits. The specification's
// chapter 5 ("Binary format") names every byte here.
//
// Rejected: wabt or binaryen (a megabyte, and a tenth of a second for the first kernel), text in a
// string (nobody would have checked that it still assembles).

const section = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
export const i32 = 0x7f;
export const v128 = 0x7b;

/** Grows by appending; all of it is bytes. */
export type Bytes = readonly number[];

/** Unsigned LEB128. */
export function unsigned(value: number): Bytes {
  const bytes: number[] = [];
  let left = value;
  do {
    const more = left > 127;
    bytes.push((left & 127) | (more ? 128 : 0));
    left >>>= 7;
  } while (left > 0);
  return bytes;
}

/** Signed LEB128, of 32 bits. */
function signed(value: number): Bytes {
  const bytes: number[] = [];
  let left = value | 0;
  // Whoever reads it fills up with the sixth bit of the last byte, the sign.
  while (left > 63 || left < -64) {
    bytes.push((left & 127) | 128);
    left >>= 7;
  }
  return [...bytes, left & 127];
}

/** Spreading thousands of bytes into an array takes twenty times as long. */
function joined(...parts: readonly Bytes[]): Bytes {
  return ([] as number[]).concat(...parts);
}

function vector(items: readonly Bytes[]): Bytes {
  return joined(unsigned(items.length), ...items);
}

function named(text: string): Bytes {
  return vector(Array.from({ length: text.length }, (_, at) => [text.charCodeAt(at)]));
}

function sectionOf(number: number, content: Bytes): Bytes {
  return joined([number], unsigned(content.length), content);
}

const simd = (code: number): Bytes => [0xfd, ...unsigned(code)];

/** Instructions, by their names in the specification. */
export const op = {
  get: (local: number): Bytes => [0x20, ...unsigned(local)],
  set: (local: number): Bytes => [0x21, ...unsigned(local)],
  tee: (local: number): Bytes => [0x22, ...unsigned(local)],
  const: (value: number): Bytes => [0x41, ...signed(value)],
  add: [0x6a],
  lessThan: [0x49],
  load: (offset: number): Bytes => [0x28, 2, ...unsigned(offset)],
  loadByte: (offset: number): Bytes => [0x2d, 0, ...unsigned(offset)],
  store: (offset: number): Bytes => [0x36, 2, ...unsigned(offset)],
  shiftLeft: [0x74],
  andWord: [0x71],
  isZero: [0x45],
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  branchIf: (depth: number): Bytes => [0x0d, ...unsigned(depth)],
  end: [0x0b],
  loadVector: (offset: number): Bytes => [...simd(0), 4, ...unsigned(offset)],
  storeVector: (offset: number): Bytes => [...simd(11), 4, ...unsigned(offset)],
  zeroVector: [...simd(12), ...Array.from({ length: 16 }, () => 0)],
  /** Of two vectors side by side, the 16 bytes from this one on. */
  bytesFrom: (first: number): Bytes => [
    ...simd(13),
    ...Array.from({ length: 16 }, (_, at) => first + at),
  ],
  swizzle: simd(14),
  relaxedSwizzle: simd(0x100),
  splatBytes: simd(15),
  splatWords: simd(17),
  and: simd(78),
  xor: simd(81),
  shiftBytesRight: simd(109),
  shiftWordsRight: simd(173),
  shiftLongsLeft: simd(203),
  shiftLongsRight: simd(205),
  multiplyWords: simd(181),
} as const;

export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  /** Types of the locals after the parameters. */
  readonly locals: readonly number[];
  readonly body: readonly Bytes[];
}

const magicAndVersion: Bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A module that imports its memory as `host.memory` and exports the functions. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    0x60,
    ...vector(Array.from({ length: parameters }, () => [i32])),
    0,
  ]);
  // Any memory of one page at least will do.
  const memory = [...named("host"), ...named("memory"), 2, 0, 1];
  const exports = functions.map(({ name }, index) => [...named(name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ locals, body }) => {
    // The end of the function is an instruction of its own.
    const code = joined(vector(locals.map((type) => [1, type])), body.flat(), op.end);
    return joined(unsigned(code.length), code);
  });
  const sections = [
    sectionOf(section.type, vector(types)),
    sectionOf(section.import, vector([memory])),
    sectionOf(section.function, vector(functions.map((_, index) => unsigned(index)))),
    sectionOf(section.export, vector(exports)),
    sectionOf(section.code, vector(bodies)),
  ];
  return new Uint8Array(joined(magicAndVersion, ...sections));
}

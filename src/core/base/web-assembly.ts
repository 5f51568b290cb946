// The part of the global WebAssembly that is needed here. It is a part of the language's engine, as
// numbers and arrays are, and reaches nothing of the world; the compiler's libraries keep its types
// with those of browsers.

interface Memory {
  readonly buffer: ArrayBuffer;
}

interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

interface Size {
  readonly initial: number;
  readonly maximum: number;
}

interface MemoryMaker {
  new (size: Size & { readonly shared: true }): SharedMemory;
  new (size: Size): Memory;
}

interface Global {
  readonly Memory: MemoryMaker;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly host: { readonly memory: Memory } },
  ) => { readonly exports: Readonly<Record<string, (...words: number[]) => void>> };
  validate(bytes: Uint8Array<ArrayBuffer>): boolean;
}

export type WasmMemory = Memory;
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: Global }).WebAssembly;

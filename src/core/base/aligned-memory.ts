// Memory that begins at a page, shared between threads: what devices take as it is.
//
// The engine aligns the pages of WebAssembly and nothing else, and tells nobody where memory lies;
// so what was made here is remembered, for whoever writes past the kernel's cache (O_DIRECT).

import { webAssembly } from "./web-assembly.ts";

const pageBytes = 65_536;
const aligned = new WeakSet<ArrayBufferLike>();

/** Zeros, shared between threads, aligned to a page wherever that is to be had. */
export function alignedBytes(length: number): Uint8Array<SharedArrayBuffer> {
  const pages = Math.max(1, Math.ceil(length / pageBytes));
  try {
    const memory = new webAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    aligned.add(memory.buffer);
    return new Uint8Array(memory.buffer, 0, length);
  } catch {
    // Out of address space for it, not of memory: each of these reserves much more than it has.
    return new Uint8Array(new SharedArrayBuffer(length));
  }
}

/**
 * Whether these bytes lie at the same place within a block, a power of two up to a page, as
 * `offset` does.
 */
export function isInLine(bytes: Uint8Array, offset: number, blockBytes: number): boolean {
  return aligned.has(bytes.buffer) && (bytes.byteOffset - offset) % blockBytes === 0;
}

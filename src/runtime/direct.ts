// Writes that go from our memory to the device without a stay in the kernel's cache (O_DIRECT).
//
// A durable write through the cache is copied into it, written from it, and read from it by nobody:
// without it a write of one sector takes a fifth less, one of 256 KiB a sixth (measured beside each
// other on a virtio disk). The price is alignment: memory, offset and length in whole blocks of the
// device. Groups of the journal are whole sectors; memory that is aligned is to be had from
// WebAssembly, whose pages begin at pages. Where the file system refuses (some network ones), or
// the device has larger blocks, the cache is used as ever: a read of one sector finds out.
//
// The kernel keeps both ways to a file coherent: a direct write drops what the cache holds of it.

import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { sectorBytes } from "../ports/disk.ts";

/** The part of the global object that the compiler's libraries keep for browsers. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

const pageBytes = 65_536;
const aligned = new WeakSet<ArrayBufferLike>();

/** Zeros, shared between threads, aligned to a page wherever that is to be had. */
export function allocateAligned(sizeBytes: number): Uint8Array<ArrayBufferLike> {
  const pages = Math.max(1, Math.ceil(sizeBytes / pageBytes));
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    aligned.add(buffer);
    return new Uint8Array(buffer, 0, sizeBytes);
  } catch {
    // Out of address space for it, not of memory: each of these reserves much more than it has.
    return new Uint8Array(new SharedArrayBuffer(sizeBytes));
  }
}

/** Whether these bytes can go there directly. */
export function isAligned(bytes: Uint8Array, offset: number): boolean {
  return (
    aligned.has(bytes.buffer) &&
    bytes.byteOffset % sectorBytes === 0 &&
    bytes.length % sectorBytes === 0 &&
    offset % sectorBytes === 0
  );
}

/** A second descriptor of the file, for direct calls; undefined where there are none. */
export async function openDirect(
  path: string,
  flags: number = constants.O_RDWR | constants.O_DSYNC,
): Promise<FileHandle | undefined> {
  // Linux alone has it.
  const direct = constants.O_DIRECT as number | undefined;
  if (direct === undefined) return undefined;
  const handle = await open(path, flags | direct).catch(() => undefined);
  if (handle === undefined || (await takesSectors(handle))) return handle;
  await handle.close();
  return undefined;
}

async function takesSectors(handle: FileHandle): Promise<boolean> {
  const sector = allocateAligned(sectorBytes);
  if (!isAligned(sector, 0)) return false;
  return handle.read(sector, 0, sectorBytes, 0).then(
    () => true,
    () => false,
  );
}

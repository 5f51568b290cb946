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
import { alignedBytes, isInLine } from "../core/base/aligned-memory.ts";
import { sectorBytes } from "../ports/disk.ts";

/** Linux alone has it. */
export const directFlag = constants.O_DIRECT as number | undefined;

/** Whether these bytes can go there directly. */
export function isAligned(bytes: Uint8Array, offset: number): boolean {
  return (
    isInLine(bytes, offset, sectorBytes) &&
    bytes.length % sectorBytes === 0 &&
    offset % sectorBytes === 0
  );
}

/** A second descriptor of the file, for direct calls; undefined where there are none. */
export async function openDirect(
  path: string,
  flags: number = constants.O_RDWR | constants.O_DSYNC,
): Promise<FileHandle | undefined> {
  if (directFlag === undefined) return undefined;
  const handle = await open(path, flags | directFlag).catch(() => undefined);
  if (handle === undefined || (await takesSectors(handle))) return handle;
  await handle.close();
  return undefined;
}

async function takesSectors(handle: FileHandle): Promise<boolean> {
  const sector = alignedBytes(sectorBytes);
  if (!isAligned(sector, 0)) return false;
  return handle.read(sector, 0, sectorBytes, 0).then(
    () => true,
    () => false,
  );
}

// The disk, as the journal sees it: files in a folder, and exactly what a crash may do to them.
//
// The contract is that of POSIX and of drives at their worst, not that of one file system in its
// best mood. Whoever writes against it says for each byte when it is durable; the simulated disk
// takes every liberty that is named here, the real one (src/runtime/disk.ts) takes fewer.
//
// What a power loss, or a crash of the kernel, leaves behind:
// - Of writes that are not durable, each sector (512 bytes, at multiples of 512) is as before or as
//   written, each for itself and in any order: a later write may be there and an earlier one not.
//   A sector is never a mixture. Bytes beside the written range keep their value.
// - A file that grew by writes that are not durable has any size from its durable one on; of the
//   gained sectors, those that were not written through show zeros or what another file, since
//   removed, once had there.
// - A name that was made, moved or removed since the folder's last `flush` is as before or as
//   after, each change for itself; a move is never half done. Flushing a file does not keep its
//   name, and flushing a folder does not keep what its files hold.
// - Locks are gone, and so is whatever process held them.
// The death of a process alone loses nothing that was written, and its locks.
//
// Failures reject (or throw, from a write that is done at once) with a DiskError. After a failed
// write or flush nobody can say what is on the device, and the same call again may lie (Linux marks
// the pages clean and forgets): a writer must stop, not try again. "full" is the exception that is
// worth a name, for it can be met where nothing is at stake yet.
//
// Calls of one file may overlap; their order is then open. No call has a deadline, for the kernel
// offers none for a device that hangs: the caller says how long it cares.
//
// Rejected: block devices (nobody gives one to a journal), mmap (its errors are signals), flush
// without O_DSYNC on the hot path (a second call, a third of the speed).

export const sectorBytes = 512;
/** Of every device that there is today, or a multiple of its own. */
export const blockBytes = 4_096;

export type DiskErrorKind =
  /** No room, or over a quota. */
  | "full"
  | "read-only"
  | "not-found"
  | "exists"
  | "not-allowed"
  /** The device or the kernel failed, in whatever way is not listed above. */
  | "io";

export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly kind: DiskErrorKind;

  /** `what` names the operation, the path, and the kernel's word for it. */
  constructor(kind: DiskErrorKind, what: string, options?: { readonly cause?: unknown }) {
    super(what, options);
    this.kind = kind;
  }
}

/** The kind of a failure that came from a disk; undefined for any other error. */
export function diskErrorKind(error: unknown): DiskErrorKind | undefined {
  // By name, not by class: a program may hold two copies of this module.
  return error instanceof Error && error.name === "DiskError"
    ? (error as DiskError).kind
    : undefined;
}

export interface Disk {
  /**
   * The folder at `path`; with `create` it is made if it is missing, durably, its parents as well.
   * Rejects with "not-found" when it is missing and not to be made.
   */
  openFolder(path: string, options: { readonly create: boolean }): Promise<DiskFolder>;
  /**
   * Memory of zeros for `DiskFile.write`, reused as often as one likes. Bytes of any other memory
   * may be copied once more on their way to the device.
   */
  allocate(sizeBytes: number): Uint8Array<ArrayBufferLike>;
  /**
   * Calls `run` once, after everything that is ready to run now and before anything is waited for:
   * the moment at which one write gathers what all writers have brought meanwhile. The rest of the
   * program gets its turn between two calls, or a millisecond later, however fast the device is.
   */
  soon(run: () => void): void;
}

/** `read`: reads only. `write`: and buffered writes. `durable`: each write waits for the device. */
export type DiskAccess = "read" | "write" | "durable";

/**
 * `once`: nobody will want these bytes in memory soon again. Large ones then go between the device
 * and the caller's memory, past the kernel's cache, where there is such a way: nothing is put out
 * of the cache for them, and a read says what is on the device. Memory from `allocate` goes as it
 * is if it lies within a block as the bytes do within their block of the file.
 */
export interface DiskUse {
  readonly once: boolean;
}

export interface DiskFolder {
  readonly path: string;
  /** Names of the ordinary files in it, sorted. */
  list(): Promise<readonly string[]>;
  /** A new empty file, for `write`. Rejects with "exists". */
  create(name: string, use?: DiskUse): Promise<DiskFile>;
  /** Rejects with "not-found". */
  open(name: string, access: DiskAccess, use?: DiskUse): Promise<DiskFile>;
  /** Takes the place of a file that is already called `to`. Open files go on under the new name. */
  rename(from: string, to: string): Promise<void>;
  /** Rejects with "not-found". Open files go on without a name. */
  remove(name: string): Promise<void>;
  /** Makes every name that was made, moved or removed so far durable. */
  flush(): Promise<void>;
  /**
   * The right to write here, held until released or until the process dies, and then free at once.
   * Undefined when somebody else holds it, in this process or in another; undefined as well for
   * all but at most one of several takers at the same time. Only those who ask are kept out.
   */
  lock(): Promise<DiskLock | undefined>;
  close(): Promise<void>;
}

export interface DiskFile {
  sizeBytes(): Promise<number>;
  /** Fills `into` from `offset` on; how many bytes it got, fewer only where the file ends. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /**
   * Writes all of `bytes` at `offset`; the file grows as needed, with zeros in between.
   * `undefined`: it is done, and the call took as long as it took (a fast device is not worth the
   * way to another thread and back). A promise: somebody else writes, and `bytes` must stay as they
   * are until it settles. With access "durable" these bytes, and the size that it takes to read
   * them, are on the device when it is done; earlier writes with access "write" need not be.
   */
  write(bytes: Uint8Array, offset: number): Promise<void> | undefined;
  /** All writes so far, by whichever open file, and the size are on the device when it resolves. */
  flush(): Promise<void>;
  /** Cuts it off, or lengthens it with zeros. Durable after `flush`. */
  truncate(sizeBytes: number): Promise<void>;
  /** Waits for the calls that are under way. */
  close(): Promise<void>;
}

export interface DiskLock {
  release(): Promise<void>;
}

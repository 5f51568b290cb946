// A disk whose every call has a deadline. A device that hangs is a device that failed: the call
// rejects with the "io" that a dying device gives, and the journal need not know the difference.
// The call itself goes on in the kernel, for nothing can stop it; what it brings later is ignored.

import { sayDuration } from "../../core/base/duration.ts";
import type { Clock } from "../../ports/clock.ts";
import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskFolder,
  type DiskLock,
} from "../../ports/disk.ts";

type Within = <T>(what: string, call: Promise<T>) => Promise<T>;

export function withDeadlines(disk: Disk, clock: Clock, deadlineMs: number): Disk {
  function within<T>(what: string, call: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = clock.after(deadlineMs, () => {
        reject(new DiskError("io", `${what} took longer than ${sayDuration(deadlineMs)}`));
      });
      call.then(resolve, reject).finally(() => timer[Symbol.dispose]());
    });
  }
  return {
    openFolder: async (path, options) => {
      const call = disk.openFolder(path, options);
      return boundedFolder(await within(`opening ${path}`, call), within);
    },
    allocate: (sizeBytes) => disk.allocate(sizeBytes),
    soon: (run) => disk.soon(run),
  };
}

function boundedFolder(folder: DiskFolder, within: Within): DiskFolder {
  const { path } = folder;
  return {
    path,
    list: () => within(`listing ${path}`, folder.list()),
    create: async (name) =>
      boundedFile(await within(`making ${name}`, folder.create(name)), name, within),
    open: async (name, access) =>
      boundedFile(await within(`opening ${name}`, folder.open(name, access)), name, within),
    rename: (from, to) => within(`moving ${from} to ${to}`, folder.rename(from, to)),
    remove: (name) => within(`removing ${name}`, folder.remove(name)),
    flush: () => within(`flushing ${path}`, folder.flush()),
    lock: async (): Promise<DiskLock | undefined> => {
      const lock = await within(`locking ${path}`, folder.lock());
      if (lock === undefined) return undefined;
      return { release: () => within(`unlocking ${path}`, lock.release()) };
    },
    close: () => within(`closing ${path}`, folder.close()),
  };
}

function boundedFile(file: DiskFile, name: string, within: Within): DiskFile {
  return {
    sizeBytes: () => within(`measuring ${name}`, file.sizeBytes()),
    read: (into, offset) => within(`reading ${name}`, file.read(into, offset)),
    write: (bytes, offset) => {
      const call = file.write(bytes, offset);
      return call === undefined ? undefined : within(`writing ${name}`, call);
    },
    flush: () => within(`flushing ${name}`, file.flush()),
    truncate: (sizeBytes) => within(`truncating ${name}`, file.truncate(sizeBytes)),
    close: () => within(`closing ${name}`, file.close()),
  };
}

// A disk whose every call has a deadline. A device that hangs is a device that failed: the call
// rejects with the "io" that a dying device gives, and the journal need not know the difference.
// The call itself goes on in the kernel, for nothing can stop it; what it brings later is ignored.
// But a write that lands later would land on what the next opener has written meanwhile: the lock
// is let go of only when no call that changes anything is under way, however long that takes.

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

/** Calls that change what is on the disk and have not ended, given up or not. */
class Changes {
  readonly #underWay = new Set<Promise<unknown>>();

  follow<T>(call: Promise<T>): Promise<T> {
    const forget = (): void => void this.#underWay.delete(call);
    this.#underWay.add(call);
    call.then(forget, forget);
    return call;
  }

  /** The end of all that are under way; undefined when there is none. */
  get ended(): Promise<unknown> | undefined {
    return this.#underWay.size === 0 ? undefined : Promise.allSettled(this.#underWay);
  }
}

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
  const changes = new Changes();
  const change = <T>(what: string, call: Promise<T>) => within(what, changes.follow(call));
  const bounded = (file: DiskFile, name: string) => boundedFile(file, name, within, change);
  return {
    path,
    list: () => within(`listing ${path}`, folder.list()),
    create: async (name) => bounded(await change(`making ${name}`, folder.create(name)), name),
    open: async (name, access) =>
      bounded(await within(`opening ${name}`, folder.open(name, access)), name),
    rename: (from, to) => change(`moving ${from} to ${to}`, folder.rename(from, to)),
    remove: (name) => change(`removing ${name}`, folder.remove(name)),
    flush: () => within(`flushing ${path}`, folder.flush()),
    lock: async (): Promise<DiskLock | undefined> => {
      const lock = await within(`locking ${path}`, folder.lock());
      if (lock === undefined) return undefined;
      return { release: () => releaseAfter(changes, lock, within, path) };
    },
    close: () => within(`closing ${path}`, folder.close()),
  };
}

/** What is still under way is not waited for here: the folder stays taken until it has ended. */
async function releaseAfter(
  changes: Changes,
  lock: DiskLock,
  within: Within,
  path: string,
): Promise<void> {
  const { ended } = changes;
  if (ended === undefined) return within(`unlocking ${path}`, lock.release());
  // A lock that cannot be released ends with the process: nobody is left to be told.
  void ended.then(() => lock.release()).catch(() => undefined);
}

function boundedFile(file: DiskFile, name: string, within: Within, change: Within): DiskFile {
  return {
    sizeBytes: () => within(`measuring ${name}`, file.sizeBytes()),
    read: (into, offset) => within(`reading ${name}`, file.read(into, offset)),
    write: (bytes, offset) => {
      const call = file.write(bytes, offset);
      return call === undefined ? undefined : change(`writing ${name}`, call);
    },
    flush: () => within(`flushing ${name}`, file.flush()),
    truncate: (sizeBytes) => change(`truncating ${name}`, file.truncate(sizeBytes)),
    close: () => within(`closing ${name}`, file.close()),
  };
}

// The disk port on Node: what ports/disk.ts promises, by plain system calls.
//
// Memory for writes is shared between threads, so that a slow device's thread takes it as it is.
// A new folder is durable with all its parents: each folder that gained a name is flushed.

import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { alignedBytes } from "../core/base/aligned-memory.ts";
import { assert } from "../core/base/assert.ts";
import type { Disk, DiskAccess, DiskFile, DiskFolder, DiskLock, DiskUse } from "../ports/disk.ts";
import { attempt } from "./disk-error.ts";
import { createDiskFile } from "./disk-file.ts";
import { openDirect } from "./direct.ts";
import { takeLock } from "./disk-lock.ts";
import { makeFolders } from "./make-folders.ts";
import { PastCache } from "./past-cache.ts";
import { createDurableWriter, type DurableWriter } from "./disk-writer.ts";

const fileMode = 0o600;
const flags: Readonly<Record<DiskAccess, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  durable: constants.O_RDWR | constants.O_DSYNC,
};

export interface DiskOptions {
  /** Above this a durable write goes to a thread: 0 for always, Infinity for never. */
  readonly slowAboveMs?: number;
}

export function createDisk(options: DiskOptions = {}): Disk {
  const writer = createDurableWriter(options.slowAboveMs ?? 0.3);
  return {
    openFolder: async (path, { create }) => {
      const absolute = resolve(path);
      if (create) await makeFolder(absolute);
      const handle = await attempt("open", absolute, () =>
        open(absolute, constants.O_RDONLY | constants.O_DIRECTORY),
      );
      return new Folder(absolute, handle, writer);
    },
    allocate: alignedBytes,
    soon: createSoon(),
  };
}

/** The event loop waits no longer than this, and one write, for its turn. */
const turnEveryMs = 1;

/**
 * A turn of the event loop before each write costs a tenth of what a fast device takes for it, and
 * brings nothing: those whom the last write woke have run by then. So there is one a millisecond.
 */
function createSoon(): Disk["soon"] {
  let lastTurnMs = 0;
  return (run) => {
    if (performance.now() - lastTurnMs < turnEveryMs) return process.nextTick(run);
    setImmediate(() => {
      lastTurnMs = performance.now();
      run();
    });
  };
}

class Folder implements DiskFolder {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #writer: DurableWriter;

  constructor(path: string, handle: FileHandle, writer: DurableWriter) {
    this.path = path;
    this.#handle = handle;
    this.#writer = writer;
  }

  async list(): Promise<readonly string[]> {
    const entries = await attempt("list", this.path, () =>
      readdir(this.path, { withFileTypes: true }),
    );
    return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
  }

  async create(name: string, use?: DiskUse): Promise<DiskFile> {
    const path = this.#pathOf(name);
    const makingFlags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const handle = await attempt("create", path, () => open(path, makingFlags, fileMode));
    return createDiskFile(path, handle, { once: wayOf(use, handle, flags.write) });
  }

  async open(name: string, access: DiskAccess, use?: DiskUse): Promise<DiskFile> {
    const path = this.#pathOf(name);
    const handle = await attempt("open", path, () => open(path, flags[access]));
    if (access !== "durable") {
      return createDiskFile(path, handle, { once: wayOf(use, handle, flags[access]) });
    }
    const durable = { writer: this.#writer, direct: await openDirect(path) };
    return createDiskFile(path, handle, { durable });
  }

  async rename(from: string, to: string): Promise<void> {
    const path = this.#pathOf(from);
    await attempt("rename", path, () => rename(path, this.#pathOf(to)));
  }

  async remove(name: string): Promise<void> {
    const path = this.#pathOf(name);
    await attempt("remove", path, () => unlink(path));
  }

  async flush(): Promise<void> {
    await attempt("flush", this.path, () => this.#handle.sync());
  }

  async lock(): Promise<DiskLock | undefined> {
    return takeLock(this.path, this.#handle.fd);
  }

  async close(): Promise<void> {
    await attempt("close", this.path, () => this.#handle.close());
  }

  #pathOf(name: string): string {
    assert(name !== "" && !name.includes("/") && !name.startsWith(".."), "a name is one word");
    return join(this.path, name);
  }
}

function wayOf(
  use: DiskUse | undefined,
  handle: FileHandle,
  access: number,
): PastCache | undefined {
  return use?.once === true ? new PastCache(handle, access) : undefined;
}

async function makeFolder(path: string): Promise<void> {
  const first = await attempt("make", path, () => makeFolders(path));
  if (first === undefined) return;
  // Every folder that gained a name: from the innermost new folder's parent outwards.
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await flushFolder(dirname(made));
  }
}

async function flushFolder(path: string): Promise<void> {
  await attempt("flush", path, async () => {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

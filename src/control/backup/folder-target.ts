// A folder on a disk or a mount as a target.
//
// An object is written beside its place, flushed, renamed into it, and the folder flushed: at any
// point of a crash or a power loss there is all of it or nothing under its name. What is half
// written ends in ".tmp" and is never listed; a put that fails takes it away, and `clean` what a
// crash has left.
//
// Each kind has a folder; packs have sixteen, by the first digit of their names, so that no folder
// grows too large. Written on the disk port, so that the simulated disk can crash it at each step.

import { type Allocate, sharedBytes } from "../../core/vault/memory.ts";
import { objectKinds, parseShardName, wholeKinds } from "../../core/vault/names.ts";
import {
  blockBytes,
  diskErrorKind,
  type DiskErrorKind,
  type Disk,
  type DiskFile,
  type DiskFolder,
  type DiskUse,
} from "../../ports/disk.ts";
import { listPageMax, type Target, TargetError, type TargetErrorKind } from "../../ports/target.ts";

import { messageOf } from "./catalog.ts";

const unfinished = ".tmp";
const namePattern = /^([a-z]{1,32})\/([0-9a-f][0-9A-Za-z.-]{0,199})$/;
const digits = "0123456789abcdef".split("");
/** Kinds that have sixteen folders. */
const spreadKinds: readonly string[] = ["pack"];

const kinds: Readonly<Record<DiskErrorKind, TargetErrorKind>> = {
  full: "full",
  "read-only": "read-only",
  "not-found": "not-found",
  exists: "io",
  "not-allowed": "not-allowed",
  io: "io",
};

export interface FolderTargetOptions {
  readonly name: string;
  readonly domain: string;
  /** Must be there: a mount that is not mounted is not a place to write to. */
  readonly path: string;
  readonly freeBytes?: () => Promise<number | undefined>;
}

export function createFolderTarget(disk: Disk, options: FolderTargetOptions): Target {
  return new FolderTarget(disk, options);
}

class FolderTarget implements Target {
  readonly name: string;
  readonly domain: string;
  readonly isAppendOnly = false;
  readonly #disk: Disk;
  readonly #options: FolderTargetOptions;
  readonly #folders = new Map<string, Promise<DiskFolder>>();

  constructor(disk: Disk, options: FolderTargetOptions) {
    this.name = options.name;
    this.domain = options.domain;
    this.#disk = disk;
    this.#options = options;
  }

  put(name: string, pieces: readonly Uint8Array[]): Promise<void> {
    return this.#attempt(`put ${name}`, async () => {
      const { path, leaf } = placeOf(name);
      const folder = await this.#folder(path, true);
      const temporary = `${leaf}${unfinished}`;
      const file = await createAnew(folder, temporary, useOf(name));
      try {
        await fill(file, pieces);
        await folder.rename(temporary, leaf);
        await folder.flush();
      } catch (error) {
        // It would keep the last room of a disk that is full; if it does not go, `clean` takes it.
        await removeIfThere(folder, temporary).catch(() => {});
        throw error;
      }
    });
  }

  read(
    name: string,
    offset: number,
    length: number,
    allocate: Allocate = sharedBytes,
  ): Promise<Uint8Array> {
    return this.#attempt(`read ${name}`, async () => {
      const { path, leaf } = placeOf(name);
      const folder = await this.#folder(path, false);
      const { once } = useOf(name);
      const file = await folder.open(leaf, "read", { once });
      try {
        const there = Math.max(0, (await file.sizeBytes()) - offset);
        const wanted = Math.min(length, there);
        // Past the cache whole blocks are read; the last of a file is rarely whole.
        const bytes = allocate(once ? blockBytes * Math.ceil(wanted / blockBytes) : wanted);
        const got = await file.read(bytes, offset);
        return bytes.subarray(0, Math.min(got, length));
      } finally {
        await file.close();
      }
    });
  }

  list(kind: string, after: string): Promise<readonly string[]> {
    return this.#attempt(`list ${kind}`, async () => {
      const names: string[] = [];
      for (const path of pathsOf(kind)) {
        for (const leaf of await this.#leaves(path)) {
          const name = `${kind}/${leaf}`;
          if (leaf.endsWith(unfinished) || name <= after) continue;
          names.push(name);
          if (names.length === listPageMax) return names;
        }
      }
      return names;
    });
  }

  remove(name: string): Promise<void> {
    return this.#attempt(`remove ${name}`, async () => {
      const { path, leaf } = placeOf(name);
      const folder = await this.#folderIfThere(path);
      if (folder === undefined) return;
      await removeIfThere(folder, leaf);
      await folder.flush();
    });
  }

  clean(): Promise<void> {
    return this.#attempt("clean", async () => {
      for (const kind of [...objectKinds, ...wholeKinds]) {
        for (const path of pathsOf(kind)) {
          for (const leaf of await this.#leaves(path)) {
            if (!leaf.endsWith(unfinished)) continue;
            const folder = await this.#folder(path, false);
            await removeIfThere(folder, leaf);
          }
        }
      }
    });
  }

  async freeBytes(): Promise<number | undefined> {
    return this.#options.freeBytes?.();
  }

  async close(): Promise<void> {
    const folders = [...this.#folders.values()];
    this.#folders.clear();
    await Promise.allSettled(folders.map(async (folder) => (await folder).close()));
  }

  async #leaves(path: string): Promise<readonly string[]> {
    return (await (await this.#folderIfThere(path))?.list()) ?? [];
  }

  async #folderIfThere(path: string): Promise<DiskFolder | undefined> {
    try {
      return await this.#folder(path, false);
    } catch (error) {
      if (diskErrorKind(error) === "not-found") return undefined;
      throw error;
    }
  }

  async #folder(path: string, create: boolean): Promise<DiskFolder> {
    await this.#open("", false).catch((error: unknown) => {
      if (diskErrorKind(error) !== "not-found") throw error;
      const { path } = this.#options;
      const remedy = `mount its disk, or make it for a first backup: mkdir -p ${path}`;
      const what = `The folder ${path} of target ${this.name} is not there (${remedy})`;
      throw new TargetError("unreachable", what, { cause: error });
    });
    return this.#open(path, create);
  }

  #open(path: string, create: boolean): Promise<DiskFolder> {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const whole = path === "" ? this.#options.path : `${this.#options.path}/${path}`;
    const opening = this.#disk.openFolder(whole, { create });
    this.#folders.set(path, opening);
    opening.catch(() => this.#folders.delete(path));
    return opening;
  }

  async #attempt<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const kind = diskErrorKind(error);
      if (kind === undefined) throw error;
      const sentence = `Target ${this.name} could not ${what}: ${messageOf(error)}`;
      throw new TargetError(kinds[kind], sentence, { cause: error });
    }
  }
}

function placeOf(name: string): { readonly path: string; readonly leaf: string } {
  const [, kind, leaf] = namePattern.exec(name) ?? [];
  if (kind === undefined || leaf === undefined) {
    throw new TargetError("io", `"${name}" is no object's name`);
  }
  return { path: spreadKinds.includes(kind) ? `${kind}/${leaf[0]}` : kind, leaf };
}

function pathsOf(kind: string): readonly string[] {
  return spreadKinds.includes(kind) ? digits.map((digit) => `${kind}/${digit}`) : [kind];
}

/** What the next run, a drill or a restore reads are data; parity waits for a scrub. */
function useOf(name: string): DiskUse {
  const shard = parseShardName(name);
  return { once: shard !== undefined && shard.shard >= shard.dataShards };
}

/** What a put that was cut off has left goes first; there hardly ever is any. */
async function createAnew(folder: DiskFolder, name: string, use: DiskUse): Promise<DiskFile> {
  try {
    return await folder.create(name, use);
  } catch (error) {
    if (diskErrorKind(error) !== "exists") throw error;
    await removeIfThere(folder, name);
    return folder.create(name, use);
  }
}

async function fill(file: DiskFile, pieces: readonly Uint8Array[]): Promise<void> {
  try {
    let offset = 0;
    for (const piece of pieces) {
      await file.write(piece, offset);
      offset += piece.length;
    }
    await file.flush();
  } finally {
    await file.close();
  }
}

async function removeIfThere(folder: DiskFolder, name: string): Promise<void> {
  try {
    await folder.remove(name);
  } catch (error) {
    if (diskErrorKind(error) !== "not-found") throw error;
  }
}

// Files and folders of this machine as the source of a backup: a folder and all below it, or one
// file. Links are kept as links and never followed; holes are kept as holes.
//
// A file's fingerprint is its device, inode, size, and times of change and modification: what a
// program cannot change without changing one of them (the time of change is the kernel's own).
// Sockets, pipes and devices are left out and named, as is what may not be read. Not kept: extended
// attributes, for Node has no call for them; they are not looked for.

import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { EntryKind } from "../core/vault/entry.ts";
import type {
  SourceEntry,
  SourceListing,
  SourcePiece,
  SourceReader,
  TreeSource,
} from "../ports/tree-source.ts";
import { byteName, codeOf, inFolder, within } from "./inside-root.ts";

/** Zeros of a file with holes are looked for in pieces of this size. */
const holeBytes = 65_536;
const batch = 64;
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const vanishedCodes: readonly string[] = ["ENOENT", "ENOTDIR", "ELOOP"];

export interface FileTreeOptions {
  readonly name: string;
  /** Absolute. A folder, or a file: then the tree is a folder with that file. */
  readonly path: string;
  /** Paths below the root that are passed over: "cache", "a/b". */
  readonly exclude: readonly string[];
}

export function createFileTreeSource(options: FileTreeOptions): TreeSource {
  return new FileTreeSource(options);
}

class FileTreeSource implements TreeSource {
  readonly name: string;
  readonly #options: FileTreeOptions;
  #root: { readonly folder: string; readonly only?: string } | undefined;

  constructor(options: FileTreeOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async list(path: readonly string[]): Promise<SourceListing | undefined> {
    return this.#unlessVanished(async () => {
      const { folder, only } = await this.#place();
      return inFolder(folder, path, async (handle) => {
        const all = only === undefined ? await namesIn(handle) : [only];
        const names = all.filter((name) => !this.#isExcluded([...path, name]));
        const entries: SourceEntry[] = [];
        const left: { name: string; reason: string }[] = [];
        for (let from = 0; from < names.length; from += batch) {
          const found = await Promise.all(
            names.slice(from, from + batch).map((name) => entryOf(handle, name)),
          );
          for (const each of found) {
            if (each === undefined) continue;
            if ("reason" in each) left.push(each);
            else entries.push(each);
          }
        }
        return { entries, left };
      });
    });
  }

  async read(path: readonly string[]): Promise<SourceReader | undefined> {
    return this.#unlessVanished(async () => {
      const name = path.at(-1) ?? "";
      const { folder } = await this.#place();
      return inFolder(folder, path.slice(0, -1), async (handle) => {
        const file = await open(within(handle, name), readFlags);
        const { size, blocks } = await file.stat();
        return new FileReader(file, blocks * 512 < size);
      });
    });
  }

  async close(): Promise<void> {
    // Nothing is held between calls.
  }

  async #place(): Promise<{ readonly folder: string; readonly only?: string }> {
    if (this.#root !== undefined) return this.#root;
    const { path } = this.#options;
    const found = await lstat(path);
    const only = Buffer.from(basename(path)).toString("latin1");
    this.#root = found.isFile() ? { folder: dirname(path), only } : { folder: path };
    return this.#root;
  }

  #isExcluded(path: readonly string[]): boolean {
    return this.#options.exclude.includes(path.join("/"));
  }

  async #unlessVanished<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (vanishedCodes.includes(codeOf(error))) return undefined;
      throw error;
    }
  }
}

async function namesIn(folder: FileHandle): Promise<readonly string[]> {
  const names = await readdir(`/proc/self/fd/${folder.fd}`, { encoding: "buffer" });
  return names.map(byteName).sort((a, b) => (a < b ? -1 : 1));
}

type Left = SourceListing["left"][number];

/** Undefined when it has vanished. */
async function entryOf(folder: FileHandle, name: string): Promise<SourceEntry | Left | undefined> {
  try {
    const path = within(folder, name);
    const stat = await lstat(path, { bigint: true });
    const kind = kindOf(stat);
    if (kind === undefined) return { name, reason: "a socket, a pipe or a device" };
    const pointsTo = kind === "link" ? byteName(await readlink(path, "buffer")) : "";
    const isShared = kind === "file" && stat.nlink > 1n;
    return {
      name,
      kind,
      facts: {
        mode: Number(stat.mode & 0o7777n),
        userId: Number(stat.uid),
        groupId: Number(stat.gid),
        modifiedNs: stat.mtimeNs,
        attributes: [],
      },
      sizeBytes: kind === "file" ? Number(stat.size) : 0,
      pointsTo,
      fingerprint: kind === "file" ? fingerprintOf(stat) : "",
      sameFile: isShared ? `${stat.dev}:${stat.ino}` : "",
    };
  } catch (error) {
    if (vanishedCodes.includes(codeOf(error))) return undefined;
    return { name, reason: error instanceof Error ? error.message : String(error) };
  }
}

function kindOf(stat: BigIntStats): EntryKind | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "folder";
  return stat.isSymbolicLink() ? "link" : undefined;
}

function fingerprintOf({ dev, ino, size, ctimeNs, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, ctimeNs, mtimeNs].join(":");
}

class FileReader implements SourceReader {
  readonly #file: FileHandle;
  readonly #hasHoles: boolean;
  #at = 0;

  constructor(file: FileHandle, hasHoles: boolean) {
    this.#file = file;
    this.#hasHoles = hasHoles;
  }

  async next(into: Uint8Array): Promise<SourcePiece> {
    const most = this.#hasHoles ? Math.min(into.length, holeBytes) : into.length;
    const { bytesRead } = await this.#file.read(into, 0, most, this.#at);
    if (bytesRead === 0) return { kind: "end" };
    this.#at += bytesRead;
    const isHole = this.#hasHoles && bytesRead === holeBytes && isZero(into, bytesRead);
    return { kind: isHole ? "hole" : "bytes", length: bytesRead };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function isZero(bytes: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at++) if (bytes[at] !== 0) return false;
  return true;
}

// Files and folders of this machine as the source of a backup: a folder and all below it, or one
// file. Links are kept as links and never followed; holes are kept as holes.
//
// A file's fingerprint is its device, inode, size, and times of change and modification: what a
// program cannot change without changing one of them (the time of change is the kernel's own).
// Sockets, pipes and devices are left out and named, as is what may not be read. Extended
// attributes are kept where the tools for them are installed (attributes.ts).

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { NinesError } from "../core/base/errors.ts";
import {
  type ByteName,
  type EntryKind,
  type ExtendedAttribute,
  keptTimeNs,
  sayName,
} from "../core/vault/entry.ts";
import type {
  LeftOut,
  SourceEntry,
  SourceListing,
  SourcePiece,
  SourceReader,
  TreeSource,
} from "../ports/tree-source.ts";
import { type ReadAttributes, readAttributes } from "./attributes.ts";
import { codeOf } from "./error-code.ts";
import { byteName, InsideRoot, within } from "./inside-root.ts";

/** Zeros of a file with holes are looked for in pieces of this size. */
const holeBytes = 65_536;
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const vanishedCodes: readonly string[] = ["ENOENT", "ENOTDIR", "ELOOP"];
const refusedCodes: readonly string[] = ["EACCES", "EPERM"];

export interface FileTreeOptions {
  readonly name: string;
  /** Absolute. A folder, or a file: then the tree is a folder with that file. */
  readonly path: string;
  /** Paths below the root that are passed over, as bytes: "cache", "a/b". */
  readonly exclude: readonly ByteName[];
  /**
   * Folders that keep the vault itself, by `identityOf`: left out wherever the walk meets one,
   * for each backup would hold all those before it.
   */
  readonly own?: ReadonlySet<string>;
  /** Such folders by their paths below the root: the disk, which may hang, is not asked. */
  readonly ownPaths?: readonly ByteName[];
}

const nothing: ReadonlySet<string> = new Set();
const ownReason = "a target of the vault itself";

/** The same by whatever path, link or mount it is reached. */
export function identityOf({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

export function createFileTreeSource(options: FileTreeOptions): TreeSource {
  return new FileTreeSource(options);
}

interface Place {
  readonly inside: InsideRoot;
  readonly folder: string;
  /** The one name of it that is backed up. */
  readonly only?: string;
}

class FileTreeSource implements TreeSource {
  readonly name: string;
  readonly #options: FileTreeOptions;
  readonly #notMet: Set<ByteName>;
  #root: Place | undefined;
  #attributes: ReadAttributes | undefined;

  constructor(options: FileTreeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#notMet = new Set(options.exclude);
  }

  async list(path: readonly string[]): Promise<SourceListing | undefined> {
    const there = this.#unlessVanished(path, () => this.#place());
    if (there === undefined) return undefined;
    const { inside, only, folder: root } = there;
    this.#attributes ??= await readAttributes(root, only);
    const { attributes } = this.#attributes;
    const { exclude, ownPaths, own = nothing } = this.#options;
    return this.#unlessVanished(path, () => {
      const folder = inside.folder(path);
      const entries: SourceEntry[] = [];
      const left: LeftOut[] = [];
      for (const name of only === undefined ? namesIn(folder) : [only]) {
        const inner = [...path, name].join("/");
        if (exclude.includes(inner)) {
          this.#meet(inner);
          continue;
        }
        if (ownPaths?.includes(inner) === true) {
          left.push({ name, reason: ownReason, isOwn: true });
          continue;
        }
        const found = entryOf(folder, name, attributes.get(inner) ?? [], own);
        if (found === undefined) continue;
        if ("reason" in found) left.push(found);
        else entries.push(found);
      }
      return { entries, left };
    });
  }

  async read(path: readonly string[]): Promise<SourceReader | undefined> {
    return this.#unlessVanished(path, () => {
      const folder = this.#place().inside.folder(path.slice(0, -1));
      const file = openSync(within(folder, path.at(-1) ?? ""), readFlags);
      const { size, blocks } = fstatSync(file);
      return new FileReader(file, blocks * 512 < size);
    });
  }

  async confirm(): Promise<void> {}

  notKept(): readonly string[] {
    const missing = this.#attributes?.missing;
    return missing === undefined ? [] : [`extended attributes and ACLs: ${missing}`];
  }

  notMet(): readonly string[] {
    return [...this.#notMet].map((path) => `exclude ${sayName(path)}`);
  }

  /** What is below it is left out with it, whether it is there or not. */
  #meet(excluded: string): void {
    for (const path of this.#notMet) {
      if (path === excluded || path.startsWith(`${excluded}/`)) this.#notMet.delete(path);
    }
  }

  async close(): Promise<void> {
    this.#root?.inside.close();
  }

  #place(): Place {
    if (this.#root !== undefined) return this.#root;
    const { path } = this.#options;
    const only = Buffer.from(basename(path)).toString("latin1");
    const isFile = lstatSync(path).isFile();
    const folder = isFile ? dirname(path) : path;
    this.#root = { inside: new InsideRoot(folder), folder, ...(isFile ? { only } : {}) };
    return this.#root;
  }

  #unlessVanished<T>(path: readonly string[], run: () => T): T | undefined {
    try {
      return run();
    } catch (cause) {
      const code = codeOf(cause);
      if (vanishedCodes.includes(code)) return undefined;
      if (!refusedCodes.includes(code)) throw cause;
      const where = [this.#options.path, ...path.map(sayName)].join("/");
      throw new NinesError("NINES_BACKUP_SOURCE", `${where} may not be read (${code}).`, { cause });
    }
  }
}

function namesIn(folder: number): readonly string[] {
  const names = readdirSync(`/proc/self/fd/${folder}`, { encoding: "buffer" });
  return names.map(byteName).sort((a, b) => (a < b ? -1 : 1));
}

/** Undefined when it has vanished. */
function entryOf(
  folder: number,
  name: string,
  attributes: readonly ExtendedAttribute[],
  own: ReadonlySet<string>,
): SourceEntry | LeftOut | undefined {
  try {
    const path = within(folder, name);
    const stat = lstatSync(path, { bigint: true });
    const kind = kindOf(stat);
    if (kind === undefined) return { name, reason: "a socket, a pipe or a device" };
    if (kind === "folder" && own.has(identityOf(stat))) {
      return { name, reason: ownReason, isOwn: true };
    }
    const pointsTo = kind === "link" ? byteName(readlinkSync(path, "buffer")) : "";
    const isShared = kind === "file" && stat.nlink > 1n;
    return {
      name,
      kind,
      facts: {
        mode: Number(stat.mode & 0o7777n),
        userId: Number(stat.uid),
        groupId: Number(stat.gid),
        modifiedNs: keptTimeNs(stat.mtimeNs),
        attributes,
      },
      sizeBytes: kind === "file" ? Number(stat.size) : 0,
      pointsTo,
      fingerprint: kind === "file" ? fingerprintOf(stat) : "",
      sameFile: isShared ? identityOf(stat) : "",
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
  readonly #file: number;
  readonly #hasHoles: boolean;
  #at = 0;

  constructor(file: number, hasHoles: boolean) {
    this.#file = file;
    this.#hasHoles = hasHoles;
  }

  async next(into: Uint8Array): Promise<SourcePiece> {
    const most = this.#hasHoles ? Math.min(into.length, holeBytes) : into.length;
    const bytesRead = readSync(this.#file, into, 0, most, this.#at);
    if (bytesRead === 0) return { kind: "end" };
    this.#at += bytesRead;
    const isHole = this.#hasHoles && bytesRead === holeBytes && isZero(into, bytesRead);
    return { kind: isHole ? "hole" : "bytes", length: bytesRead };
  }

  async close(): Promise<void> {
    closeSync(this.#file);
  }
}

function isZero(bytes: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at++) if (bytes[at] !== 0) return false;
  return true;
}

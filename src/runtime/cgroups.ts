// Memory limits that the kernel enforces: one cgroup an instance, `nines/OWNER/INSTANCE`.
//
// Version 1 (a `memory` hierarchy) and version 2 (one hierarchy, controllers switched on per level)
// are both served; which one holds `memory` is read from /proc. Ours hangs below our own cgroup, so
// that whatever limits us limits it too. Version 2 forbids that where processes live (a cgroup
// holds either processes or controlled children), and then the nearest level above that lets us is
// taken. Swap is limited along with memory, or the limit would only make the instance slow.
//
// Invariant: files here are opened, never made. On a cgroup file system the kernel makes them with
// their folder, and a missing one says "not offered".
// Rejected: systemd-run (a scope of systemd's dies with its rules, and many containers have none),
// RLIMIT_AS (it counts what is reserved, of which garbage collectors reserve plenty).

import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

export interface MemoryCgroup {
  /** Moves a process in; what it starts from then on stays in. */
  add(pid: number): void;
  has(pid: number): boolean;
  /** How many processes the kernel has killed here for want of memory. */
  outOfMemoryKills(): number;
  exists(): boolean;
  /** Takes the folder away; false while processes are left in it. */
  remove(): boolean;
}

export interface MemoryCgroups {
  /** A cgroup with this limit, or why there is none. */
  create(name: string, memoryBytes: number): MemoryCgroup | { readonly refused: string };
  /** The one of this name that the process is in. */
  find(name: string, pid: number): MemoryCgroup | undefined;
}

/** The files of /proc that say where cgroups are. Given by tests, else our own. */
export interface CgroupSources {
  readonly mountInfo: string;
  readonly ownCgroups: string;
  readonly cgroupsOf: (pid: number) => string;
}

interface Hierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** Which part of the hierarchy the mount shows. */
  readonly mountRoot: string;
}

/** `owner` tells this Nines' cgroups from another's on the same machine. */
export function createMemoryCgroups(owner: string, given?: CgroupSources): MemoryCgroups {
  const sources = given ?? readSources();
  const hierarchies = findHierarchies(sources.mountInfo);
  const below = ["nines", owner];

  function create(name: string, memoryBytes: number): MemoryCgroup | { refused: string } {
    const reasons: string[] = [];
    for (const hierarchy of hierarchies) {
      for (const parent of candidates(hierarchy, sources.ownCgroups)) {
        const made = tryCreate(hierarchy.version, [parent, ...below, name], memoryBytes);
        if (!("refused" in made)) return made;
        reasons.push(made.refused);
      }
    }
    return { refused: reasons[0] ?? "no cgroup file system is mounted" };
  }

  function find(name: string, pid: number): MemoryCgroup | undefined {
    for (const hierarchy of hierarchies) {
      const path = pathIn(hierarchy, sources.cgroupsOf(pid));
      const mine = `/${[...below, name].join("/")}`;
      if (path?.endsWith(mine) === true) return openCgroup(hierarchy.version, path);
    }
    return undefined;
  }

  return { create, find };
}

function readSources(): CgroupSources {
  return {
    mountInfo: readOr("/proc/self/mountinfo", ""),
    ownCgroups: readOr("/proc/self/cgroup", ""),
    cgroupsOf: (pid) => readOr(`/proc/${pid}/cgroup`, ""),
  };
}

/** Version 1 first: where both are mounted and it has `memory`, version 2 does not. */
function findHierarchies(mountInfo: string): readonly Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of mountInfo.split("\n")) {
    // "36 35 0:31 ROOT MOUNTPOINT OPTIONS … - TYPE SOURCE SUPEROPTIONS"
    const [before = "", after = ""] = line.split(" - ");
    const [, , , mountRoot, mountPoint] = before.split(" ");
    const [type, , superOptions = ""] = after.split(" ");
    if (mountRoot === undefined || mountPoint === undefined) continue;
    if (type === "cgroup2") found.push({ version: 2, mountRoot, mountPoint });
    if (type === "cgroup" && superOptions.split(",").includes("memory")) {
      found.push({ version: 1, mountRoot, mountPoint });
    }
  }
  return found.sort((one, other) => one.version - other.version);
}

/** Where a process's cgroup of this hierarchy is in the file system, by its /proc/PID/cgroup. */
function pathIn(hierarchy: Hierarchy, cgroups: string): string | undefined {
  for (const line of cgroups.split("\n")) {
    const [, controllers, ...rest] = line.split(":");
    const wanted =
      hierarchy.version === 2 ? controllers === "" : controllers?.split(",").includes("memory");
    if (wanted !== true) continue;
    const cgroup = rest.join(":");
    const root = hierarchy.mountRoot === "/" ? "" : hierarchy.mountRoot;
    // In a container the mount may show another part than the one we are told to be in.
    const inside = cgroup === root || cgroup.startsWith(`${root}/`);
    return join(hierarchy.mountPoint, inside ? cgroup.slice(root.length) : "");
  }
  return undefined;
}

/** Our own cgroup, then each above it up to the mount. */
function candidates(hierarchy: Hierarchy, ownCgroups: string): readonly string[] {
  const own = pathIn(hierarchy, ownCgroups);
  if (own === undefined) return [];
  const paths: string[] = [];
  for (let path = own; path.startsWith(hierarchy.mountPoint); path = join(path, "..")) {
    paths.push(path);
    if (path === hierarchy.mountPoint || path === `${hierarchy.mountPoint}/`) break;
  }
  return paths;
}

function tryCreate(
  version: 1 | 2,
  levels: readonly string[],
  memoryBytes: number,
): MemoryCgroup | { refused: string } {
  let path = "";
  try {
    for (const level of levels) {
      // What is above this level must pass `memory` on to it.
      if (version === 2 && path !== "") passMemoryOn(path);
      path = join(path, level);
      if (path !== levels[0]) makeFolder(path);
    }
    limit(version, path, memoryBytes);
    return openCgroup(version, path);
  } catch (error) {
    // Levels that we made for nothing go; those that hold something stay.
    while (path !== levels[0] && removeFolder(path)) path = join(path, "..");
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}

function passMemoryOn(path: string): void {
  const on = readFileSync(join(path, "cgroup.subtree_control"), "utf8").trim().split(" ");
  if (!on.includes("memory")) put(join(path, "cgroup.subtree_control"), "+memory");
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

function limit(version: 1 | 2, path: string, memoryBytes: number): void {
  if (version === 2) {
    put(join(path, "memory.max"), `${memoryBytes}`);
    putIfOffered(join(path, "memory.swap.max"), "0");
    // One process killed would leave a service in pieces: the whole instance ends.
    putIfOffered(join(path, "memory.oom.group"), "1");
    return;
  }
  // Memory with swap may never be below memory: the old value goes before a larger one comes.
  putIfOffered(join(path, "memory.memsw.limit_in_bytes"), "-1");
  put(join(path, "memory.limit_in_bytes"), `${memoryBytes}`);
  if (!putIfOffered(join(path, "memory.memsw.limit_in_bytes"), `${memoryBytes}`)) {
    putIfOffered(join(path, "memory.swappiness"), "0");
  }
}

function openCgroup(version: 1 | 2, path: string): MemoryCgroup {
  const counter = join(path, version === 2 ? "memory.events" : "memory.oom_control");
  const count = (): number => Number(/^oom_kill (\d+)$/m.exec(readOr(counter, ""))?.[1] ?? 0);
  // A folder that an earlier instance left behind has its kills.
  const before = count();
  const members = (): readonly string[] => readOr(join(path, "cgroup.procs"), "").split("\n");
  return {
    add: (pid) => put(join(path, "cgroup.procs"), `${pid}`),
    has: (pid) => members().includes(`${pid}`),
    exists: () => existsSync(path),
    outOfMemoryKills: () => count() - before,
    remove() {
      if (!removeFolder(path)) return false;
      removeFolder(join(path, ".."));
      return true;
    },
  };
}

/** True when it is gone. */
function removeFolder(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}

function put(path: string, text: string): void {
  const descriptor = openSync(path, constants.O_WRONLY);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function putIfOffered(path: string, text: string): boolean {
  try {
    put(path, text);
    return true;
  } catch {
    return false;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}

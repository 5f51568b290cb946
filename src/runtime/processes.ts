// The processes port on Node (ports/processes.ts): what is started leads a session of its own,
// writes to a file, and is watched without being held.
//
// One that we started is our child, and the kernel tells us of its end with its exit code. One that
// we adopted is init's, and its end is seen by looking for it five times a second. A program's end
// is not always its group's: signals reach what it left behind until the group has been seen empty.

import type { ChildProcess } from "node:child_process";
import { assert } from "../core/base/assert.ts";
import { NinesError } from "../core/base/errors.ts";
import type {
  ExitReport,
  ProcessIdentity,
  Processes,
  RunningProcess,
  StartRequest,
} from "../ports/processes.ts";
import { createMemoryCgroups, type MemoryCgroup, type MemoryCgroups } from "./cgroups.ts";
import { type Launched, planLaunch, spawnGate } from "./launch.ts";
import {
  endOrphans,
  killElsewhere,
  membersOf,
  residentBytesOf,
  signalGroup,
} from "./process-group.ts";
import { identify, isRunning, type ProcessStat, readAllProcessStats } from "./process-identity.ts";

const lookIntervalMs = 200;
/** One walk over all processes serves every instance that is sampled within this time. */
const walkAgeMsMax = 500;
/** And every one that is signalled within this. */
const signalWalkAgeMsMax = 50;

export interface ProcessesOptions {
  /** Tells our cgroups from those of another Nines: the state directory's id. */
  readonly owner: string;
  readonly memoryCgroups?: MemoryCgroups;
}

export function createProcesses(options: ProcessesOptions): Processes {
  const cgroups = options.memoryCgroups ?? createMemoryCgroups(options.owner);
  const watcher = createWatcher();
  return {
    start: (request) => start(request, cgroups, watcher),
    adopt(identity, name) {
      if (isRunning(identity)) {
        return new Watched(identity, cgroups.find(name, identity.pid), watcher, undefined);
      }
      endOrphans(identity, name);
      return undefined;
    },
  };
}

async function start(
  request: StartRequest,
  cgroups: MemoryCgroups,
  watcher: Watcher,
): Promise<RunningProcess> {
  assert(/^[A-Za-z0-9_-]+$/.test(request.name), "the name of a process fits a cgroup's");
  const launched = await spawnGate(planLaunch(request));
  const identity = identify(launched.pid);
  let cgroup: MemoryCgroup | undefined;
  try {
    if (identity === undefined) throw tooEarly(request);
    cgroup = confine(request, cgroups, launched.pid);
    request.announce?.(identity);
    await launched.release();
    return new Watched(identity, cgroup, watcher, launched.child);
  } catch (error) {
    await abandon(launched, identity);
    cgroup?.remove();
    throw error;
  }
}

function confine(
  request: StartRequest,
  cgroups: MemoryCgroups,
  pid: number,
): MemoryCgroup | undefined {
  if (request.memoryBytes === undefined) return undefined;
  const made = cgroups.create(request.name, request.memoryBytes);
  if ("refused" in made) return undefined;
  try {
    made.add(pid);
    return made;
  } catch {
    // The limit is then kept by sampling, as on a machine without cgroups.
    made.remove();
    return undefined;
  }
}

function tooEarly(request: StartRequest): NinesError {
  return new NinesError("NINES_PROCESS_START", `${request.name} ended before it ran.`);
}

async function abandon(launched: Launched, identity: ProcessIdentity | undefined): Promise<void> {
  const { child } = launched;
  const ended = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("exit", () => resolve());
  });
  if (identity !== undefined) signalGroup(identity, "SIGKILL");
  child.stdio[3]?.destroy();
  // A process that the kernel cannot end (asleep in a dead disk) must not hold us up.
  const enough = new Promise<void>((resolve) => setTimeout(resolve, 500).unref());
  await Promise.race([ended, enough]);
}

class Watched implements RunningProcess {
  readonly identity: ProcessIdentity;
  readonly #cgroup: MemoryCgroup | undefined;
  readonly #watcher: Watcher;
  readonly #child: ChildProcess | undefined;
  readonly #listeners: ((report: ExitReport) => void)[] = [];
  #report: ExitReport | undefined;
  #endedAtMs = 0;
  /** Whatever is left of the group is to end: seen again at each look. */
  #killed = false;
  #groupGone = false;
  #released = false;

  constructor(
    identity: ProcessIdentity,
    cgroup: MemoryCgroup | undefined,
    watcher: Watcher,
    child: ChildProcess | undefined,
  ) {
    this.identity = identity;
    this.#cgroup = cgroup;
    this.#watcher = watcher;
    this.#child = child;
    if (child === undefined) watcher.add(this);
    else if (child.exitCode !== null || child.signalCode !== null) this.#end(this.#childReport());
    else child.once("exit", () => this.#end(this.#childReport()));
  }

  get memoryEnforced(): boolean {
    return this.#cgroup !== undefined;
  }

  onExit(listener: (report: ExitReport) => void): void {
    const report = this.#report;
    if (report === undefined) this.#listeners.push(listener);
    else queueMicrotask(() => this.#released || listener(report));
  }

  signal(signal: "SIGTERM" | "SIGKILL"): boolean {
    if (this.#groupGone) return false;
    if (signal === "SIGKILL") this.#killed = true;
    const walk = () => this.#watcher.processes(performance.now() - signalWalkAgeMsMax);
    return signalGroup(this.identity, signal, walk);
  }

  residentBytes(): number | undefined {
    if (this.#groupGone) return undefined;
    const walk = this.#watcher.processes(performance.now() - walkAgeMsMax);
    let members = membersOf(this.identity, walk);
    // Younger than the last walk, or ended: a new one tells.
    if (members.length === 0) members = membersOf(this.identity);
    return members.length === 0 ? undefined : residentBytesOf(members);
  }

  release(): void {
    this.#released = true;
    this.#listeners.length = 0;
    // Of one that has ended only the cgroup is left to us, as long as something dies in it.
    const cleared = this.#report === undefined || this.#cgroup?.remove() !== false;
    if (cleared) this.#watcher.remove(this);
    this.#child?.unref();
  }

  /** Called by the watcher while the process is adopted, or its group lingers. */
  look(): void {
    if (this.#report === undefined) {
      if (!isRunning(this.identity)) this.#end({ kind: "unknown" });
    } else {
      this.#lookAtRest();
    }
  }

  /** What is left after its end. A group that was seen empty since then stays so. */
  #lookAtRest(): void {
    const notBeforeMs = Math.max(this.#endedAtMs, performance.now() - lookIntervalMs / 2);
    const members = membersOf(this.identity, this.#watcher.processes(notBeforeMs));
    if (this.#killed && members.length > 0) killElsewhere(this.identity, members);
    if (members.length > 0) return;
    this.#groupGone = true;
    this.#cgroup?.remove();
    this.#watcher.remove(this);
  }

  #end(report: ExitReport): void {
    this.#report = report;
    this.#endedAtMs = performance.now();
    // Until the group is seen empty its number is still ours.
    if (!this.#released) this.#watcher.add(this);
    for (const listener of this.#listeners.splice(0)) listener(report);
  }

  #childReport(): ExitReport {
    const { exitCode, signalCode } = this.#child ?? {};
    if (signalCode === null || signalCode === undefined) {
      return { kind: "exited", code: exitCode ?? 0 };
    }
    const outOfMemory = signalCode === "SIGKILL" && (this.#cgroup?.outOfMemoryKills() ?? 0) > 0;
    return { kind: "signalled", signal: signalCode, outOfMemory };
  }
}

interface Watcher {
  add(watched: Watched): void;
  remove(watched: Watched): void;
  /** All processes, as they were at this time or later. */
  processes(notBeforeMs: number): readonly ProcessStat[];
}

function createWatcher(): Watcher {
  const all = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;
  let walk: readonly ProcessStat[] = [];
  let walkedAtMs = Number.NEGATIVE_INFINITY;
  return {
    add(watched) {
      all.add(watched);
      timer ??= setInterval(() => {
        for (const one of all) one.look();
      }, lookIntervalMs);
    },
    remove(watched) {
      all.delete(watched);
      if (all.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    processes(notBeforeMs) {
      if (walkedAtMs < notBeforeMs) {
        walkedAtMs = performance.now();
        walk = readAllProcessStats();
      }
      return walk;
    },
  };
}

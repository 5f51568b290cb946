// Starting, watching and ending programs.
//
// Promise that everything rests on: a started process depends on nothing of ours. It is its own
// session and process group, its output goes to an append-only file, and no pipe ties it to us. It
// outlives us, and `adopt` finds it again by pid *and* start time (a pid alone may have been
// reused).

export interface ProcessIdentity {
  readonly pid: number;
  /**
   * When the kernel says it started (field 22 of /proc/PID/stat) and in which boot, as opaque text:
   * a pid and its ticks since boot come again after a reboot, and records outlive reboots.
   */
  readonly startTime: string;
}

export interface StartRequest {
  /** Program and arguments; a program without a slash is looked up in PATH. */
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** The whole environment: nothing is inherited beyond it; PWD is the working directory. */
  readonly environment: Readonly<Record<string, string>>;
  /** Standard output and error are appended here; created with mode 0640 if missing. */
  readonly logFile: string;
  /** User name or id to run as; needs root. */
  readonly user?: string;
  /** Open files, by `ulimit -n` in an exec'ing shell. */
  readonly openFiles?: number;
  /** Bytes of memory; enforced by a cgroup where one can be made, else sampled by its watcher. */
  readonly memoryBytes?: number;
  /** Names the cgroup; letters, digits, dash and underscore. */
  readonly name: string;
  /**
   * Called when the process exists and before the program runs: write its identity down here, and a
   * caller that is killed at any point leaves either a known process or none. A throw cancels the
   * start, which rejects with it.
   */
  readonly announce?: (identity: ProcessIdentity) => void;
}

export type ExitReport =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: string; readonly outOfMemory: boolean }
  /** It was adopted, not started, by this control: the kernel tells its code to nobody. */
  | { readonly kind: "unknown" };

export interface RunningProcess {
  readonly identity: ProcessIdentity;
  /** Whether the kernel enforces `memoryBytes`; false means that someone must sample. */
  readonly memoryEnforced: boolean;
  /** Called once, when it has ended. At most 250 ms late for an adopted process. */
  onExit(listener: (report: ExitReport) => void): void;
  /**
   * Sends a signal to its whole process group. False when nothing is left of it. Works after the
   * exit was reported as well: children that the program left behind are still its group.
   * Never reaches a process that merely reuses the pid.
   */
  signal(signal: "SIGTERM" | "SIGKILL"): boolean;
  /** Resident bytes of its process group now, or undefined when it has ended. */
  residentBytes(): number | undefined;
  /** Stops watching; the process goes on. */
  release(): void;
}

export interface Processes {
  /**
   * Resolves when the program runs (its exec succeeded).
   * Rejects with NINES_PROCESS_NOT_FOUND, NINES_PROCESS_NOT_ALLOWED or NINES_PROCESS_START, within
   * 5 s.
   */
  start(request: StartRequest): Promise<RunningProcess>;
  /**
   * The process with this identity, or undefined when it no longer runs (a zombie does not run). Of
   * one that has ended unwatched, what is left of its group and has NINES_INSTANCE=`name` is ended.
   */
  adopt(identity: ProcessIdentity, name: string): RunningProcess | undefined;
}

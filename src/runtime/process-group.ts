// A session of processes: the one that we started, which leads it, and all that it started.
//
// The pid of the leader names the group for as long as one member lives, and the kernel gives that
// number to no new process before: so a group whose leader runs with the right start time, or is
// gone while members stayed, is ours. Once it was seen empty the number may be anybody's (`gone`).
// Rejected: following parents upwards (a daemon's parent is init), pidfd (Node has none).

import { readFileSync } from "node:fs";
import type { ProcessIdentity } from "../ports/processes.ts";
import {
  isRunning,
  type ProcessStat,
  readAllProcessStats,
  readProcessStat,
  runs,
} from "./process-identity.ts";

/** The processes of this session that run now; empty as well when the pid is another's by now. */
export function membersOf(
  identity: ProcessIdentity,
  processes: readonly ProcessStat[] = readAllProcessStats(),
): readonly ProcessStat[] {
  const leader = readProcessStat(identity.pid);
  if (leader !== undefined && leader.startTime !== identity.startTime) return [];
  return processes.filter((stat) => stat.session === identity.pid && runs(stat));
}

/**
 * False when nothing is left to signal. `walk` gives all processes as they were a moment ago: to
 * end a hundred instances must not be a hundred walks over /proc in one turn. A leader that runs is
 * asked to end without any.
 */
export function signalGroup(
  identity: ProcessIdentity,
  signal: "SIGTERM" | "SIGKILL",
  walk: () => readonly ProcessStat[] = readAllProcessStats,
): boolean {
  const leader = readProcessStat(identity.pid);
  const leads = leader !== undefined && leader.startTime === identity.startTime && runs(leader);
  const listed = leads && signal === "SIGTERM" ? [] : membersOf(identity, walk());
  const members = listed.filter((stat) => isRunning(stat));
  if (!leads && members.length === 0) return false;
  send(-identity.pid, signal);
  // A stopped process could not hear the request to end.
  if (signal === "SIGTERM") send(-identity.pid, "SIGCONT");
  if (signal === "SIGKILL") killElsewhere(identity, members);
  return true;
}

/**
 * A shell with job control puts its children into groups of their own: the end is for them, too. A
 * pid of the walk that is another's by now is left alone.
 */
export function killElsewhere(identity: ProcessIdentity, members: readonly ProcessStat[]): void {
  for (const stat of members) {
    if (stat.processGroup !== identity.pid && isRunning(stat)) send(stat.pid, "SIGKILL");
  }
}

/**
 * Ends what a process that died unwatched has left of its session. Nobody held its pid meanwhile,
 * so each member must itself say that it is of this instance.
 */
export function endOrphans(identity: ProcessIdentity, instance: string): void {
  const leader = readProcessStat(identity.pid);
  if (leader !== undefined && runs(leader)) return;
  for (const stat of membersOf(identity)) {
    if (environmentOf(stat.pid).includes(`NINES_INSTANCE=${instance}`)) send(stat.pid, "SIGKILL");
  }
}

/**
 * Memory that would be free without these processes, nearly: the programs and libraries that they
 * share count once. Elsewhere than on Linux it is not known, and 0.
 */
export function residentBytesOf(members: readonly ProcessStat[]): number {
  let ownKib = 0;
  let filesKibMax = 0;
  for (const { pid } of members) {
    const status = readOr(`/proc/${pid}/status`);
    const kib = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
    ownKib += kib("RssAnon") + kib("RssShmem");
    filesKibMax = Math.max(filesKibMax, kib("RssFile"));
  }
  return (ownKib + filesKibMax) * 1024;
}

export interface FoundLeader {
  readonly identity: ProcessIdentity;
  /** What it was started with. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The leader of a session that was started with all of these variables. Of several the oldest: what
 * it starts has its variables as well, and may lead a session of its own. Elsewhere than on Linux
 * no process tells its variables, and none is found.
 */
export function findLeader(wanted: Readonly<Record<string, string>>): FoundLeader | undefined {
  const lines = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
  const found = readAllProcessStats()
    .filter((stat) => stat.session === stat.pid && runs(stat))
    .map((stat) => ({ stat, environment: environmentOf(stat.pid) }))
    .filter(({ environment }) => lines.every((line) => environment.includes(line)))
    .sort((a, b) => Number.parseInt(a.stat.startTime, 10) - Number.parseInt(b.stat.startTime, 10));
  const oldest = found[0];
  if (oldest === undefined) return undefined;
  const pairs = oldest.environment.map((line) => line.split(/=(.*)/s, 2) as [string, string]);
  const { pid, startTime } = oldest.stat;
  return { identity: { pid, startTime }, environment: Object.fromEntries(pairs) };
}

function environmentOf(pid: number): readonly string[] {
  return readOr(`/proc/${pid}/environ`).split("\0");
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // Ended meanwhile, which is what was wanted.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

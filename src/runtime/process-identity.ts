// Which process is this? A pid is reused; pid, start time and boot together are not.
//
// On Linux all comes from /proc/PID/stat. Its second field is the program's name in parentheses,
// and the name may itself hold spaces and parentheses: everything is counted from the *last* `)`. A
// zombie has ended and only waits to be collected, which under a careless init takes for ever: it
// does not run. A stopped process does. Elsewhere `ps` answers, in seconds instead of ticks.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { ProcessIdentity } from "../ports/processes.ts";

export interface ProcessStat {
  readonly pid: number;
  /** One letter: R running, S sleeping, T stopped, Z zombie, … */
  readonly state: string;
  readonly processGroup: number;
  readonly session: number;
  readonly startTime: string;
}

const isLinux = process.platform === "linux";
const psDeadlineMs = 2_000;
/** Distinguishes boots; eight hex digits of the kernel's random id are plenty. */
const boot = isLinux ? readText("/proc/sys/kernel/random/boot_id").slice(0, 8) : "";

/** The identity of a process that runs now, or undefined. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readProcessStat(pid);
  return stat === undefined || !runs(stat) ? undefined : { pid, startTime: stat.startTime };
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

export function runs(stat: ProcessStat): boolean {
  return stat.state !== "Z" && stat.state !== "X" && stat.state !== "x";
}

/** What the kernel says of this pid, zombies included; undefined when there is none. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  if (!Number.isInteger(pid) || pid < 1) return undefined;
  if (!isLinux) return readPs(["-p", String(pid)])[0];
  const text = readText(`/proc/${pid}/stat`);
  return text === "" ? undefined : parseProcStat(text, boot);
}

/** Every process of the machine that we may see, zombies included. */
export function readAllProcessStats(): readonly ProcessStat[] {
  if (!isLinux) return readPs(["-A"]);
  const stats: ProcessStat[] = [];
  for (const name of readdirSync("/proc")) {
    const first = name.charCodeAt(0);
    if (first < 0x31 || first > 0x39) continue;
    const stat = readProcessStat(Number(name));
    if (stat !== undefined) stats.push(stat);
  }
  return stats;
}

/** Parses one line of /proc/PID/stat; undefined for anything else. */
export function parseProcStat(text: string, bootId: string): ProcessStat | undefined {
  const nameEnd = text.lastIndexOf(")");
  const pid = Number.parseInt(text, 10);
  if (nameEnd < 0 || Number.isNaN(pid)) return undefined;
  // After the name come field 3, the state, field 5, the group, 6, the session, and 22, the start.
  const fields = text.slice(nameEnd + 2).split(" ");
  const [state, group, session, ticks] = [fields[0], fields[2], fields[3], fields[19]];
  if (state === undefined || group === undefined || session === undefined) return undefined;
  if (ticks === undefined || !/^\d+$/.test(ticks)) return undefined;
  return {
    pid,
    state,
    processGroup: Number(group),
    session: Number(session),
    startTime: `${ticks}@${bootId}`,
  };
}

/** Not every `ps` tells sessions; what we start leads its group as well as its session. */
function readPs(selection: readonly string[]): readonly ProcessStat[] {
  const answer = spawnSync("ps", [...selection, "-o", "pid=,stat=,pgid=,lstart="], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
    timeout: psDeadlineMs,
  });
  return (answer.stdout ?? "").split("\n").flatMap((line) => parsePsLine(line));
}

/** "  4711 Ss+   4711 Sat Nov 21 01:19:13 2026" */
export function parsePsLine(line: string): readonly ProcessStat[] {
  const match = /^\s*(\d+)\s+(\S)\S*\s+(\d+)\s+(\S.*?)\s*$/.exec(line);
  if (match === null) return [];
  const [, pid, state = "", group, startTime = ""] = match;
  const processGroup = Number(group);
  return [{ pid: Number(pid), state, processGroup, session: processGroup, startTime }];
}

/** A process may end between any two looks at it: what cannot be read is not there. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch {
    return "";
  }
}

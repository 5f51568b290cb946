// `nines logs` and `nines events`: read from the state directory, so they work without control.

import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { NinesError } from "../../core/base/errors.ts";
import { formatEvent, parseEvent } from "../../runtime/event-log.ts";
import { followLogs } from "../../runtime/log-follower.ts";
import { findStateDirectory, type StateDirectory } from "../../state/directory.ts";
import type { EventsOptions, LogsOptions } from "./actions.ts";
import { stateDirectoryOf } from "./place.ts";
import { remoteEvents } from "./remote-events.ts";
import { exitCode, say } from "./say.ts";

const suffix = ".log";
/** Nines' own, shown when named. */
const ownLogs: readonly string[] = ["gateway", "control"];

export async function logs(names: readonly string[], options: LogsOptions): Promise<number> {
  const state = findStateDirectory(stateDirectoryOf(options));
  const there = logNames(state);
  for (const name of names) {
    if (there.some((log) => isMeant(log, name))) continue;
    const known = [...new Set(there.map(serviceOf))].sort().join(", ") || "none yet";
    throw new NinesError("NINES_LOG_UNKNOWN", `No log is of "${name}"; there are: ${known}.`);
  }
  const wanted = () =>
    logNames(state).filter((log) =>
      names.length === 0 ? !ownLogs.includes(log) : names.some((name) => isMeant(log, name)),
    );
  const files = () => wanted().map((log) => join(logFolder(state), log + suffix));
  const width = Math.max(0, ...wanted().map((log) => log.length));
  for await (const { file, line } of followLogs(files, followOf(options))) {
    // One log alone needs no name before each line.
    const lead = width === 0 || files().length === 1 ? "" : basename(file, suffix).padEnd(width);
    say(lead === "" ? line : `${lead} | ${line}`);
  }
  return exitCode.done;
}

export async function events(options: EventsOptions): Promise<number> {
  if (options.admin !== undefined) return await remoteEvents(options);
  const state = findStateDirectory(stateDirectoryOf(options));
  for await (const { line } of followLogs(() => [state.eventLog], followOf(options))) {
    if (options.json === true) say(line);
    else for (const event of parseEvent(line)) say(formatEvent(event));
  }
  return exitCode.done;
}

function followOf({ lines, follow }: LogsOptions) {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  return { lines, follow: follow === true, signal: interrupted.signal };
}

function logFolder(state: StateDirectory): string {
  return dirname(state.eventLog);
}

function logNames(state: StateDirectory): readonly string[] {
  return readdirSync(logFolder(state))
    .filter((file) => file.endsWith(suffix))
    .map((file) => basename(file, suffix))
    .sort(byOrdinal);
}

/** "web-2" before "web-10". */
function byOrdinal(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

/** Of an instance its service, of anything else itself. */
function serviceOf(log: string): string {
  return log.replace(/-\d+$/, "");
}

function isMeant(log: string, name: string): boolean {
  return log === name || serviceOf(log) === name;
}

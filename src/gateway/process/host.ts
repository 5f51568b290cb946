// What a gateway process needs around it whatever its role: a log that cannot hurt it, a steady
// beat that knows when it was late, a last word when it fails, and an end that no disk holds up.

import { readFileSync, writeSync } from "node:fs";
import type { Clock } from "../../ports/clock.ts";
import type { ProcessIdentity } from "../../ports/processes.ts";

export type Identify = (pid: number) => ProcessIdentity | undefined;

export function lives(identify: Identify, identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Signals exactly this process, never one that merely got its pid. False when it is gone. */
export function signalProcess(
  identify: Identify,
  identity: ProcessIdentity,
  signal: "SIGTERM" | "SIGKILL",
): boolean {
  if (!lives(identify, identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Milliseconds that a process has spent on a processor (user and system), in steps of 10 ms, and
 * whether it runs or waits to run, or for a disk (which no signal ends); undefined where nobody can
 * tell.
 */
export function readProcessorUse(
  pid: number,
): { readonly usedMs: number; readonly runnable: boolean } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // Fields 3, 14 and 15 of proc(5), counted from behind the name; 100 ticks a second.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const usedMs = (Number(fields[11]) + Number(fields[12])) * 10;
  return Number.isFinite(usedMs) ? { usedMs, runnable: /^[RD]$/.test(fields[0] ?? "") } : undefined;
}

/** One line to standard error, which is the gateway's log. A full disk costs the line, not us. */
export function writeLog(clock: Clock, who: string, sentence: string): void {
  try {
    writeSync(2, `${new Date(clock.wallMs()).toISOString()} ${who}: ${sentence}\n`);
  } catch {
    // Nobody is left to tell.
  }
}

/**
 * A failure that nobody caught ends the process: its state can no longer be trusted, and whoever
 * watches it replaces it. What a broken log or a closed terminal raises is no such failure.
 */
export function endOnUncaught(say: (sentence: string) => void): void {
  process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
    if (error.code === "ENOSPC" || error.code === "EPIPE" || error.code === "EIO") return;
    say(`ends, failed: ${error.stack ?? error.message}`);
    exitNow(70);
  });
}

/**
 * Ends this process whatever a disk owes it. `process.exit` waits for the threads of the pool, and
 * one that asks a disk that hangs does not come back; a kill waits for nobody.
 */
export function exitNow(code: number): never {
  if (isOwedByDisk()) process.kill(process.pid, "SIGKILL");
  process.exit(code);
}

/** Whether a disk has not answered yet. */
export function isOwedByDisk(): boolean {
  return process.getActiveResourcesInfo().some((kind) => kind.startsWith("FSReq"));
}

/** How late a beat may be before its owner must not blame others for silence. */
const LATE_MS = 150;

/**
 * Calls `beat` every `everyMs` until disposed. `lateMs` is above 0 when this process itself was held
 * up (stopped, starved), so that silence it thinks it has heard proves nothing.
 */
export function beatEvery(
  clock: Clock,
  everyMs: number,
  beat: (nowMs: number, lateMs: number) => void,
): Disposable {
  let lastMs = clock.monotonicMs();
  const timer = setInterval(() => {
    const nowMs = clock.monotonicMs();
    const overMs = nowMs - lastMs - everyMs;
    lastMs = nowMs;
    beat(nowMs, overMs > LATE_MS ? overMs : 0);
  }, everyMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

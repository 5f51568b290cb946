// Small helpers that every bench needs to run real programs: free ports, folders that go away,
// ending what was started, waiting with a deadline.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `nines-bench-${name}-`));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * A port that was free a moment ago, below the ephemeral range so that nobody takes it by chance.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if (await canBind(port)) return port;
  }
  throw new Error("no free port between 20000 and 30000");
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => {
      const bound = (server.address() as AddressInfo).port === port;
      server.close(() => resolve(bound));
    });
  });
}

/** Path of a program, or undefined when it is not installed. */
export function installed(program: string): string | undefined {
  const result = spawnSync("sh", ["-c", `command -v ${program} || ls /usr/sbin/${program}`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const path = result.stdout.trim().split("\n")[0] ?? "";
  return path === "" ? undefined : path;
}

export interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

export function start(
  command: readonly string[],
  options: {
    readonly environment?: Readonly<Record<string, string>>;
    readonly output?: string;
    readonly folder?: string;
  } = {},
): Started {
  const output = options.output === undefined ? "ignore" : openSync(options.output, "a");
  const child = spawn(command[0] ?? "", command.slice(1), {
    stdio: ["ignore", output, output],
    env: { ...process.env, ...options.environment },
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  if (child.pid === undefined) throw new Error(`${command.join(" ")} did not start`);
  return { pid: child.pid, child, ended };
}

/** SIGTERM, then SIGKILL after 10 s. */
export async function end(started: Started): Promise<void> {
  started.child.kill("SIGTERM");
  const timer = setTimeout(() => started.child.kill("SIGKILL"), 10_000);
  await started.ended;
  clearTimeout(timer);
}

export async function waitUntil(
  what: string,
  deadlineMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<number> {
  const begunMs = performance.now();
  while (performance.now() - begunMs < deadlineMs) {
    if (await holds()) return performance.now() - begunMs;
    await pause(10);
  }
  throw new Error(`waited ${deadlineMs} ms in vain until ${what}`);
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** User and system time of one process so far, in microseconds; undefined when it has ended. */
export function cpuMicroseconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Fields 14 and 15 of proc(5), in clock ticks of 10 ms on every Linux that Node runs on.
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return undefined;
  }
}

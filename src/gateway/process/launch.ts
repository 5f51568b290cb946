// How one gateway process starts another: which arguments and which descriptors it gets.
//
//   … gateway-worker --term 5 --worker 3 --listener 0.0.0.0:8080=3 --listener [::]:8443=4
//   … gateway-parent --term 6 --listener 0.0.0.0:8080=3
//
// Listening sockets go from process to process by inheritance alone: the child gets them as its
// descriptors 3, 4, … in the order of its arguments. The child is its own session, writes to an
// append-only file and holds no pipe, so it depends on nothing of who started it.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

export interface InheritedListener {
  readonly host: string;
  readonly port: number;
  readonly fd: number;
}

export interface Launch {
  /**
   * Of a worker: the term of the parent that starts it. Of a parent: the term that its starter has
   * claimed and hands over, or 0 when it claims one by itself.
   */
  readonly term: number;
  /** 0 for a parent. */
  readonly worker: number;
  readonly listeners: readonly InheritedListener[];
}

const FIRST_DESCRIPTOR = 3;

/** The arguments behind the command; undefined when they are not such. */
export function readLaunch(args: readonly string[]): Launch | undefined {
  const numbers: Record<string, number> = { "--term": 0, "--worker": 0 };
  const listeners: InheritedListener[] = [];
  for (let index = 0; index < args.length; index += 2) {
    const name = args[index] ?? "";
    const value = args[index + 1] ?? "";
    if (name === "--listener") {
      const listener = readListener(value);
      if (listener === undefined) return undefined;
      listeners.push(listener);
    } else if (Object.hasOwn(numbers, name) && /^\d{1,15}$/.test(value)) {
      numbers[name] = Number(value);
    } else {
      return undefined;
    }
  }
  return { term: numbers["--term"] ?? 0, worker: numbers["--worker"] ?? 0, listeners };
}

function readListener(text: string): InheritedListener | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})=(\d{1,6})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) return undefined;
  return { host, port: Number(match[3]), fd: Number(match[4]) };
}

export function sayAddress(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

export interface LaunchOptions {
  /** Program and first arguments, up to the word that says parent or worker. */
  readonly command: readonly string[];
  readonly launch: Launch;
  readonly logFile: string;
  /** It never ran, or has ended. Called once, while we live. */
  readonly onEnd: (why: string) => void;
}

/** The descriptors are the starter's own numbers. Undefined when it could not be started. */
export function launch(options: LaunchOptions): ChildProcess | undefined {
  const { term, worker, listeners } = options.launch;
  const args = [...options.command.slice(1), "--term", String(term), "--worker", String(worker)];
  for (const [index, listener] of listeners.entries()) {
    args.push("--listener", `${sayAddress(listener)}=${FIRST_DESCRIPTOR + index}`);
  }
  const log = openLog(options.logFile);
  try {
    const child = spawn(options.command[0] ?? "", args, {
      detached: true,
      stdio: ["ignore", log, log, ...listeners.map((listener) => listener.fd)],
    });
    // A spawn that fails has no exit, only an error; the first of the two is its end.
    const ended = once(options.onEnd);
    child.on("error", (error) => ended(error.message));
    child.on("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
    child.unref();
    return child.pid === undefined ? undefined : child;
  } finally {
    if (typeof log === "number") closeSync(log);
  }
}

function openLog(path: string): number | "ignore" {
  try {
    return openSync(path, "a", 0o640);
  } catch {
    return "ignore";
  }
}

function once(run: (why: string) => void): (why: string) => void {
  let ran = false;
  return (why) => {
    if (ran) return;
    ran = true;
    run(why);
  };
}

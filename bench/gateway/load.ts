// Load on a proxy for some seconds: wrk where installed; else a closed loop of our own
// (own-loop.ts), which knows no rates.
//
// wrk's connections ask again as soon as they are answered, which measures what a request costs.
// For less than that, each waits a random while before it asks. Latencies are another program's
// (open-load.ts).

import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed } from "../shared/system.ts";

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request. */
  readonly closing?: boolean;
  /** A POST with a body of so many bytes. */
  readonly postBytes?: number;
  /** As fast as it is answered when absent. */
  readonly perSecond?: number;
  /** Any when absent. */
  readonly core?: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Answers that were not 2xx or 3xx. */
  readonly errors: number;
  /** Connections that were refused or broken. */
  readonly lost: number;
}

export const hasWrk = installed("wrk") !== undefined;
export const loadProgram = hasWrk ? "wrk" : "our own loop";

export async function runLoad(load: Load, folder: string): Promise<LoadResult> {
  const command = hasWrk
    ? wrkCommand(load, folder)
    : [process.execPath, join(import.meta.dirname, "own-loop.js"), JSON.stringify(load)];
  const isPinned = load.core !== undefined && installed("taskset") !== undefined;
  const pinned = isPinned ? ["taskset", "-c", String(load.core), ...command] : command;
  const child = spawn(pinned[0] ?? "", pinned.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await new Promise((resolve) => child.once("close", resolve));
  return hasWrk ? readWrk(output) : (JSON.parse(output) as LoadResult);
}

function wrkCommand(load: Load, folder: string): readonly string[] {
  const { port, path, connections, seconds, closing = false } = load;
  const script = join(folder, `load-${port}.lua`);
  writeFileSync(script, scriptOf(load));
  const fields = closing ? ["-H", "Connection: close"] : [];
  const plan = ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script];
  return ["wrk", ...plan, ...fields, `http://127.0.0.1:${port}${path}`];
}

/** A script costs the load's core some microseconds a request, so there is only what is needed. */
function scriptOf({ postBytes, perSecond, connections }: Load): string {
  const lines = ["math.randomseed(os.time())"];
  if (postBytes !== undefined) {
    lines.push('wrk.method = "POST"', `wrk.body = string.rep("x", ${postBytes})`);
  }
  if (perSecond !== undefined) {
    const meanMs = (connections / perSecond) * 1000;
    lines.push(
      `function delay() return math.floor(-${meanMs} * math.log(1 - math.random()) + 0.5) end`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function readWrk(output: string): LoadResult {
  const count = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? "0");
  const socket = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  return {
    requests: count(/(\d+) requests in/),
    errors: count(/Non-2xx or 3xx responses: (\d+)/),
    lost: (socket?.slice(1) ?? []).reduce((sum, each) => sum + Number(each), 0),
  };
}

/** Pins a process where the machine can. */
export function pin(pid: number, core: number): void {
  spawnSync("taskset", ["-a", "-c", "-p", String(core), String(pid)], { stdio: "ignore" });
}

// Load on a proxy for some seconds: wrk where installed; else a closed loop of our own, in a
// process of its own (this file is its program, too).

import { spawnSync } from "node:child_process";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { installed } from "../shared/system.ts";

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** A new connection for each request. */
  readonly closing: boolean;
  readonly core: number;
}

export interface LoadResult {
  readonly requests: number;
  /** Answers that were not 200, and connections that failed. */
  readonly failures: number;
}

export const loadProgram = installed("wrk") === undefined ? "our own loop" : "wrk";

/** Blocks until it is over: nothing else is to run meanwhile. */
export function runLoad(load: Load): LoadResult {
  const { port, path, connections, seconds, closing, core } = load;
  const url = `http://127.0.0.1:${port}${path}`;
  const command =
    loadProgram === "wrk"
      ? [
          "wrk",
          "-t1",
          `-c${connections}`,
          `-d${seconds}s`,
          ...(closing ? ["-H", "Connection: close"] : []),
          url,
        ]
      : [process.execPath, fileURLToPath(import.meta.url), JSON.stringify(load)];
  const pinned =
    installed("taskset") === undefined ? command : ["taskset", "-c", String(core), ...command];
  const result = spawnSync(pinned[0] ?? "", pinned.slice(1), { encoding: "utf8" });
  if (loadProgram !== "wrk") return JSON.parse(result.stdout) as LoadResult;
  return readWrk(result.stdout);
}

function readWrk(output: string): LoadResult {
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? "0");
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? "0");
  const socket = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  const lost = (socket?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), 0);
  return { requests, failures: bad + lost };
}

/** One connection after another, or one for all; each request waits for the answer before. */
function loop(load: Load, state: { requests: number; failures: number; over: boolean }): void {
  const closing = load.closing ? "Connection: close\r\n" : "";
  const request = `GET ${load.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${closing}\r\n`;
  const socket = connect({ port: load.port, host: "127.0.0.1", noDelay: true });
  let head = "";
  let bodyLeft = 0;
  const ask = (): void => {
    head = "";
    bodyLeft = -1;
    socket.write(request);
  };
  const answered = (): void => {
    state.requests++;
    if (!head.startsWith("HTTP/1.1 200")) state.failures++;
    if (state.over) socket.destroy();
    else if (!load.closing) ask();
  };
  socket.on("connect", ask);
  socket.on("data", (bytes: Buffer) => {
    if (bodyLeft >= 0) bodyLeft -= bytes.length;
    else {
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? "0");
      bodyLeft = length - (head.length - end - 4);
    }
    if (bodyLeft === 0) answered();
  });
  socket.on("error", () => {
    state.failures++;
  });
  socket.on("close", () => {
    if (!state.over) loop(load, state);
  });
}

function main(load: Load): void {
  const state = { requests: 0, failures: 0, over: false };
  for (let count = 0; count < load.connections; count++) loop(load, state);
  setTimeout(() => {
    state.over = true;
    process.stdout.write(JSON.stringify({ requests: state.requests, failures: state.failures }));
    setTimeout(() => process.exit(), 200);
  }, load.seconds * 1000);
}

const argument = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && argument !== undefined) {
  main(JSON.parse(argument) as Load);
}

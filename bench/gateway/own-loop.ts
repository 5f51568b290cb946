// The load where wrk is not installed, as a program: so many connections, each asking again as soon
// as it is answered, over one connection or a new one each time.

import { connect } from "node:net";
import type { Load, LoadResult } from "./load.ts";

interface State {
  requests: number;
  errors: number;
  lost: number;
  over: boolean;
}

function requestOf({ path, closing = false, postBytes }: Load): string {
  const close = closing ? "Connection: close\r\n" : "";
  const method = postBytes === undefined ? "GET" : "POST";
  const length = postBytes === undefined ? "" : `Content-Length: ${postBytes}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${close}${length}\r\n`;
  return head + "x".repeat(postBytes ?? 0);
}

/** One connection after another, or one for all; each request waits for the answer before. */
function loop(load: Load, request: string, state: State): void {
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
    if (!head.startsWith("HTTP/1.1 200")) state.errors++;
    if (state.over) socket.destroy();
    else if (load.closing !== true) ask();
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
    state.lost++;
  });
  socket.on("close", () => {
    if (!state.over) loop(load, request, state);
  });
}

function main(load: Load): void {
  const state = { requests: 0, errors: 0, lost: 0, over: false };
  const request = requestOf(load);
  for (let count = 0; count < load.connections; count++) loop(load, request, state);
  setTimeout(() => {
    state.over = true;
    const { requests, errors, lost } = state;
    const result: LoadResult = { requests, errors, lost };
    process.stdout.write(JSON.stringify(result));
    setTimeout(() => process.exit(), 200);
  }, load.seconds * 1000);
}

main(JSON.parse(process.argv[2] ?? "") as Load);

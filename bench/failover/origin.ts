// The service under test. It answers after SERVICE_MS and notes each request that it received, one
// line in a file of its own, before it works on it: the notes tell afterwards what had reached an
// instance that was killed, whether anything ran twice, and when an instance got traffic.
//
// `/behave?…` on its own port, which only the bench knows, changes it while it runs: what it
// answers, after how long, and whether it refuses connections every other while. The path of a
// normal request is the same in every behaviour: one string comparison, one note, one timer.
//
// Environment: PORT, ORIGIN or NINES_ORDINAL (its number, from 1), RECEIVED_FILE, SERVICE_MS (20),
// LOG_REQUESTS (a line to its output for each request), FAIL_START (it ends before it listens).

import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";

const ordinal = Number(process.env["ORIGIN"] ?? process.env["NINES_ORDINAL"] ?? "1");
const logRequests = process.env["LOG_REQUESTS"] === "1";
const receivedFile = process.env["RECEIVED_FILE"];
if (process.env["FAIL_START"] === "1") process.exit(1);
const notes =
  receivedFile === undefined
    ? undefined
    : openSync(`${receivedFile}.${ordinal - 1}.${process.pid}`, "a");

let serviceMs = Number(process.env["SERVICE_MS"] ?? "20");
let status = 200;
let flapping: NodeJS.Timeout | undefined;

const server = createServer((request, response) => {
  const url = request.url ?? "";
  if (url === "/healthz") {
    response.end("ok");
    return;
  }
  if (url.startsWith("/behave?")) {
    behave(new URLSearchParams(url.slice("/behave?".length)));
    response.end("done\n");
    return;
  }
  if (logRequests) console.log(`${request.method} ${url} ${"·".repeat(100)}`);
  request.resume();
  request.on("end", () => {
    if (notes !== undefined) {
      writeSync(notes, `${request.method} ${url.slice("/bench/".length)} ${Date.now()}\n`);
    }
    setTimeout(() => {
      response.statusCode = status;
      response.end("done\n");
    }, serviceMs);
  });
});
server.keepAliveTimeout = 60_000;
listen();

function listen(): void {
  server.listen(Number(process.env["PORT"]), "127.0.0.1");
}

/** `serviceMs=…`, `status=…`, and `refuseEveryMs=…`: that long it refuses, that long it listens. */
function behave(wanted: URLSearchParams): void {
  serviceMs = Number(wanted.get("serviceMs") ?? serviceMs);
  status = Number(wanted.get("status") ?? status);
  const refuseEveryMs = wanted.get("refuseEveryMs");
  if (refuseEveryMs === null) return;
  clearInterval(flapping);
  flapping = setInterval(() => {
    if (!server.listening) {
      listen();
      return;
    }
    server.close();
    server.closeAllConnections();
  }, Number(refuseEveryMs));
}

process.on("SIGTERM", () => {
  clearInterval(flapping);
  if (!server.listening) process.exit(0);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

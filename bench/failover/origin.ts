// The service under test: answers after SERVICE_MS, appends the number of every POST that it
// received to a file of its own before it works on it, and, when told, writes a line for every
// request to its output. The file tells afterwards which requests had reached an instance that was
// killed. Environment: PORT, RECEIVED_FILE, SERVICE_MS (20), LOG_REQUESTS.

import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

const serviceMs = Number(process.env["SERVICE_MS"] ?? "20");
const receivedFile = process.env["RECEIVED_FILE"] ?? "/dev/null";
const logRequests = process.env["LOG_REQUESTS"] === "1";

const server = createServer((request, response) => {
  if (request.url === "/healthz") {
    response.end("ok");
    return;
  }
  if (logRequests) console.log(`${request.method} ${request.url} ${"·".repeat(100)}`);
  request.resume();
  request.on("end", () => {
    if (request.method === "POST") {
      appendFileSync(`${receivedFile}.${process.pid}`, `${request.url?.slice(7)}\n`);
    }
    setTimeout(() => response.end("done\n"), serviceMs);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env["PORT"]), "127.0.0.1");
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

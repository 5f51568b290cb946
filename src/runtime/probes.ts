// Health checks over real sockets: a connection of its own for each, one question, one verdict.
//
// No connection is kept: one that was opened long ago proves nothing of a listener that has died
// since. The answer's head is read whole and strictly; of the body only so much that the instance
// is not cut off in its sentence. One timer covers name lookup, connect and answer together, so a
// server that dribbles a byte now and then is late like one that says nothing.
//
// When this process was itself held up (stopped, or starved of CPU), an answer may wait unread in
// the kernel while the deadline passes: the sockets are looked at once more before the verdict, and
// a timer that came very late is set again once, since the delay was ours.

import { connect, type Socket } from "node:net";
import type { ProbeRequest, ProbeResult, Probes, ProbeTarget } from "../ports/probe.ts";

const headBytesMax = 16 * 1024;
const bodyBytesMax = 64 * 1024;
/** How long an answer's body is taken after the verdict. */
const farewellMs = 100;
/** A timer later than this says that we were held up. */
const ownDelayMs = 100;

export function createProbes(): Probes {
  return { probe: (target, request) => new Promise((resolve) => ask(target, request, resolve)) };
}

function ask(
  target: ProbeTarget,
  request: ProbeRequest,
  resolve: (result: ProbeResult) => void,
): void {
  const startedAtMs = performance.now();
  const socket = connect({ host: target.host, port: target.port });
  let stage: "connecting" | "waiting" | "answering" | "done" = "connecting";
  let timer = setTimeout(expire, request.timeoutMs);
  let head = "";

  function finish(passed: boolean, detail: string): void {
    if (stage === "done") return;
    stage = "done";
    clearTimeout(timer);
    if (passed && request.kind === "http") leave(socket);
    else socket.destroy();
    resolve({ passed, detail, latencyMs: performance.now() - startedAtMs });
  }

  function expire(): void {
    const heldUp = performance.now() - startedAtMs > request.timeoutMs + ownDelayMs;
    // What the kernel holds for us is delivered between this timer and that callback.
    setImmediate(() => {
      if (stage === "done") return;
      if (!heldUp) return finish(false, lateness(stage, request.timeoutMs));
      timer = setTimeout(
        () => finish(false, lateness(stage, request.timeoutMs)),
        request.timeoutMs,
      );
    });
  }

  socket.on("connect", () => {
    if (request.kind === "tcp") return finish(true, "accepted the connection");
    stage = "waiting";
    socket.write(questionOf(request.path, request.host));
  });
  socket.on("data", (bytes: Buffer) => {
    if (stage === "done" || request.kind === "tcp") return;
    stage = "answering";
    head += bytes.toString("latin1");
    const verdict = judge(head, request.expectStatus);
    if (verdict !== undefined) finish(verdict.passed, verdict.detail);
  });
  socket.on("end", () => finish(false, "closed the connection before it answered"));
  socket.on("close", () => finish(false, "closed the connection before it answered"));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    finish(false, stage === "connecting" ? refusal(error) : resetWords(error));
  });
}

function questionOf(path: string, host: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: nines-health\r\n` +
    "Accept: */*\r\nConnection: close\r\n\r\n"
  );
}

/** Undefined while the head is not whole. */
export function judge(
  bytes: string,
  expected: readonly (readonly [number, number])[],
): { readonly passed: boolean; readonly detail: string } | undefined {
  let head = bytes;
  for (;;) {
    const wrong = { passed: false, detail: "answered something that is not HTTP" };
    // Told by its first bytes already: whatever speaks another protocol may never end a line.
    if (!"HTTP/1.".startsWith(head.slice(0, 7))) return wrong;
    const end = head.indexOf("\r\n\r\n");
    if (end < 0 && head.length > headBytesMax) {
      return { passed: false, detail: `answered with a head of over ${headBytesMax} bytes` };
    }
    if (end < 0) return undefined;
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/.exec(head)?.[1] ?? Number.NaN);
    if (Number.isNaN(status) || status === 101) return wrong;
    if (status >= 200) {
      const passed = expected.some(([low, high]) => status >= low && status <= high);
      const wish = expected.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`));
      const detail = `answered ${status}`;
      return { passed, detail: passed ? detail : `${detail}, and not ${wish.join(" or ")}` };
    }
    // An interim answer: the real one follows.
    head = head.slice(end + 4);
  }
}

/** Takes the rest of the answer for a moment, so that the instance sees no broken connection. */
function leave(socket: Socket): void {
  let bodyBytes = 0;
  const enough = setTimeout(() => socket.destroy(), farewellMs);
  enough.unref();
  socket.on("data", (bytes: Buffer) => {
    bodyBytes += bytes.length;
    if (bodyBytes > bodyBytesMax) socket.destroy();
  });
  socket.on("close", () => clearTimeout(enough));
}

function lateness(stage: string, timeoutMs: number): string {
  if (stage === "connecting") return `no connection in ${timeoutMs} ms`;
  return stage === "waiting"
    ? `connected, but no answer in ${timeoutMs} ms`
    : `no whole answer in ${timeoutMs} ms`;
}

function refusal(error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNREFUSED") return "connection refused";
  if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") return "its host name is not known";
  if (error.code === "EHOSTUNREACH" || error.code === "ENETUNREACH") return "host unreachable";
  if (error.code === "EMFILE") return "no descriptor was left for the check (open files)";
  return `connection failed: ${error.code ?? error.message}`;
}

function resetWords(error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNRESET" || error.code === "EPIPE") return "connection reset";
  return `connection broke: ${error.code ?? error.message}`;
}

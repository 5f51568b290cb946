// Checks over a TCP socket: a connection of its own for each, one question, one verdict.
//
// No connection is kept: one that was opened long ago proves nothing of a listener that has died
// since. The answer's head is read whole and strictly; of the body only so much that the instance
// is not cut off in its sentence, or that the check asks for. One timer covers name lookup, connect
// and answer together, so a server that dribbles a byte now and then is late like one that says
// nothing.
//
// When this process was itself held up (stopped, or starved of CPU), an answer may wait unread in
// the kernel while the deadline passes: the sockets are looked at once more before the verdict, and
// a timer that came very late is set again once, since the delay was ours.

import { connect, type Socket } from "node:net";
import type { ProbeRequest, ProbeResult, ProbeTarget } from "../ports/probe.ts";
import { bodyBytesMax, judgeAnswer } from "./http-answer.ts";

/** How long an answer's body is taken after the verdict. */
const farewellMs = 100;
/** A timer later than this says that we were held up. */
const ownDelayMs = 100;

type SocketRequest = Extract<ProbeRequest, { readonly kind: "tcp" | "http" }>;

export function probeSocket(target: ProbeTarget, request: SocketRequest): Promise<ProbeResult> {
  return new Promise((resolve) => ask(target, request, resolve));
}

function ask(
  target: ProbeTarget,
  request: SocketRequest,
  resolve: (result: ProbeResult) => void,
): void {
  const startedAtMs = performance.now();
  const socket = connect({ host: target.host, port: target.port });
  let stage: "connecting" | "waiting" | "answering" | "done" = "connecting";
  let timer = setTimeout(expire, request.timeoutMs);
  let answer = "";

  function finish(passed: boolean, detail: string, silent = false): void {
    if (stage === "done") return;
    stage = "done";
    clearTimeout(timer);
    if (passed && request.kind === "http") leave(socket);
    else socket.destroy();
    const latencyMs = performance.now() - startedAtMs;
    resolve({ passed, detail, latencyMs, ...(silent ? { silent } : {}) });
  }

  function expire(): void {
    const heldUp = performance.now() - startedAtMs > request.timeoutMs + ownDelayMs;
    const late = (): void => finish(false, lateness(stage, request.timeoutMs), true);
    // What the kernel holds for us is delivered between this timer and that callback.
    setImmediate(() => {
      if (stage === "done") return;
      if (heldUp) timer = setTimeout(late, request.timeoutMs);
      else late();
    });
  }

  function read(bytes: string, ended: boolean): void {
    if (stage === "done" || request.kind === "tcp") return;
    answer += bytes;
    const verdict = judgeAnswer(answer, request, ended);
    if (verdict !== undefined) finish(verdict.passed, verdict.detail);
    else if (ended) finish(false, "closed the connection before it answered");
  }

  socket.on("connect", () => {
    if (request.kind === "tcp") return finish(true, "accepted the connection");
    stage = "waiting";
    socket.write(questionOf(request.path, request.host));
  });
  socket.on("data", (bytes: Buffer) => {
    if (stage === "waiting") stage = "answering";
    read(bytes.toString("latin1"), false);
  });
  socket.on("end", () => read("", true));
  socket.on("close", () => finish(false, "closed the connection before it answered"));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    // What we lack says nothing of the instance.
    const ours = error.code === "EMFILE" || error.code === "ENFILE";
    finish(false, stage === "connecting" ? refusal(error) : resetWords(error), ours);
  });
}

function questionOf(path: string, host: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: nines-health\r\n` +
    "Accept: */*\r\nConnection: close\r\n\r\n"
  );
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

export function refusal(error: NodeJS.ErrnoException): string {
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

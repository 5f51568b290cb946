// grpc.health.v1.Health/Check over plain HTTP/2 (github.com/grpc/grpc, doc/health-checking.md).
//
// The whole protocol here is one unary call: a frame (flag, length in four bytes, message) whose
// message has one field, out and back. Written by hand: a gRPC library for twelve bytes would be
// the largest dependency of all.
//
//   request   service        field 1, text   0A len text     (left out when empty)
//   answer    status         field 1, enum   08 n            UNKNOWN 0 (left out), SERVING 1,
//                                                            NOT_SERVING 2, SERVICE_UNKNOWN 3

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { ProbeRequest, ProbeResult, ProbeTarget } from "../ports/probe.ts";
import { refusal } from "./socket-probe.ts";

const answerBytesMax = 1_024;
/** A timer later than this says that we were held up. */
const ownDelayMs = 100;
const servingStatus = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

type GrpcRequest = Extract<ProbeRequest, { readonly kind: "grpc" }>;

export function probeGrpc(target: ProbeTarget, request: GrpcRequest): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const startedAtMs = performance.now();
    const session = connect(addressOf(target));
    let done = false;
    let timer = setTimeout(expire, request.timeoutMs);

    function finish(passed: boolean, detail: string, silent = false): void {
      if (done) return;
      done = true;
      clearTimeout(timer);
      session.destroy();
      const latencyMs = performance.now() - startedAtMs;
      resolve({ passed, detail, latencyMs, ...(silent ? { silent } : {}) });
    }

    function expire(): void {
      const heldUp = performance.now() - startedAtMs > request.timeoutMs + ownDelayMs;
      const what = session.connecting ? "no connection" : "connected, but no answer";
      const late = (): void => finish(false, `${what} in ${request.timeoutMs} ms`, true);
      // As in socket-probe.ts: what waits in the kernel is read first, and our delay is ours.
      setImmediate(() => {
        if (done) return;
        if (heldUp) timer = setTimeout(late, request.timeoutMs);
        else late();
      });
    }

    session.on("error", (error: NodeJS.ErrnoException) => {
      finish(false, error.code?.startsWith("ERR_HTTP2") ? "does not speak HTTP/2" : refusal(error));
    });
    session.on("close", () => finish(false, "closed the connection before it answered"));
    const stream = call(session, request.service);
    read(stream, finish);
    // An instance that resets the call has answered. A session that broke speaks for itself.
    stream.on("close", () => {
      if (session.destroyed) return;
      finish(false, `reset the call, with HTTP/2 code ${stream.rstCode ?? 0}`);
    });
  });
}

function addressOf({ host, port }: ProbeTarget): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function call(session: ClientHttp2Session, service: string): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    "user-agent": "nines-health",
    te: "trailers",
  });
  stream.end(framed(serviceField(service)));
  return stream;
}

function serviceField(service: string): Buffer {
  const text = Buffer.from(service);
  return text.length === 0 ? text : Buffer.concat([Buffer.from([0x0a, text.length]), text]);
}

/** Uncompressed: flag 0, then the length in four bytes. */
export function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function read(stream: ClientHttp2Stream, finish: (passed: boolean, detail: string) => void): void {
  let httpStatus = 0;
  let grpcStatus: string | undefined;
  let body = Buffer.alloc(0);
  const note = (headers: Record<string, unknown>): void => {
    const status = headers["grpc-status"];
    if (typeof status === "string") grpcStatus = status;
  };
  stream.on("response", (headers) => {
    httpStatus = Number(headers[":status"]);
    note(headers);
  });
  stream.on("trailers", note);
  stream.on("data", (bytes: Buffer) => {
    if (body.length < answerBytesMax) body = Buffer.concat([body, bytes]);
  });
  stream.on("error", () => undefined);
  stream.on("end", () => {
    // Ended before it began: it was reset.
    if (httpStatus === 0) return;
    if (httpStatus !== 200) return finish(false, `answered HTTP ${httpStatus}, and not gRPC`);
    if (grpcStatus !== "0") return finish(false, `answered gRPC status ${grpcStatus ?? "none"}`);
    const status = servingStatusOf(body);
    finish(status === "SERVING", `answered ${status ?? "something that is no health"}`);
  });
}

/** The status of a whole answer, or undefined when it is not one. */
export function servingStatusOf(body: Buffer): (typeof servingStatus)[number] | undefined {
  if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5)
    return undefined;
  const message = body.subarray(5);
  // A field that has its default is left out.
  if (message.length === 0) return "UNKNOWN";
  if (message.length !== 2 || message[0] !== 0x08) return undefined;
  return servingStatus[message[1] ?? -1];
}

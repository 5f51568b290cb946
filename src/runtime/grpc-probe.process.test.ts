// gRPC health checks against a real HTTP/2 server that speaks the protocol's bytes, or does not.

import assert from "node:assert/strict";
import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { test, type TestContext } from "node:test";
import type { ProbeRequest, ProbeResult } from "../ports/probe.ts";
import { framed, servingStatusOf } from "./grpc-probe.ts";
import { createProbes } from "./probes.ts";

const health: ProbeRequest = { kind: "grpc", timeoutMs: 5_000, service: "" };

interface Asked {
  readonly path: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** A server that answers each call; what it was asked is kept. */
async function server(
  context: TestContext,
  answer: (stream: ServerHttp2Stream) => void,
): Promise<{ readonly asked: Asked[]; readonly check: (over?: object) => Promise<ProbeResult> }> {
  const asked: Asked[] = [];
  const listening = createServer();
  listening.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const body = Buffer.concat(chunks);
      const contentType = String(headers["content-type"]);
      asked.push({ path: String(headers[":path"]), contentType, body });
      answer(stream);
    });
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  context.after(() => listening.close());
  const address = listening.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const check = (over: object = {}): Promise<ProbeResult> =>
    createProbes().probe({ host: "127.0.0.1", port }, { ...health, ...over } as ProbeRequest);
  return { asked, check };
}

function respond(message: Buffer, grpcStatus = "0"): (stream: ServerHttp2Stream) => void {
  return (stream) => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpcStatus }));
    stream.end(framed(message));
  };
}

test("SERVING passes, every other status fails by its name", async (t) => {
  const cases = [
    [[0x08, 0x01], true, "answered SERVING"],
    [[0x08, 0x02], false, "answered NOT_SERVING"],
    [[0x08, 0x03], false, "answered SERVICE_UNKNOWN"],
    [[], false, "answered UNKNOWN"],
    [[0x08], false, "answered something that is no health"],
  ] as const;
  for (const [message, passed, detail] of cases) {
    const { check } = await server(t, respond(Buffer.from(message)));
    const result = await check();
    assert.deepEqual([result.passed, result.detail], [passed, detail]);
  }
});

test("it asks as the protocol says, for the server or for one service", async (t) => {
  const { asked, check } = await server(t, respond(Buffer.from([0x08, 0x01])));
  await check();
  await check({ service: "shop.Orders" });
  assert.deepEqual(
    asked.map(({ path, contentType }) => [path, contentType]),
    Array.from({ length: 2 }, () => ["/grpc.health.v1.Health/Check", "application/grpc"]),
  );
  assert.deepEqual(asked[0]?.body, Buffer.from([0, 0, 0, 0, 0]));
  assert.deepEqual(
    asked[1]?.body,
    Buffer.concat([Buffer.from([0, 0, 0, 0, 13, 0x0a, 11]), Buffer.from("shop.Orders")]),
  );
});

test("a server that does not know the health service says so in its status", async (t) => {
  const { check } = await server(t, (stream) => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "12" },
      { endStream: true },
    );
  });
  assert.equal((await check()).detail, "answered gRPC status 12");
  const plain = await server(t, (stream) =>
    stream.respond({ ":status": 404 }, { endStream: true }),
  );
  assert.equal((await plain.check()).detail, "answered HTTP 404, and not gRPC");
});

test("a call that is reset was answered: it is no silence, and waits for no timeout", async (t) => {
  for (const code of [constants.NGHTTP2_REFUSED_STREAM, constants.NGHTTP2_CANCEL]) {
    const { check } = await server(t, (stream) => stream.close(code));
    const result = await check({ timeoutMs: 60_000 });
    assert.deepEqual(
      [result.passed, result.silent, result.detail],
      [false, undefined, `reset the call, with HTTP/2 code ${code}`],
    );
  }
});

test("no answer in time is silence, a refusal is not", async (t) => {
  const { check } = await server(t, () => undefined);
  const late = await check({ timeoutMs: 200 });
  assert.deepEqual(
    [late.passed, late.silent, late.detail],
    [false, true, "connected, but no answer in 200 ms"],
  );
  const closed = await createProbes().probe({ host: "127.0.0.1", port: 1 }, health);
  assert.deepEqual(
    [closed.passed, closed.silent, closed.detail],
    [false, undefined, "connection refused"],
  );
});

test("whoever speaks HTTP/1 is told from whoever is silent", async (t) => {
  const old = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  await new Promise<void>((resolve) => old.listen(0, "127.0.0.1", resolve));
  t.after(() => old.close());
  const address = old.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const result = await createProbes().probe({ host: "127.0.0.1", port }, health);
  assert.equal(result.passed, false);
  assert.equal(result.silent, undefined);
  assert.match(result.detail, /^(does not speak HTTP\/2|closed the connection)/);
});

test("a message is read whole or not at all", () => {
  assert.equal(servingStatusOf(framed(Buffer.from([0x08, 0x01]))), "SERVING");
  const bytes = framed(Buffer.from([0x08, 0x01]));
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(servingStatusOf(bytes.subarray(0, cut)), undefined);
  }
  assert.equal(servingStatusOf(Buffer.from([1, 0, 0, 0, 2, 0x08, 0x01])), undefined, "compressed");
});

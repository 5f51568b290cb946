// Checks against instances that answer oddly, late, or not at all.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { realWorld } from "../../test/conformance/world.ts";
import type { ProbeRequest, ProbeResult } from "../ports/probe.ts";
import { judgeAnswer } from "./http-answer.ts";
import { createProbes } from "./probes.ts";

const health: ProbeRequest = {
  kind: "http",
  timeoutMs: 300,
  path: "/healthz?deep=1",
  host: "web.example",
  expectStatus: [
    [200, 299],
    [301, 301],
  ],
};

interface Instance {
  readonly port: number;
  /** What it was sent, over all connections. */
  readonly received: () => string;
  readonly check: (request?: ProbeRequest) => Promise<ProbeResult>;
}

async function instance(context: TestContext, serve: (socket: Socket) => void): Promise<Instance> {
  const sockets = new Set<Socket>();
  let received = "";
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString();
    });
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const probes = createProbes();
  return {
    port,
    received: () => received,
    check: (request = health) => probes.probe({ host: "127.0.0.1", port }, request),
  };
}

test("it asks once, in full, and keeps no connection", async (t) => {
  let ended = false;
  const web = await instance(t, (socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 204 No Content\r\n\r\n"));
    socket.on("end", () => {
      ended = true;
    });
  });
  const { passed, detail } = await web.check();
  assert.ok(passed);
  assert.equal(detail, "answered 204");
  assert.equal(
    web.received(),
    "GET /healthz?deep=1 HTTP/1.1\r\nHost: web.example\r\nUser-Agent: nines-health\r\n" +
      "Accept: */*\r\nConnection: close\r\n\r\n",
  );
  // The instance keeps its side open; ours is closed all the same, in a moment.
  await realWorld.until(() => ended, "our side is closed");
});

const answers: readonly (readonly [string, boolean, string])[] = [
  ["HTTP/1.1 200 OK\r\n\r\n", true, "answered 200"],
  ["HTTP/1.0 200\r\n\r\n", true, "answered 200"],
  ["HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", true, "answered 301"],
  ["HTTP/1.1 302 Found\r\n\r\n", false, "answered 302, and not 200-299 or 301"],
  ["HTTP/1.1 500 Oh\r\n\r\n", false, "answered 500, and not 200-299 or 301"],
  ["HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", true, "answered 200"],
  ["HTTP/1.1 101 Switching\r\n\r\n", false, "answered something that is not HTTP"],
  ["HTTP/2 200\r\n\r\n", false, "answered something that is not HTTP"],
  ["HTTP/1.1 99 x\r\n\r\n", false, "answered something that is not HTTP"],
  ["HTTP/1.1 2000 x\r\n\r\n", false, "answered something that is not HTTP"],
  ["200 OK\r\n\r\n", false, "answered something that is not HTTP"],
  ["SSH-2.0-OpenSSH_9.2\r\n", false, "answered something that is not HTTP"],
  [
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(17_000)}`,
    false,
    "answered with a head of over 16384 bytes",
  ],
];

test("an answer is judged by its whole head, however it is cut into pieces", () => {
  assert.equal(health.kind, "http");
  if (health.kind !== "http") return;
  for (const [answer, passed, detail] of answers) {
    assert.deepEqual(judgeAnswer(answer, health), { passed, detail });
    if (answer.length > 200) continue;
    for (let cut = 0; cut < answer.length; cut++) {
      const early = judgeAnswer(answer.slice(0, cut), health);
      assert.ok(early === undefined || early.detail === detail, answer.slice(0, cut));
    }
  }
});

test("a byte now and then is no answer in time", async (t) => {
  let sent = 0;
  const web = await instance(t, (socket) => {
    const text = "HTTP/1.1 200 OK\r\nX-Slow: ";
    // It would end after seven timeouts.
    const timer = setInterval(() => {
      if (sent < 200) socket.write(text[sent++] ?? ".");
      else socket.end();
    }, 10);
    socket.on("close", () => clearInterval(timer));
  });
  const { passed, detail, latencyMs } = await web.check();
  assert.equal(passed, false);
  assert.equal(detail, "no whole answer in 300 ms");
  assert.ok(latencyMs >= 299);
  assert.ok(sent < 100, `${sent} bytes were waited for`);
});

test("what breaks the connection is told apart", async (t) => {
  const closing = await instance(t, (socket) => socket.on("data", () => socket.end()));
  assert.equal((await closing.check()).detail, "closed the connection before it answered");
  const cutting = await instance(t, (socket) => socket.on("data", () => socket.end("HTTP/1.1 2")));
  assert.equal((await cutting.check()).detail, "closed the connection before it answered");
  const resetting = await instance(t, (socket) => {
    socket.on("data", () => socket.resetAndDestroy());
  });
  assert.equal((await resetting.check()).detail, "connection reset");
  const mute = await instance(t, () => undefined);
  assert.equal((await mute.check()).detail, "connected, but no answer in 300 ms");
});

test("a host name that nobody has is a result too", async () => {
  // Too long a label for any name server to be asked.
  const target = { host: "x".repeat(64), port: 9 };
  const { passed, detail } = await createProbes().probe(target, { ...health, timeoutMs: 5_000 });
  assert.equal(passed, false);
  assert.equal(detail, "its host name is not known");
});

test("a long body is not read to its end", async (t) => {
  let closed = false;
  const web = await instance(t, (socket) => {
    socket.on("close", () => {
      closed = true;
    });
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const pour = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    };
    socket.on("drain", pour);
    pour();
  });
  assert.ok((await web.check()).passed);
  await realWorld.until(() => closed, "the connection is cut");
});

test("a checker that was stopped itself does not blame the instance", async (t) => {
  const web = await instance(t, (socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
  });
  const program = join(import.meta.dirname, "checker.fixture.js");
  const checker = spawn(process.execPath, [program, `${web.port}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => checker.kill("SIGKILL"));
  let told = "";
  const line = (wanted: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (wanted.test(told)) resolve();
      };
      checker.stdout.on("data", (bytes: Buffer) => {
        told += bytes.toString();
        look();
      });
      look();
    });
  // Stopped right after it began to connect, for three times its timeout.
  await line(/asking/);
  checker.kill("SIGSTOP");
  setTimeout(() => checker.kill("SIGCONT"), 900);
  await line(/passed|failed/);
  assert.match(told, /passed: answered 200/);
});

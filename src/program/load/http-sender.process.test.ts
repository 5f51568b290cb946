// What one request of a load test comes to, before a server that behaves in every way.

import assert from "node:assert/strict";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type HttpSender, createHttpSender } from "./http-sender.ts";

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

interface Served {
  readonly sender: HttpSender;
  /** Connections that the server has seen. */
  readonly sockets: ReadonlySet<Socket>;
  readonly requests: () => number;
}

async function serve(
  t: TestContext,
  answering: Answering,
  { connections = 4, method = "GET" } = {},
): Promise<Served> {
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    answering(request, response);
  });
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const target = {
    service: "web",
    through: "gateway",
    addresses: [{ host: "127.0.0.1", port }],
    method,
    path: "/page?x=1",
    headers: { host: "shop.example.com", "x-key": "1" },
    instances: 1,
    wanted: 1,
  } as const;
  const sender = createHttpSender(target, connections);
  t.after(() => {
    sender[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
  });
  return { sender, sockets, requests: () => requests };
}

describe("a request of a load test", () => {
  it("is the target's, and counts as answered below 400 when its body has ended", async (t) => {
    const seen: string[] = [];
    const { sender } = await serve(t, ({ method, url, headers }, response) => {
      seen.push(`${method} ${url} ${headers.host} ${String(headers["x-key"])}`);
      response.statusCode = seen.length === 1 ? 204 : 302;
      response.end();
    });
    assert.equal(await sender.send(5_000), "answered");
    assert.equal(await sender.send(5_000), "answered");
    assert.deepEqual(new Set(seen), new Set(["GET /page?x=1 shop.example.com 1"]));
  });

  it("is refused by 4xx, 5xx, and an answer that breaks off", async (t) => {
    const statuses = [404, 503];
    const { sender } = await serve(t, (_, response) => {
      const status = statuses.shift();
      if (status !== undefined) return void response.writeHead(status).end("no");
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.destroy());
    });
    assert.equal(await sender.send(5_000), "refused");
    assert.equal(await sender.send(5_000), "refused");
    assert.equal(await sender.send(5_000), "refused");
  });

  it("times out without an answer, and without the end of one", async (t) => {
    let count = 0;
    const { sender } = await serve(t, (_, response) => {
      if (count++ > 0) response.writeHead(200).write("and then nothing");
    });
    assert.equal(await sender.send(30), "timed-out");
    assert.equal(await sender.send(30), "timed-out");
    assert.equal(await sender.probe(30), undefined);
  });

  it("keeps its connections, and never has more than allowed", async (t) => {
    const waiting: ServerResponse[] = [];
    const { sender, sockets, requests } = await serve(
      t,
      (_, response) => {
        waiting.push(response);
        if (waiting.length < 2) return;
        for (const one of waiting.splice(0)) one.end();
      },
      { connections: 2 },
    );
    const six = Array.from({ length: 6 }, () => sender.send(5_000));
    assert.deepEqual(new Set(await Promise.all(six)), new Set(["answered"]));
    assert.equal(requests(), 6);
    assert.equal(sockets.size, 2);
  });

  it("is sent once more where a kept connection was closed meanwhile, unless it changes things", async (t) => {
    for (const [method, outcome, sent] of [
      ["GET", "answered", 3],
      ["POST", "refused", 2],
    ] as const) {
      let count = 0;
      const { sender, requests } = await serve(
        t,
        ({ socket }, response) => {
          if (++count === 2) socket.resetAndDestroy();
          else response.end("well");
        },
        { method, connections: 1 },
      );
      assert.equal(await sender.send(5_000), "answered");
      assert.equal(await sender.send(5_000), outcome);
      assert.equal(requests(), sent);
    }
  });

  it("ends at once when all is ended", async (t) => {
    const arrived: (() => void)[] = [];
    const { sender } = await serve(t, () => {
      for (const tell of arrived.splice(0)) tell();
    });
    const sees = new Promise<void>((resolve) => arrived.push(resolve));
    const hanging = sender.send(60_000);
    await sees;
    sender[Symbol.dispose]();
    assert.equal(await hanging, "refused");
  });
});

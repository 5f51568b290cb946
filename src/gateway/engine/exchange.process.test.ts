// What a client and an instance see of each other through the engine, when all goes well.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Gateway,
  naming,
  opening,
  startGateway,
  startOrigin,
  tableOf,
} from "./engine.fixture.ts";

const host = "Host: a\r\n";
const get = `GET / HTTP/1.1\r\n${host}\r\n`;

describe("requests and answers", () => {
  test(
    "a connection is kept, on both sides",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("one")));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      for (let count = 0; count < 5; count++) {
        client.send(get);
        assert.equal((await client.message()).body, "one");
      }
      assert.equal(origin.peers.length, 1);
      assert.equal(gateway.engine.connections, 1);
      assert.equal(gateway.engine.keptConnections, 1);
    }),
  );

  test(
    "pipelined requests are answered in order",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          while (peer.end === "open") {
            const { head, body } = await peer.message();
            const answer = `${head.split(" ")[1]} ${body}`;
            peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
          }
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      const requests = Array.from({ length: 200 }, (_, index) =>
        index % 2 === 0
          ? `GET /${index} HTTP/1.1\r\n${host}\r\n`
          : `POST /${index} HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`,
      );
      client.send(requests.join(""));
      for (let index = 0; index < 200; index++) {
        const expected = index % 2 === 0 ? `/${index} ` : `/${index} abc`;
        assert.equal((await client.message()).body, expected);
      }
    }),
  );

  test(
    "everything may come byte by byte, in both directions",
    opening(async (open) => {
      const answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
      const origin = await open(
        startOrigin(async (peer) => {
          assert.equal((await peer.message()).body, "hello world");
          for (const byte of answer) peer.send(byte);
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      const request = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\nT: u\r\n\r\n`;
      for (const byte of request) client.send(byte);
      const { head, body } = await client.message();
      assert.equal(body, "abcde");
      assert.match(head, /^A: b$/m);
    }),
  );

  test(
    "chunks arrive framed anew, without extensions and trailers",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(
        `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0005;a="b"\r\nhello\r\n0\r\nHost: evil\r\n\r\n`,
      );
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      assert.equal(await peer.takeThrough("0\r\n\r\n"), "5\r\nhello\r\n0\r\n\r\n");
    }),
  );

  for (const [name, status, method] of [
    ["HEAD", "200 OK", "HEAD"],
    ["204", "204 No Content", "GET"],
    ["304", "304 Not Modified", "GET"],
  ] as const) {
    test(
      `the answer to ${name} has no body, and the connection goes on`,
      opening(async (open) => {
        const origin = await open(
          startOrigin(async (peer) => {
            await peer.message();
            peer.send(`HTTP/1.1 ${status}\r\nContent-Length: 5\r\n\r\n`);
            await peer.message();
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
          }),
        );
        const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
        const client = await gateway.client();
        client.send(`${method} / HTTP/1.1\r\n${host}\r\n`);
        const { head } = await client.message({ bodiless: true });
        assert.ok(head.startsWith(`HTTP/1.1 ${status}`));
        client.send(get);
        assert.equal((await client.message()).body, "next");
      }),
    );
  }

  test(
    "an answer that ends by closing is sent in chunks, and the client's connection is kept",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\n\r\nall there is");
          peer.finish();
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      for (let count = 0; count < 2; count++) {
        client.send(get);
        const { head, body } = await client.message();
        assert.match(head, /transfer-encoding: chunked/i);
        assert.equal(body, "all there is");
      }
    }),
  );

  test(
    "HTTP/1.0 gets bodies without chunks, ended by closing; and keeps its connection if it can",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          while (peer.end === "open") {
            const { head } = await peer.message();
            peer.send(
              head.startsWith("GET /chunked")
                ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            );
          }
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      const kept = await client.message();
      assert.match(kept.head, /^Connection: keep-alive$/m);
      client.send("GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
      const head = await client.takeThrough("\r\n\r\n");
      assert.match(head, /^Connection: close$/m);
      assert.doesNotMatch(head, /transfer-encoding/i);
      assert.equal(await client.ended(), "fin");
      assert.equal(client.received, "abc");
    }),
  );

  test(
    "HTTP/1.0 gets nothing of the chunks of a large answer",
    opening(async (open) => {
      const chunk = "abcdefgh".repeat(8_192);
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          for (let count = 0; count < 16; count++) peer.send(`10000\r\n${chunk}\r\n`);
          peer.send("0\r\n\r\n");
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send("GET / HTTP/1.0\r\n\r\n");
      await client.takeThrough("\r\n\r\n");
      assert.equal(await client.ended(), "fin");
      assert.ok(client.received === chunk.repeat(16), `${client.received.length} bytes of 1 MiB`);
    }),
  );

  test(
    "100 Continue and other interim answers come through",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          const head = await peer.takeThrough("\r\n\r\n");
          assert.match(head, /^Expect: 100-continue$/m);
          assert.equal(peer.received, "");
          peer.send("HTTP/1.1 100 Continue\r\n\r\n");
          assert.equal(await peer.take(5), "hello");
          peer.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n");
          peer.send("Content-Length: 2\r\n\r\nok");
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`PUT / HTTP/1.1\r\n${host}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
      assert.equal(await client.takeThrough("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
      client.send("hello");
      assert.match(await client.takeThrough("\r\n\r\n"), /103 Early Hints\r\nLink: x/);
      assert.equal((await client.message()).body, "ok");
    }),
  );

  test(
    "an answer before the request's end is relayed, and ends both connections",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.takeThrough("\r\n\r\n");
          peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\nsome`);
      const { head, body } = await client.message();
      assert.match(head, /^HTTP\/1.1 413[^]*^Connection: close$/m);
      assert.equal(body, "no");
      assert.equal(await client.ended(), "fin");
      await gateway.ask(get);
      assert.equal(origin.peers.length, 2);
    }),
  );

  test(
    "large bodies arrive whole in both directions",
    opening(async (open) => {
      const byteCount = 8 * 1024 * 1024;
      const text = "0123456789abcdef".repeat(byteCount / 16);
      const origin = await open(
        startOrigin(async (peer) => {
          const { body } = await peer.message();
          assert.equal(body === text, true);
          peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${byteCount}\r\n\r\n${text}`);
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const answer = await gateway.ask(
        `POST / HTTP/1.1\r\n${host}Content-Length: ${byteCount}\r\n\r\n${text}`,
      );
      assert.equal(answer.body === text, true);
    }),
  );

  // More than the kernel's buffers on the way could ever hold.
  const pieces = Array.from({ length: 64 }, (_, index) => Buffer.alloc(1024 * 1024, index));
  const byteCount = pieces.length * 1024 * 1024;

  test(
    "an answer that its client does not read is left with the instance, and nobody else waits",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${byteCount}\r\n\r\n`);
          for (const piece of pieces) peer.socket.write(piece);
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      await client.takeThrough("\r\n\r\n");
      client.socket.pause();
      await askOthers(gateway);
      const left = origin.peers[0]?.socket.writableLength ?? 0;
      assert.ok(left > byteCount / 2, `${left} bytes wait at the instance`);
      client.socket.resume();
      const body = Buffer.from(await client.take(byteCount), "latin1");
      assert.equal(body.equals(Buffer.concat(pieces)), true);
    }),
  );

  test(
    "pipelined requests whose answers are not read are not sent on",
    opening(async (open) => {
      const [requestCount, answerBytes] = [512, 128 * 1024];
      let asked = 0;
      const origin = await open(
        startOrigin(async (peer) => {
          while (peer.end === "open") {
            await peer.message();
            const body = String(asked++).padEnd(answerBytes, ".");
            peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${answerBytes}\r\n\r\n${body}`);
          }
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.socket.pause();
      for (let count = 0; count < requestCount; count++) {
        client.send(get);
        await askOthers(gateway, 1);
      }
      assert.ok(asked < requestCount / 2, `${asked} were sent on`);
      client.socket.resume();
      for (let count = 0; count < requestCount; count++) {
        assert.equal((await client.message()).body, String(count).padEnd(answerBytes, "."));
      }
    }),
  );

  test(
    "requests far ahead of their turn are left with the client",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      await origin.peer(0);
      for (const piece of pieces) client.socket.write(piece);
      await askOthers(gateway);
      const left = client.socket.writableLength;
      assert.ok(left > byteCount / 2, `${left} bytes wait at the client`);
    }),
  );

  test(
    "a body that its instance does not read is left with the client",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`POST / HTTP/1.1\r\n${host}Content-Length: ${byteCount}\r\n\r\n`);
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      peer.socket.pause();
      for (const piece of pieces) client.socket.write(piece);
      await askOthers(gateway);
      const left = client.socket.writableLength;
      assert.ok(left > byteCount / 2, `${left} bytes wait at the client`);
      peer.socket.resume();
      const body = Buffer.from(await peer.take(byteCount), "latin1");
      assert.equal(body.equals(Buffer.concat(pieces)), true);
    }),
  );
});

/**
 * Other clients' requests, answered by the gateway itself: by then it has done all it can for a
 * slow one.
 */
async function askOthers(gateway: Gateway, requestCount = 300): Promise<void> {
  for (let count = 0; count < requestCount; count++) {
    assert.match((await gateway.ask("GET / HTTP/1.1\r\n\r\n")).head, /HOST_MISSING/);
  }
}

describe("upgrades", () => {
  const upgrade = `GET /chat HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  const switching =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

  test(
    "after 101 bytes flow both ways, with what either side sent early; half-close is passed on",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          const head = await peer.takeThrough("\r\n\r\n");
          assert.match(head, /^Upgrade: websocket$/m);
          assert.match(head, /^Connection: Upgrade$/m);
          peer.send(`${switching}welcome`);
          assert.equal(await peer.take(10), "earlylater");
          assert.equal(await peer.ended(), "fin");
          peer.send("bye");
          peer.finish();
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`${upgrade}early`);
      const head = await client.takeThrough("\r\n\r\n");
      assert.match(head, /^HTTP\/1.1 101 [^]*^Upgrade: websocket$/m);
      assert.equal(await client.take(7), "welcome");
      assert.equal(gateway.engine.keptConnections, 1);
      client.send("later");
      client.finish();
      assert.equal(await client.take(3), "bye");
      assert.equal(await client.ended(), "fin");
    }),
  );

  test(
    "an upgrade that is declined is an ordinary answer",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("plain")));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(upgrade);
      assert.equal((await client.message()).body, "plain");
      client.send(get);
      assert.equal((await client.message()).body, "plain");
    }),
  );

  test(
    "101 to a request that did not ask is a bad answer",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send(switching);
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      assert.match((await gateway.ask(get)).head, /^HTTP\/1.1 502 [^]*X-Nines-Reason: BAD_ANSWER/);
    }),
  );
});

// Connections rather than requests: clients that leave, tables that change, draining, TCP
// listeners.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { quantileMs } from "../../core/measure/histogram.ts";
import {
  eventually,
  freePort,
  inTime,
  naming,
  opening,
  startGateway,
  startOrigin,
  tableOf,
} from "./engine.fixture.ts";

const host = "Host: a\r\n";
const get = `GET / HTTP/1.1\r\n${host}\r\n`;

describe("a client that leaves", () => {
  test(
    "by reset while it waits: the instance's request is given up at once",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      client.reset();
      await peer.ended();
      assert.equal(gateway.engine.connections, 0);
      assert.equal(gateway.engine.stats().services[0]?.active, 0);
      assert.deepEqual(gateway.notices, []);
    }),
  );

  test(
    "by closing while it waits: given up when no answer has come a second later",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      client.close();
      await peer.ended();
      await eventually("the client is forgotten", () => gateway.engine.connections === 0);
    }),
  );

  test(
    "only with its sending side: still gets its answer, then the connection ends",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("heard")));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      client.finish();
      assert.equal((await client.message()).body, "heard");
      assert.equal(await client.ended(), "fin");
    }),
  );

  test(
    "with its sending side, while an answer has stopped coming: is given up a second later",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      client.finish();
      await client.takeThrough("a\r\n");
      await client.ended();
      await (await origin.peer(0)).ended();
    }),
  );

  test(
    "in the middle of its body: the instance sees no end of the request",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
      const peer = await origin.peer(0);
      await peer.takeThrough("hello\r\n");
      client.finish();
      await peer.ended();
      assert.equal(peer.received, "");
    }),
  );

  test(
    "while an answer streams: the instance's connection is closed",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(get);
      await client.takeThrough("a\r\n");
      client.reset();
      await (await origin.peer(0)).ended();
    }),
  );

  test(
    "a thousand of them, in every way: nothing stays open and nothing stays counted",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          for (;;) {
            await peer.takeThrough("\r\n\r\n");
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            peer.send("x".repeat(100_000));
          }
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      for (let count = 0; count < 1000; count++) {
        const client = await gateway.client();
        client.send(count % 4 === 0 ? get.slice(0, count % get.length) : get);
        if (count % 3 === 0)
          await client.until("an answer", () => client.received !== "" || count % 4 === 0);
        if (count % 2 === 0) client.reset();
        else client.close();
      }
      await eventually("all are forgotten", () => gateway.engine.connections === 0);
      const [service] = gateway.engine.stats().services;
      assert.equal(service?.active, 0);
      assert.equal(service?.instances[0]?.active, 0);
      assert.equal(gateway.engine.keptConnections, 0);
    }),
  );
});

describe("a new table", () => {
  test(
    "takes effect with the next request of a connection; the one under way keeps its route",
    opening(async (open) => {
      const before = await open(startOrigin());
      const after = await open(startOrigin(naming("after")));
      const gateway = await open(startGateway(tableOf({ ports: [before.port] })));
      const client = await gateway.client();
      client.send(get);
      const peer = await before.peer(0);
      await peer.takeThrough("\r\n\r\n");
      gateway.engine.swap(tableOf({ ports: [after.port], version: 2 }));
      peer.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 6\r\n\r\nbefore");
      assert.equal((await client.message()).body, "before");
      await peer.ended();
      client.send(get);
      assert.equal((await client.message()).body, "after");
      assert.equal(gateway.engine.stats().tableVersion, 2);
    }),
  );

  test(
    "routes by host, path, method and header",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("found")));
      const found = async (match: object, request: string): Promise<boolean> => {
        const table = tableOf({ ports: [origin.port], route: { match } });
        const gateway = await open(startGateway(table));
        return (await gateway.ask(request)).body === "found";
      };
      const request = "POST /a/b?c=/x HTTP/1.1\r\nHost: A.Example:81\r\nX-Canary: yes\r\n\r\n";
      assert.equal(await found({ host: "a.example" }, request), true);
      assert.equal(await found({ host: "b.example" }, request), false);
      assert.equal(await found({ host: "*.example" }, request), true);
      assert.equal(await found({ path: "/a" }, request), true);
      assert.equal(await found({ exactPath: "/a/b" }, request), true);
      assert.equal(await found({ exactPath: "/a/b?c=/x" }, request), false);
      assert.equal(await found({ method: "POST" }, request), true);
      assert.equal(await found({ method: "GET" }, request), false);
      assert.equal(await found({ headers: { "x-canary": "yes" } }, request), true);
      assert.equal(await found({ headers: { "x-canary": "no" } }, request), false);
    }),
  );
});

describe("a worker that drains", () => {
  test(
    "answers what is under way, ends each connection after it, and idle ones only late",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const [busy, asks] = [await gateway.client(), await gateway.client()];
      const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      asks.send(get);
      const first = await origin.peer(0);
      await first.takeThrough("\r\n\r\n");
      first.send(ok);
      await asks.message();
      busy.send(get);
      await first.takeThrough("\r\n\r\n");
      const drained = gateway.engine.drain(60_000);
      asks.send(get);
      const second = await origin.peer(1);
      await second.takeThrough("\r\n\r\n");
      second.send(ok);
      first.send(ok);
      for (const client of [busy, asks]) {
        const { head, body } = await client.message();
        assert.equal(body, "ok");
        assert.match(head, /^Connection: close$/m);
        client.finish();
        assert.equal(await client.ended(), "fin");
      }
      await inTime("the drain", drained);
      assert.equal(gateway.engine.connections, 0);
      await first.ended();
      await second.ended();
    }),
  );

  test(
    "closes idle connections near the deadline, and cuts the rest at it",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const [busy, idle] = [await gateway.client(), await gateway.client()];
      busy.send(get);
      await (await origin.peer(0)).takeThrough("\r\n\r\n");
      // A busy machine comes late to what is due; the two ends are 200 ms apart.
      const drained = gateway.engine.drain(1000);
      assert.equal(await idle.ended(), "fin");
      assert.equal(busy.end, "open");
      await inTime("the drain", drained);
      await busy.ended();
      await (await origin.peer(0)).ended();
      assert.equal(gateway.engine.connections, 0);
    }),
  );
});

describe("what is counted", () => {
  test(
    "requests, answers by class, retries, bytes and latencies",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          while (peer.end === "open") {
            const { head } = await peer.message();
            const status = head.split("/")[1]?.slice(0, 3) ?? "";
            peer.send(`HTTP/1.1 ${status} x\r\nContent-Length: 1\r\n\r\nx`);
          }
        }),
      );
      const dead = await freePort();
      const table = tableOf({ ports: [dead, origin.port], instances: [{}, { backup: true }] });
      const gateway = await open(startGateway(table));
      for (const status of [200, 200, 301, 404, 500]) {
        await gateway.ask(`GET /${status} HTTP/1.1\r\n${host}\r\n`);
      }
      const [service] = gateway.engine.stats().services;
      assert.equal(service?.requests, 5);
      assert.equal(service?.retries, 1);
      assert.equal(service?.refused, 0);
      assert.equal(service?.instances[0]?.connectFailures, 1);
      assert.equal(service?.instances[0]?.ejected, true);
      assert.deepEqual(service?.instances[1]?.answers, [0, 2, 1, 1, 1]);
      assert.equal(service?.instances[1]?.requests, 5);
      assert.ok((quantileMs(service?.latency ?? [], 1) ?? 0) > 0);
      assert.equal(service?.bytesOut, 5 * "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nx".length);
      assert.equal(service?.bytesIn, 5 * "GET /200 HTTP/1.1\r\nHost: a\r\n\r\n".length);
    }),
  );
});

describe("a TCP listener", () => {
  test(
    "carries bytes both ways and each side's end by itself",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          peer.send("hello ");
          assert.equal(await peer.take(4), "\0\xff\r\n");
          assert.equal(await peer.ended(), "fin");
          peer.send("world");
          peer.finish();
        }),
      );
      const table = tableOf({ ports: [origin.port], protocol: "tcp" });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      assert.equal(await client.take(6), "hello ");
      client.send("\0\xff\r\n");
      client.finish();
      assert.equal(await client.take(5), "world");
      assert.equal(await client.ended(), "fin");
      await eventually("it is forgotten", () => gateway.engine.connections === 0);
      assert.equal(gateway.engine.stats().services[0]?.active, 0);
    }),
  );

  test(
    "connects to another instance when one refuses, and resets the client when none is left",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          peer.send("alive");
        }),
      );
      const dead = await freePort();
      const instances = [{}, { backup: true }];
      const table = tableOf({ ports: [dead, origin.port], instances, protocol: "tcp" });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      client.send("sent before there is an instance");
      assert.equal(await client.take(5), "alive");
      assert.equal(await (await origin.peer(0)).take(32), "sent before there is an instance");
      const none = await open(startGateway(tableOf({ ports: [dead], protocol: "tcp" })));
      assert.equal(await (await none.client()).ended(), "reset");
    }),
  );

  test(
    "passes a reset on as a reset",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port], protocol: "tcp" })));
      const [first, second] = [await gateway.client(), await gateway.client()];
      (await origin.peer(0)).reset();
      assert.equal(await first.ended(), "reset");
      const peer = await origin.peer(1);
      second.send("a");
      await peer.take(1);
      second.reset();
      assert.equal(await peer.ended(), "reset");
      await eventually("both are forgotten", () => gateway.engine.connections === 0);
    }),
  );

  test(
    "asks both sides for a sign of life after 30 s of silence",
    { skip: process.platform === "linux" ? false : "/proc/net/tcp is Linux's" },
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port], protocol: "tcp" })));
      const client = await gateway.client();
      client.send("a");
      await (await origin.peer(0)).take(1);
      // Acknowledgements are under way for a moment, and have the kernel's timer meanwhile.
      await eventually("both have a timer of 30 s", () => {
        const idle = keepAliveTimers();
        return (
          idle.some(({ local }) => local === gateway.port) &&
          idle.some(({ remote }) => remote === origin.port)
        );
      });
    }),
  );

  test(
    "closes what is silent in both directions",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const table = tableOf({ ports: [origin.port], protocol: "tcp", timeouts: { tunnelMs: 100 } });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      await client.ended();
      await (await origin.peer(0)).ended();
    }),
  );

  test(
    "holds a fast writer up for a slow reader, and loses nothing",
    opening(async (open) => {
      // More than the kernel's buffers on the way could ever hold.
      const pieces = Array.from({ length: 64 }, (_, index) => Buffer.alloc(1024 * 1024, index));
      const byteCount = pieces.length * 1024 * 1024;
      const origin = await open(startOrigin());
      const table = tableOf({ ports: [origin.port], protocol: "tcp" });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      const peer = await origin.peer(0);
      client.socket.pause();
      for (const piece of pieces) peer.socket.write(piece);
      // By the time that others have been served the engine has done all it can for this one.
      const other = await gateway.client();
      const otherPeer = await origin.peer(1);
      for (let count = 0; count < 300; count++) {
        other.send("a");
        await otherPeer.take(1);
        otherPeer.send("b");
        await other.take(1);
      }
      // What is held for the slow one lies where others' bytes do not pass.
      for (let count = 0; count < 20; count++) {
        other.send("a".repeat(400_000));
        await otherPeer.take(400_000);
      }
      const left = peer.socket.writableLength;
      assert.ok(left > byteCount / 2, `${left} bytes wait at the instance`);
      client.socket.resume();
      const received = Buffer.from(await client.take(byteCount), "latin1");
      assert.equal(received.equals(Buffer.concat(pieces)), true);
    }),
  );
});

/** Established connections of this machine that wait 20 to 30 s for their keepalive timer. */
function keepAliveTimers(): readonly { readonly local: number; readonly remote: number }[] {
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  const portOf = (address = ""): number => Number.parseInt(address.split(":")[1] ?? "", 16);
  return lines.flatMap((line) => {
    const [, local, remote, state, , timer = ""] = line.trim().split(/\s+/);
    const [kind, hundredths = ""] = timer.split(":");
    const waits = Number.parseInt(hundredths, 16);
    const idles = state === "01" && kind === "02" && waits > 2_000 && waits <= 3_000;
    return idles ? [{ local: portOf(local), remote: portOf(remote) }] : [];
  });
}

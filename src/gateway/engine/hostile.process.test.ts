// What a hostile or unlucky peer could gain: a request without an origin, memory that outlives its
// connection, a protocol that nobody meant to speak, an answer that is lost to a reset.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Wire } from "../transport/wire.ts";
import { createEngine } from "./engine.ts";
import {
  eventually,
  listenOnDescriptor,
  naming,
  opening,
  startGateway,
  startOrigin,
  tableOf,
  testKey,
} from "./engine.fixture.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a client that resets its connection before it is accepted", () => {
  for (const protocol of ["http", "tcp"] as const) {
    test(
      `over ${protocol}: nothing of it is forwarded, since it would come from nowhere`,
      opening(async (open) => {
        const origin = await open(startOrigin(naming("web")));
        const table = tableOf({ ports: [origin.port], protocol });
        const engine = createEngine({
          worker: 1,
          table,
          onNotice: () => undefined,
          stickyKey: () => testKey,
        });
        let accepted = 0;
        const { port, listener } = await listenOnDescriptor((wire) => {
          accepted++;
          if (protocol === "tcp") engine.acceptTcp(wire, 0);
          else engine.acceptHttp(wire);
        });
        await open(Promise.resolve({ close: () => engine.drain(0) }));
        listener.pause();
        await resetAfter(port, get);
        listener.resume();
        await eventually("it is accepted", () => accepted === 1);
        assert.equal(engine.connections, 0);
        // Whatever was forwarded would have come before this one.
        const client = connect(port, "127.0.0.1").on("error", () => undefined);
        client.write(get);
        await origin.peer(0);
        client.destroy();
        listener.close();
        assert.equal(engine.stats().services[0]?.requests, 1);
      }),
    );
  }
});

/** Its bytes are in the gateway's kernel, and so is the reset. */
async function resetAfter(port: number, text: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve) => {
    socket.write(text, () => resolve());
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined).resetAndDestroy();
  await closed;
}

test(
  "nothing of a connection outlives it",
  opening(async (open) => {
    const origin = await open(startOrigin(naming("web")));
    // Long times, for which a timer left in the wheel would hold the connection.
    const longMs = 40_000;
    const timeouts = { connectMs: longMs, responseMs: longMs, idleMs: longMs };
    const table = tableOf({ ports: [origin.port], timeouts });
    const engine = createEngine({
      worker: 1,
      table,
      onNotice: () => undefined,
      stickyKey: () => testKey,
    });
    const wires: WeakRef<Wire>[] = [];
    const { port, listener } = await listenOnDescriptor((wire) => {
      wires.push(new WeakRef(wire));
      engine.acceptHttp(wire);
    });
    await open(Promise.resolve({ close: () => engine.drain(0) }));
    for (let count = 0; count < 10; count++) await once(port);
    await eventually("all are closed", () => engine.connections === 0);
    listener.close();
    // Of the last one the machine's stack may know a little longer.
    await eventually("they are collected", () => {
      collectGarbage();
      return wires.filter((wire) => wire.deref() !== undefined).length <= 2;
    });
  }),
);

async function once(port: number): Promise<void> {
  const client = connect(port, "127.0.0.1");
  client.write(get);
  await new Promise((resolve) => client.once("data", resolve));
  client.destroy();
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

test(
  "an upgrade to HTTP/2 is not passed on, in whichever of several fields it is asked for",
  opening(async (open) => {
    const origin = await open(startOrigin());
    const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
    const client = await gateway.client();
    const upgrades = "Upgrade: h2c\r\nUpgrade: websocket\r\n";
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n${upgrades}\r\n`);
    const { head } = await (await origin.peer(0)).message();
    assert.doesNotMatch(head, /^(upgrade|connection):/im);
  }),
);

test(
  "an answer that its instance sent before it reset the connection reaches the client",
  opening(async (open) => {
    const origin = await open(startOrigin());
    const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
    const client = await gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    const peer = await origin.peer(0);
    await peer.takeThrough("\r\n\r\n");
    // The engine has more of the body in hand before it can read what the instance says.
    client.send("x".repeat(1000));
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    peer.reset();
    const answer = await client.message();
    assert.match(answer.head, /^HTTP\/1\.1 413 /);
    assert.equal(answer.body, "big");
  }),
);

test(
  "a drain's end closes both sides of a tunnel",
  opening(async (open) => {
    const origin = await open(startOrigin());
    const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
    const client = await gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
    const peer = await origin.peer(0);
    await peer.takeThrough("\r\n\r\n");
    peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n");
    await client.takeThrough("\r\n\r\n");
    await gateway.engine.drain(0);
    await peer.ended();
    await client.ended();
    assert.equal(gateway.engine.stats().services[0]?.active, 0);
  }),
);

test(
  "without a descriptor left, a worker goes on telling what it counted",
  opening(async (open) => {
    const gateway = await open(startGateway(tableOf({ ports: [] })));
    const known = gateway.engine.stats().residentBytes;
    const { rss } = process.memoryUsage;
    process.memoryUsage.rss = () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    };
    try {
      assert.equal(gateway.engine.stats().residentBytes, known);
    } finally {
      process.memoryUsage.rss = rss;
    }
  }),
);

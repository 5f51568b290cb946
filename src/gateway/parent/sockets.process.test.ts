// What the gateway asks of libuv without being promised it: to listen without accepting, and to
// stop accepting without closing. This test is the promise, on the Node that runs it.

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import { freePort } from "../process/harness.fixture.ts";
import { openListener } from "../transport/listener.ts";
import { holdSocket } from "./sockets.ts";

async function connected(port: number): Promise<ReturnType<typeof connect>> {
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

describe("a held socket", () => {
  it("lets clients connect and accepts none of them, until a listener does", async () => {
    const port = await freePort();
    const held = holdSocket("127.0.0.1", port);
    assert.ok("fd" in held);
    const first = await connected(port);
    let answered = false;
    first.on("data", () => {
      answered = true;
    });
    // A whole turn of the event loop with I/O in between: an accepting parent would have taken it.
    (await connected(port)).destroy();
    assert.equal(answered, false);
    const answers = new Promise((resolve) => first.once("data", resolve));
    const listener = openListener({
      fd: held.fd,
      onConnection: (wire) => {
        wire.write(Buffer.from("hello"));
        wire.end();
      },
      onError: (error) => assert.fail(error),
    });
    assert.equal(String(await answers), "hello");
    listener.close();
    first.destroy();
  });

  it("says that a port is taken, also by a socket of the same kind", async () => {
    const port = await freePort();
    const held = holdSocket("127.0.0.1", port);
    assert.ok("fd" in held);
    const again = holdSocket("127.0.0.1", port);
    assert.ok("sentence" in again);
    assert.equal(again.code, "NINES_GATEWAY_PORT_TAKEN");
    held.close();
  });

  it("says what else is wrong", async () => {
    const nowhere = holdSocket("203.0.113.7", await freePort());
    assert.ok("sentence" in nowhere);
    assert.equal(nowhere.code, "NINES_GATEWAY_LISTEN");
    assert.match(nowhere.sentence, /this machine has no such address/);
  });

  it("frees the port when it is closed", async () => {
    const port = await freePort();
    const held = holdSocket("127.0.0.1", port);
    assert.ok("fd" in held);
    held.close();
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("a listener that pauses", () => {
  it("leaves connections in the kernel, from inside its own callback too, and takes them later", async () => {
    const port = await freePort();
    const held = holdSocket("127.0.0.1", port);
    assert.ok("fd" in held);
    let accepted = 0;
    let all = (): void => undefined;
    const taken = new Promise<void>((resolve) => {
      all = resolve;
    });
    const listener = openListener({
      fd: held.fd,
      onConnection: (wire) => {
        accepted++;
        wire.destroy();
        if (accepted === 1) assert.equal(listener.pause(), true);
        if (accepted === 4) all();
      },
      onError: (error) => assert.fail(error),
    });
    const clients = await Promise.all([1, 2, 3, 4].map(() => connected(port)));
    // One of them is closed by the accept; which one is the kernel's choice.
    await Promise.race(
      clients.map((client) => new Promise<void>((done) => client.resume().once("close", done))),
    );
    assert.equal(accepted, 1);
    listener.resume();
    await taken;
    listener.close();
    for (const client of clients) client.destroy();
  });
});

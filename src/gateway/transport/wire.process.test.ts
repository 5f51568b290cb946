// What a wire promises its owner, held to by both kinds: over Node's own handle, and over a socket.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { adoptHandle, connectWire } from "./handle-wire.ts";
import { connectSocket, SocketWire } from "./socket-wire.ts";
import type { Wire, WireOwner } from "./wire.ts";

const DEADLINE_MS = 10_000;

/** Keeps what it hears, in order. */
class Recorder implements WireOwner {
  readonly heard: string[] = [];
  #changed: () => void = () => undefined;

  onBytes(bytes: Buffer, from: number, to: number): void {
    this.#hear(bytes.toString("latin1", from, to));
  }

  onEnd(): void {
    this.#hear("<end>");
  }

  onDrained(): void {
    this.#hear("<drained>");
  }

  onClosed(cause: string): void {
    this.#hear(`<closed ${cause}>`);
  }

  #hear(what: string): void {
    this.heard.push(what);
    this.#changed();
  }

  async until(what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = (): void => reject(new Error(`no ${what} in ${JSON.stringify(this.heard)}`));
      const timer = setTimeout(late, DEADLINE_MS);
      this.#changed = () => {
        if (!this.heard.join("").includes(what)) return;
        clearTimeout(timer);
        resolve();
      };
      this.#changed();
    });
  }
}

interface Ends {
  readonly wire: Wire;
  readonly owner: Recorder;
  readonly peer: Socket;
}

interface Kind {
  readonly name: string;
  accept(socketOrHandle: { readonly socket: Socket; readonly handle: object }): Wire;
  connect(port: number, owner: WireOwner, onConnected: () => void): Wire;
}

const kinds: readonly Kind[] = [
  {
    name: "over a handle",
    accept({ handle }) {
      const wire = adoptHandle(handle);
      assert.ok(wire !== undefined, "this Node's handles are known");
      return wire;
    },
    connect: (port, owner, onConnected) => connectWire("127.0.0.1", port, owner, onConnected),
  },
  {
    name: "over a socket",
    accept: ({ socket }) => new SocketWire(socket),
    connect: (port, owner, onConnected) => connectSocket("127.0.0.1", port, owner, onConnected),
  },
];

let server: Server;
let port = 0;
const opened: (Socket | Wire)[] = [];

before(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});

after(() => {
  for (const each of opened) each.destroy();
  server.close();
});

async function accepted(): Promise<{ socket: Socket; peer: Socket }> {
  const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  opened.push(peer);
  peer.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  if (peer.connecting) await once(peer, "connect");
  return { socket, peer };
}

async function ends(kind: Kind): Promise<Ends> {
  const { socket, peer } = await accepted();
  const { _handle: handle } = socket as unknown as { _handle: object };
  const wire = kind.accept({ socket, handle });
  const owner = new Recorder();
  wire.owner = owner;
  opened.push(wire);
  return { wire, owner, peer };
}

async function told(peer: Socket, event: string): Promise<void> {
  await once(peer, event, { signal: AbortSignal.timeout(DEADLINE_MS) });
}

/** Writes until the kernel takes no more. */
function fill(wire: Wire): number {
  let byteCount = 0;
  for (let isTaken = true; isTaken; byteCount += 65_536) {
    isTaken = wire.write(Buffer.alloc(65_536, "x"));
  }
  return byteCount;
}

for (const kind of kinds) {
  describe(`a wire ${kind.name}`, () => {
    it("reads from its first resume on, and not while it is paused", async () => {
      const { wire, owner, peer } = await ends(kind);
      assert.equal(wire.peerAddress, "127.0.0.1");
      peer.write("one");
      const echo = await ends(kind);
      echo.wire.resume();
      echo.peer.write("later");
      await echo.owner.until("later");
      assert.deepEqual(owner.heard, []);
      wire.resume();
      await owner.until("one");
      wire.pause();
      peer.write("two");
      echo.peer.write("again");
      await echo.owner.until("again");
      assert.deepEqual(owner.heard, ["one"]);
      wire.resume();
      await owner.until("two");
    });

    it("ends each direction by itself, and is closed in order when both have ended", async () => {
      const { wire, owner, peer } = await ends(kind);
      wire.resume();
      peer.end("last");
      await owner.until("<end>");
      assert.equal(wire.open, true);
      wire.write(Buffer.from("answer"));
      wire.end();
      wire.end();
      peer.setEncoding("latin1");
      let received = "";
      peer.on("data", (text: string) => {
        received += text;
      });
      await told(peer, "end");
      await owner.until("<closed >");
      assert.equal(received, "answer");
      assert.equal(wire.open, false);
      assert.deepEqual(owner.heard, ["last", "<end>", "<closed >"]);
    });

    it("says when the kernel takes no more, how far it is, and when all has left", async () => {
      const { wire, owner, peer } = await ends(kind);
      wire.resume();
      const byteCount = fill(wire);
      assert.ok(wire.pendingBytes > 0);
      assert.equal(wire.progressed(), false);
      let received = 0;
      peer.on("data", (bytes: Buffer) => {
        received += bytes.length;
      });
      await owner.until("<drained>");
      assert.equal(wire.pendingBytes, 0);
      wire.end();
      await told(peer, "end");
      assert.equal(received, byteCount);
      assert.deepEqual(owner.heard, ["<drained>"]);
    });

    it("passes on lent bytes in their order, whatever becomes of them then", async () => {
      const { wire, owner, peer } = await ends(kind);
      wire.resume();
      const lent = Buffer.alloc(65_536);
      const sent: Buffer[] = [];
      const pass = (from: number): boolean => {
        lent.fill(String.fromCharCode(97 + (sent.length % 26)));
        sent.push(Buffer.from(lent.subarray(from)));
        return wire.pass(lent, from, lent.length);
      };
      while (pass(sent.length));
      // What comes while something waits is behind it.
      pass(1);
      lent.fill("?");
      assert.ok(wire.pendingBytes > 0);
      const received: Buffer[] = [];
      peer.on("data", (bytes: Buffer) => received.push(bytes));
      await owner.until("<drained>");
      wire.end();
      await told(peer, "end");
      assert.ok(Buffer.concat(received).equals(Buffer.concat(sent)));
      assert.equal(wire.takenBytes, Buffer.concat(sent).length);
      assert.equal(wire.pass(lent, 0, 0), true);
    });

    it("tells of a peer that is gone when bytes are passed on to it", async () => {
      const { wire, owner, peer } = await ends(kind);
      peer.resetAndDestroy();
      await told(peer, "close");
      wire.pass(Buffer.alloc(65_536), 0, 65_536);
      assert.deepEqual(owner.heard, [], "not in the middle of a call");
      await owner.until("<closed");
      assert.equal(owner.heard.length, 1);
    });

    it("sends what is pending before its end", async () => {
      const { wire, peer } = await ends(kind);
      const byteCount = fill(wire);
      wire.end();
      let received = 0;
      peer.on("data", (bytes: Buffer) => {
        received += bytes.length;
      });
      await told(peer, "end");
      assert.equal(received, byteCount);
    });

    it("tells a reset by its name, once, and only to who still listens", async () => {
      const { wire, owner, peer } = await ends(kind);
      wire.resume();
      peer.resetAndDestroy();
      await owner.until("<closed ECONNRESET>");
      wire.destroy();
      wire.write(Buffer.from("to nobody"));
      wire.end();
      wire.resume();
      assert.deepEqual(owner.heard, ["<closed ECONNRESET>"]);
    });

    it("gives what came before a reset that a write meets", async () => {
      const { wire, owner, peer } = await ends(kind);
      await new Promise<void>((resolve) => {
        peer.write("refusal", () => resolve());
      });
      peer.resetAndDestroy();
      await told(peer, "close");
      // The reset of a loopback connection has arrived when its sender has closed.
      wire.write(Buffer.from("more"));
      assert.equal(owner.heard.length, 0, "not in the middle of a call");
      await owner.until("<closed");
      assert.deepEqual(owner.heard[0], "refusal");
      assert.equal(owner.heard.length, 2);
    });

    it("closes without a word to its owner when told to, in order or by reset", async () => {
      const { wire, owner, peer } = await ends(kind);
      wire.resume();
      wire.destroy();
      peer.resume();
      await told(peer, "end");
      const other = await ends(kind);
      other.wire.resume();
      const failed = once(other.peer, "error", { signal: AbortSignal.timeout(DEADLINE_MS) });
      other.peer.resume();
      other.wire.reset();
      other.wire.reset();
      const [error] = (await failed) as [NodeJS.ErrnoException];
      assert.equal(error.code, "ECONNRESET");
      assert.deepEqual([owner.heard, other.owner.heard], [[], []]);
    });

    it("connects, says so first, and tells a refusal after the call", async () => {
      const owner = new Recorder();
      const accepting = once(server, "connection") as Promise<[Socket]>;
      const connected = new Promise<void>((resolve) => {
        opened.push(
          kind.connect(port, owner, () => {
            assert.deepEqual(owner.heard, []);
            resolve();
          }),
        );
      });
      const [socket] = await accepting;
      opened.push(socket);
      await connected;
      socket.write("hello");
      await owner.until("hello");
      const refused = new Recorder();
      kind.connect(1, refused, () => assert.fail("nobody listens there"));
      assert.deepEqual(refused.heard, []);
      await refused.until("<closed ECONNREFUSED>");
    });
  });
}

for (const kind of kinds) {
  for (const isFilled of [true, false]) {
    const waits = isFilled ? "waits for what is pending" : "is on its way";
    it(`a wire ${kind.name} is let go when it is reset while its end ${waits}`, async () => {
      const { socket, peer } = await accepted();
      const { _handle: handle } = socket as unknown as { _handle: { readonly fd: number } };
      const wire = kind.accept({ socket, handle });
      const owner = new Recorder();
      wire.owner = owner;
      if (isFilled) fill(wire);
      wire.end();
      wire.reset();
      peer.on("data", () => undefined);
      await Promise.race([told(peer, "end"), told(peer, "error")]).catch(() => undefined);
      assert.equal(handle.fd < 0, true, "its descriptor is closed");
      assert.deepEqual(owner.heard, []);
      peer.destroy();
    });
  }
}

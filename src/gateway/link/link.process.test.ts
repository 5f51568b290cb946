// Two ends of a link over a real unix socket: what gets through, what is refused, what is dropped.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import type { FromControl, Hello, ToControl } from "../contract.ts";
import { testTable, until } from "../process/harness.fixture.ts";
import { keepLinked } from "./client.ts";
import { LINE_BYTES_MAX, type Link, QUEUE_LENGTH_MAX } from "./link.ts";
import { readFromControl, readToControl } from "./messages.ts";
import { serveLinks } from "./server.ts";

const identity = { pid: 1, startTime: "1" };
const hello: Hello = { type: "hello", role: "worker", identity, term: 1, worker: 1, version: "1" };
const said = (sentence: string): ToControl => ({
  type: "event",
  kind: "gateway.test",
  level: "info",
  sentence,
});

describe("a link", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "nines-link-"));
  const path = join(folder, "a.sock");
  const peers: { readonly hello: Hello; readonly link: Link<FromControl>; why: string }[] = [];
  const heard: ToControl[] = [];
  const serve = (): Promise<Disposable> =>
    serveLinks<ToControl, FromControl>({
      path,
      parse: readToControl,
      onPeer: (from, link) => {
        const peer = { hello: from, link, why: "" };
        peers.push(peer);
        return {
          onMessage: (message) => heard.push(message),
          onClose: (why) => {
            peer.why = why;
          },
        };
      },
    });
  let server = await serve();
  const closers: (() => void)[] = [];
  after(() => {
    for (const close of closers) close();
    server[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
  const raw = (): Socket => {
    const socket = connect(path);
    socket.on("error", () => undefined);
    closers.push(() => socket.destroy());
    return socket;
  };
  const cut = async (socket: Socket): Promise<void> => {
    await new Promise((resolve) => socket.resume().once("close", resolve));
  };

  it("is for this user alone", () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("carries messages in order, also ones that arrive in pieces", async () => {
    const socket = raw();
    const text = `${JSON.stringify(hello)}\n${JSON.stringify(said("é"))}\n${JSON.stringify(said("b"))}\n`;
    for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
    await until("both are heard", () => heard.length === 2);
    assert.deepEqual(heard, [said("é"), said("b")]);
    assert.deepEqual(peers[0]?.hello, hello);
    socket.destroy();
    await until("the end is known", () => peers[0]?.why !== "");
  });

  for (const [what, text] of [
    ["no hello first", `${JSON.stringify(said("a"))}\n`],
    ["no JSON", "hello\n"],
    ["a message of another kind", `${JSON.stringify(hello)}\n{"type":"alive"}\n`],
    ["a message that lacks a field", `${JSON.stringify(hello)}\n{"type":"event","kind":"a"}\n`],
    ["a name of every object", `${JSON.stringify(hello)}\n{"type":"constructor"}\n`],
    ["nothing at all", ""],
  ] as const) {
    it(`is cut when the peer says ${what}`, async () => {
      const socket = raw();
      socket.write(text);
      await cut(socket);
    });
  }

  it("is cut when a line does not end", async () => {
    const socket = raw();
    socket.write(`${JSON.stringify(hello)}\n`);
    socket.write("x".repeat(LINE_BYTES_MAX + 1));
    await cut(socket);
  });

  it("keeps the latest table for a peer that does not read, and a bounded number of others", async () => {
    const socket = raw();
    socket.pause();
    const before = peers.length;
    socket.write(`${JSON.stringify(hello)}\n`);
    await until("it is met", () => peers.length > before);
    const peer = peers.at(-1);
    assert.ok(peer);
    const tables = 2_000;
    for (let version = 1; version <= tables; version++) {
      peer.link.sendLatest({ type: "table", table: { ...testTable(1, 1), version } });
    }
    for (let count = 0; count < QUEUE_LENGTH_MAX + 7; count++) {
      peer.link.send({ type: "replace-workers" });
    }
    assert.equal(peer.link.dropped, 7);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.resume();
    const marker = `"version":${tables},`;
    await until("the last table is read", () => text.includes(marker));
    const lines = text.trimEnd().split("\n");
    assert.ok(lines.filter((line) => line.includes('"table"')).length < tables / 2);
    assert.equal(lines.filter((line) => line.includes("replace-workers")).length, QUEUE_LENGTH_MAX);
  });

  it("comes back after its server was away, and says what it could not say meanwhile", async () => {
    let opened = 0;
    const client = keepLinked<FromControl, ToControl>({
      path,
      hello: () => hello,
      parse: readFromControl,
      onOpen: () => opened++,
      onMessage: () => undefined,
      onLost: () => undefined,
    });
    closers.push(() => client.end());
    await until("it is open", () => opened === 1);
    heard.length = 0;
    server[Symbol.dispose]();
    await until("it is lost", () => !client.open);
    client.send(said("while you were away"));
    client.sendLatest(said("never"));
    server = await serve();
    await until("it is open again", () => opened === 2);
    await until("it is heard", () => heard.at(-1)?.type === "event");
    assert.deepEqual(heard.at(-1), said("while you were away"));
  });

  it("a newer server takes the path over, and an older one that ends leaves it alone", async () => {
    const older = server;
    server = await serve();
    older[Symbol.dispose]();
    const before = peers.length;
    raw().write(`${JSON.stringify(hello)}\n`);
    await until("it meets the newer", () => peers.length > before);
  });
});

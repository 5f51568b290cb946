// The admin API on TCP: who may ask, of what, and what becomes of it when it cannot listen.

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { AdminConfig } from "../../config/config.ts";
import type { AdminActions } from "../admin/endpoints.ts";
import { WRONG_TOKENS_WAITING_MAX } from "../admin/gate.ts";
import { RemoteAdmin } from "./remote-admin.ts";

const ALL = "a".repeat(32);
const LOOK = "b".repeat(32);

interface World {
  readonly remote: RemoteAdmin;
  readonly config: AdminConfig;
  readonly said: string[];
  readonly drained: string[];
  /** Lets those go on who wait for the answer to a wrong token. */
  readonly release: () => void;
  readonly waiting: () => number;
}

async function createWorld(t: TestContext): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "nines-remote-"));
  const tokenFile = join(folder, "all");
  const readTokenFile = join(folder, "look");
  writeFileSync(tokenFile, `${ALL}\n`, { mode: 0o600 });
  writeFileSync(readTokenFile, LOOK, { mode: 0o600 });
  const config = {
    host: "127.0.0.1",
    port: await freePort(),
    tokenFile,
    readTokenFile,
    hosts: ["nines.test"],
  };
  const said: string[] = [];
  const drained: string[] = [];
  const waiting: (() => void)[] = [];
  const actions = {
    metrics: () => "nines_build_info 1\n",
    events: () => [],
    subscribe: () => ({ [Symbol.dispose]: () => undefined }),
    drain: (instance: string) => void drained.push(instance),
  } as unknown as AdminActions;
  const remote = new RemoteAdmin({
    actions,
    clock: {
      monotonicMs: () => 0,
      after: (_ms, run) => {
        waiting.push(run);
        return { [Symbol.dispose]: () => undefined };
      },
    },
    events: { record: ({ sentence }) => void said.push(sentence) },
  });
  t.after(async () => {
    for (const run of waiting) run();
    await remote.close();
    rmSync(folder, { recursive: true });
  });
  const release = () => {
    for (const run of waiting.splice(0)) run();
  };
  return { remote, config, said, drained, release, waiting: () => waiting.length };
}

type Headers = Readonly<Record<string, string>>;

const order: Headers = {
  authorization: `Bearer ${ALL}`,
  "content-type": "application/json",
};

/** The status; 0 when nobody listens. */
function ask(port: number, method: "GET" | "POST", headers: Headers): Promise<number> {
  const path = method === "GET" ? "/metrics" : "/v1/drain";
  return new Promise((resolve) => {
    const asked = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
    asked.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", () => resolve(0));
    asked.end(method === "GET" ? undefined : '{"instance":"web-1"}');
  });
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  return socket.resume();
}

describe("the admin API on TCP", () => {
  it("does what the token allows, and nothing else", async (t) => {
    const { remote, config, drained } = await createWorld(t);
    assert.equal(await remote.follow(config), "");
    const { port } = config;
    const look = { ...order, authorization: `Bearer ${LOOK}` };
    assert.equal(await ask(port, "GET", order), 200);
    assert.equal(await ask(port, "GET", look), 200);
    assert.equal(await ask(port, "POST", look), 403);
    assert.deepEqual(drained, []);
    assert.equal(await ask(port, "POST", order), 200);
    assert.deepEqual(drained, ["web-1"]);
  });

  it("lets a person at a browser look, whatever the token could do", async (t) => {
    const { remote, config, drained, release, waiting } = await createWorld(t);
    assert.equal(await remote.follow(config), "");
    const { port } = config;
    const basic = (words: string) => ({
      ...order,
      authorization: `Basic ${Buffer.from(words).toString("base64")}`,
    });
    for (const token of [ALL, LOOK]) {
      assert.equal(await ask(port, "GET", basic(`somebody:${token}`)), 200);
      assert.equal(await ask(port, "POST", basic(`somebody:${token}`)), 403);
    }
    const asName = ask(port, "GET", basic(`${ALL}:`));
    while (waiting() === 0) await new Promise(setImmediate);
    release();
    assert.equal(await asName, 401);
    assert.deepEqual(drained, []);
  });

  const foreign: readonly (readonly [string, "GET" | "POST", Headers, number])[] = [
    ["another's name for it (DNS rebinding)", "GET", { ...order, host: "evil.test" }, 403],
    ["an order of a foreign page", "POST", { ...order, origin: "http://evil.test" }, 403],
    ["a sandboxed page", "GET", { ...order, origin: "null" }, 403],
    ["what a form can send", "POST", { ...order, "content-type": "text/plain" }, 415],
  ];
  for (const [what, method, headers, status] of foreign) {
    it(`refuses ${what}, the right token or not`, async (t) => {
      const { remote, config, drained } = await createWorld(t);
      await remote.follow(config);
      assert.equal(await ask(config.port, method, headers), status);
      assert.deepEqual(drained, []);
    });
  }

  it("is asked by its address, localhost and the names of the file, with a port or without", async (t) => {
    const { remote, config } = await createWorld(t);
    await remote.follow(config);
    for (const host of ["127.0.0.1", "localhost:1", "[::1]:9190", "NINES.test:80"]) {
      assert.equal(await ask(config.port, "GET", { ...order, host }), 200, host);
    }
  });

  it("makes those without the token wait, few at once, and never those with it", async (t) => {
    const { remote, config, said, release, waiting } = await createWorld(t);
    await remote.follow(config);
    const wrong = { authorization: `Bearer ${ALL.slice(1)}c` };
    const first = Array.from({ length: WRONG_TOKENS_WAITING_MAX }, (_, index) =>
      ask(config.port, "GET", index === 0 ? {} : wrong),
    );
    while (waiting() < WRONG_TOKENS_WAITING_MAX) await new Promise(setImmediate);
    assert.equal(await ask(config.port, "GET", wrong), 429);
    assert.equal(await ask(config.port, "GET", order), 200);
    release();
    for (const status of await Promise.all(first)) assert.equal(status, 401);
    assert.equal(said.filter((sentence) => /no right token/.test(sentence)).length, 1);
    for (const sentence of said) assert.ok(!sentence.includes(ALL.slice(1)), "no token is said");
  });

  it("is not locked by those who connect and say nothing", async (t) => {
    const { remote, config } = await createWorld(t);
    await remote.follow(config);
    const silent = await Promise.all(Array.from({ length: 64 }, () => connected(config.port)));
    t.after(() => silent.forEach((socket) => socket.destroy()));
    const closed = once(silent[0] as Socket, "close");
    assert.equal(await ask(config.port, "GET", order), 200);
    await closed;
    assert.equal(silent.filter(({ destroyed }) => destroyed).length, 1, "only the oldest goes");
  });

  it("closes no connection that the token has let pass for a new one", async (t) => {
    const { remote, config } = await createWorld(t);
    await remote.follow(config);
    const line = "GET /v1/events/stream HTTP/1.1\r\nhost: localhost\r\n";
    const head = `${line}authorization: ${order["authorization"]}\r\n\r\n`;
    const followers = await Promise.all(Array.from({ length: 64 }, () => connected(config.port)));
    t.after(() => followers.forEach((socket) => socket.destroy()));
    await Promise.all(followers.map((socket) => (socket.write(head), once(socket, "data"))));
    assert.equal(await ask(config.port, "GET", order), 0);
    assert.ok(followers.every(({ destroyed }) => !destroyed));
    followers[0]?.destroy();
    while ((await ask(config.port, "GET", order)) !== 200);
  });

  const badFiles: readonly (readonly [string, (file: string) => void, RegExp])[] = [
    ["is missing", (file) => rmSync(file), /cannot be read/],
    ["others can read", (file) => chmodSync(file, 0o604), /mode 604/],
    ["its group can change", (file) => chmodSync(file, 0o620), /mode 620/],
    ["holds a short token", (file) => writeFileSync(file, "secret"), /holds 6 characters/],
    ["holds two words", (file) => writeFileSync(file, `${ALL} ${ALL}`), /one word/],
    ["holds the token for looking", (file) => writeFileSync(file, LOOK), /one of its own/],
  ];
  for (const [what, spoil, message] of badFiles) {
    it(`does not listen while its token's file ${what}, says so once, and then listens`, async (t) => {
      const { remote, config, said } = await createWorld(t);
      await remote.follow(config);
      spoil(config.tokenFile);
      assert.match(await remote.follow(config), message);
      assert.equal(await ask(config.port, "GET", order), 0);
      await remote.follow(config);
      assert.equal(said.filter((sentence) => message.test(sentence)).length, 1);
      rmSync(config.tokenFile, { force: true });
      writeFileSync(config.tokenFile, ALL, { mode: 0o600 });
      remote.look();
      assert.equal(await remote.follow(config), "");
      assert.equal(await ask(config.port, "GET", order), 200);
    });
  }

  it("waits for its port, moves with the file, and closes", async (t) => {
    const { remote, config } = await createWorld(t);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(config.port, "127.0.0.1", resolve));
    assert.match(await remote.follow(config), /EADDRINUSE/);
    await new Promise((resolve) => other.close(resolve));
    assert.equal(await remote.follow(config), "");
    const moved = { ...config, port: await freePort() };
    await remote.follow(moved);
    assert.equal(await ask(config.port, "GET", order), 0);
    assert.equal(await ask(moved.port, "GET", order), 200);
    await remote.follow(undefined);
    assert.equal(await ask(moved.port, "GET", order), 0);
  });

  it("takes the new token at the next apply, and the old one no more", async (t) => {
    const { remote, config, release, waiting } = await createWorld(t);
    await remote.follow(config);
    writeFileSync(config.tokenFile, "c".repeat(40));
    await remote.follow(config);
    assert.equal(await ask(config.port, "GET", { authorization: `bearer ${"c".repeat(40)}` }), 200);
    const old = ask(config.port, "GET", order);
    while (waiting() === 0) await new Promise(setImmediate);
    release();
    assert.equal(await old, 401);
  });

  it("ends the streams of a token that is no more, and no others", {
    timeout: 20_000,
  }, async (t) => {
    const { remote, config } = await createWorld(t);
    await remote.follow(config);
    const own = await openStream(config.port, ALL);
    const other = await openStream(config.port, LOOK);
    const ended = new Promise<void>((resolve) => own.on("close", resolve));
    await remote.follow(config);
    assert.ok(!own.destroyed, "its token is still in the file");
    writeFileSync(config.tokenFile, "c".repeat(40));
    await remote.follow(config);
    await ended;
    assert.ok(!other.destroyed);
    other.destroy();
  });
});

/** An event stream that has begun. */
function openStream(port: number, token: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const where = { host: "127.0.0.1", port, path: "/v1/events/stream", headers, agent: false };
    const asked = request(where, (response) => {
      response.on("error", () => undefined);
      response.once("data", () => resolve(response));
    });
    asked.on("error", reject);
    asked.end();
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

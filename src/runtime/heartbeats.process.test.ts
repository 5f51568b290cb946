// Signs of life as they come: over the socket with the right token, and by a touched file.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { realWorld } from "../../test/conformance/world.ts";
import type { Heartbeats } from "../ports/heartbeats.ts";
import { startHeartbeat } from "../sdk/heartbeat.ts";
import { connectionsOfInstanceMax, openHeartbeats, strangersMax } from "./heartbeats.ts";

const secret = Buffer.alloc(32, 7);

interface Place {
  readonly folder: string;
  readonly socket: string;
  readonly heartbeats: Heartbeats & Disposable;
  /** Signs heard, by instance. */
  readonly heard: Map<string, number>;
  readonly listen: (instance: string, everyMs?: number) => Readonly<Record<string, string>>;
}

async function place(context: TestContext): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "nines-beats-"));
  const socket = join(folder, "beat.sock");
  const heartbeats = await openHeartbeats({ socket, secret });
  const heard = new Map<string, number>();
  const open: Disposable[] = [];
  context.after(() => {
    for (const one of [...open, heartbeats]) one[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    socket,
    heartbeats,
    heard,
    listen(instance, everyMs = 200) {
      const beats = { instance, everyMs, file: join(folder, `${instance}.beat`) };
      const count = (): void => void heard.set(instance, (heard.get(instance) ?? 0) + 1);
      open.push(heartbeats.listen(beats, count));
      return heartbeats.environmentOf(beats);
    },
  };
}

/** Sends it, and returns what was answered before the end; undefined when it may stay. */
function say(socket: string, text: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const client = connect(socket, () => client.write(text));
    client.setEncoding("utf8");
    client.on("error", reject);
    client.on("data", (more: string) => (answer += more));
    client.on("close", () => resolve(answer));
    // Whoever may stay has been heard by then: lines are read in order.
    client.write("", () => setImmediate(() => undefined));
    client.on("connect", () => client.end());
  });
}

test("a line with name and token is a sign of life, and nothing else is", async (t) => {
  const { socket, heard, listen } = await place(t);
  const web1 = listen("web-1");
  const web2 = listen("web-2");
  const token = web1["NINES_HEARTBEAT_TOKEN"] ?? "";
  assert.equal(await say(socket, `web-1 ${token}\nweb-1 ${token}\n`), "");
  assert.equal(heard.get("web-1"), 2);
  assert.notEqual(token, web2["NINES_HEARTBEAT_TOKEN"]);
  for (const wrong of [
    `web-2 ${token}\n`,
    "web-1\n",
    "\n",
    "x".repeat(2_000),
    `web-1 ${token}0\n`,
  ]) {
    assert.equal(await say(socket, wrong), "refused\n", wrong.slice(0, 40));
  }
  assert.equal(heard.get("web-1"), 2);
  assert.equal(heard.get("web-2"), undefined);
});

test("neither strangers nor another instance take the places of who has a token", async (t) => {
  const { socket, heard, listen } = await place(t);
  const ended: Socket[] = [];
  const open = async (text: string): Promise<Socket> => {
    const client = connect(socket);
    client.on("error", () => undefined);
    client.on("close", () => ended.push(client));
    t.after(() => client.destroy());
    await new Promise((resolve) => client.on("connect", resolve));
    if (text !== "") client.write(text);
    return client;
  };
  const tokens = ["web-1", "web-2"].map((id) => `${id} ${listen(id)["NINES_HEARTBEAT_TOKEN"]}\n`);
  const [first = "", second = ""] = tokens;
  const friend = await open(first);
  await realWorld.until(() => heard.get("web-1") === 1, "it is known");
  const strangers: Socket[] = [];
  for (let count = 0; count < strangersMax + 8; count++) strangers.push(await open(""));
  await realWorld.until(() => ended.length === 8, "the oldest strangers made room");
  assert.deepEqual(new Set(ended), new Set(strangers.slice(0, 8)));
  for (let count = 0; count < connectionsOfInstanceMax + 1; count++) await open(second);
  await realWorld.until(
    () => heard.get("web-2") === connectionsOfInstanceMax + 1 && ended.length > 8,
    "the one instance made room for itself",
  );
  friend.write(first);
  await realWorld.until(() => heard.get("web-1") === 2, "the other is heard as ever");
  assert.ok(!ended.includes(friend));
});

test("anybody may write to the socket, and a shell can", async (t) => {
  const { socket, heard, listen } = await place(t);
  const web = listen("web-1");
  assert.equal(statSync(socket).mode & 0o777, 0o666);
  const script = `const s = require("node:net").connect(process.env.NINES_HEARTBEAT_SOCKET);
    s.end("web-1 " + process.env.NINES_HEARTBEAT_TOKEN + "\\n"); s.resume()`;
  const child = import("node:child_process").then(({ spawn }) =>
    spawn(process.execPath, ["-e", script], { env: { ...web }, stdio: "inherit" }),
  );
  await realWorld.until(() => heard.get("web-1") === 1, "its sign of life is heard");
  await child;
});

test("touching the file is a sign of life; what was touched before is not", async (t) => {
  const { folder, heard, listen } = await place(t);
  const file = join(folder, "web-1.beat");
  for (const name of ["web-1", "web-2"]) writeFileSync(join(folder, `${name}.beat`), "");
  for (const name of ["web-1", "web-2"]) listen(name);
  let touched = 0;
  // Each touch has a time of its own, whatever the file system's clock does.
  await realWorld.until(() => {
    utimesSync(file, 0, 1_000_000 + ++touched);
    return (heard.get("web-1") ?? 0) >= 3;
  }, "three touches are heard");
  assert.ok((heard.get("web-1") ?? 0) <= touched);
  assert.equal(heard.get("web-2"), undefined);
});

test("a file that was not there when listening began counts once it is", async (t) => {
  const { folder, heard, listen } = await place(t);
  const { NINES_HEARTBEAT_FILE: file = "" } = listen("web-1");
  assert.equal(file, join(folder, "web-1.beat"));
  let number = 0;
  // A shell's touch, until one is seen: the first may come before the first look.
  await realWorld.until(() => {
    execFileSync("touch", [
      "-d",
      `2026-01-01 00:00:${String(++number % 60).padStart(2, "0")}`,
      file,
    ]);
    return (heard.get("web-1") ?? 0) > 0;
  }, "a touch is heard");
});

test("a new control takes the socket over, and knows the tokens of the one before", async (t) => {
  const { folder, socket, heartbeats, listen } = await place(t);
  const { NINES_HEARTBEAT_TOKEN: token = "" } = listen("web-1");
  let heardByNext = 0;
  const next = await openHeartbeats({ socket, secret });
  t.after(() => next[Symbol.dispose]());
  const beats = { instance: "web-1", everyMs: 200, file: join(folder, "other") };
  next.listen(beats, () => heardByNext++);
  heartbeats[Symbol.dispose]();
  assert.equal(await say(socket, `web-1 ${token}\n`), "");
  assert.equal(heardByNext, 1);
});

test("the helper beats while its event loop runs, and finds the next control", async (t) => {
  const { socket, heard, heartbeats, listen } = await place(t);
  const environment = { ...listen("web-1", 50), NINES_INSTANCE: "web-1" };
  const helper = startHeartbeat({ environment });
  t.after(() => helper[Symbol.dispose]());
  await realWorld.until(() => (heard.get("web-1") ?? 0) >= 3, "three signs are heard");
  heartbeats[Symbol.dispose]();
  const next = await openHeartbeats({ socket, secret });
  t.after(() => next[Symbol.dispose]());
  let heardByNext = 0;
  next.listen({ instance: "web-1", everyMs: 50, file: "/nowhere" }, () => heardByNext++);
  await realWorld.until(() => heardByNext >= 2, "the next control hears it");
});

test("the helper does nothing where Nines asked for nothing", () => {
  for (const environment of [
    {},
    { NINES_HEARTBEAT_SOCKET: "/x" },
    { NINES_HEARTBEAT_EVERY_MS: "1" },
  ]) {
    startHeartbeat({ environment })[Symbol.dispose]();
  }
});

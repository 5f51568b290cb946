// Agents over real sockets: one line within a deadline and a bound, whatever the other side does.

import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { AGENT_LINE_BYTES_MAX, type AgentAnswer } from "../ports/agents.ts";
import { createAgents } from "./agents.ts";

const LONG_MS = 10_000;

/** Asks an agent that does this with each connection. */
async function asked(
  t: TestContext,
  serve: (socket: Socket) => void,
  { send = "", timeoutMs = LONG_MS } = {},
): Promise<AgentAnswer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return createAgents().ask({ host: "127.0.0.1", port }, { send, timeoutMs });
}

const lines: readonly (readonly [string, string])[] = [
  ["75%\n", "75%"],
  ["up ready\r\nsecond line\r\n", "up ready"],
  ["\n", ""],
  [
    `drain${" ".repeat(AGENT_LINE_BYTES_MAX - 5)}\n`,
    `drain${" ".repeat(AGENT_LINE_BYTES_MAX - 5)}`,
  ],
];

for (const [sent, line] of lines) {
  test(`${JSON.stringify(sent.slice(0, 30))} is a line of ${line.length} bytes`, async (t) => {
    const answer = await asked(t, (socket) => void socket.write(sent));
    assert.deepEqual(answer, { outcome: "said", text: line });
  });
}

test("a line may end with its connection, and come in pieces", async (t) => {
  const answer = await asked(t, (socket) => {
    socket.write("50");
    setImmediate(() => socket.end("% up"));
  });
  assert.deepEqual(answer, { outcome: "said", text: "50% up" });
});

test("it is sent what it is to be sent, as it is", async (t) => {
  const answer = await asked(t, (socket) => void socket.once("data", (sent) => socket.end(sent)), {
    send: "web-1 \u00e9\n",
  });
  assert.equal(answer.text, Buffer.from("web-1 \u00e9").toString("latin1"));
});

test("one that says nothing is late, one that dribbles as well", async (t) => {
  const late = { outcome: "late", text: "no line within 300 ms" };
  assert.deepEqual(await asked(t, () => undefined, { timeoutMs: 300 }), late);
  const dribbles = (socket: Socket): void => {
    const timer = setInterval(() => socket.write("a"), 20);
    socket.on("close", () => clearInterval(timer));
  };
  assert.deepEqual(await asked(t, dribbles, { timeoutMs: 300 }), late);
});

test("a line without an end is refused at its bound", async (t) => {
  const { outcome, text } = await asked(t, (socket) => void socket.write("a".repeat(1 << 20)));
  assert.equal(outcome, "refused");
  assert.match(text, /over 1024 bytes/);
});

test("nobody there, and one who hangs up, are unreachable", async (t) => {
  const closed = await asked(t, (socket) => void socket.end());
  assert.deepEqual(closed, {
    outcome: "unreachable",
    text: "closed the connection and said nothing",
  });
  const reset = await asked(t, (socket) => void socket.resetAndDestroy());
  assert.equal(reset.outcome, "unreachable");
  const nobody = await createAgents().ask(
    { host: "127.0.0.1", port: 1 },
    { send: "", timeoutMs: LONG_MS },
  );
  assert.deepEqual(nobody, { outcome: "unreachable", text: "connection refused" });
});

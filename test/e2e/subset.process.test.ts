// Two workers and a subset of one: each has its own instance, and who follows a dead worker takes
// its place.

import assert from "node:assert/strict";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { it, type TestContext } from "node:test";
import { ask, createNines, kill, type Nines, until } from "./nines.fixture.ts";

const CLIENTS = 8;
const REQUESTS_EACH = 6;

async function endpoint(t: TestContext): Promise<string> {
  const server = createServer((_request, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return name;
}

/** Whom each of some clients, on one connection and so at one worker, has heard. */
async function heardByClients(nines: Nines): Promise<readonly ReadonlySet<string>[]> {
  const agents = Array.from(
    { length: CLIENTS },
    () => new Agent({ keepAlive: true, maxSockets: 1 }),
  );
  try {
    const heard = agents.map(() => new Set<string>());
    for (let turn = 0; turn < REQUESTS_EACH; turn++) {
      for (const [client, agent] of agents.entries()) {
        const { status, body } = await ask(nines.port, "/", agent);
        assert.equal(status, 200);
        heard[client]?.add(body.body);
      }
    }
    return heard;
  } finally {
    for (const agent of agents) agent.destroy();
  }
}

it("each worker uses its part, and a new one takes a dead one's", async (t) => {
  const endpoints = [await endpoint(t), await endpoint(t)];
  const nines = await createNines(t);
  nines.writeText(`
services:
  pool:
    endpoints: [${endpoints.map((address) => `"${address}"`).join(", ")}]
    health: { tcp: true }
    subset: 1
gateway:
  workers: 2
  listen: [{ address: "127.0.0.1:${nines.port}" }]
  routes: [{ match: { path: / }, service: pool, balance: round-robin }]
`);
  await nines.up();
  const isShared = async (): Promise<boolean> => {
    const heard = await heardByClients(nines);
    const isOneEach = heard.every((names) => names.size === 1);
    return isOneEach && new Set(heard.flatMap((names) => [...names])).size === 2;
  };
  await until(isShared, () => "each client hears one of the two");
  const [worker] = (await nines.status()).gateway?.workers ?? [];
  kill(worker?.pid);
  await nines.untilStatus("two other workers serve", (status) => {
    const serving = (status.gateway?.workers ?? []).filter(({ state }) => state === "serving");
    return serving.length === 2 && serving.every(({ pid }) => pid !== worker?.pid);
  });
  await until(isShared, () => "each client hears one of the two again");
});

// Steering single instances of a running Nines, under load: each word takes effect, survives a
// restart of control, is shown, and ends by one word; no request fails through any of it.

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { createNines, load, type Nines, until } from "./nines.fixture.ts";

interface Backend {
  readonly id: string;
  readonly address: string;
  readonly asked: () => number;
}

/** An endpoint of `pool` that somebody else runs; it takes upgrades as well. */
async function backend(t: TestContext): Promise<Backend> {
  let asked = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    if (request.url !== "/healthz") asked++;
    const ms = Number(new URL(request.url ?? "/", "http://x").searchParams.get("ms") ?? 0);
    setTimeout(() => response.end("{}"), ms);
  });
  server.keepAliveTimeout = 60_000;
  server.on("upgrade", (_request, socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n",
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    id: `pool-127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    asked: () => asked,
  };
}

async function pool(t: TestContext, backends: readonly Backend[]): Promise<Nines> {
  const nines = await createNines(t);
  nines.writeText(`
services:
  pool:
    endpoints: [${backends.map(({ address }) => `"${address}"`).join(", ")}]
    health: { http: /healthz, interval: 200ms, timeout: 150ms }
gateway:
  workers: 2
  listen: [{ address: "127.0.0.1:${nines.port}" }]
  routes: [{ match: { path: / }, service: pool, balance: weighted }]
`);
  await nines.up();
  return nines;
}

async function order(nines: Nines, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await nines.run(...words);
  assert.equal(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** How many requests each gets of the next sixty. */
async function shares(nines: Nines, backends: readonly Backend[]): Promise<readonly number[]> {
  const before = backends.map(({ asked }) => asked());
  for (let turn = 0; turn < 60; turn++) await nines.get();
  return backends.map(({ asked }, index) => asked() - (before[index] ?? 0));
}

async function untilShares(
  nines: Nines,
  backends: readonly Backend[],
  holds: (shares: readonly number[]) => boolean,
): Promise<void> {
  let last: readonly number[] = [];
  await until(
    async () => holds((last = await shares(nines, backends))),
    () => `shares ${last.join(", ")}`,
  );
}

/** An upgraded connection through the gateway; resolves when it stands. */
async function tunnel(t: TestContext, port: number): Promise<{ readonly closed: () => boolean }> {
  let closed = false;
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("close", () => (closed = true));
  socket.on("error", () => undefined);
  socket.write("GET /chat HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n");
  const head = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  assert.match(head.toString(), /^HTTP\/1\.1 101/);
  return { closed: () => closed };
}

describe("steering, under load", () => {
  it("weight and force hold until auto, over a restart of control, and are shown", async (t) => {
    const backends = [await backend(t), await backend(t)];
    const [first, second] = backends as [Backend, Backend];
    const nines = await pool(t, backends);
    const clients = load(t, nines.port);
    assert.match(await order(nines, "weight", first.id, "900%"), /weight 900% of the file's 1/);
    await untilShares(nines, backends, ([many = 0, few = 0]) => many > 4 * few && few > 0);
    assert.match(await order(nines, "force", second.id, "down"), /an operator forced it down/);
    await order(nines, "control", "restart");
    const status = await nines.untilStatus("control is back", ({ control, services }) => {
      return control.term === 2 && services[0]?.up === 1;
    });
    const [one, two] = status.services[0]?.instances ?? [];
    assert.deepEqual([one?.weight, one?.weightBy, one?.forced], [9, "operator", null]);
    assert.deepEqual([two?.state, two?.forced], ["down", "down"]);
    await untilShares(nines, backends, ([, few]) => few === 0);
    await order(nines, "force", second.id, "auto");
    await order(nines, "weight", first.id, "auto");
    await untilShares(nines, backends, ([a = 0, b = 0]) => a < 2 * b && b < 2 * a);
    const events = await order(nines, "events", "--json");
    for (const kind of ["weighed", "forced", "force-ended"]) assert.ok(events.includes(kind), kind);
    assert.deepEqual((await clients.stop()).failures, []);
  });

  it("endpoints come and go, their connections are closed, and nobody notices", async (t) => {
    const backends = [await backend(t), await backend(t), await backend(t)];
    const [first, , third] = backends as [Backend, Backend, Backend];
    const nines = await pool(t, backends.slice(0, 2));
    const clients = load(t, nines.port);
    assert.match(await order(nines, "add", "pool", third.address), /one of 3 endpoints/);
    await untilShares(nines, backends, ([, , added = 0]) => added > 0);
    assert.match(await order(nines, "remove", first.id), /2 are left/);
    await untilShares(nines, backends, ([gone]) => gone === 0);
    await order(nines, "control", "restart");
    const { services } = await nines.untilStatus("control is back", (status) => {
      return status.control.term === 2 && status.services[0]?.up === 2;
    });
    assert.deepEqual(services[0]?.removed, [first.id]);
    assert.equal(services[0]?.instances.find(({ id }) => id === third.id)?.added, true);
    assert.match(await order(nines, "apply"), /stays out/);

    await order(nines, "drain", third.id);
    await untilShares(nines, backends, ([, , drained]) => drained === 0);
    const tunnels = await Promise.all([tunnel(t, nines.port), tunnel(t, nines.port)]);
    const holder = backends[1]?.id ?? "";
    let said = "";
    await until(
      async () => /2 workers close idle/.test((said = await order(nines, "close", holder))),
      () => `both workers hear it: ${said}`,
    );
    await until(
      () => tunnels.every(({ closed }) => closed()),
      () => "the tunnels are closed",
    );
    await order(nines, "undrain", third.id);
    await nines.untilStatus("it is back", (status) => status.services[0]?.up === 2);
    assert.match(await order(nines, "close", holder, "--everything"), /under way included/);

    const twice = await nines.run("add", "pool", third.address);
    assert.match(twice.stderr, /NINES_ENDPOINT_REFUSED/);
    await order(nines, "remove", third.id);
    await order(nines, "add", "pool", first.address);
    await untilShares(nines, backends, ([back = 0, , gone]) => back > 0 && gone === 0);
    assert.deepEqual((await clients.stop()).failures, []);
  });
});

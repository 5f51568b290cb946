// What one client may take: how often it may ask, how many connections it may have, and how slow it
// may be.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { RateLimit, RoutingTable, TableRoute } from "../../core/route/table.ts";
import type { Spent } from "../contract.ts";
import { nobody, type Wire } from "../transport/wire.ts";
import { createEngine } from "./engine.ts";
import {
  eventually,
  inTime,
  naming,
  opening,
  type Opened,
  Peer,
  startGateway,
  startOrigin,
  tableOf,
  testKey,
} from "./engine.fixture.ts";

const lastRequest = Buffer.from("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

/** Takes a byte of what was written whenever somebody looks, and never all of it. */
class SlowWire implements Wire {
  owner = nobody;
  open = true;
  readonly peerAddress = "127.0.0.1";
  readonly pendingBytes = 1;
  received = "";
  #takenBytes = 0;

  get takenBytes(): number {
    return this.#takenBytes++;
  }

  progressed(): boolean {
    return true;
  }

  write(bytes: Uint8Array): boolean {
    this.received += Buffer.from(bytes).toString("latin1");
    return false;
  }

  pass(bytes: Buffer, from: number, to: number): boolean {
    return this.write(bytes.subarray(from, to));
  }

  pause(): void {}
  resume(): void {}
  keepAlive(): void {}
  end(): void {}

  destroy(): void {
    this.open = false;
  }

  reset(): void {
    this.open = false;
  }
}

type Open = <T extends Opened>(opening: Promise<T>) => Promise<T>;

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** An hour's rate: nothing comes back while a test runs. */
function anHour(requests: number, by: RateLimit["by"] = "address", header?: string): RateLimit {
  const rate = { requests, perMs: 3_600_000, burst: requests };
  return header === undefined ? { ...rate, by } : { ...rate, by, header };
}

const tableWith = (ports: readonly number[], ...rateLimits: readonly RateLimit[]) =>
  tableOf({ ports, route: { rateLimits } });

async function limited(open: Open, ...rateLimits: readonly RateLimit[]) {
  const origin = await open(startOrigin(naming("web")));
  const gateway = await open(startGateway(tableWith([origin.port], ...rateLimits)));
  return { origin, gateway };
}

async function asked(client: Peer, request = get): Promise<string> {
  client.socket.write(request);
  const { head, body } = await client.message();
  return `${head.slice(9, 12)} ${body}`;
}

describe("a rate limit", () => {
  test(
    "lets in what it says, then answers 429 with when to come again, and keeps the connection",
    opening(async (open) => {
      const { gateway } = await limited(open, anHour(2));
      const client = await gateway.client();
      assert.equal(await asked(client), "200 web");
      assert.equal(await asked(client), "200 web");
      client.socket.write(get);
      const { head, body } = await client.message();
      assert.match(head, /^HTTP\/1.1 429 Too Many Requests\r\n/);
      assert.match(head, /\r\nRetry-After: (1800|1799)(\r\n|$)/);
      assert.match(head, /\r\nX-Nines-Reason: RATE_LIMITED/);
      assert.match(body, /reason: RATE_LIMITED/);
      assert.match(await asked(client), /^429/, "on the same connection");
      const [service] = gateway.engine.stats().services;
      assert.equal(service?.requests, 2);
      assert.equal(service?.limited, 2);
      assert.equal(service?.lost, 0, "nobody's failure");
    }),
  );

  test(
    "by a header counts each value, and by address who has none",
    opening(async (open) => {
      const { gateway } = await limited(open, anHour(1, "header", "x-api-key"));
      const client = await gateway.client();
      const keyed = (key: string): string =>
        `GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: ${key}\r\n\r\n`;
      assert.match(await asked(client, keyed("ann")), /^200/);
      assert.match(await asked(client, keyed("ann")), /^429/);
      assert.match(await asked(client, keyed("bob")), /^200/);
      assert.match(await asked(client), /^200/);
      assert.match(await asked(client), /^429/);
      assert.match(await asked(client, keyed("127.0.0.1")), /^200/, "a name is not an address");
    }),
  );

  test(
    "that refuses leaves the others of the route unspent",
    opening(async (open) => {
      const { gateway } = await limited(open, anHour(3, "route"), anHour(1, "header", "x-key"));
      const client = await gateway.client();
      const keyed = (key: string): string => `GET / HTTP/1.1\r\nHost: a\r\nX-Key: ${key}\r\n\r\n`;
      const answers: string[] = [];
      for (const key of ["a", "a", "a", "b", "c", "d"]) {
        answers.push((await asked(client, keyed(key))).slice(0, 3));
      }
      assert.deepEqual(answers, ["200", "429", "429", "200", "200", "429"]);
    }),
  );

  test(
    "of a request with a body ends the connection, since the body is not read",
    opening(async (open) => {
      const { gateway, origin } = await limited(open, anHour(1));
      const client = await gateway.client();
      assert.match(await asked(client), /^200/);
      client.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET");
      const { head } = await client.message();
      assert.match(head, /^HTTP\/1.1 429/);
      assert.match(head, /\r\nConnection: close/);
      await client.ended();
      assert.equal(origin.peers.length, 1);
    }),
  );

  test(
    "goes on as it was with a table that still has it",
    opening(async (open) => {
      const { gateway, origin } = await limited(open, anHour(1));
      const client = await gateway.client();
      assert.match(await asked(client), /^200/);
      gateway.engine.swap({ ...tableWith([origin.port], anHour(1)), version: 2 });
      assert.match(await asked(client), /^429/);
      gateway.engine.swap({ ...tableWith([origin.port], anHour(2)), version: 3 });
      assert.match(await asked(client), /^200/, "another limit begins anew");
    }),
  );

  test(
    "counts what other workers let in, and tells them what it did, once",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      const table = { ...tableWith([origin.port], anHour(3)), workers: 2 };
      const gateway = await open(startGateway(table));
      const other = createEngine({
        worker: 2,
        table,
        onNotice: () => undefined,
        stickyKey: () => testKey,
      });
      await open(Promise.resolve({ close: () => other.drain(0) }));
      const client = await gateway.client();
      await asked(client);
      const told = gateway.engine.takeSpent();
      assert.deepEqual(
        told.map(({ key, count }) => ({ key, count })),
        [{ key: "address 127.0.0.1", count: 1 }],
      );
      assert.deepEqual(gateway.engine.takeSpent(), []);
      other.hearSpent(told);
      assert.deepEqual(other.takeSpent(), [], "what was heard is not told again");
      const theirs: readonly Spent[] = told.map((spent) => ({ ...spent, count: 2 }));
      gateway.engine.hearSpent(theirs);
      assert.match(await asked(client), /^429/, "1 here and 2 there are 3");
      gateway.engine.hearSpent([{ limit: "of another table", key: "", count: 1 }]);
    }),
  );
});

describe("a rate limit of several workers", () => {
  test(
    "lets in its share of the burst here, and the rest when the others have been told",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      const table = { ...tableWith([origin.port], anHour(6)), workers: 3 };
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      const answers: string[] = [];
      const ask = async (): Promise<void> => {
        answers.push((await asked(client)).slice(0, 3));
      };
      for (let count = 0; count < 3; count++) await ask();
      assert.deepEqual(answers.splice(0), ["200", "200", "429"], "a third of six");
      for (let told = 0; told < 3; told++) {
        gateway.engine.takeSpent();
        for (let count = 0; count < 2; count++) await ask();
      }
      assert.deepEqual(answers, ["200", "200", "200", "200", "429", "429"], "six in all");
    }),
  );
});

describe("connections of one address", () => {
  for (const protocol of ["http", "tcp"] as const) {
    test(
      `over ${protocol}: past the limit a new one is closed, and one that ends makes room`,
      opening(async (open) => {
        const origin = await open(startOrigin(naming("web")));
        const limits = { connectionsPerAddress: 2 };
        const gateway = await open(
          startGateway(tableOf({ ports: [origin.port], protocol, limits })),
        );
        const clients = [await gateway.client(), await gateway.client()];
        await eventually("both are there", () => gateway.engine.connections === 2);
        const third = await gateway.client();
        await third.ended();
        assert.equal(gateway.engine.connections, 2);
        assert.equal(gateway.engine.stats().connectionsRefused, 1);
        for (const client of clients) client.reset();
        await eventually("both are gone", () => gateway.engine.connections === 0);
        assert.match(await asked(await gateway.client()), /^200/);
      }),
    );
  }
});

describe("a client that moves a byte now and then", () => {
  const limits = { minimumRate: 10_000 };

  test(
    "of its request is answered 408; of an answer it is cut off, both after the grace",
    opening(async (open) => {
      const big = Buffer.alloc(64 * 1024 * 1024);
      const origin = await open(
        startOrigin(async (peer) => {
          const request = await peer.takeThrough("\r\n\r\n");
          if (request.startsWith("GET /last")) {
            peer.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast");
          }
          if (!request.startsWith("GET / ")) return;
          peer.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
          peer.socket.write(big);
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port], limits })));
      const sender = await gateway.client();
      sender.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
      const drip = setInterval(() => sender.socket.write("x"), 100);
      const reader = connect(gateway.port, "127.0.0.1");
      let taken = 0;
      reader.on("data", (bytes: Buffer) => {
        taken += bytes.length;
      });
      reader.on("error", () => undefined);
      const closed = new Promise((resolve) => {
        reader.once("close", resolve);
      });
      reader.write(get);
      reader.pause();
      const last = new SlowWire();
      gateway.engine.acceptHttp(last);
      last.owner.onBytes(lastRequest, 0, lastRequest.length);
      const { head } = await sender.message();
      clearInterval(drip);
      assert.match(head, /^HTTP\/1.1 408 Request Timeout\r\n/);
      assert.match(head, /X-Nines-Reason: BODY_TOO_SLOW/);
      await eventually("both are gone", () => gateway.engine.connections === 0);
      reader.resume();
      await inTime("the reader's end", closed);
      assert.ok(taken < big.length, "it got no more than the kernel had taken");
      assert.match(last.received, /last$/, "its answer was over when it was cut off");
      const [web] = gateway.engine.stats().services[0]?.instances ?? [];
      assert.equal(web?.ejected, false, "the instance did nothing wrong");
      assert.equal(web?.active, 0);
    }),
  );
});

describe("an overloaded service", () => {
  const [route] = tableOf({ ports: [] }).routes as [TableRoute];
  const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
  const to = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

  /** It bears two at once, and one more of each priority above the lowest. */
  function tableOfTwo(port: number): RoutingTable {
    const concurrency = { min: 2, max: 2, tolerance: 1.5 };
    const routes: readonly TableRoute[] = [
      { ...route, match: { path: "/low" }, priority: "low" },
      { ...route, match: { path: "/high" }, priority: "high" },
      route,
    ];
    return { ...tableOf({ ports: [port], service: { concurrency } }), routes };
  }

  async function crowded(open: Open) {
    const origin = await open(startOrigin());
    const gateway = await open(startGateway(tableOfTwo(origin.port)));
    const clients = [await gateway.client(), await gateway.client()];
    for (const client of clients) client.send(to("/low"));
    await inTime("both", Promise.all([origin.peer(0), origin.peer(1)]));
    for (const peer of origin.peers) await peer.takeThrough("\r\n\r\n");
    return { origin, gateway, clients };
  }

  test(
    "sheds what is least important with 503, when to come again, and the connection kept",
    opening(async (open) => {
      const { origin, gateway } = await crowded(open);
      const client = await gateway.client();
      client.send(to("/low"));
      const { head, body } = await client.message();
      assert.match(head, /^HTTP\/1.1 503 Service Unavailable\r\n/);
      assert.match(head, /\r\nRetry-After: 1(\r\n|$)/);
      assert.match(head, /\r\nX-Nines-Reason: OVERLOADED/);
      assert.match(body, /reason: OVERLOADED/);
      const { services, routes } = gateway.engine.stats();
      assert.equal(services[0]?.requests, 3);
      assert.equal(services[0]?.lost, 1, "its client saw a failure");
      assert.deepEqual(routes[0]?.failures, { OVERLOADED: 1 });
      assert.deepEqual(services[0]?.concurrency, { limit: 2, waiting: 2, baselineMs: 0 });
      client.send(to("/high"));
      await (await origin.peer(2)).takeThrough("\r\n\r\n");
      assert.equal(origin.peers.length, 3, "what matters more is let in beside them");
    }),
  );

  test(
    "has room again once an answer has begun, or one that was asked for after a client had gone",
    opening(async (open) => {
      const { origin, gateway, clients } = await crowded(open);
      origin.peers[0]?.send(ok);
      await Promise.race(clients.map((client) => client.takeThrough("\r\n\r\n")));
      const third = await gateway.client();
      third.send(to("/low"));
      await (await origin.peer(2)).takeThrough("\r\n\r\n");
      third.close();
      await eventually("it is gone", () => gateway.engine.stats().services[0]?.active === 2);
      assert.equal(gateway.engine.stats().services[0]?.lost, 0);
      // For all that anybody knows the instance goes on with it.
      assert.match((await gateway.ask(to("/low"))).head, /OVERLOADED/);
      const waiting = (): number | undefined =>
        gateway.engine.stats().services[0]?.concurrency?.waiting;
      origin.peers[1]?.send(ok);
      await eventually("the second answer has begun", () => waiting() === 1);
      (await gateway.client()).send(to("/low"));
      const later = await origin.peer(3);
      await later.takeThrough("\r\n\r\n");
      later.send(ok);
      await eventually("nobody waits, and nothing is worked on", () => waiting() === 0);
    }),
  );

  test(
    "keeps what it has found out over a new table, and counts anew when it asks for something else",
    opening(async (open) => {
      const { origin, gateway } = await crowded(open);
      gateway.engine.swap({ ...tableOfTwo(origin.port), version: 2 });
      assert.match((await gateway.ask(to("/low"))).head, /OVERLOADED/);
      const roomier = tableOf({
        ports: [origin.port],
        service: { concurrency: { min: 3, max: 3, tolerance: 2 } },
      });
      gateway.engine.swap({ ...roomier, version: 3 });
      (await gateway.client()).send(to("/low"));
      await (await origin.peer(2)).takeThrough("\r\n\r\n");
      // Those who were counted by the old one leave it in peace.
      for (const peer of origin.peers) peer.send(`${ok}ok`);
      await eventually("all are answered", () => gateway.engine.stats().services[0]?.active === 0);
    }),
  );
});

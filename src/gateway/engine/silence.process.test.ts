// What clients notice of an instance that falls silent, answers errors, or is no longer the
// primary.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  eventually,
  type Gateway,
  naming,
  opening,
  type Origin,
  type Peer,
  startGateway,
  startOrigin,
  tableOf,
} from "./engine.fixture.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

interface Script {
  serve: (peer: Peer) => Promise<void>;
  silent: boolean;
  requests: string[];
}

/** Answers its name until it is told to be silent; what came meanwhile is never answered. */
function stoppable(name: string): Script {
  const script: Script = {
    silent: false,
    requests: [],
    serve: async (peer) => {
      while (peer.end === "open") {
        const { head } = await peer.message();
        script.requests.push(head.slice(0, head.indexOf(" ")));
        if (script.silent) continue;
        const fields = `Keep-Alive: timeout=60\r\nContent-Length: ${name.length}`;
        peer.send(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${name}`);
      }
    },
  };
  return script;
}

async function askMany(gateway: Gateway, count: number, request = get): Promise<string[]> {
  const bodies = [];
  for (let asked = 0; asked < count; asked++) bodies.push((await gateway.ask(request)).body);
  return bodies;
}

describe("an instance that falls silent", () => {
  test(
    "a worker that has seen nobody answer believes control: what waits on it goes elsewhere",
    opening(async (open) => {
      const stops = stoppable("stops");
      stops.silent = true;
      const silent = await open(startOrigin(stops.serve));
      const well = await open(startOrigin(naming("well")));
      const ports = [silent.port, well.port];
      const first = [{}, { verdict: "draining" as const }];
      const second = [{ verdict: "failing" as const }, {}];
      const gateway = await open(startGateway(tableOf({ ports, instances: first })));
      const reader = await gateway.client();
      reader.send(get);
      await eventually("it waits on the silent one", () => stops.requests.length === 1);
      gateway.engine.swap(tableOf({ ports, instances: second, version: 2 }));
      assert.equal((await reader.message()).body, "well");
    }),
  );

  test(
    "GETs that wait on it are answered by another one, and it is ejected",
    opening(async (open) => {
      const stops = stoppable("stops");
      const origins = [
        await open(startOrigin(stops.serve)),
        await open(startOrigin(naming("a"))),
        await open(startOrigin(naming("b"))),
      ];
      const ports = origins.map(({ port }) => port);
      const gateway = await open(startGateway(tableOf({ ports })));
      assert.ok((await askMany(gateway, 9)).includes("stops"));
      stops.silent = true;
      // Each lane is one client that asks as soon as it is answered: no answer, no end.
      let isOver = false;
      const lane = async (): Promise<void> => {
        while (!isOver) assert.notEqual((await gateway.ask(get)).body, "stops");
      };
      const lanes = [lane(), lane(), lane()];
      await eventually("it is ejected", () => {
        const sentence = gateway.notices.find(({ kind }) => kind === "ejected")?.sentence ?? "";
        return /^web-1 ejected for 1 s: \d+ requests unanswered for \d+ ms while/.test(sentence);
      }).finally(() => {
        isOver = true;
      });
      await Promise.all(lanes);
      // On a busy machine the worker doubts itself, and ejects when it would else have told.
      const told = gateway.notices.filter(({ kind }) => kind === "silent" || kind === "ejected");
      assert.deepEqual([...new Set(told.map(({ instance }) => instance))], ["web-1"]);
      const [service] = gateway.engine.stats().services;
      assert.ok((service?.hedges ?? 0) > 0);
      assert.equal(service?.refused, 0);
    }),
  );

  test(
    "a POST that it has got is not sent again",
    opening(async (open) => {
      const stops = stoppable("stops");
      const other = stoppable("other");
      const ports = [
        (await open(startOrigin(stops.serve))).port,
        (await open(startOrigin(other.serve))).port,
      ];
      const gateway = await open(startGateway(tableOf({ ports })));
      await askMany(gateway, 4);
      stops.silent = true;
      const waiting = [];
      for (let sent = 1; !stops.requests.includes("POST"); sent++) {
        const client = await gateway.client();
        client.send(post);
        waiting.push(client);
        const posts = () =>
          [...stops.requests, ...other.requests].filter((each) => each === "POST");
        await eventually("it has arrived", () => posts().length === sent);
      }
      // On a busy machine the worker doubts itself, and ejects when it would else have told; on one
      // that is busy without end it does neither, and the POST must not be sent again all the same.
      const isSeen = () =>
        gateway.notices.some(({ kind }) => kind === "silent" || kind === "ejected");
      const untilMs = performance.now() + 8_000;
      while (!isSeen() && performance.now() < untilMs) {
        assert.equal((await gateway.ask(get)).body, "other");
      }
      const posts = [...stops.requests, ...other.requests].filter((method) => method === "POST");
      assert.equal(posts.length, waiting.length);
    }),
  );

  test(
    "nobody is blamed when all are silent, and nothing is sent twice",
    opening(async (open) => {
      const all = [stoppable("a"), stoppable("b"), stoppable("c")];
      const origins: Origin[] = [];
      for (const { serve } of all) origins.push(await open(startOrigin(serve)));
      const table = tableOf({
        ports: origins.map(({ port }) => port),
        timeouts: { responseMs: 400 },
        attempts: 0,
      });
      const gateway = await open(startGateway(table));
      await askMany(gateway, 9);
      const before = all.reduce((sum, { requests }) => sum + requests.length, 0);
      for (const script of all) script.silent = true;
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => gateway.ask(get)));
      for (const { head } of answers) assert.match(head, /^HTTP\/1.1 504 /);
      const sent = all.reduce((sum, { requests }) => sum + requests.length, 0) - before;
      assert.equal(sent, 5);
      assert.deepEqual(gateway.engine.stats().services[0]?.hedges, 0);
    }),
  );
});

describe("an instance that answers errors", () => {
  test(
    "clients see three of them, and none of its probe: others answer for who is in doubt",
    opening(async (open) => {
      const failing = async (peer: Peer): Promise<void> => {
        while (peer.end === "open") {
          await peer.message();
          peer.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad");
        }
      };
      const bad = await open(startOrigin(failing));
      const good = await open(startOrigin(naming("good")));
      const table = tableOf({ ports: [bad.port, good.port] });
      const [service] = table.services;
      assert.ok(service !== undefined);
      // The shortest ejection there is: its probe comes with the next request.
      const detection = { ...service.detection, ejectionBaseMs: 1 };
      const gateway = await open(startGateway({ ...table, services: [{ ...service, detection }] }));
      const bodies = await askMany(gateway, 30);
      assert.equal(bodies.filter((body) => body === "bad").length, 3);
      assert.ok(gateway.notices.some(({ sentence }) => /\d errors in a row while/.test(sentence)));
    }),
  );
});

describe("a service with one primary", () => {
  test(
    "what is under way on the old one is cut by the table that names another",
    opening(async (open) => {
      const old = stoppable("old");
      old.silent = true;
      const before = await open(startOrigin(old.serve));
      const after = await open(startOrigin(naming("new")));
      const ports = [before.port, after.port];
      const service = { mode: "primary-standby", queueLength: 10 } as const;
      const first = [{}, { verdict: "standby" as const }];
      const second = [{ verdict: "standby" as const }, {}];
      const gateway = await open(startGateway(tableOf({ ports, service, instances: first })));
      const [reader, writer] = [await gateway.client(), await gateway.client()];
      reader.send(get);
      writer.send(post);
      await eventually("both have arrived", () => old.requests.length === 2);
      const table = tableOf({ ports, service, instances: second, version: 2 });
      gateway.engine.swap(table);
      assert.equal(gateway.engine.stats().services[0]?.instances[0]?.active, 0);
      assert.equal((await reader.message()).body, "new");
      assert.match((await writer.message()).head, /^HTTP\/1.1 502 /);
      for (const peer of before.peers) assert.equal(await peer.ended(), "reset");
    }),
  );
});

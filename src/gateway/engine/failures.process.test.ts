// What clients see of failures: what is tried again, what never is, and each of the gateway's own
// answers.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import {
  defaultDetection,
  plainRule,
  type RetryPolicy,
  type RoutingTable,
  type TableRoute,
} from "../../core/route/table.ts";
import {
  eventually,
  freePort,
  type Gateway,
  listenOnDescriptor,
  type Message,
  naming,
  opening,
  Peer,
  startGateway,
  startOrigin,
  tableOf,
} from "./engine.fixture.ts";

const host = "Host: a\r\n";
const get = `GET / HTTP/1.1\r\n${host}\r\n`;
const post = `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`;
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

function assertReason(answer: Message, status: number, code: string): void {
  assert.match(answer.head, new RegExp(`^HTTP/1.1 ${status} `));
  assert.match(answer.head, new RegExp(`^X-Nines-Reason: ${code}$`, "m"));
  assert.match(answer.body, new RegExp(`reason: ${code}`));
}

/** The second instance is tried after the first. */
const inOrder = [{}, { backup: true }];

/** Takes one request and breaks the connection off. */
async function resetting(peer: Peer): Promise<void> {
  await peer.message();
  peer.reset();
}

describe("another attempt", () => {
  test(
    "any request goes to another instance when one can't be connected to",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("alive")));
      const dead = await freePort();
      const gateway = await open(
        startGateway(tableOf({ ports: [dead, origin.port], instances: inOrder })),
      );
      for (const request of [get, post, get, post]) {
        assert.equal((await gateway.ask(request)).body, "alive");
      }
      assert.equal(
        gateway.notices.some((notice) => notice.kind === "ejected"),
        true,
      );
    }),
  );

  test(
    "GET goes to another instance when one resets the connection; POST does not",
    opening(async (open) => {
      const bad = await open(startOrigin(resetting));
      const good = await open(startOrigin(naming("good")));
      const gateway = await open(
        startGateway(tableOf({ ports: [bad.port, good.port], instances: inOrder })),
      );
      assert.equal((await gateway.ask(get)).body, "good");
      const other = await open(
        startGateway(tableOf({ ports: [bad.port, good.port], instances: inOrder })),
      );
      const seen = bad.peers.length;
      const answer = await other.ask(post);
      assertReason(answer, 502, "ANSWER_LOST");
      assert.equal(bad.peers.length, seen + 1);
      assert.equal(good.peers.length, 1);
    }),
  );

  test(
    "PUT with its body is sent again whole, while the body is kept",
    opening(async (open) => {
      const bad = await open(startOrigin(resetting));
      const bodies: string[] = [];
      const good = await open(
        startOrigin(async (peer) => {
          bodies.push((await peer.message()).body);
          peer.send(ok);
        }),
      );
      const table = tableOf({ ports: [bad.port, good.port], instances: inOrder, replayBytes: 10 });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      client.send(`PUT / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhello`);
      await (await bad.peer(0)).until(
        "the first half",
        () => bad.peers[0]?.received.endsWith("hello") === true,
      );
      client.send("world");
      assert.equal((await client.message()).body, "ok");
      assert.deepEqual(bodies, ["helloworld"]);
    }),
  );

  test(
    "a body larger than what is kept rules another attempt out",
    opening(async (open) => {
      const bad = await open(startOrigin(resetting));
      const good = await open(startOrigin(naming("good")));
      const table = tableOf({ ports: [bad.port, good.port], instances: inOrder, replayBytes: 9 });
      const gateway = await open(startGateway(table));
      const answer = await gateway.ask(
        `PUT / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhelloworld`,
      );
      assertReason(answer, 502, "ANSWER_LOST");
      assert.equal(good.peers.length, 0);
    }),
  );

  test(
    "no second attempt once a byte of the answer has come to the client",
    opening(async (open) => {
      const bad = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
          peer.finish();
        }),
      );
      const good = await open(startOrigin(naming("good")));
      const gateway = await open(
        startGateway(tableOf({ ports: [bad.port, good.port], instances: inOrder })),
      );
      const client = await gateway.client();
      client.send(get);
      await client.takeThrough("half");
      await client.ended();
      assert.equal(client.received, "");
      assert.equal(good.peers.length, 0);
    }),
  );

  test(
    "each instance is tried once while another is left, and no more often than the route says",
    opening(async (open) => {
      const origins = [
        await open(startOrigin(resetting)),
        await open(startOrigin(resetting)),
        await open(startOrigin(resetting)),
      ];
      const ports = origins.map((origin) => origin.port);
      const gateway = await open(startGateway(tableOf({ ports, attempts: 2 })));
      assertReason(await gateway.ask(get), 502, "ANSWER_LOST");
      assert.deepEqual(
        origins.map((origin) => origin.peers.length),
        [1, 1, 1],
      );
      const once = await open(startGateway(tableOf({ ports, attempts: 0 })));
      assertReason(await once.ask(get), 502, "ANSWER_LOST");
      assert.equal(
        origins.reduce((sum, origin) => sum + origin.peers.length, 0),
        4,
      );
    }),
  );

  test(
    "attempts stop when the retry budget is spent",
    opening(async (open) => {
      const origins = [await open(startOrigin(resetting)), await open(startOrigin(resetting))];
      const table = tableOf({
        ports: origins.map((origin) => origin.port),
        route: { retry: { attempts: 5, budgetRatio: 0, budgetPerSecond: 0, replayBytes: 1000 } },
      });
      const gateway = await open(startGateway(table));
      assertReason(await gateway.ask(get), 502, "ANSWER_LOST");
      assert.equal(
        origins.reduce((sum, origin) => sum + origin.peers.length, 0),
        1,
      );
    }),
  );
});

describe("an instance that answers errors while the other answers well", () => {
  const failing = async (peer: Peer): Promise<void> => {
    for (;;) {
      await peer.message();
      peer.send("HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno");
    }
  };
  const errorsOf = async (gateway: Gateway, request: string): Promise<number> => {
    let errors = 0;
    for (let asked = 0; asked < 40; asked++) {
      const { head } = await gateway.ask(request);
      if (head.startsWith("HTTP/1.1 500 ")) errors++;
    }
    return errors;
  };

  test(
    "shows three or four of its errors to clients of GET: those that cast the doubt",
    opening(async (open) => {
      const [bad, good] = [
        await open(startOrigin(failing)),
        await open(startOrigin(naming("good"))),
      ];
      const gateway = await open(startGateway(tableOf({ ports: [bad.port, good.port] })));
      // A third good answer of the other one may come before the third error, or after it.
      assert.ok((await errorsOf(gateway, get)) <= 4);
      assert.equal(
        gateway.notices.some(({ kind }) => kind === "ejected"),
        true,
      );
    }),
  );

  test(
    "shows those that eject it to clients of POST, which is never sent twice",
    opening(async (open) => {
      const [bad, good] = [
        await open(startOrigin(failing)),
        await open(startOrigin(naming("good"))),
      ];
      const gateway = await open(startGateway(tableOf({ ports: [bad.port, good.port] })));
      const errors = await errorsOf(gateway, post);
      assert.ok(errors === 5 || errors === 6, `${errors} errors`);
    }),
  );
});

describe("idle connections to instances", () => {
  test(
    "a POST that comes first on its client's connection gets a fresh one; a GET does not",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("x")));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      await gateway.ask(get);
      await gateway.ask(get);
      assert.equal(origin.peers.length, 1);
      await gateway.ask(post);
      assert.equal(origin.peers.length, 2);
      const client = await gateway.client();
      client.send(get);
      await client.message();
      client.send(post);
      await client.message();
      assert.equal(origin.peers.length, 2);
    }),
  );

  test(
    "closed by the instance as a GET is sent: the GET is sent again, and nobody is ejected",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send(ok);
          await peer.message();
          peer.finish();
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      assert.equal((await gateway.ask(get)).body, "ok");
      assert.equal((await gateway.ask(get)).body, "ok");
      assert.equal(origin.peers.length, 2);
      assert.deepEqual(gateway.notices, []);
    }),
  );

  for (const [name, pieces] of [
    ["right behind an answer", 1],
    ["later", 2],
  ] as const) {
    test(
      `with bytes that nobody asked for, ${name}, is closed, and its bytes are no answer`,
      opening(async (open) => {
        let later = (): void => undefined;
        const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        const origin = await open(
          startOrigin(async (peer) => {
            const body = origin.peers.length === 1 ? "first" : "other";
            await peer.message();
            const answer = `HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 5\r\n\r\n${body}`;
            peer.send(pieces === 1 ? answer + evil : answer);
            later = () => peer.send(evil);
          }),
        );
        const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
        assert.equal((await gateway.ask(get)).body, "first");
        if (pieces === 2) later();
        await (await origin.peer(0)).ended();
        assert.equal((await gateway.ask(get)).body, "other");
      }),
    );
  }

  test(
    "is closed before the instance would, by its own hint",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok");
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      await gateway.ask(get);
      // A second less than the hint leaves nothing: it is not kept at all.
      assert.notEqual((await origin.peer(0)).end, "reset");
      await (await origin.peer(0)).ended();
    }),
  );

  test(
    "are closed when the instance drains or leaves the table",
    opening(async (open) => {
      const origins = [await open(startOrigin(naming("a"))), await open(startOrigin(naming("b")))];
      const ports = origins.map((origin) => origin.port);
      const gateway = await open(startGateway(tableOf({ ports })));
      await gateway.ask(get);
      await gateway.ask(get);
      gateway.engine.swap(tableOf({ ports, instances: [{ verdict: "draining" }], version: 2 }));
      await (await origins[0]?.peer(0))?.ended();
      assert.equal((await gateway.ask(get)).body, "b");
      assert.equal((await gateway.ask(get)).body, "b");
      gateway.engine.swap(tableOf({ ports: [], version: 3 }));
      await (await origins[1]?.peer(0))?.ended();
    }),
  );
});

describe("an answer that breaks off", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["with a known length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
    ["in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf"],
    ["between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ["in a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\n0\r\n\r\n"],
  ];
  for (const [name, text] of cases) {
    test(
      `${name} is not given an end`,
      opening(async (open) => {
        const origin = await open(
          startOrigin(async (peer) => {
            await peer.message();
            peer.send(text);
            peer.finish();
          }),
        );
        const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
        const client = await gateway.client();
        client.send(get);
        await client.ended();
        assert.doesNotMatch(client.received, /\r\n0\r\n\r\n/);
      }),
    );
  }

  test(
    "by reset, where only the close would tell, is reset for the client too",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          await peer.message();
          peer.send("HTTP/1.1 200 OK\r\n\r\nhalf");
          await client.takeThrough("half");
          peer.reset();
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send("GET / HTTP/1.0\r\n\r\n");
      assert.equal(await client.ended(), "reset");
    }),
  );
});

describe("the gateway's own answers", () => {
  test(
    "BAD_ANSWER for an answer that is not HTTP/1.1",
    opening(async (open) => {
      const answers = [
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        `HTTP/1.1 200 OK\r\nA: ${"b".repeat(20_000)}\r\n\r\n`,
        "HTTP/1.1 103 x\r\n\r\n".repeat(17),
      ];
      for (const text of answers) {
        const origin = await open(
          startOrigin(async (peer) => {
            await peer.message();
            peer.send(text);
          }),
        );
        const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
        const client = await gateway.client();
        client.send(get);
        await client.takeThrough("HTTP/1.1 502 ");
        await client.takeThrough("reason: BAD_ANSWER");
      }
    }),
  );

  test(
    "CONNECT_FAILED when nobody listens, and the client's connection is kept",
    opening(async (open) => {
      const gateway = await open(startGateway(tableOf({ ports: [await freePort()] })));
      const client = await gateway.client();
      client.send(get);
      assertReason(await client.message(), 502, "CONNECT_FAILED");
      client.send(get);
      assertReason(await client.message(), 502, "CONNECT_FAILED");
    }),
  );

  test(
    "NO_INSTANCE when there is none, in queueMs",
    opening(async (open) => {
      const gateway = await open(startGateway(tableOf({ ports: [], timeouts: { queueMs: 50 } })));
      assertReason(await gateway.ask(get), 503, "NO_INSTANCE");
    }),
  );

  test(
    "NO_ROUTE, and the next request is answered",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("x")));
      const table = tableOf({ ports: [origin.port], route: { match: { path: "/in" } } });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      client.send(`GET /out HTTP/1.1\r\n${host}\r\nGET /in HTTP/1.1\r\n${host}\r\n`);
      assertReason(await client.message(), 404, "NO_ROUTE");
      assert.equal((await client.message()).body, "x");
    }),
  );

  test(
    "ANSWER_TIMEOUT for a POST; a GET is tried elsewhere",
    opening(async (open) => {
      const silent = await open(startOrigin());
      const good = await open(startOrigin(naming("good")));
      const table = (first: number): ReturnType<typeof tableOf> =>
        tableOf({ ports: [first, good.port], instances: inOrder, timeouts: { responseMs: 100 } });
      const gateway = await open(startGateway(table(silent.port)));
      assert.equal((await gateway.ask(get)).body, "good");
      const other = await open(startGateway(table(silent.port)));
      assertReason(await other.ask(post), 504, "ANSWER_TIMEOUT");
      await (await silent.peer(1)).ended();
    }),
  );

  test(
    "HEAD_TIMEOUT for half a head, though its bytes trickle in; nothing for a silent client",
    opening(async (open) => {
      const table = tableOf({
        ports: [],
        route: { match: { path: "/in" } },
        timeouts: { headMs: 200, keepAliveMs: 200 },
      });
      const gateway = await open(startGateway(table));
      for (const before of [0, 1]) {
        const slow = await gateway.client();
        for (let count = 0; count < before; count++) {
          slow.send(get);
          assertReason(await slow.message(), 404, "NO_ROUTE");
        }
        const trickle = setInterval(() => slow.send("A: b\r\n"), 20);
        slow.send("GET / HTTP/1.1\r\n");
        const answer = await slow.message().finally(() => clearInterval(trickle));
        assertReason(answer, 408, "HEAD_TIMEOUT");
      }
      const silent = await gateway.client();
      await silent.ended();
      assert.equal(silent.received, "");
    }),
  );

  test(
    "BODY_TIMEOUT for a body that stops",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const table = tableOf({ ports: [origin.port], timeouts: { idleMs: 100 } });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      client.send(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nhalf`);
      assertReason(await client.message(), 408, "BODY_TIMEOUT");
      await (await origin.peer(0)).ended();
      assert.deepEqual(gateway.notices, []);
    }),
  );

  test(
    "BAD_CHUNK, and the instance never sees the request's end",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
      const peer = await origin.peer(0);
      await peer.takeThrough("hello\r\n");
      client.send("zz\r\n");
      assertReason(await client.message(), 400, "BAD_CHUNK");
      await peer.ended();
      assert.equal(peer.received, "");
    }),
  );

  test(
    "a refused head ends the connection, and what follows it is not read as a request",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("x")));
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const client = await gateway.client();
      client.send(`GET / HTTP/1.1\r\n\r\n${get}`);
      assertReason(await client.message(), 400, "HOST_MISSING");
      assert.equal(await client.ended(), "fin");
      assert.equal(client.received, "");
      assert.equal(origin.peers.length, 0);
      assert.equal(gateway.engine.stats().refusedHeads, 1);
    }),
  );

  test(
    "10,000 header bytes and then some: HEAD_TOO_LARGE, read to its end and no reset",
    opening(async (open) => {
      const gateway = await open(startGateway(tableOf({ ports: [], limits: { headBytes: 8000 } })));
      const client = await gateway.client();
      client.send(`GET / HTTP/1.1\r\n${host}A: ${"b".repeat(4_000_000)}\r\n\r\n`);
      assertReason(await client.message(), 431, "HEAD_TOO_LARGE");
      await eventually(
        "all that the client says is taken",
        () => client.socket.writableLength === 0 || client.end === "reset",
      );
      assert.equal(await client.ended(), "fin");
    }),
  );

  test(
    "the answer to HEAD has no body",
    opening(async (open) => {
      const gateway = await open(startGateway(tableOf({ ports: [await freePort()] })));
      const client = await gateway.client();
      client.send(`HEAD / HTTP/1.1\r\n${host}\r\n${get}`);
      await client.message({ bodiless: true });
      assertReason(await client.message(), 502, "CONNECT_FAILED");
    }),
  );
});

describe("what a route wants tried again", () => {
  const unavailable = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
  const conflict = "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n";

  function answering(text: string) {
    return async (peer: Peer): Promise<void> => {
      while (peer.end === "open") {
        await peer.message();
        peer.send(text);
      }
    };
  }

  /** The first instance as scripted, the second one well. */
  function wanting(first: number, second: number, retry: Partial<RetryPolicy>) {
    const table = tableOf({ ports: [first, second], instances: inOrder });
    const routes = table.routes.map((route) => ({ ...route, retry: { ...route.retry, ...retry } }));
    return startGateway({ ...table, routes });
  }

  for (const { on, answer } of [
    { on: [503], answer: unavailable },
    { on: ["gateway-error"], answer: unavailable },
    { on: ["5xx"], answer: unavailable },
    { on: ["retriable-4xx"], answer: conflict },
    { on: ["junk-response"], answer: "SMTP hello\r\n\r\n" },
  ] as const) {
    test(
      `${on[0]}: another instance answers what may be sent twice, and nothing else`,
      opening(async (open) => {
        const first = await open(startOrigin(answering(answer)));
        const second = await open(startOrigin(naming("well")));
        const gateway = await open(wanting(first.port, second.port, { on }));
        assert.equal((await gateway.ask(get)).body, "well");
        const [service] = gateway.engine.stats().services;
        assert.equal(service?.lost, 0);
        const why = on[0] === "junk-response" ? "BAD_ANSWER" : "ASKED_STATUS";
        assert.deepEqual(service?.retriedFor, { [why]: 1 });
        const status = on[0] === "junk-response" ? "502" : answer.slice(9, 12);
        assert.equal((await gateway.ask(post)).head.slice(9, 12), status);
        assert.equal(second.peers.length, 1);
      }),
    );
  }

  test(
    "the client gets the last answer when no try is left",
    opening(async (open) => {
      const [first, second] = [
        await open(startOrigin(answering(unavailable))),
        await open(startOrigin(answering(unavailable))),
      ];
      const gateway = await open(wanting(first.port, second.port, { on: [503], attempts: 1 }));
      assert.equal((await gateway.ask(get)).body, "busy");
      assert.equal(gateway.engine.stats().services[0]?.serverErrors, 1);
    }),
  );

  test(
    "nothing: a broken or refused connection is the client's to hear of",
    opening(async (open) => {
      const first = await open(startOrigin(resetting));
      const second = await open(startOrigin(naming("well")));
      const broken = await open(wanting(first.port, second.port, { on: [] }));
      assertReason(await broken.ask(get), 502, "ANSWER_LOST");
      const refused = await open(wanting(await freePort(), second.port, { on: ["reset"] }));
      assertReason(await refused.ask(get), 502, "CONNECT_FAILED");
      assert.equal(second.peers.length, 0);
    }),
  );

  test(
    "within the time of one try: what may be sent twice goes on, what may not is waited for",
    opening(async (open) => {
      const first = await open(startOrigin());
      const second = await open(startOrigin(naming("well")));
      const gateway = await open(wanting(first.port, second.port, { perTryMs: 50 }));
      const poster = await gateway.client();
      poster.send(post);
      const posted = await first.peer(0);
      await posted.takeThrough("hello");
      // It begins later, so that once its try is over, that of the other one is as well.
      assert.equal((await gateway.ask(get)).body, "well");
      posted.send(ok);
      assert.equal((await poster.message()).body, "ok");
      const [service] = gateway.engine.stats().services;
      assert.deepEqual(service?.retriedFor, { ANSWER_TIMEOUT: 1 });
      assert.equal(service?.instances[0]?.timeouts, 1);
    }),
  );

  test(
    "no more requests wait for a further try at once than the route lets",
    opening(async (open) => {
      const first = await open(startOrigin(answering(unavailable)));
      const second = await open(startOrigin());
      const gateway = await open(wanting(first.port, second.port, { on: [503], atOnce: 1 }));
      for (const round of [0, 1]) {
        const client = await gateway.client();
        client.send(get);
        const peer = await second.peer(0);
        await peer.takeThrough("\r\n\r\n");
        assert.equal((await gateway.ask(get)).body, "busy", "as it came, in place of another try");
        peer.send(ok);
        assert.equal((await client.message()).body, "ok");
        assert.deepEqual(gateway.engine.stats().services[0]?.retriedFor, {
          ASKED_STATUS: round + 1,
        });
      }
    }),
  );

  test(
    "a try after nobody's failure is not bound by that, and takes none of its places",
    opening(async (open) => {
      const first = await open(
        startOrigin(async (peer) => {
          const isKept = first.peers[0] === peer;
          await peer.message();
          peer.send(isKept ? ok : unavailable);
          await peer.message();
          peer.finish();
        }),
      );
      const second = await open(startOrigin(naming("well")));
      const stale = await open(wanting(first.port, second.port, { on: [503], atOnce: 0 }));
      assert.equal((await stale.ask(get)).body, "ok");
      assert.equal((await stale.ask(get)).body, "busy", "of the instance's next connection");
      const [service] = stale.engine.stats().services;
      assert.deepEqual(service?.retriedFor, { STALE_CONNECTION: 1 });
    }),
  );

  test(
    "nor is one after a change of the primary",
    opening(async (open) => {
      const first = await open(startOrigin());
      const second = await open(startOrigin(answering(unavailable)));
      const led = (version: number) => {
        const table = tableOf({
          ports: [first.port, second.port],
          instances: [1, 2].map((at) => (at === version ? {} : { verdict: "standby" })),
          service: { mode: "primary-standby" },
          version,
        });
        const [route] = table.routes as [TableRoute];
        const retry: RetryPolicy = { ...route.retry, on: [503], atOnce: 0 };
        return { ...table, routes: [{ ...route, retry }] };
      };
      const gateway = await open(startGateway(led(1)));
      const client = await gateway.client();
      client.send(get);
      await (await first.peer(0)).takeThrough("\r\n\r\n");
      gateway.engine.swap(led(2));
      assert.equal((await client.message()).body, "busy");
      assert.deepEqual(gateway.engine.stats().services[0]?.retriedFor, { FENCED: 1 });
    }),
  );
});

describe("the queue", () => {
  test(
    "holds what is over maxConnections, in order, and lets it go on",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const table = tableOf({ ports: [origin.port], service: { maxConnections: 1 } });
      const gateway = await open(startGateway(table));
      const clients = [await gateway.client(), await gateway.client(), await gateway.client()];
      clients[0]?.send(`GET /0 HTTP/1.1\r\n${host}\r\n`);
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      for (const index of [1, 2]) {
        clients[index]?.send(`GET /${index} HTTP/1.1\r\n${host}\r\n`);
        await untilQueued(gateway, index);
      }
      for (const index of [1, 2]) {
        peer.send(ok);
        assert.match(await peer.takeThrough("\r\n\r\n"), new RegExp(`^GET /${index} `));
      }
      assert.equal(origin.peers.length, 1);
    }),
  );

  test(
    "lets the more important go first, and take the place of others where it is full",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(ranked([origin.port], 2)));
      const ask = async (path: string): Promise<Peer> => {
        const client = await gateway.client();
        client.send(asking(path));
        return client;
      };
      await ask("/0");
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      const first = await ask("/1");
      await untilQueued(gateway, 1);
      await ask("/2");
      await untilQueued(gateway, 2);
      await ask("/high");
      assertReason(await first.message(), 503, "QUEUE_FULL");
      for (const path of ["/high", "/2"]) {
        peer.send(ok);
        assert.match(await peer.takeThrough("\r\n\r\n"), new RegExp(`^GET ${path} `));
      }
    }),
  );

  test(
    "says that there is no instance, not that it is full, to whoever loses a place then",
    opening(async (open) => {
      const gateway = await open(startGateway(ranked([], 1)));
      const { port, listener } = await listenOnDescriptor((wire) => {
        gateway.engine.acceptTcp(wire, 1);
      });
      await open(Promise.resolve({ close: async () => listener.close() }));
      const low = new Peer(connect(port, "127.0.0.1"));
      await untilQueued(gateway, 1);
      const normal = await gateway.client();
      normal.send(asking("/normal"));
      assert.equal(await low.ended(), "reset");
      assert.deepEqual(gateway.engine.stats().routes[1]?.failures, { NO_INSTANCE: 1 });
      (await gateway.client()).send(asking("/high"));
      assertReason(await normal.message(), 503, "NO_INSTANCE");
    }),
  );

  test(
    "gives a place once, also where whoever loses it has sent its next request already",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(ranked([origin.port], 1)));
      (await gateway.client()).send(asking("/0"));
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      const low = await gateway.client();
      low.send(asking("/low") + asking("/high"));
      await untilQueued(gateway, 1);
      const normal = await gateway.client();
      normal.send(asking("/normal"));
      assertReason(await low.message(), 503, "QUEUE_FULL");
      assertReason(await normal.message(), 503, "QUEUE_FULL");
      peer.send(ok);
      assert.match(await peer.takeThrough("\r\n\r\n"), /^GET \/high /);
      peer.send(ok);
      assert.equal((await low.message()).body, "ok");
    }),
  );

  test(
    "lets hundreds lose their places, each to the next request of the one before",
    opening(async (open) => {
      const waiting = 700;
      const origin = await open(startOrigin());
      const gateway = await open(startGateway(ranked([origin.port], waiting)));
      (await gateway.client()).send(asking("/0"));
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      const first = await gateway.client();
      for (let index = 0; index < waiting; index++) {
        const client = index === 0 ? first : await gateway.client();
        client.send(asking("/low") + asking("/high"));
      }
      await untilQueued(gateway, waiting);
      (await gateway.client()).send(asking("/high"));
      assertReason(await first.message(), 503, "QUEUE_FULL");
      peer.send(ok);
      assert.match(await peer.takeThrough("\r\n\r\n"), /^GET \/high /);
    }),
  );

  test(
    "is not held up by a request that waits for an instance which it has not tried yet",
    opening(async (open) => {
      const [first, second] = [await open(startOrigin()), await open(startOrigin())];
      const table = tableOf({
        ports: [first.port, second.port],
        service: { maxConnections: 1, detection: { ...defaultDetection, maxEjectedRatio: 0 } },
        route: { balance: plainRule("first") },
      });
      const gateway = await open(startGateway(table));
      for (let index = 0; index < 4; index++) {
        const client = await gateway.client();
        client.send(`GET /${index} HTTP/1.1\r\n${host}\r\n`);
        if (index === 0) await (await first.peer(0)).takeThrough("\r\n\r\n");
        if (index === 1) {
          const broken = await second.peer(0);
          await broken.takeThrough("\r\n\r\n");
          broken.reset();
          await untilQueued(gateway, 1);
        }
        if (index === 2) await (await second.peer(1)).takeThrough("\r\n\r\n");
      }
      await untilQueued(gateway, 2);
      const peer = await second.peer(1);
      peer.send(ok);
      // The first is busy still: who was broken off waits for it, and who comes after need not.
      assert.match(await peer.takeThrough("\r\n\r\n"), /^GET \/3 /);
    }),
  );

  test(
    "refuses at once when it is full, and in time when nothing becomes free",
    opening(async (open) => {
      const origin = await open(startOrigin());
      const table = tableOf({
        ports: [origin.port],
        service: { maxConnections: 1, queueLength: 1 },
        timeouts: { queueMs: 100 },
      });
      const gateway = await open(startGateway(table));
      const first = await gateway.client();
      first.send(get);
      await (await origin.peer(0)).takeThrough("\r\n\r\n");
      const second = await gateway.client();
      second.send(get);
      await untilQueued(gateway, 1);
      assertReason(await gateway.ask(get), 503, "QUEUE_FULL");
      assertReason(await second.message(), 503, "QUEUE_TIMEOUT");
    }),
  );

  test(
    "holds requests while there is no instance, until a table brings one",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("late")));
      const gateway = await open(startGateway(tableOf({ ports: [] })));
      const client = await gateway.client();
      client.send(post);
      await untilQueued(gateway, 1);
      gateway.engine.swap(tableOf({ ports: [origin.port], version: 2 }));
      assert.equal((await client.message()).body, "late");
    }),
  );
});

function asking(path: string): string {
  return `GET ${path} HTTP/1.1\r\n${host}\r\n`;
}

/** One request at a time, and two paths that are more and less important than the others. */
function ranked(ports: readonly number[], queueLength: number): RoutingTable {
  const one = tableOf({
    ports,
    service: { maxConnections: 1, queueLength },
    limits: { connections: 2 * queueLength + 10, connectionsPerAddress: 2 * queueLength + 10 },
  });
  const [route] = one.routes as [TableRoute];
  const high = { ...route, match: { path: "/high" }, priority: "high" as const };
  const low = { ...route, match: { path: "/low" }, priority: "low" as const };
  return { ...one, routes: [high, low, route] };
}

async function untilQueued(gateway: Gateway, count: number): Promise<void> {
  await eventually(
    `${count} in the queue`,
    () => gateway.engine.stats().services[0]?.queued === count,
  );
}

describe("what clients lost", () => {
  test(
    "is counted as they saw it: what was refused or broken off, and answers 5xx apart from that",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          for (;;) {
            const { head } = await peer.message();
            if (head.startsWith("GET /500")) {
              peer.send("HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno");
            } else if (head.startsWith("GET /broken")) {
              peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
              peer.reset();
              return;
            } else if (head.startsWith("POST")) {
              peer.reset();
              return;
            } else peer.send(ok);
          }
        }),
      );
      const gateway = await open(startGateway(tableOf({ ports: [origin.port] })));
      const counted = () => {
        const [service] = gateway.engine.stats().services;
        return { lost: service?.lost, serverErrors: service?.serverErrors };
      };
      await gateway.ask(get);
      assert.deepEqual(counted(), { lost: 0, serverErrors: 0 });
      await gateway.ask(`GET /500 HTTP/1.1\r\n${host}\r\n`);
      assert.deepEqual(counted(), { lost: 0, serverErrors: 1 });
      assertReason(await gateway.ask(post), 502, "ANSWER_LOST");
      assert.deepEqual(counted(), { lost: 1, serverErrors: 1 });
      (await gateway.client()).send(`GET /broken HTTP/1.1\r\n${host}\r\n`);
      await eventually("the broken answer is counted", () => counted().lost === 2);
      assert.deepEqual(counted(), { lost: 2, serverErrors: 1 });
    }),
  );
});

// What the file says of detection, slow start and hedges, seen from outside: from the text of a
// file over the loader and the table of control to requests on sockets. No key is lost on the way.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseConfig } from "../src/config/load.ts";
import type { InstanceRecord } from "../src/control/registry/registry.ts";
import { buildTable } from "../src/control/routing/build-table.ts";
import type { RoutingTable } from "../src/core/route/table.ts";
import {
  type Gateway,
  naming,
  opening,
  type Origin,
  type Peer,
  startGateway,
  startOrigin,
} from "../src/gateway/engine/engine.fixture.ts";

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** Of a service of endpoints on these ports, all well but those named in `failing`. */
function tableOf(
  origins: readonly Origin[],
  keys: { readonly service?: string; readonly gateway?: string },
  failing: readonly number[] = [],
): RoutingTable {
  const endpoints = origins.map(({ port }) => `"127.0.0.1:${port}"`).join(", ");
  const text = `
services:
  web: { endpoints: [${endpoints}], ${keys.service ?? ""} }
gateway:
  listen: [{ address: ":8080" }]
  balance: round-robin
  ${keys.gateway ?? ""}
`;
  const parsed = parseConfig({ file: "/srv/nines.yaml", format: "yaml", text, cores: 1 });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const { gateway, ...rest } = parsed.config;
  assert.ok(gateway !== undefined);
  const records = origins.map((origin, index): InstanceRecord => {
    const health = failing.includes(index) ? "down" : "up";
    return { ...endpointRecord(origin.port, index + 1), health };
  });
  return buildTable({ ...rest, gateway }, records, 1, () => 0);
}

function endpointRecord(port: number, ordinal: number): InstanceRecord {
  return {
    id: `web-127.0.0.1:${port}`,
    service: "web",
    ordinal,
    origin: "endpoint",
    host: "127.0.0.1",
    port,
    weight: 1,
    backup: false,
    zone: "",
    phase: "external",
    health: "up",
    draining: false,
    standing: "active",
    standingWhy: "",
    startHeld: "",
    generation: 1,
    pid: undefined,
    restarts: 0,
    why: "",
    sinceWallMs: 0,
    readyAtMs: undefined,
  };
}

/** How many requests each body answered. */
async function askMany(gateway: Gateway, count: number): Promise<ReadonlyMap<string, number>> {
  const answers = new Map<string, number>();
  for (let asked = 0; asked < count; asked++) {
    const { body } = await gateway.ask(get);
    answers.set(body, (answers.get(body) ?? 0) + 1);
  }
  return answers;
}

describe("hedge", () => {
  /** Asks in three lanes until one of three instances that is silent has cost a hedge or a 504. */
  const hedgesAndTimeouts = async (
    open: <T extends { close(): Promise<void> }>(opened: Promise<T>) => Promise<T>,
    keys: { readonly service?: string; readonly gateway: string },
  ): Promise<{ readonly hedges: number; readonly timeouts: number }> => {
    let isSilent = false;
    const stops = async (peer: Peer): Promise<void> => {
      while (peer.end === "open") {
        await peer.message();
        if (!isSilent) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstops");
      }
    };
    const origins = [
      await open(startOrigin(stops)),
      await open(startOrigin(naming("a"))),
      await open(startOrigin(naming("b"))),
    ];
    const gateway = await open(startGateway(tableOf(origins, keys)));
    assert.equal((await askMany(gateway, 9)).size, 3);
    isSilent = true;
    let timeouts = 0;
    const hedges = (): number => gateway.engine.stats().services[0]?.hedges ?? 0;
    const lane = async (): Promise<void> => {
      while (timeouts === 0 && hedges() === 0) {
        if ((await gateway.ask(get)).head.startsWith("HTTP/1.1 504 ")) timeouts++;
      }
    };
    await Promise.all([lane(), lane(), lane()]);
    return { hedges: hedges(), timeouts };
  };

  test(
    "by default a request that waits on a silent instance is answered by another",
    opening(async (open) => {
      const { hedges, timeouts } = await hedgesAndTimeouts(open, { gateway: "retry: {}" });
      assert.ok(hedges > 0);
      assert.equal(timeouts, 0);
    }),
  );

  const never: readonly [string, { readonly service?: string; readonly gateway: string }][] = [
    ["hedge: off", { gateway: "hedge: off" }],
    ["off on the route", { gateway: "routes: [{ service: web, hedge: off }]" }],
    ["stall: false", { service: "detection: { stall: false }", gateway: "" }],
  ];
  for (const [name, { service = "", gateway }] of never) {
    test(
      `${name}: it has one attempt and waits it out`,
      opening(async (open) => {
        const bounds = "retry: { attempts: 0 }\n  timeouts: { response: 300ms }";
        const keys = { service, gateway: `${bounds}\n  ${gateway}` };
        const { hedges, timeouts } = await hedgesAndTimeouts(open, keys);
        assert.equal(hedges, 0);
        assert.ok(timeouts > 0);
      }),
    );
  }
});

describe("detection", () => {
  const failing = async (peer: Peer): Promise<void> => {
    while (peer.end === "open") {
      await peer.message();
      peer.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nbad");
    }
  };
  const cases: readonly [key: string, ejected: number][] = [
    ["", 1],
    ["consecutiveErrors: 0", 0],
    ["consecutiveErrors: 30", 0],
    ["maxEjected: 49%", 0],
    ["maxEjected: 50%", 1],
  ];
  for (const [key, ejected] of cases) {
    const outcome = ejected === 0 ? "stays" : "is ejected";
    test(
      `one of two that answers 20 errors ${outcome} with "${key}"`,
      opening(async (open) => {
        const origins = [await open(startOrigin(failing)), await open(startOrigin(naming("good")))];
        const service = `detection: { ejection: 1h, ejectionMax: 1h, ${key} }`;
        const gateway = await open(startGateway(tableOf(origins, { service })));
        await askMany(gateway, 40);
        const sentences = gateway.notices.filter(({ kind }) => kind === "ejected");
        assert.equal(sentences.length, ejected);
        for (const { sentence } of sentences) assert.match(sentence, / ejected for 1 h: /);
      }),
    );
  }

  test(
    "in panic who fails his checks is tried before those left are overrun",
    opening(async (open) => {
      const origins = [await open(startOrigin(naming("a"))), await open(startOrigin(naming("b")))];
      // Whom control calls failing is hedged at once: a hedge would take somebody's turn.
      const answersWith = async (service: string): Promise<ReadonlyMap<string, number>> => {
        const keys = { service, gateway: "hedge: off" };
        return askMany(await open(startGateway(tableOf(origins, keys, [1]))), 10);
      };
      assert.deepEqual(await answersWith(""), new Map([["a", 10]]));
      const panic = await answersWith("detection: { panic: 50% }");
      assert.equal(panic.get("b"), 5);
    }),
  );
});

describe("slowStart", () => {
  for (const [service, least, most] of [
    ["", 190, 210],
    ["slowStart: 1h", 1, 120],
  ] as const) {
    test(
      `of 400 requests one of two that has just returned gets ${least} to ${most} with "${service}"`,
      opening(async (open) => {
        const origins = [
          await open(startOrigin(naming("stays"))),
          await open(startOrigin(naming("returns"))),
        ];
        const gateway = await open(startGateway(tableOf(origins, { service }, [1])));
        assert.deepEqual(await askMany(gateway, 4), new Map([["stays", 4]]));
        gateway.engine.swap({ ...tableOf(origins, { service }), version: 2 });
        const returned = (await askMany(gateway, 400)).get("returns") ?? 0;
        assert.ok(returned >= least && returned <= most, `${returned} of 400`);
      }),
    );
  }
});

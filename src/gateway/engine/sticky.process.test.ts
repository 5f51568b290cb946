// A client stays with its instance: whom the cookie leads to, what it says, and when it is renewed.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plainRule, type StickyPolicy, type TableInstance } from "../../core/route/table.ts";
import {
  freePort,
  type Gateway,
  type Message,
  naming,
  opening,
  startGateway,
  startOrigin,
  tableOf,
} from "./engine.fixture.ts";

const plain: StickyPolicy = { cookie: "", sameSite: "lax", secure: false, maxAgeMs: 0 };
const names = ["one", "two", "three"];

function setCookie({ head }: Message): string | undefined {
  return /^set-cookie: *(.*)$/im.exec(head)?.[1];
}

function ask(gateway: Gateway, cookie = ""): Promise<Message> {
  const line = cookie === "" ? "" : `Cookie: theme=dark; ${cookie.split(";")[0]}; last=1\r\n`;
  return gateway.ask(`GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n`);
}

/** Its first answer, and the cookie that came with it. */
async function begin(gateway: Gateway): Promise<{ name: string; cookie: string }> {
  const first = await ask(gateway);
  const cookie = setCookie(first);
  assert.ok(cookie !== undefined, first.head);
  return { name: first.body, cookie };
}

async function bodies(gateway: Gateway, cookie: string, count: number): Promise<string[]> {
  const answers: string[] = [];
  for (let request = 0; request < count; request++) {
    const answer = await ask(gateway, cookie);
    assert.equal(setCookie(answer), undefined, "what it has, it is not given again");
    answers.push(answer.body);
  }
  return answers;
}

describe("a sticky route", () => {
  test(
    "leads each client to who answered it first, and others in turn",
    opening(async (open) => {
      const origins = await Promise.all(names.map((name) => open(startOrigin(naming(name)))));
      const ports = origins.map(({ port }) => port);
      const gateway = await open(startGateway(tableOf({ ports, route: { sticky: plain } })));
      const clients = [await begin(gateway), await begin(gateway), await begin(gateway)];
      assert.deepEqual(new Set(clients.map(({ name }) => name)), new Set(names));
      for (const { name, cookie } of clients) {
        assert.deepEqual(await bodies(gateway, cookie, 4), [name, name, name, name]);
      }
    }),
  );

  test(
    "gives a cookie that scripts cannot read, and that names neither instance nor address",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      const { port } = origin;
      const given = async (sticky: StickyPolicy): Promise<string> => {
        const gateway = await open(startGateway(tableOf({ ports: [port], route: { sticky } })));
        return (await begin(gateway)).cookie;
      };
      const cookie = await given(plain);
      assert.match(cookie, /^nines-web=[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
      for (const secret of ["web-1", String(port), "127.0.0.1"]) {
        assert.ok(!cookie.slice("nines-web=".length).includes(secret));
      }
      const said = { cookie: "sid", sameSite: "none", secure: true, maxAgeMs: 90_000 } as const;
      const attributes = "Path=/; HttpOnly; SameSite=None; Secure; Max-Age=90";
      assert.equal((await given(said)).replace(/=[\w-]{22};/, "=X;"), `sid=X; ${attributes}`);
    }),
  );

  test(
    "knows its cookies after a reload and in another process, and takes no other for one",
    opening(async (open) => {
      const origins = await Promise.all(names.map((name) => open(startOrigin(naming(name)))));
      const ports = origins.map(({ port }) => port);
      const table = tableOf({ ports, route: { sticky: plain } });
      const gateway = await open(startGateway(table));
      const { name, cookie } = await begin(gateway);
      const [service] = table.services;
      assert.ok(service !== undefined);
      const instances: readonly TableInstance[] = [...service.instances].reverse();
      const reloaded = { ...table, version: 2, services: [{ ...service, instances }] };
      gateway.engine.swap(reloaded);
      assert.deepEqual(await bodies(gateway, cookie, 3), [name, name, name]);
      const other = await open(startGateway(reloaded));
      assert.deepEqual(await bodies(other, cookie, 3), [name, name, name]);
      for (const forged of [
        "nines-web=web-1",
        `${cookie.slice(0, 30)}x`,
        "nines-web=",
        "theme=a",
      ]) {
        assert.notEqual(setCookie(await ask(other, forged)), undefined, forged);
      }
    }),
  );

  test(
    "goes by the rule when the instance is out, and the client stays with the next one then",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("left")));
      const before = await open(startOrigin(naming("gone")));
      const made = await open(
        startGateway(tableOf({ ports: [before.port], route: { sticky: plain } })),
      );
      const { cookie } = await begin(made);
      // Before all that listen it might be one of theirs.
      const gone = await freePort();
      const table = tableOf({ ports: [gone, origin.port], route: { sticky: plain } });
      const gateway = await open(startGateway(table));
      const answer = await ask(gateway, cookie);
      const renewed = setCookie(answer);
      assert.equal(answer.body, "left");
      assert.ok(renewed !== undefined && renewed !== cookie);
      assert.deepEqual(await bodies(gateway, renewed, 3), ["left", "left", "left"]);
    }),
  );

  test(
    "lets another bridge the time while the instance is at its limit",
    opening(async (open) => {
      const [origin, other] = [await open(startOrigin()), await open(startOrigin(naming("other")))];
      const route = { sticky: plain, balance: plainRule("first") };
      const service = { maxConnections: 1 };
      const ports = [origin.port, other.port];
      const gateway = await open(startGateway(tableOf({ ports, route, service })));
      const client = await gateway.client();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const peer = await origin.peer(0);
      await peer.takeThrough("\r\n\r\n");
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      const cookie = setCookie(await client.message()) ?? "";
      client.send(`GET / HTTP/1.1\r\nHost: a\r\nCookie: ${cookie.split(";")[0]}\r\n\r\n`);
      await peer.takeThrough("\r\n\r\n");
      assert.deepEqual(await bodies(gateway, cookie, 2), ["other", "other"]);
    }),
  );
});

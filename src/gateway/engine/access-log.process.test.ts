// One line for each request, with what became of it; no secret in it; none where none is asked for.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { AccessLogPolicy, RoutingTable } from "../../core/route/table.ts";
import {
  eventually,
  freePort,
  type Gateway,
  naming,
  opening,
  startGateway,
  startOrigin,
  type TableOptions,
  tableOf,
} from "./engine.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-access-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function logging(options: TableOptions, policy: Partial<AccessLogPolicy> = {}) {
  const file = join(folder, `${++files}.log`);
  const plain = {
    format: "json",
    sampleRatio: 1,
    query: false,
    rotateBytes: 1e9,
    keep: 1,
  } as const;
  const table: RoutingTable = { ...tableOf(options), accessLog: { ...plain, file, ...policy } };
  return { file, table };
}

type Line = Readonly<Record<string, unknown>>;

/** Waits until the engine has written so many lines. */
async function linesOf(gateway: Gateway, file: string, count: number): Promise<readonly Line[]> {
  await eventually(`${count} lines`, () => gateway.engine.stats().logLines === count);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, count);
  return lines.map((line) => JSON.parse(line) as Line);
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const pick = (line: Line | undefined, names: readonly string[]): readonly unknown[] =>
  names.map((name) => line?.[name]);

describe("the access log", () => {
  test(
    "tells of each request who asked what, who answered, and how long it took",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      const { file, table } = logging({ ports: [origin.port] });
      const gateway = await open(startGateway(table));
      const request =
        "POST /cart?id=7 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: me\r\nReferer: /from?x=1\r\n" +
        "Content-Length: 5\r\n\r\nhello";
      await gateway.ask(request);
      const [line] = await linesOf(gateway, file, 1);
      const asked = ["client", "protocol", "method", "host", "path", "userAgent", "referer"];
      const who = ["127.0.0.1", "HTTP/1.1", "POST", "shop.test", "/cart", "me", "/from"];
      assert.deepEqual(pick(line, asked), who);
      const answered = ["status", "route", "service", "instance", "tries", "reason", "state"];
      assert.deepEqual(pick(line, answered), [200, "/*", "web", "web-1", 1, null, "--"]);
      assert.equal(line?.["receivedBytes"], request.length);
      assert.equal(line["sentBytes"], gateway.engine.stats().services[0]?.bytesOut);
      assert.ok(Number(line["durationMs"]) > 0 && Number(line["waitedMs"]) >= 0);
    }),
  );

  test(
    "holds nothing that lets anybody in: no Authorization, no cookie, no query",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      for (const format of ["json", "combined"] as const) {
        const { file, table } = logging({ ports: [origin.port] }, { format });
        const gateway = await open(startGateway(table));
        const fields =
          "Host: a\r\nAuthorization: Bearer s3cret\r\nCookie: id=s3cret\r\nX-Key: s3cret\r\n" +
          "Proxy-Authorization: s3cret\r\nReferer: http://a/?t=s3cret";
        await gateway.ask(`GET /?token=s3cret HTTP/1.1\r\n${fields}\r\n\r\n`);
        await gateway.ask(`GET http://me:s3cret@a/ HTTP/1.1\r\n${fields}\r\n\r\n`);
        await eventually("both are logged", () => gateway.engine.stats().logLines === 2);
        assert.doesNotMatch(readFileSync(file, "utf8"), /s3cret/);
      }
    }),
  );

  test(
    "says why a request was refused, wherever that was",
    opening(async (open) => {
      const dead = await freePort();
      const rateLimits = [{ requests: 1, perMs: 3_600_000, burst: 1, by: "route" } as const];
      const route = { match: { path: "/" }, rateLimits };
      const { file, table } = logging({ ports: [dead], attempts: 0, route });
      const gateway = await open(startGateway(table));
      await gateway.ask(get);
      await gateway.ask(get);
      await gateway.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
      gateway.engine.swap({ ...table, version: 2, routes: [] });
      await gateway.ask(get);
      const names = ["status", "reason", "state", "route", "instance", "path"];
      const lines = await linesOf(gateway, file, 4);
      assert.deepEqual(
        lines.map((line) => pick(line, names)),
        [
          [502, "CONNECT_FAILED", "SC", "/*", "web-1", "/"],
          [429, "RATE_LIMITED", "PR", "/*", null, "/"],
          [400, "HOST_REPEATED", "PR", null, null, null],
          [404, "NO_ROUTE", "PR", null, null, "/"],
        ],
      );
    }),
  );

  test(
    "names the instance that answered, after how many tries, and the status of what broke off",
    opening(async (open) => {
      const dead = await freePort();
      const origin = await open(startOrigin());
      const { file, table } = logging({
        ports: [dead, origin.port],
        instances: [{}, { backup: true }],
      });
      const gateway = await open(startGateway(table));
      const client = await gateway.client();
      client.send(get);
      const peer = await origin.peer(0);
      peer.send("HTTP/1.1 206 OK\r\nContent-Length: 10\r\n\r\nhalf");
      await client.takeThrough("half");
      peer.close();
      const [line] = await linesOf(gateway, file, 1);
      const names = ["instance", "tries", "status", "reason", "state"];
      assert.deepEqual(pick(line, names), ["web-2", 2, 206, "ANSWER_BROKE_OFF", "SD"]);
    }),
  );

  test(
    "samples what went well, and tells all that did not",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          while (peer.end === "open") {
            const status = /\/(\d{3})/.exec((await peer.message()).head)?.[1] ?? "200";
            peer.send(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`);
          }
        }),
      );
      const { file, table } = logging({ ports: [origin.port] }, { sampleRatio: 0 });
      const gateway = await open(startGateway(table));
      for (const status of [200, 404, 503, 200]) {
        await gateway.ask(`GET /${status} HTTP/1.1\r\nHost: a\r\n\r\n`);
      }
      assert.deepEqual(pick((await linesOf(gateway, file, 1))[0], ["status"]), [503]);
    }),
  );

  test(
    "tells of a tunnel and of a tcp connection when they end, with what they carried",
    opening(async (open) => {
      const origin = await open(
        startOrigin(async (peer) => {
          if ((await peer.take(3)) === "GET") {
            await peer.takeThrough("\r\n\r\n");
            peer.send("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
          }
          peer.send("hello");
        }),
      );
      for (const protocol of ["http", "tcp"] as const) {
        const { file, table } = logging({ ports: [origin.port], protocol });
        const gateway = await open(startGateway(table));
        const client = await gateway.client();
        const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
        client.send(protocol === "http" ? upgrade : "raw");
        await client.takeThrough("hello");
        client.reset();
        const [line] = await linesOf(gateway, file, 1);
        const how = protocol === "http" ? ["HTTP/1.1", 101] : ["tcp", null];
        assert.deepEqual(pick(line, ["protocol", "status"]), how);
        assert.deepEqual(pick(line, ["reason", "instance"]), ["CLIENT_LEFT_AMID", "web-1"]);
        assert.ok(Number(line?.["sentBytes"]) >= "hello".length);
      }
    }),
  );

  test(
    "begins and ends with a table; what is under way then is told or not, and nothing breaks",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      const off = tableOf({ ports: [origin.port] });
      const { file, table } = logging({ ports: [origin.port], version: 2 });
      const gateway = await open(startGateway(off));
      await gateway.ask(get);
      assert.equal(existsSync(file), false);
      const client = await gateway.client();
      client.send(get.slice(0, 20));
      gateway.engine.swap(table);
      client.send(get.slice(20));
      await client.message();
      await linesOf(gateway, file, 1);
      gateway.engine.swap({ ...off, version: 3 });
      client.send(get);
      await client.message();
      assert.equal(gateway.engine.stats().logLines, 1);
      assert.deepEqual(gateway.troubles, []);
    }),
  );

  test(
    "has its last lines when the worker has drained",
    opening(async (open) => {
      const origin = await open(startOrigin(naming("web")));
      const { file, table } = logging({ ports: [origin.port] });
      const gateway = await open(startGateway(table));
      await gateway.ask(get);
      await gateway.engine.drain(1_000);
      assert.equal(readFileSync(file, "utf8").split("\n").length, 2);
    }),
  );
});

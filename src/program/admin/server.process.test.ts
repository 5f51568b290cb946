// The admin API between a real server and a real client on a socket in a temporary folder.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { NinesError } from "../../core/base/errors.ts";
import { callAdmin, fetchAdminText, followAdmin, isAway } from "./client.ts";
import type { RecordedEvent } from "../../runtime/event-log.ts";
import type { AdminActions, DeployOrder } from "./endpoints.ts";
import { endpoints } from "./endpoints.ts";
import { type AdminServer, serveAdmin } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-admin-"));
const socketPath = join(folder, "admin.sock");
const asked: unknown[][] = [];
const followers = new Set<(event: RecordedEvent) => void>();

const actions = {
  status: () => ({ nines: "0.1.0" }) as never,
  events: () => [event(42)],
  subscribe: (listener: (event: RecordedEvent) => void) => {
    followers.add(listener);
    return { [Symbol.dispose]: () => void followers.delete(listener) };
  },
  table: () => null,
  metrics: () => "nines_build_info 1\n",
  stats: () => [{ pxname: "web", svname: "BACKEND" }],
  statsPage: () => "<!doctype html>\n",
  apply: async (file: string | undefined) => {
    asked.push(["apply", file]);
    return { changes: [], warnings: [] };
  },
  deploy: async (order: DeployOrder) => {
    asked.push(["deploy", order]);
    if (order.service.startsWith("NINES_")) {
      throw new NinesError(order.service as "NINES_DEPLOY_UNDER_WAY", "not now.");
    }
    return { service: order.service, version: 2, from: 1, changed: ["env"] };
  },
  rollback: (service: string, version: number | undefined, by: string) => {
    asked.push(["rollback", service, version, by]);
    return { service, version: 1, from: 2, changed: [] };
  },
  deploys: (service: string) => ({ service, inForce: 1, versions: [], deploy: null }),
  scale: (service: string, replicas: number) => {
    asked.push(["scale", service, replicas]);
    if (service === "nobody") throw new NinesError("NINES_NOT_RUNNING", "no service nobody.");
    if (service === "bug") throw new TypeError("a bug");
  },
  restart: (target: string, force: boolean) => void asked.push(["restart", target, force]),
  drain: (instance: string) => void asked.push(["drain", instance]),
  undrain: (instance: string) => void asked.push(["undrain", instance]),
  failover: (service: string, to: string | undefined) => {
    asked.push(["failover", service, to]);
    return `${service}-1 hands over to ${to}`;
  },
  weigh: (instance: string, word: unknown) => `${asked.push(["weigh", instance, word])} orders`,
  force: (instance: string, forced: unknown) => `${asked.push(["force", instance, forced])} orders`,
  closeConnections: (instance: string, everything: boolean) =>
    `${asked.push(["close", instance, everything])} orders`,
  addEndpoint: (service: string, endpoint: unknown) =>
    `${asked.push(["add", service, endpoint])} orders`,
  removeEndpoint: (instance: string) => `${asked.push(["remove", instance])} orders`,
  failback: (service: string) => `${asked.push(["failback", service])} orders`,
  maintain: (on: boolean, service: string | undefined) =>
    `${asked.push(["maintain", on, service])} orders`,
  incidents: () => [],
  explainFailover: (service: string) => [`web-1 is primary of ${service}.`],
  restartGateway: () => void asked.push(["restartGateway"]),
  restartControl: () => void asked.push(["restartControl"]),
  stop: () => void asked.push(["stop"]),
} satisfies AdminActions;

function event(number: number): RecordedEvent {
  return { number, time: "", kind: "instance.ready", level: "info", sentence: "web-1 is ready" };
}

const call = (method: "GET" | "POST", path: string, body?: unknown) =>
  callAdmin({ socketPath, method, path, body, timeoutMs: 5000 });

describe("the admin API", () => {
  let server: AdminServer;
  before(async () => {
    writeFileSync(socketPath, "left by one that was killed");
    server = await serveAdmin(socketPath, actions);
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it("can be opened by its owner only", () => {
    assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  });

  it("answers every endpoint of its table", async () => {
    const inputs: Record<string, unknown> = {
      "/v1/scale": { service: "web", replicas: 3 },
      "/v1/deploy": { service: "web", canary: [0.1, 0.5] },
      "/v1/rollback": { service: "web" },
      "/v1/restart": { target: "web" },
      "/v1/drain": { instance: "web-1" },
      "/v1/undrain": { instance: "web-1" },
      "/v1/weight": { instance: "web-1", weight: "50%" },
      "/v1/force": { instance: "web-1", to: "up" },
      "/v1/close": { instance: "web-1" },
      "/v1/endpoints/add": { service: "cache", address: "[::1]:6379" },
      "/v1/endpoints/remove": { instance: "cache-::1:6379" },
      "/v1/failover": { service: "db" },
      "/v1/failback": { service: "db" },
      "/v1/maintenance": { on: true },
    };
    const queries: Record<string, string> = {
      "/v1/failover/explain": "?service=db",
      "/v1/deploys": "?service=web",
    };
    for (const { method, path, type } of endpoints) {
      if (type === "stream") continue; // below: it has no end
      if (type === "text") {
        assert.match(await fetchAdminText({ socketPath, method, path, timeoutMs: 5000 }), /\n$/);
      } else {
        const query = queries[path] ?? "";
        assert.notEqual(await call(method, path + query, inputs[path]), undefined, path);
      }
    }
    assert.deepEqual(asked.at(-1), ["stop"]);
  });

  it("passes on what was asked", async () => {
    await call("POST", "/v1/scale", { service: "web", replicas: 5 });
    assert.deepEqual(asked.at(-1), ["scale", "web", 5]);
    const answer = await call("POST", "/v1/failover", { service: "db", to: "db-2" });
    assert.deepEqual(asked.at(-1), ["failover", "db", "db-2"]);
    assert.deepEqual(answer, { sentence: "db-1 hands over to db-2" });
    await call("POST", "/v1/maintenance", { on: false, service: "db" });
    assert.deepEqual(asked.at(-1), ["maintain", false, "db"]);
    await call("POST", "/v1/apply", { file: "/srv/nines.yaml" });
    assert.deepEqual(asked.at(-1), ["apply", "/srv/nines.yaml"]);
    assert.deepEqual(await call("GET", "/v1/events?after=41"), [event(42)]);
    await call("POST", "/v1/deploy", { service: "web", canary: [0.1], by: "alice" });
    const order = { file: undefined, canary: [0.1], service: "web", replace: false, by: "alice" };
    assert.deepEqual(asked.at(-1), ["deploy", order]);
    await call("POST", "/v1/restart", { target: "web-1", force: true });
    assert.deepEqual(asked.at(-1), ["restart", "web-1", true]);
    assert.deepEqual(await call("GET", "/v1/events?after=42"), []);
  });

  const refused: readonly (readonly [string, "GET" | "POST", string, unknown, RegExp])[] = [
    ["what is no path", "GET", "//", undefined, /\/\/ is no address/],
    ["an unknown path", "GET", "/v1/nothing", undefined, /There is no \/v1\/nothing/],
    ["the wrong method", "GET", "/v1/scale", undefined, /takes POST, not GET/],
    ["a missing field", "POST", "/v1/scale", { service: "web" }, /replicas/],
    ["shares that do not grow", "POST", "/v1/deploy", { service: "a", canary: [0.5, 0.1] }, /more/],
    ["an unknown field", "POST", "/v1/drain", { instance: "a", force: 1 }, /force/],
    ["a wrong type", "POST", "/v1/scale", { service: "web", replicas: "3" }, /replicas/],
    ["a fraction", "POST", "/v1/scale", { service: "web", replicas: 1.5 }, /replicas/],
    ["a query that is not a number", "GET", "/v1/events?after=x", undefined, /after/],
    ["too much", "POST", "/v1/drain", { instance: "x".repeat(70_000) }, /over 65536 bytes/],
  ];
  for (const [what, method, path, body, message] of refused) {
    it(`refuses ${what} with a reason, and asks nothing of control`, async () => {
      const before = asked.length;
      await assert.rejects(call(method, path, body), (error) => {
        assert.ok(error instanceof NinesError);
        assert.equal(error.code, "NINES_ADMIN_REQUEST");
        assert.match(error.message, message);
        return true;
      });
      assert.equal(asked.length, before);
    });
  }

  it("carries an error of control to the caller with its code", async () => {
    await assert.rejects(call("POST", "/v1/scale", { service: "nobody", replicas: 1 }), {
      code: "NINES_NOT_RUNNING",
      message: "no service nobody.",
    });
  });

  it("tells by the status what cannot be now from what failed", async () => {
    const wanted = {
      NINES_DEPLOY_UNDER_WAY: 409,
      NINES_DEPLOY_ENDPOINTS: 409,
      NINES_DEPLOY_CANARY: 409,
      NINES_SERVICE_UNKNOWN: 404,
      NINES_CONFIG_INVALID: 422,
      NINES_STATE_WRITE: 500,
    };
    for (const [service, status] of Object.entries(wanted)) {
      const body = JSON.stringify({ service });
      const reader = connect(socketPath);
      reader.write("POST /v1/deploy HTTP/1.1\r\nhost: nines\r\nconnection: close\r\n");
      reader.write(
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await readUntil(reader, new RegExp(`^HTTP/1.1 ${status} `));
      reader.destroy();
    }
  });

  it("survives a bug behind it", async () => {
    await assert.rejects(call("POST", "/v1/scale", { service: "bug", replicas: 1 }), /a bug/);
    await call("GET", "/v1/status");
  });

  it("streams events until the reader leaves", async () => {
    const reader = connect(socketPath);
    reader.write("GET /v1/events/stream?after=41 HTTP/1.1\r\nhost: nines\r\n\r\n");
    await readUntil(reader, /retry: 1000\n\n\r\n.*id: 42\ndata: \{"number":42/s);
    for (const send of followers) send(event(43));
    await readUntil(reader, /id: 43\n/);
    reader.destroy();
    await until(() => followers.size === 0);
  });

  it("goes on where an EventSource was, and says when it cannot", async () => {
    const answerTo = async (last: number, pattern: RegExp) => {
      const reader = connect(socketPath);
      const head = "GET /v1/events/stream?after=3 HTTP/1.1\r\nhost: nines\r\n";
      reader.write(`${head}last-event-id: ${last}\r\n\r\n`);
      await readUntil(reader, pattern);
      reader.destroy();
    };
    await answerTo(41, /retry: 1000\n\n\r\n[0-9a-f]+\r\nid: 42\n/);
    await answerTo(7, /event: gap\ndata: \{"after":7,"next":42\}\n\n\r\n[0-9a-f]+\r\nid: 42\n/);
    await until(() => followers.size === 0);
  });

  it("cuts off a reader that does not read", async () => {
    const reader = connect(socketPath);
    reader.write("GET /v1/events/stream HTTP/1.1\r\nhost: nines\r\n\r\n");
    await readUntil(reader, /id: 42\n/);
    reader.pause();
    const closed = new Promise((resolve) => reader.on("close", resolve));
    reader.on("error", () => undefined);
    const long = { ...event(9), sentence: "x".repeat(100_000) };
    await until(() => {
      for (const send of followers) send(long);
      return followers.size === 0;
    });
    reader.resume();
    await closed;
  });
});

describe("asking", () => {
  it("says when nobody listens", async () => {
    const nobody = join(tmpdir(), `nines-nobody-${process.pid}.sock`);
    await assert.rejects(
      callAdmin({ socketPath: nobody, method: "GET", path: "/v1/status", timeoutMs: 1000 }),
      { code: "NINES_NOT_RUNNING" },
    );
  });

  it("gives up on one that accepts and says nothing", async () => {
    const path = join(tmpdir(), `nines-mute-${process.pid}.sock`);
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(path, resolve));
    await assert.rejects(
      callAdmin({ socketPath: path, method: "GET", path: "/v1/status", timeoutMs: 50 }),
      { code: "NINES_CONTROL_NOT_ANSWERING" },
    );
    mute.close();
  });

  it("gives up on a stream that does not begin, or that is no stream of events", async (t) => {
    const mute = await listen(t, () => undefined);
    const never = new AbortController().signal;
    const ignore = () => undefined;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const following = followAdmin(at(mute), "/v1/events/stream", ignore, never);
    t.mock.timers.tick(10_000);
    await assert.rejects(following, { code: "NINES_CONTROL_NOT_ANSWERING" });
    t.mock.timers.reset();
    const endless = await listen(t, (_request, response) => {
      const more = () => {
        while (response.write("x".repeat(1024 * 1024)) && !response.destroyed);
      };
      response.on("drain", more);
      more();
    });
    await assert.rejects(followAdmin(at(endless), "/v1/events/stream", ignore, never), {
      code: "NINES_ADMIN_FOREIGN",
    });
  });

  it("tells a control that is not there from a proxy that does not reach it", async (t) => {
    const answers: Record<string, readonly [number, string]> = {
      NINES_NOT_RUNNING: [502, "<h1>Bad Gateway</h1>"],
      NINES_CONTROL_NOT_ANSWERING: [504, ""],
      NINES_STATE_WRITE: [503, '{"error":{"code":"NINES_STATE_WRITE","message":"full"}}'],
    };
    for (const [code, [status, text]] of Object.entries(answers)) {
      const port = await listen(t, (_request, response) => response.writeHead(status).end(text));
      await assert.rejects(look(at(port)), { code });
    }
  });

  it("tells a network that does not lead there, and another who answers", async (t) => {
    const nowhere = { url: new URL("http://255.255.255.255:9"), token: "x" };
    await assert.rejects(look(nowhere), (error) => {
      assert.ok(isAway(error));
      assert.match(String(error), /255:9 cannot be reached: connect E/);
      return true;
    });
    const plain = await listen(t, (_request, response) => response.end());
    const overTls = { url: new URL(`https://127.0.0.1:${plain}`), token: "x" };
    await assert.rejects(look(overTls), { code: "NINES_ADMIN_FOREIGN" });
  });
});

function at(port: number) {
  return { url: new URL(`http://127.0.0.1:${port}`), token: "x" };
}

const look = (place: ReturnType<typeof at>) =>
  callAdmin({ ...place, method: "GET", path: "/v1/status", timeoutMs: 5000 });

/** Its port; it ends with the test. */
async function listen(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

function readUntil(socket: ReturnType<typeof connect>, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (!pattern.test(text)) return;
      socket.off("data", onData);
      resolve();
    };
    socket.on("data", onData);
    socket.once("close", () => reject(new Error(`closed after: ${text}`)));
  });
}

/** Asks again at each turn of the event loop; the test runner's own limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

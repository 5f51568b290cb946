// Where a load test may go.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RouteMatch } from "../../core/route/table.ts";
import type { InstanceReport, StatusReport } from "../status/report.ts";
import { type Asked, targetOf } from "./target.ts";

function instance(id: string, state: InstanceReport["state"], port: number): InstanceReport {
  const none = { why: "", since: null, pid: null, requestsPerSecond: 0, errors: 0, restarts: 0 };
  const plain = { weight: 1, weightBy: "file", forced: null, agent: null, added: false } as const;
  return { ...none, ...plain, id, state, address: `127.0.0.1:${port}`, version: 1, share: 1 };
}

function status(addresses: readonly string[]): StatusReport {
  const service = (name: string, instances: readonly InstanceReport[]) =>
    ({ name, wanted: 3, instances }) as unknown as StatusReport["services"][number];
  return {
    gateway: { addresses },
    services: [
      service("web", [
        instance("web-1", "up", 9001),
        instance("web-2", "down", 9002),
        instance("web-3", "up", 9003),
      ]),
      service("api", [instance("api-1", "up", 9011)]),
      service("dead", [instance("dead-1", "crash-loop", 9021)]),
    ],
  } as unknown as StatusReport;
}

const route = (service: string, match: RouteMatch) => ({ service, match });
const routes = [
  route("api", { host: "api.example.com", path: "/v1" }),
  route("api", { path: "/api", headers: { "x-key": "*" } }),
  route("web", { path: "/" }),
];
const here = status(["tcp://127.0.0.1:5432", "http://127.0.0.1:8080"]);
const asked: Asked = { service: "web", direct: false, method: "GET", path: undefined };

function refusal(message: RegExp) {
  return (error: unknown): boolean => {
    assert.match(String(error), message);
    assert.equal((error as { code?: string }).code, "NINES_LOAD_TARGET");
    return true;
  };
}

describe("the target of a load test", () => {
  it("is the gateway's HTTP address, and the path of a route that leads to the service", () => {
    const web = targetOf(asked, here, routes);
    assert.deepEqual(web.addresses, [{ host: "127.0.0.1", port: 8080 }]);
    assert.equal(web.through, "gateway");
    assert.equal(web.path, "/");
    assert.deepEqual([web.instances, web.wanted], [2, 3]);
    const api = targetOf({ ...asked, service: "api" }, here, routes);
    assert.equal(api.path, "/v1");
    assert.deepEqual(api.headers, { host: "api.example.com" });
  });

  it("takes the route that the wanted path needs, with its headers", () => {
    const api = targetOf({ ...asked, service: "api", path: "/api/list?page=2" }, here, routes);
    assert.equal(api.path, "/api/list?page=2");
    assert.deepEqual(api.headers, { "x-key": "1" });
  });

  it("is refused where the request would reach another service, with its name", () => {
    const shadowed = [route("web", { path: "/" }), route("api", { path: "/api" })];
    assert.throws(
      () => targetOf({ ...asked, service: "api" }, here, shadowed),
      refusal(/GET \/api leads to service web, not to api/),
    );
    const onlyPost = [route("web", { path: "/", method: "POST" })];
    assert.throws(() => targetOf(asked, here, onlyPost), refusal(/leads to no service/));
    assert.throws(() => targetOf(asked, here, []), refusal(/No route of the gateway leads to web/));
  });

  it("is refused without HTTP in the gateway, or with nobody to answer", () => {
    assert.throws(() => targetOf(asked, status(["tcp://[::1]:1"]), routes), refusal(/for HTTP/));
    const dead = { ...asked, service: "dead" };
    assert.throws(() => targetOf(dead, here, routes), refusal(/No instance of dead takes traffic/));
    const unknown = { ...asked, service: "wbe" };
    assert.throws(() => targetOf(unknown, here, routes), { code: "NINES_SERVICE_UNKNOWN" });
  });

  it("is each instance that takes traffic, with --direct", () => {
    const direct = targetOf({ ...asked, direct: true }, here, []);
    assert.equal(direct.through, "instances");
    assert.deepEqual(
      direct.addresses.map(({ port }) => port),
      [9001, 9003],
    );
  });
});

// A route's name says its conditions, is nobody else's, and tells no secret.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nameRoutes } from "./route-names.ts";
import { defaultHedge, plainRule, type RouteMatch, type TableListener } from "./table.ts";

function names(matches: readonly RouteMatch[], listeners: readonly TableListener[] = []) {
  const policy = {
    service: "web",
    rateLimits: [],
    balance: plainRule("random"),
    retry: { attempts: 0, budgetRatio: 0, budgetPerSecond: 0, replayBytes: 0 },
    hedge: defaultHedge,
    timeouts: {
      connectMs: 1,
      headMs: 1,
      idleMs: 1,
      keepAliveMs: 1,
      queueMs: 1,
      responseMs: 1,
      tunnelMs: 1,
    },
  };
  return nameRoutes({ listeners, routes: matches.map((match) => ({ ...policy, match })) });
}

test("a name is the route's conditions as a request line would have them", () => {
  const cases: readonly (readonly [RouteMatch, string])[] = [
    [{}, "/*"],
    [{ path: "/" }, "/*"],
    [{ path: "/api" }, "/api/*"],
    [{ path: "/api/" }, "/api/*"],
    [{ exactPath: "/health" }, "/health"],
    [{ host: "shop.example.com", path: "/api" }, "shop.example.com/api/*"],
    [{ host: "*.example.com" }, "*.example.com/*"],
    [{ method: "POST", exactPath: "/upload" }, "POST /upload"],
    [{ path: "/", headers: { "x-b": "*", "x-a": "1" } }, "/* x-a x-b"],
  ];
  for (const [match, name] of cases) assert.deepEqual(names([match]), [name]);
});

test("a tcp listener's route is called after its address", () => {
  const listener = (host: string, tcpRoute: number): TableListener => {
    return { host, port: 5432, protocol: "tcp", tcpRoute };
  };
  const noRequest = { method: "" };
  assert.deepEqual(names([noRequest, noRequest], [listener("0.0.0.0", 1), listener("::", 0)]), [
    "tcp [::]:5432",
    "tcp 0.0.0.0:5432",
  ]);
});

test("the values of header conditions stay out of it", () => {
  const keys = [{ headers: { "x-api-key": "secret-1" } }, { headers: { "x-api-key": "secret-2" } }];
  assert.deepEqual(names(keys), ["/* x-api-key", "/* x-api-key (2)"]);
});

test("as many names as routes, whatever the routes", () => {
  const text = fc.constantFrom("a", "b", "a (2)");
  const match = fc.record(
    {
      host: text,
      path: text.map((one) => `/${one}`),
      method: text,
      headers: fc.dictionary(text, text, { maxKeys: 2 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(match, { maxLength: 12 }), (matches) => {
      assert.equal(new Set(names(matches)).size, matches.length);
    }),
  );
});

// What each condition means, which paths are refused, and agreement with a router of lists.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRouter, hasDotSegment, NO_ROUTE, UNDECIDED } from "./router.ts";
import { defaultHedge, plainRule, type RouteMatch, type TableRoute } from "./table.ts";

function route(match: RouteMatch): TableRoute {
  return {
    match,
    service: "web",
    rateLimits: [],
    balance: plainRule("round-robin"),
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
}

interface Asked {
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function find(matches: readonly RouteMatch[], request: Asked): number {
  const { host = "shop.test", path = "/", method = "GET", headers = {} } = request;
  const router = createRouter(matches.map(route));
  // What it does not ask for makes no difference.
  const asked = { host: router.asksHost ? host : "", method: router.asksMethod ? method : "" };
  const found = router.find(asked.host, path, asked.method, (name) => headers[name]);
  const byPath = findByPath(matches, path);
  assert.ok(byPath === UNDECIDED || byPath === found, "the path alone says the same, or nothing");
  return found;
}

function findByPath(matches: readonly RouteMatch[], path: string): number {
  const bytes = Buffer.from(`GET ${path} `);
  return createRouter(matches.map(route)).findByPath(bytes, 4, bytes.length - 1);
}

test("the first route whose conditions all hold takes the request", () => {
  const matches = [{ exactPath: "/a" }, { path: "/a" }, { path: "/" }];
  assert.equal(find(matches, { path: "/a" }), 0);
  assert.equal(find(matches, { path: "/a/b" }), 1);
  assert.equal(find(matches, { path: "/ab" }), 2);
  assert.equal(find(matches.slice(0, 2), { path: "/ab" }), NO_ROUTE);
  assert.equal(find([], {}), NO_ROUTE);
});

test("a prefix ends at a segment, with or without its trailing slash", () => {
  for (const path of ["/a", "/a/"]) {
    assert.equal(find([{ path }], { path: "/a" }), 0);
    assert.equal(find([{ path }], { path: "/a/" }), 0);
    assert.equal(find([{ path }], { path: "/a/b" }), 0);
    assert.equal(find([{ path }], { path: "/ab" }), NO_ROUTE);
  }
  assert.equal(find([{ path: "/" }], { path: "*", method: "OPTIONS" }), 0);
});

test("a wildcard host stands for one label or more, never for none", () => {
  const matches = [{ host: "*.shop.test" }];
  assert.equal(find(matches, { host: "a.shop.test" }), 0);
  assert.equal(find(matches, { host: "a.b.shop.test" }), 0);
  assert.equal(find(matches, { host: "shop.test" }), NO_ROUTE);
  assert.equal(find(matches, { host: ".shop.test" }), NO_ROUTE);
  assert.equal(find(matches, { host: "evilshop.test" }), NO_ROUTE);
});

test("a header condition wants the value, or with * any value", () => {
  const matches = [{ headers: { "x-beta": "1" } }, { headers: { "x-beta": "*" } }];
  assert.equal(find(matches, { headers: { "x-beta": "1" } }), 0);
  assert.equal(find(matches, { headers: { "x-beta": "" } }), 1);
  assert.equal(find(matches, {}), NO_ROUTE);
});

test("the path alone decides unless a route that takes it asks for more", () => {
  assert.equal(findByPath([{ path: "/a" }, { path: "/" }], "/b"), 1);
  assert.equal(findByPath([{ exactPath: "/a.b" }, { path: "/a.b" }], "/a.b/c"), 1);
  assert.equal(findByPath([{ path: "/a", method: "GET" }, { path: "/" }], "/b"), 1);
  assert.equal(findByPath([{ path: "/a", method: "GET" }, { path: "/" }], "/a"), UNDECIDED);
  assert.equal(findByPath([{ host: "*.test" }, {}], "/"), UNDECIDED);
  assert.equal(findByPath([{ path: "/a" }], "/b"), NO_ROUTE);
  assert.equal(findByPath([], "/"), NO_ROUTE);
  for (const path of ["", "/a/../b", "/a/%2e", "/a\\..\\b", "/./a"]) {
    assert.equal(findByPath([{ path: "/a" }, {}], path), UNDECIDED, path);
    assert.equal(findByPath([{}, { path: "/a" }], path), 0, path);
  }
});

test("a path with a dot segment has no route where the table tells paths apart", () => {
  const refused = ["/a/../b", "/a/..", "/./a", "/%2e%2E/a", "/.%2e", "/a/..;x=1/b", "/a\\..\\b"];
  for (const path of [...refused, "/a/..%2fb", "/a%2f..%2fb", "/a%5c.."]) {
    assert.ok(hasDotSegment(path), path);
    assert.equal(find([{ path: "/a" }, { path: "/" }], { path }), NO_ROUTE, path);
    assert.equal(find([{ path: "/" }], { path }), 0, `${path} goes on as sent`);
  }
  for (const path of ["/.well-known/x", "/a/...", "/a/..b", "/a..", "/a.b/c", "/%2ea", "/v1.."]) {
    assert.ok(!hasDotSegment(path), path);
  }
});

/** The obvious router: labels and segments as lists. */
function twin(matches: readonly RouteMatch[], asked: Required<Asked>): number {
  const labels = (host: string) => host.split(".");
  const segments = (path: string) => path.split("/").slice(1);
  const startsWith = (whole: string[], part: string[]) =>
    part.every((each, index) => whole[index] === each);
  return matches.findIndex(({ host, path, exactPath, method, headers }) => {
    if (host?.startsWith("*.")) {
      const wanted = labels(host).slice(1);
      const given = labels(asked.host);
      if (given.length <= wanted.length) return false;
      if (!startsWith(given.slice(-wanted.length), wanted)) return false;
    } else if (host !== undefined && host !== asked.host) return false;
    if (exactPath !== undefined && exactPath !== asked.path) return false;
    if (path !== undefined) {
      const wanted = segments(path).filter((each) => each !== "");
      if (!startsWith(segments(asked.path), wanted)) return false;
    }
    if (method !== undefined && method !== asked.method) return false;
    return Object.entries(headers ?? {}).every(([name, value]) => {
      const given = asked.headers[name];
      return given !== undefined && (value === "*" || value === given);
    });
  });
}

test("finds what the obvious router finds", () => {
  const host = fc.constantFrom("a.test", "b.test", "x.a.test", "test", "y.x.a.test");
  const path = fc
    .array(fc.constantFrom("a", "b", "ab"), { maxLength: 3 })
    .map((segments) => `/${segments.join("/")}`);
  const method = fc.constantFrom("GET", "POST");
  const headers = fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "2"));
  const match: fc.Arbitrary<RouteMatch> = fc.record(
    {
      host: fc.oneof(
        host,
        host.map((name) => `*.${name}`),
      ),
      path,
      exactPath: path,
      method,
      headers: fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "*")),
    },
    { requiredKeys: [] },
  );
  const asked = fc.record({ host, path, method, headers });
  fc.assert(
    fc.property(fc.array(match, { maxLength: 6 }), asked, (matches, request) => {
      assert.equal(find(matches, request), twin(matches, request));
    }),
    { numRuns: 1000 },
  );
});

// What stands in a Config that did not stand in the file: commands, paths, defaults, order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { RouteMatch } from "../core/route/table.ts";
import type { Config, RouteConfig } from "./config.ts";
import { parseConfig } from "./load.ts";
import { shellCommand } from "./shell-command.ts";

function resolve(value: unknown, file = "/srv/shop/nines.yaml"): Config {
  const parsed = parseConfig({ file, cores: 2, format: "javascript", value });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

describe("a command line", () => {
  it("that is simple takes the shell's place", () => {
    for (const line of ["node server.js", "  ./run --a=b  ", 'sh -c "x"', "node $FILE"]) {
      assert.deepEqual(shellCommand(line), ["/bin/sh", "-c", `exec ${line.trim()}`]);
    }
  });

  it("that is more than one simple command stays with the shell", () => {
    const lines = [
      "cd app && node server.js",
      "a; b",
      "a | b",
      "a &",
      "(a)",
      "A=1 node x",
      "exec node x",
      "a\nb",
      "! a",
      "{ a; }",
      "echo $(date)",
    ];
    for (const line of lines) assert.deepEqual(shellCommand(line), ["/bin/sh", "-c", line]);
  });
});

describe("paths in a file", () => {
  it("start from its folder and are absolute", () => {
    const cases: readonly [file: string, written: string, expected: string][] = [
      ["/srv/shop/nines.yaml", ".", "/srv/shop"],
      ["/srv/shop/nines.yaml", "app/./x/", "/srv/shop/app/x"],
      ["/srv/shop/nines.yaml", "../other", "/srv/other"],
      ["/srv/shop/nines.yaml", "../../../..", "/"],
      ["/srv/shop/nines.yaml", "/opt//app/..", "/opt"],
      ["/nines.yaml", "app", "/app"],
    ];
    for (const [file, workingDirectory, expected] of cases) {
      const config = resolve({ services: { web: { command: "x", workingDirectory } } }, file);
      const [service] = config.services;
      assert.equal(service?.kind === "command" && service.workingDirectory, expected);
    }
  });
});

describe("defaults that depend on others", () => {
  it("keep a check from being longer than the time between two", () => {
    const healthWith = (interval: string) =>
      resolve({ services: { web: { command: "x", health: { interval } } } }).services[0]?.health;
    assert.equal(healthWith("10s")?.timeoutMs, 500);
    assert.equal(healthWith("10s")?.fastIntervalMs, 250);
    assert.equal(healthWith("100ms")?.timeoutMs, 100);
    assert.equal(healthWith("100ms")?.fastIntervalMs, 100);
  });

  it("let a route differ from the gateway in what it says, and in nothing else", () => {
    const { gateway } = resolve({
      services: { web: { command: "x" } },
      gateway: {
        listen: [{ address: ":80" }],
        timeouts: { connect: "3s", head: "4s" },
        retry: { attempts: 5 },
        routes: [{ service: "web", timeouts: { queue: "1s" }, retry: { budget: "1%" } }],
      },
    });
    const [route] = gateway?.routes ?? [];
    assert.deepEqual(route?.timeouts, { ...gateway?.timeouts, queueMs: 1000 });
    assert.deepEqual(route?.retry, { ...gateway?.retry, budgetRatio: 0.01 });
    assert.equal(route?.balance, gateway?.balance);
  });
});

describe("routes", () => {
  const segment = fc.constantFrom("a", "b");
  const path = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
  const match = fc.record(
    {
      host: fc.constantFrom("a.example", "*.example", "*.b.example", "b.example"),
      place: fc.tuple(fc.constantFrom("path", "exactPath"), path),
      method: fc.constantFrom("GET", "POST"),
      headers: fc.constantFrom({ a: "1" }, { a: "1", b: "*" }),
    },
    { requiredKeys: ["place"] },
  );

  it("are in an order in which the first match is the most specific one", () => {
    fc.assert(
      fc.property(fc.array(match, { minLength: 1, maxLength: 12 }), (matches) => {
        const written = matches.map(({ place: [key, value], ...rest }) => ({
          ...rest,
          [key]: value,
        }));
        const unique = [...new Map(written.map((one) => [JSON.stringify(one), one])).values()];
        const { gateway } = resolve({
          services: { web: { command: "x" } },
          gateway: {
            listen: [{ address: ":80" }],
            routes: unique.map((one) => ({ match: one, service: "web" })),
          },
        });
        const routes = gateway?.routes ?? [];
        assert.equal(routes.length, unique.length);
        for (const [index, earlier] of routes.entries()) {
          for (const later of routes.slice(index + 1)) {
            assert.ok(!isWithin(later, earlier), JSON.stringify([earlier.match, later.match]));
          }
        }
      }),
    );
  });
});

/** Whether every request of `inner` is one of `outer` too, and not the other way round: `inner` would
 * then never be reached behind `outer`. Written without a thought of ranks. */
function isWithin({ match: inner }: RouteConfig, { match: outer }: RouteConfig): boolean {
  return covers(outer, inner) && !covers(inner, outer);
}

function covers(outer: RouteMatch, inner: RouteMatch): boolean {
  const headers = Object.entries(outer.headers ?? {});
  return (
    hostCovers(outer.host, inner.host) &&
    pathCovers(outer, inner) &&
    (outer.method === undefined || outer.method === inner.method) &&
    headers.every(([name, value]) => {
      const other = inner.headers?.[name];
      return other !== undefined && (value === "*" || value === other);
    })
  );
}

function hostCovers(outer: string | undefined, inner: string | undefined): boolean {
  if (outer === undefined || outer === inner) return true;
  return outer.startsWith("*.") && inner !== undefined && inner.endsWith(outer.slice(1));
}

function pathCovers(outer: RouteMatch, inner: RouteMatch): boolean {
  if (outer.exactPath !== undefined) return outer.exactPath === inner.exactPath;
  const prefix = outer.path === "/" ? "" : (outer.path ?? "");
  const place = inner.exactPath ?? inner.path ?? "/";
  return place === prefix || place.startsWith(`${prefix}/`);
}

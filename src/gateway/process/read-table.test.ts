// A table is taken whole or refused whole, whatever is wrong with it.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { plainRule, type RoutingTable } from "../../core/route/table.ts";
import { readTable } from "./read-table.ts";
import { loadTable, saveTable } from "./table-file.ts";

const table: RoutingTable = {
  version: 3,
  workers: 2,
  listeners: [
    { host: "::", port: 8080, protocol: "http" },
    { host: "127.0.0.1", port: 5432, protocol: "tcp", tcpRoute: 0 },
  ],
  routes: [
    {
      match: { host: "a.example", path: "/", headers: { "x-b": "*" } },
      service: "web",
      rateLimits: [],
      balance: plainRule("least-request"),
      sticky: { cookie: "sid", sameSite: "lax", secure: true, maxAgeMs: 1000 },
      retry: { attempts: 2, budgetRatio: 0.2, budgetPerSecond: 10, replayBytes: 65_536 },
      hedge: { budgetRatio: 0.05, budgetPerSecond: 10 },
      timeouts: {
        connectMs: 1,
        headMs: 2,
        idleMs: 3,
        keepAliveMs: 4,
        queueMs: 5,
        responseMs: 6,
        tunnelMs: 7,
      },
    },
  ],
  services: [
    {
      name: "web",
      mode: "hot-standby",
      epoch: 3,
      detection: {
        stall: true,
        consecutiveErrors: 5,
        successRate: false,
        ejectionBaseMs: 1000,
        ejectionMaxMs: 30_000,
        maxEjectedRatio: 0.5,
        panicRatio: 0,
      },
      overProvision: 0,
      slowStartMs: 0,
      loadReports: true,
      zones: { name: "east", entering: 0.5, minimum: 6 },
      slowStartCurve: { minimum: 0.2, aggression: 1.5 },
      maxConnections: 0,
      queueLength: 10,
      instances: [
        {
          id: "web-1",
          host: "127.0.0.1",
          port: 3001,
          weight: 1,
          backup: false,
          verdict: "up",
          generation: 4,
          share: 0.1,
          backupOf: "web-2",
          zone: "east",
        },
      ],
    },
  ],
  limits: {
    headBytes: 1,
    headerCount: 2,
    targetBytes: 3,
    connections: 4,
    connectionsPerAddress: 4,
    minimumRate: 0,
  },
  drainMs: 30_000,
};

/** Every place in the table, as the keys that lead there. */
function placesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, item]) => placesOf(item, [...path, key]));
  return path.length === 0 ? below : [path, ...below];
}

function replaced(place: readonly string[], by: unknown): unknown {
  const copy = structuredClone(table) as unknown as Record<string, unknown>;
  let at = copy;
  for (const key of place.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[place.at(-1) ?? ""] = by;
  return copy;
}

describe("a table from outside", () => {
  it("is taken as it is when every field is right", () => {
    assert.equal(readTable(table), table);
  });

  it("is refused whatever field is of another kind", () => {
    for (const place of placesOf(table)) {
      assert.equal(readTable(replaced(place, null)), undefined, place.join("."));
      assert.equal(readTable(replaced(place, Symbol("odd"))), undefined, place.join("."));
    }
  });

  it("is refused with no workers, an unknown word, or a route that is not there", () => {
    assert.equal(readTable(replaced(["workers"], 0)), undefined);
    assert.equal(readTable(replaced(["routes", "0", "balance", "algorithm"], "best")), undefined);
    assert.equal(readTable(replaced(["services", "0", "mode"], "active")), undefined);
    assert.equal(readTable(replaced(["routes", "0", "sticky", "sameSite"], "any")), undefined);
    const minimum = ["services", "0", "slowStartCurve", "minimum"];
    assert.equal(readTable(replaced(minimum, 0)), undefined);
    assert.equal(readTable(replaced(["services", "0", "instances", "0", "share"], 1.5)), undefined);
    assert.equal(readTable(replaced(["listeners", "1", "tcpRoute"], 1)), undefined);
    assert.equal(readTable(replaced(["listeners", "0", "port"], 65_536)), undefined);
    assert.equal(
      readTable(replaced(["services", "0", "instances", "0", "port"], 65_536)),
      undefined,
    );
  });

  it("is refused, and never a crash, when it is anything at all", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        assert.equal(readTable(value), undefined);
      }),
    );
  });
});

describe("the table on disk", () => {
  it("comes back as it was, leaves nothing beside it, and is refused when it is torn", () => {
    const folder = mkdtempSync(join(tmpdir(), "nines-table-"));
    const path = join(folder, "table.json");
    try {
      assert.equal(loadTable(path), undefined);
      saveTable(path, table);
      assert.deepEqual(loadTable(path), table);
      assert.deepEqual(readdirSync(folder), ["table.json"]);
      writeFileSync(path, JSON.stringify(table).slice(0, -1));
      assert.equal(loadTable(path), undefined);
      assert.throws(() => saveTable(join(folder, "away", "table.json"), table), /ENOENT/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

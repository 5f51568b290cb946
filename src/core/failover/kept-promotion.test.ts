// A worker that starts never sends to a primary that was replaced, whatever its table says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NinesError } from "../base/errors.ts";
import { plainService, type RoutingTable, type ServiceMode } from "../route/table.ts";
import { promotionKey, withPromotions } from "./kept-promotion.ts";

function tableOf(mode: ServiceMode, epoch: number): RoutingTable {
  const place = { host: "127.0.0.1", weight: 1, backup: false, generation: 1, share: 1 } as const;
  const instances = [
    { ...place, id: "db-1", port: 8001, verdict: "up" },
    { ...place, id: "db-2", port: 8002, verdict: "standby" },
  ] as const;
  return {
    version: 7,
    workers: 1,
    listeners: [],
    routes: [],
    services: [{ ...plainService, name: "db", mode, epoch, instances }],
    limits: {
      headBytes: 1,
      headerCount: 1,
      targetBytes: 1,
      connections: 1,
      connectionsPerAddress: 1,
      minimumRate: 0,
    },
    drainMs: 0,
  };
}

const promoted = { epoch: 12, primary: "db-2", pinned: false };

function verdicts({ services }: RoutingTable): string {
  return services[0]?.instances.map(({ verdict }) => verdict).join(" ") ?? "";
}

test("an older table follows the promotion, and says so", () => {
  const { table, says } = withPromotions(tableOf("primary-standby", 11), (key) =>
    key === promotionKey("db") ? promoted : undefined,
  );
  assert.equal(verdicts(table), "standby up");
  assert.equal(table.services[0]?.epoch, 12);
  assert.equal(table.version, 7, "the next table of control is still a newer one");
  assert.deepEqual(says, [
    "the table on disk is too old for db: db-2 alone gets its traffic, it was promoted",
  ]);
});

test("a table that knows the promotion, or has none to know, is followed as it is", () => {
  const cases = [
    withPromotions(tableOf("primary-standby", 12), () => promoted),
    withPromotions(tableOf("primary-standby", 13), () => promoted),
    withPromotions(tableOf("primary-standby", 11), () => undefined),
    // The file has given the service another mode since.
    withPromotions(tableOf("active-active", 0), () => promoted),
  ];
  for (const { table, says } of cases) {
    assert.equal(verdicts(table), "up standby");
    assert.deepEqual(says, []);
  }
});

test("a promotion of one whom the table does not know, or that cannot be read: nobody", () => {
  const unreadable = (): never => {
    throw new NinesError("NINES_STATE_CORRUPT", "The record is not what Nines wrote.");
  };
  const reads = [() => ({ ...promoted, primary: "db-3" }), () => ({ epoch: "x" }), unreadable];
  for (const read of reads) {
    const { table, says } = withPromotions(tableOf("primary-standby", 11), read);
    assert.equal(verdicts(table), "standby standby");
    assert.equal(says.length, 1);
  }
});

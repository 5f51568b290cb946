// The status report out of records and counters, and its reference page field by field.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { CommandService, Config, GatewayConfig } from "../../config/config.ts";
import { type Ledger, firstLedger } from "../../core/deploy/versions.ts";
import { defaultDeploy } from "../../core/deploy/settings.ts";
import type { InstanceRecord } from "../../control/registry/registry.ts";
import { addressOf, composeStatus, type StatusInputs, stateOf } from "./compose.ts";
import { type FailoverSettings, plainFailover } from "../../core/failover/settings.ts";
import { RateWindow } from "./rates.ts";
import { instanceRecord, instanceStats, serviceStats } from "./stats.fixture.ts";

const page = join(import.meta.dirname, "..", "..", "..", "..", "docs", "reference", "status.md");

describe("the status report", () => {
  it("counts as up what gets traffic, and as wanted what there should be", () => {
    const report = composeStatus(
      inputs([
        instanceRecord({ id: "web-1" }),
        instanceRecord({ id: "web-2", draining: true }),
        instanceRecord({ id: "web-3", phase: "backoff", health: "unknown", pid: undefined }),
      ]),
    );
    assert.equal(report.services[0]?.up, 1);
    assert.equal(report.services[0]?.wanted, 3);
    assert.deepEqual(
      report.services[0]?.instances.map(({ state, pid }) => [state, pid]),
      [
        ["up", 4711],
        ["draining", 4711],
        ["backoff", null],
      ],
    );
  });

  it("says of a drained instance who drained it, whatever happened to it since", () => {
    const drained = instanceRecord({
      draining: true,
      why: "web-1 is ready 280 ms after its start",
    });
    const leaving = instanceRecord({ id: "web-2", phase: "stopping", draining: true, why: "so" });
    const report = composeStatus(inputs([drained, leaving]));
    assert.deepEqual(
      report.services[0]?.instances.map(({ why }) => why),
      ["web-1 gets no new traffic: an operator drained it", "so"],
    );
  });

  it("counts errors of an instance whoever made them", () => {
    const stats = instanceStats({
      answers: [0, 5, 0, 1, 2],
      connectFailures: 3,
      resets: 4,
      timeouts: 5,
    });
    const totals = [{ ...serviceStats({ refused: 7 }), instances: [stats] }];
    const report = composeStatus({
      ...inputs([instanceRecord({})]),
      ledgers: new Map([["web", deploying]]),
      gateway: { ...noGateway, totals },
    });
    assert.equal(report.services[0]?.instances[0]?.errors, 14);
    assert.equal(report.services[0]?.errors, 9, "what clients got: two answers and seven refusals");
  });

  it("still shows a service that has left the file, until its instances have ended", () => {
    const report = composeStatus(inputs([instanceRecord({ id: "old-1", service: "old" })]));
    assert.deepEqual(
      report.services.map(({ name, wanted }) => [name, wanted]),
      [
        ["web", 3],
        ["old", 0],
      ],
    );
  });

  it("says which version each instance is, and how far a deploy has come", () => {
    const canary = instanceRecord({ id: "web-1", version: 2, share: 0.1 });
    const [web] = composeStatus({
      ...inputs([canary, instanceRecord({ id: "web-2", version: 1 })]),
      ledgers: new Map([["web", deploying]]),
    }).services;
    assert.deepEqual(
      web?.instances.map(({ version, share }) => [version, share]),
      [
        [2, 0.1],
        [1, 1],
      ],
    );
    assert.equal(web?.version, 1);
    assert.deepEqual([web?.deploy?.phase, web?.deploy?.steps], ["holding", 1]);
    assert.match(web?.deploy?.why ?? "", /has 10% of the traffic/);
  });

  it("has every one of its fields in the reference", () => {
    const text = readFileSync(page, "utf8");
    const worker = { worker: 1, pid: 2, state: "serving" as const, sinceWallMs: 0 };
    const report = composeStatus({
      ...inputs([instanceRecord({})]),
      gateway: { ...noGateway, parent: { pid: 1, term: 1 }, workers: [worker] },
    });
    for (const key of keysOf(report)) {
      assert.ok(new RegExp(`[\`.]${key}(\\[\\])?[\`.]`).test(text), `${key} is in status.md`);
    }
  });
});

describe("an instance's state", () => {
  const cases: readonly (readonly [Partial<InstanceRecord>, string])[] = [
    [{}, "up"],
    [{ health: "down" }, "down"],
    [{ draining: true, health: "down" }, "draining"],
    [{ phase: "launching" }, "starting"],
    [{ phase: "starting", health: "unknown" }, "starting"],
    [{ phase: "crash-loop" }, "crash-loop"],
    [{ phase: "external", health: "up" }, "up"],
    [{ phase: "external", health: "unknown" }, "starting"],
  ];
  for (const [fields, state] of cases) {
    it(`of ${JSON.stringify(fields)} is ${state}`, () => {
      assert.equal(stateOf(instanceRecord(fields)), state);
    });
  }
});

describe("a backup of hot-standby", () => {
  it("says whom it stands in for", () => {
    const failover = {
      ...plainFailover,
      mode: "hot-standby",
      backups: { "web-1": "web-2" },
    } as const;
    const records = [instanceRecord({ id: "web-1" }), instanceRecord({ id: "web-2" })];
    const [web] = composeStatus(inputs(records, failover)).services;
    assert.equal(web?.instances[1]?.why, "web-2 gets traffic while web-1 gets none");
    assert.notEqual(web?.instances[0]?.why, web?.instances[1]?.why);
  });
});

describe("a service with a primary", () => {
  it("says who it is, and of each instance why it does or does not serve", () => {
    const failover = { ...plainFailover, mode: "primary-standby" } as const;
    const records = [
      instanceRecord({
        id: "web-1",
        standing: "standby",
        standingWhy: "web-1 stands by for web-2",
      }),
      instanceRecord({ id: "web-2", standingWhy: "web-2 is primary (epoch 2.1): it is the first" }),
    ];
    const [web] = composeStatus(inputs(records, failover)).services;
    assert.equal(web?.primary, "web-2");
    assert.equal(web?.epoch, 2_000_001);
    assert.equal(web?.up, 2);
    assert.deepEqual(
      web?.instances.map(({ state, why }) => [state, why]),
      [
        ["standby", "web-1 stands by for web-2"],
        ["up", "web-2 is primary (epoch 2.1): it is the first"],
      ],
    );
  });
});

describe("an address", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["127.0.0.1", "http://127.0.0.1:80"],
    ["0.0.0.0", "http://127.0.0.1:80"],
    ["::", "http://localhost:80"],
    ["::1", "http://[::1]:80"],
  ];
  for (const [host, address] of cases) {
    it(`of a listener on ${host} is ${address}`, () => {
      assert.equal(addressOf({ host, port: 80, protocol: "http" }), address);
    });
  }
});

const noGateway: StatusInputs["gateway"] = {
  parent: undefined,
  workers: [],
  workerStats: [],
  totals: [],
  tableVersion: 1,
};

const deploying: Ledger = {
  ...firstLedger({ fingerprint: {}, how: "start", by: "the file", wallMs: 0 }),
  deploy: {
    from: 1,
    to: 2,
    phase: "holding",
    step: 0,
    settings: { ...defaultDeploy, canary: [0.1] },
    by: "alice",
    beganWallMs: 0,
    cause: "",
    why: "web: version 2 is well and has 10% of the traffic for 30 s",
  },
};

function inputs(
  instances: readonly InstanceRecord[],
  failover: FailoverSettings = plainFailover,
): StatusInputs {
  const web = {
    kind: "command",
    name: "web",
    replicas: { min: 3, max: 3 },
    failover,
  } as CommandService;
  const gateway = { listen: [] } as unknown as GatewayConfig;
  const config: Config = { file: "/srv/nines.yaml", services: [web], gateway };
  return {
    version: "0.1.0",
    stateDirectory: "/srv/.nines",
    config,
    instances,
    epochOf: () => 2_000_001,
    inMaintenance: () => false,
    removedOf: () => [],
    gateway: noGateway,
    rates: new RateWindow(),
    ledgers: new Map(),
    vault: undefined,
    incidents: [],
    control: { pid: 1, term: 1, sinceWallMs: 0 },
    nowMs: 0,
    wallMs: 0,
  };
}

/** The names of all fields, at any depth. */
function keysOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
}

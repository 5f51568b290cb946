// What a plan has people write into their file.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config } from "../../config/config.ts";
import { parseConfig } from "../../config/load.ts";
import { type PlanQuestion, deploymentOf } from "../../core/predict/plan.ts";
import type { Choice } from "../../core/predict/search.ts";
import { changeInFile, withChoice, withLoad } from "./changed-config.ts";
import { describeFile, nothingKnown } from "./describe.ts";

const file = `
services:
  web: { command: node web.js, replicas: 2, health: { http: /healthz, interval: 2s } }
  api: { command: node api.js, replicas: { min: 2, max: 4 } }
  db: { endpoints: ["10.0.0.1:5432", "10.0.0.2:5432"] }
gateway:
  listen: [{ address: ":8080" }]
  routes: [{ match: { path: / }, service: web }]
`;

function read(text: string): Config {
  const parsed = parseConfig({ file: "/nines.yaml", cores: 2, format: "yaml", text });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

const config = read(file);
const asItIs: Choice = { instances: 2, machines: 1, zones: 1, gateways: 1, intervalMs: 2000 };

function change(service: string, choice: Choice, loadPerSecond?: number): string {
  const { deployment, rates } = describeFile(config, nothingKnown);
  const costs = { instanceMonthly: 1, machineMonthly: 1, zoneMonthly: 1, checkMonthly: 1 };
  const bounds = { instancesMax: 9, machinesMax: 9, zonesMax: 9, gatewaysMax: 9 };
  const asked = { deployment, rates, costs, service, needed: 1, unavailabilityMax: 0.1, bounds };
  const built = deploymentOf(asked satisfies PlanQuestion, choice);
  return changeInFile(config, service, { choice, deployment: built, loadPerSecond });
}

describe("what a plan has people write", () => {
  it("is nothing where the file says the same", () => {
    assert.equal(change("web", asItIs), "");
  });

  it("is what differs, and a file with it is right", () => {
    const four = { instances: 4, machines: 2, zones: 2, gateways: 2, intervalMs: 500 };
    const text = change("web", four, 900);
    assert.equal(
      text,
      `services:
  web:
    replicas: 4
    health: { interval: 500ms }
predict:
  machines:
    machine-1: { zone: zone-1 }
    machine-2: { zone: zone-2 }
  gateway: [machine-1, machine-2]
  services:
    web: { load: 900 }
`,
    );
    const [, predict = ""] = text.split("predict:\n");
    const changed = read(`${file}predict:\n${predict}`);
    assert.equal(changed.predict?.services["web"]?.loadPerSecond, 900);
    assert.deepEqual(changed.predict?.gateway, ["machine-1", "machine-2"]);
  });

  it("says what a shorter interval lowers beside it, or the file would be refused", () => {
    const slowly = file.replace("interval: 2s", "interval: 2s, fastInterval: 1s, timeout: 800ms");
    const { deployment } = describeFile(read(slowly), nothingKnown);
    const choice = { ...asItIs, intervalMs: 500 };
    const asked = { choice, deployment, loadPerSecond: undefined };
    const text = changeInFile(read(slowly), "web", asked);
    const health = "{ interval: 500ms, fastInterval: 500ms, timeout: 500ms }";
    assert.equal(text, `services:\n  web:\n    health: ${health}\n`);
    const once = changeInFile(read(slowly), "web", { ...asked, choice: asItIs });
    assert.equal(once, "");
  });

  it("keeps a range of replicas, and widens it where it must", () => {
    const three = { ...asItIs, instances: 3, intervalMs: 1000 };
    assert.match(change("api", three), /replicas: \{ min: 3, max: 4 \}/);
    assert.match(change("api", { ...three, instances: 6 }), /replicas: \{ min: 6, max: 6 \}/);
  });

  it("asks for endpoints, which nobody can make up", () => {
    const three = { instances: 3, machines: 3, zones: 2, gateways: 1, intervalMs: 1000 };
    assert.match(change("db", three), /# endpoints: 3 of them, over 3 hosts in 2 zones/);
    const zoned = { ...three, instances: 2, machines: 2 };
    assert.match(change("db", zoned), /# endpoints: 2 of them, over 2 hosts in 2 zones/);
    assert.equal(change("db", { ...zoned, zones: 1, intervalMs: 1000 }), "");
  });

  it("is in force in the configuration that a simulation runs", () => {
    const four = { instances: 4, machines: 1, zones: 1, gateways: 1, intervalMs: 250 };
    const changed = withChoice(withLoad(config, "web", 50), "web", four);
    const web = changed.services.find(({ name }) => name === "web");
    assert.ok(web?.kind === "command");
    assert.deepEqual(web.replicas, { min: 4, max: 4 });
    assert.equal(web.health.intervalMs, 250);
    assert.ok(web.health.timeoutMs <= 250 && web.health.fastIntervalMs <= 250);
    assert.equal(changed.predict?.services["web"]?.loadPerSecond, 50);
    assert.equal(config.predict, undefined, "the file's own is left alone");
  });
});

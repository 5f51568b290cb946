// What `nines apply` says is different.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Config, EndpointService, GatewayConfig } from "../../config/config.ts";
import { defaultDetection } from "../../core/route/table.ts";
import { plainFailover } from "../../core/failover/settings.ts";
import { describeChanges } from "./changes.ts";

describe("what a changed file changes", () => {
  it("is nothing when all is as before", () => {
    assert.deepEqual(describeChanges(configOf(service("web")), configOf(service("web"))), []);
  });

  it("names new and leaving services, and the keys that differ", () => {
    const before = configOf(service("web"), service("old"));
    const after = configOf(
      { ...service("web"), queueLength: 9, maxConnections: 1 },
      service("new"),
    );
    assert.deepEqual(describeChanges(before, after), [
      "old is no longer in the file: it is drained and ended.",
      "web has changed: maxConnections, queueLength.",
      "new is new: it starts.",
    ]);
  });

  it("names what is different in the gateway", () => {
    const gateway = { workers: 2, listen: [] } as unknown as GatewayConfig;
    const before = { ...configOf(), gateway };
    const after = { ...configOf(), gateway: { ...gateway, workers: 3 } };
    assert.deepEqual(describeChanges(before, after), ["gateway has changed: workers."]);
  });
});

function service(name: string): EndpointService {
  const health = { check: { kind: "tcp" } } as EndpointService["health"];
  return {
    kind: "endpoints",
    name,
    health,
    dependsOn: [],
    maxConnections: 0,
    queueLength: 0,
    detection: defaultDetection,
    slowStartMs: 0,
    overProvision: 0,
    failover: plainFailover,
    endpoints: [],
  };
}

function configOf(...services: readonly EndpointService[]): Config {
  return { file: "/nines.yaml", services };
}

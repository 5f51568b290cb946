// From a file to what is predicted of it: who is where, what is needed, and what is refused.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "../../config/load.ts";
import { NinesError } from "../../core/base/errors.ts";
import type { PredictedService } from "../../core/predict/deployment.ts";
import { type Described, describeFile, type Known, nothingKnown } from "./describe.ts";

function described(value: unknown, known: Known = nothingKnown): Described {
  const parsed = parseConfig({ file: "/srv/nines.yaml", cores: 2, format: "javascript", value });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return describeFile(parsed.config, known);
}

function web(value: object, rest: object = {}, known?: Known): PredictedService {
  const file = { services: { web: { command: "x", ...value } }, ...rest };
  return described(file, known).deployment.services[0] as PredictedService;
}

const places = ({ instances }: PredictedService) => instances.map(({ machine }) => machine);

const machines = {
  a1: { zone: "a" },
  a2: { zone: "a" },
  b1: { zone: "b" },
};

describe("where instances are", () => {
  it("is one machine for all that Nines runs, and the host for endpoints", () => {
    const { deployment } = described({
      services: {
        web: { command: "x", replicas: 2 },
        db: {
          endpoints: [{ address: "10.0.0.7:1", zone: "east" }, "10.0.0.7:2", "127.0.0.1:3"],
        },
      },
      gateway: { listen: [{ address: ":80" }], routes: [{ service: "web" }] },
    });
    const [first, second] = deployment.services as [PredictedService, PredictedService];
    assert.deepEqual(places(first), ["this machine", "this machine"]);
    assert.deepEqual(places(second), ["10.0.0.7", "10.0.0.7", "this machine"]);
    assert.deepEqual(deployment.gateway?.machines, ["this machine"]);
    const host = deployment.machines.find(({ name }) => name === "10.0.0.7");
    assert.deepEqual(host, { name: "10.0.0.7", zone: "east", isHost: false });
    assert.deepEqual([first.throughGateway, second.throughGateway], [true, false]);
  });

  it("is spread over machines, neighbours in different zones", () => {
    const spread = web({ replicas: 5 }, { predict: { machines } });
    assert.deepEqual(places(spread), ["a1", "b1", "a2", "a1", "b1"]);
  });

  it("is what the file says, from the beginning again", () => {
    const predict = { machines, services: { web: { machines: ["b1", "a2"] } } };
    assert.deepEqual(places(web({ replicas: 3 }, { predict })), ["b1", "a2", "b1"]);
  });

  it("cannot be one host in two zones", () => {
    const endpoints = [
      { address: "10.0.0.7:1", zone: "east" },
      { address: "10.0.0.7:2", zone: "west" },
    ];
    assert.throws(
      () => described({ services: { db: { endpoints } } }),
      (error) =>
        error instanceof NinesError &&
        error.code === "NINES_PREDICT_CONTRADICTION" &&
        error.message === "10.0.0.7 is in east by one endpoint and in west by another",
    );
  });
});

describe("who stands in for whom", () => {
  it("follows the file's order and backups", () => {
    const failover = { mode: "primary-standby", order: ["web-3"] };
    const { instances, needed } = web({ replicas: 3, failover });
    assert.deepEqual(
      instances.map(({ id }) => id),
      ["web-3", "web-1", "web-2"],
    );
    assert.equal(needed, 1);
    const hot = web({
      replicas: 3,
      failover: { mode: "hot-standby", backups: { "web-1": "web-3" } },
    });
    assert.deepEqual(
      hot.instances.map(({ backupOf }) => backupOf),
      [undefined, undefined, "web-1"],
    );
  });
});

describe("how many are needed", () => {
  const load = (said: object, replicas = 4) =>
    web({ replicas }, { predict: { services: { web: said } } });

  it("is one where no load is known, what the load takes, or what the file says", () => {
    assert.equal(load({}).needed, 1);
    assert.equal(load({ load: 250, capacity: 100 }).needed, 3);
    assert.equal(load({ load: 250, capacity: 100, needed: 4 }).needed, 4);
    assert.equal(load({ load: 250 }).needed, 1);
  });

  it("goes by the capacity that was measured, unless the file says one", () => {
    const measured = { capacityPerInstance: 80, slotsPerInstance: 4, serviceTimeMs: 50 };
    const known: Known = { seen: {}, queues: { web: measured } };
    const said = (more: object) =>
      web({ replicas: 4 }, { predict: { services: { web: { load: 250, ...more } } } }, known);
    assert.deepEqual(said({}).queue, { loadPerSecond: 250, ...measured });
    assert.equal(said({}).needed, 4);
    assert.equal(said({ capacity: 140 }).needed, 2);
    assert.equal(said({ capacity: 130 }).needed, 3, "two of them would be used by 96 %");
  });

  it("is never more than there are: the overload is said beside the figures", () => {
    assert.equal(load({ load: 900, capacity: 100 }).needed, 4);
  });

  it("completes the queue from what is known of it", () => {
    const queue = load({ load: 10, capacity: 100, serviceTime: "40ms" }).queue;
    assert.deepEqual([queue?.slotsPerInstance, queue?.serviceTimeMs], [4, 40]);
    assert.equal(load({ load: 10, capacity: 100, slots: 5 }).queue?.serviceTimeMs, 50);
  });
});

describe("which requests another instance can answer", () => {
  const gateway = { listen: [{ address: ":80" }] };

  it("is most of them where they are retried, and none elsewhere", () => {
    assert.equal(web({ replicas: 2 }, { gateway }).resentShare, 0.9);
    assert.equal(web({ replicas: 2 }, {}).resentShare, 0);
    const never = { gateway: { ...gateway, retry: { attempts: 0 } } };
    assert.equal(web({ replicas: 2 }, never).resentShare, 0);
    const said = { gateway, predict: { services: { web: { resent: "50%" } } } };
    assert.equal(web({ replicas: 2 }, said).resentShare, 0.5);
  });
});

// The cheapest deployment that is good enough, against building and solving every one by hand.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Costs } from "./costs.ts";
import type { Deployment } from "./deployment.ts";
import { type PlanQuestion, deploymentOf, plan } from "./plan.ts";
import { predict } from "./predict.ts";
import { exactly, lasting, ratesFor, webOn } from "./predict.fixture.ts";
import type { Rates } from "./rates.ts";
import { solve, structureOf } from "./solve.ts";

const costs: Costs = { instanceMonthly: 5, machineMonthly: 20, zoneMonthly: 30, checkMonthly: 0.1 };
const bounds = { instancesMax: 6, machinesMax: 3, zonesMax: 2, gatewaysMax: 3 };

function behindGateway(said: Parameters<typeof webOn>[1] = {}): Deployment {
  return {
    services: [webOn(["one"], { throughGateway: true, ...said })],
    machines: [{ name: "one", zone: "zone", isHost: true }],
    gateway: { workers: 2, machines: ["one"] },
  };
}

const everydayRates = ratesFor(
  {
    web: {
      crash: exactly(1 / 240),
      hang: exactly(1 / 2000),
      commonCause: exactly(0.02),
      start: lasting(10_000),
    },
  },
  { machine: exactly(1 / 4000), zone: exactly(1 / 17_000), gateway: exactly(1 / 80_000) },
);

function question(said: Partial<PlanQuestion> = {}): PlanQuestion {
  return {
    deployment: behindGateway(),
    rates: everydayRates,
    costs,
    service: "web",
    needed: 1,
    unavailabilityMax: 1e-4,
    bounds,
    ...said,
  };
}

function unavailabilityOf(deployment: Deployment, rates: Rates): number {
  const [web] = solve(structureOf(deployment), rates);
  return web?.unavailability ?? 1;
}

describe("the cheapest deployment that is good enough", () => {
  it("is what solving every one of them finds", () => {
    const small = { instancesMax: 4, machinesMax: 3, zonesMax: 2, gatewaysMax: 2 };
    const perHour = (least: number, most: number) =>
      fc.double({ min: Math.log(least), max: Math.log(most), noNaN: true }).map((log) => {
        return exactly(Math.exp(log));
      });
    const price = fc.integer({ min: 0, max: 40 });
    const world = fc.record({
      crash: perHour(1e-4, 1e-1),
      machine: perHour(1e-6, 1e-3),
      zone: perHour(1e-6, 1e-3),
      needed: fc.integer({ min: 1, max: 2 }),
      prices: fc.tuple(price, price, price, price),
      target: fc.constantFrom(1e-3, 1e-4, 1e-5, 1e-6),
    });
    fc.assert(
      fc.property(world, ({ crash, machine, zone, needed, prices, target }) => {
        const [instanceMonthly, machineMonthly, zoneMonthly, checkMonthly] = prices;
        const rates = ratesFor({ web: { crash, commonCause: exactly(0.05) } }, { machine, zone });
        const asked = question({
          rates,
          needed,
          costs: { instanceMonthly, machineMonthly, zoneMonthly, checkMonthly },
          unavailabilityMax: target,
          bounds: small,
        });
        let least = Infinity;
        for (let instances = needed; instances <= small.instancesMax; instances++) {
          for (let machines = 1; machines <= Math.min(instances, 3); machines++) {
            for (let zones = 1; zones <= Math.min(machines, 2); zones++) {
              for (let gateways = 1; gateways <= Math.min(machines, 2); gateways++) {
                for (const intervalMs of [2000, 1000, 500, 250]) {
                  const choice = { instances, machines, zones, gateways, intervalMs };
                  const built = deploymentOf(asked, choice);
                  if (unavailabilityOf(built, rates) > target) continue;
                  const cost =
                    instances * (instanceMonthly + (checkMonthly * 1000) / intervalMs) +
                    machines * machineMonthly +
                    zones * zoneMonthly;
                  least = Math.min(least, cost);
                }
              }
            }
          }
        }
        const { chosen, inTheWay } = plan(asked);
        if (least === Infinity) assert.ok(chosen === undefined && inTheWay !== undefined);
        else assert.ok(Math.abs((chosen?.costMonthly ?? -1) - least) < 1e-9);
      }),
      { numRuns: 25 },
    );
  });

  it("says what each cheaper one lacks, and that it is not enough", () => {
    const { chosen, deployment, cheaper } = plan(question({ unavailabilityMax: 5e-5 }));
    assert.ok(chosen !== undefined && deployment !== undefined);
    assert.equal(unavailabilityOf(deployment, everydayRates), chosen.unavailability);
    assert.ok(chosen.unavailability <= 5e-5);
    assert.ok(cheaper.length > 0);
    for (const one of cheaper) {
      assert.ok(one.costMonthly < chosen.costMonthly && one.unavailability > 5e-5);
      const [largest, ...others] = one.burdens;
      assert.ok(largest !== undefined && largest.unavailability <= one.unavailability * (1 + 1e-9));
      for (const other of others) assert.ok(other.unavailability <= largest.unavailability);
    }
  });

  it("has as many instances as the load takes, and more so that one may fail", () => {
    const rates = ratesFor({ web: { crash: exactly(1 / 24), start: lasting(10_000) } });
    assert.equal(plan(question({ rates, needed: 3 })).chosen?.choice.instances, 4);
    const enough = question({ rates, needed: 3, unavailabilityMax: 1e-3 });
    assert.equal(plan(enough).chosen?.choice.instances, 3);
  });

  it("deals processes and gateways out over machines of several zones", () => {
    const choice = { instances: 4, machines: 2, zones: 2, gateways: 2, intervalMs: 500 };
    const { machines, services, gateway } = deploymentOf(question(), choice);
    assert.equal(new Set(machines.map(({ zone }) => zone)).size, 2);
    const [web] = services;
    const on = (name: string) => web?.instances.filter(({ machine }) => machine === name).length;
    assert.deepEqual(
      machines.map(({ name }) => on(name)),
      [2, 2],
    );
    assert.equal(gateway?.machines.length, 2);
    assert.equal(web?.checks?.intervalMs, 500);
    assert.equal(web?.checks?.timeoutMs, 500);
  });

  it("gives endpoints hosts of their own, and leaves the gateway where it is", () => {
    const endpoint = { id: "db-a:1", machine: "a", kind: "endpoint", backup: false } as const;
    const db = { ...webOn([], { name: "db", throughGateway: true }), instances: [endpoint] };
    const machines = [...behindGateway().machines, { name: "a", zone: "zone", isHost: false }];
    const deployment = { ...behindGateway(), machines, services: [db] };
    const asked = question({ deployment, service: "db", rates: ratesFor({ db: {} }) });
    const choice = { instances: 3, machines: 3, zones: 1, gateways: 1, intervalMs: 2000 };
    const built = deploymentOf(asked, choice);
    assert.equal(new Set(built.services[0]?.instances.map(({ machine }) => machine)).size, 3);
    assert.deepEqual(built.gateway?.machines, ["one"]);
  });

  it("keeps the machine of an endpoint beside the processes", () => {
    const endpoint = { id: "db-1", machine: "one", kind: "endpoint", backup: false } as const;
    const db = { ...webOn([], { name: "db" }), instances: [endpoint] };
    const { machines, services, gateway } = behindGateway({ dependsOn: ["db"] });
    const deployment = { machines, gateway, services: [...services, db] };
    const rates = ratesFor({ web: { crash: exactly(0.01) }, db: {} });
    const planned = plan(question({ deployment, rates, unavailabilityMax: 1e-6 }));
    assert.ok(planned.chosen !== undefined);
    const choice = { instances: 2, machines: 2, zones: 1, gateways: 1, intervalMs: 2000 };
    const built = deploymentOf(question({ deployment }), choice);
    const found = built.machines.find(({ name }) => name === "one");
    assert.deepEqual(found, { name: "one", zone: "zone", isHost: false });
    structureOf(built);
  });

  it("is judged by what it depends on, and by nothing else, as a prediction is", () => {
    const slow = webOn(["one"], { name: "slow", throughGateway: true });
    const { machines, services, gateway } = behindGateway();
    const deployment = { machines, gateway, services: [...services, slow] };
    const own = everydayRates.services["web"] ?? {};
    const shared = { ...everydayRates };
    const rates = ratesFor({ web: own, slow: { start: lasting(1_800_000) } }, shared);
    const { chosen, deployment: built } = plan(question({ deployment, rates }));
    assert.ok(chosen !== undefined && built !== undefined);
    assert.equal(built.services.length, 2);
    const [web] = predict(built, rates, { draws: 20 });
    assert.equal(chosen.unavailability, web?.unavailability.value);
  });

  it("in hot-standby gives each place a stand-in on another machine", () => {
    const deployment = behindGateway({ mode: "hot-standby" });
    const choice = { instances: 4, machines: 2, zones: 1, gateways: 1, intervalMs: 2000 };
    const { services } = deploymentOf(question({ deployment, needed: 2 }), choice);
    const instances = services[0]?.instances ?? [];
    for (const one of instances.filter(({ backupOf }) => backupOf !== undefined)) {
      const backed = instances.find(({ id }) => id === one.backupOf);
      assert.ok(backed !== undefined && backed.machine !== one.machine);
    }
    assert.equal(instances.filter(({ backupOf }) => backupOf === undefined).length, 2);
  });
});

describe("a target that cannot be reached", () => {
  it("names the gateway's one machine by what more of them would do", () => {
    const asked = question({ bounds: { ...bounds, gatewaysMax: 1 }, unavailabilityMax: 5e-5 });
    const { chosen, inTheWay } = plan(asked);
    assert.equal(chosen, undefined);
    assert.ok((inTheWay?.best.unavailability ?? 0) > 5e-5, "never a false 100 %");
    assert.deepEqual(inTheWay?.causes, ["machine", "zone"]);
    assert.equal(inTheWay.wouldDo, true);
    assert.ok((inTheWay.withGateways?.choice.gateways ?? 0) > 1);
  });

  it("names the causes that all instances share, where no number of them helps", () => {
    const rates = ratesFor({ web: { crash: exactly(0.01), commonCause: exactly(0.1) } });
    const { chosen, inTheWay } = plan(question({ rates, unavailabilityMax: 1e-7 }));
    assert.equal(chosen, undefined);
    assert.equal(inTheWay?.causes[0], "commonCause");
    assert.equal(inTheWay.withGateways, undefined);
  });

  it("names the service that it depends on, and that nothing of its own would do", () => {
    const rates = ratesFor({ web: { crash: exactly(0.01) }, db: { endpoint: exactly(0.01) } });
    const endpoint = { id: "db-a:1", machine: "a", kind: "endpoint", backup: false } as const;
    const db = { ...webOn([], { name: "db" }), instances: [endpoint] };
    const deployment: Deployment = {
      services: [webOn(["one"], { dependsOn: ["db"] }), db],
      machines: [...behindGateway().machines, { name: "a", zone: "zone", isHost: false }],
      gateway: undefined,
    };
    const { inTheWay } = plan(question({ deployment, rates }));
    const said = inTheWay?.best.burdens.map(({ what }) => what) ?? [];
    assert.ok(said.includes("dependencies"), said.join());
    assert.ok(said.includes("endpoint"), said.join());
    assert.equal(inTheWay?.wouldDo, true);
  });

  it("is refused where the question contradicts itself", () => {
    const refused = (said: Partial<PlanQuestion>, message: RegExp) => {
      assert.throws(
        () => plan(question(said)),
        (error: unknown) => {
          assert.equal((error as { code?: string }).code, "NINES_PREDICT_CONTRADICTION");
          assert.match(String(error), message);
          return true;
        },
      );
    };
    const standby = behindGateway({ mode: "primary-standby" });
    refused({ deployment: standby, needed: 2 }, /2 instances are needed, and of a primary/);
    const pairs = behindGateway({ mode: "hot-standby" });
    refused({ deployment: pairs, needed: 4 }, /7 instances are needed, and a plan may have 6/);
    refused({ needed: 7 }, /7 instances are needed, and a plan may have 6/);
    refused({ service: "api" }, /there is no service api/);
  });
});

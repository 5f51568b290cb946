// What is said of a service: what takes its availability away, what would buy some, how certain
// that is, and what is to be borne in mind.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPrng } from "../base/prng.ts";
import { changesOf } from "./changes.ts";
import type { Deployment } from "./deployment.ts";
import { drawRates } from "./draw.ts";
import { type Gain, predict, type ServicePrediction } from "./predict.ts";
import { exactly, lasting, machines, only, ratesFor, webOn, within } from "./predict.fixture.ts";
import type { Rates } from "./rates.ts";
import { solve, structureOf } from "./solve.ts";

const usual = ratesFor(
  {
    web: {
      crash: within(1 / 2_000, 1 / 200),
      hang: within(1 / 6_000, 1 / 600),
      commonCause: exactly(0.05),
    },
  },
  { machine: within(1 / 10_000, 1 / 1_000), zone: within(1 / 50_000, 1 / 5_000) },
);

function said(deployment: Deployment, rates: Rates = usual): ServicePrediction {
  return predict(deployment, rates, { draws: 100 })[0] as ServicePrediction;
}

function gainOf({ gains }: ServicePrediction, what: RegExp): Gain {
  const found = gains.find((gain) => what.test(gain.what));
  assert.ok(found, `${what} is none of ${gains.map((gain) => gain.what).join("; ")}`);
  return found;
}

const gateway = { workers: 2, machines: ["a"] };
const oneMachine: Deployment = {
  ...only(webOn(["a", "a", "a"], { throughGateway: true })),
  gateway,
};

describe("what a change buys", () => {
  it("is the difference to the changed deployment, solved", () => {
    const before = said(oneMachine);
    for (const { what, deployment, rates } of changesOf(oneMachine, "web")) {
      const after = solve(structureOf(deployment), rates(usual))[0]?.unavailability ?? 0;
      const { gained } = gainOf(before, new RegExp(`^${what.replace(/[()]/g, ".")}$`));
      assert.ok(Math.abs(gained.value - (before.unavailability.value - after)) < 1e-15, what);
      assert.ok(gained.lower <= gained.value && gained.value <= gained.upper, what);
    }
  });

  it("is next to nothing for one more instance on the same machine", () => {
    const prediction = said(oneMachine);
    const { value } = prediction.unavailability;
    assert.ok(gainOf(prediction, /one more instance/).gained.value < 1e-6 * value);
    const machine = gainOf(prediction, /^another machine, with a gateway/).gained;
    assert.ok(machine.value > 0.5 * value, "the machine is what it hangs on");
    assert.equal(prediction.gains[0]?.what, "another machine in another zone, with a gateway");
  });

  it("is most for a standby where nobody stands by", () => {
    const alone = said(only(webOn(["a"])), ratesFor({ web: { crash: exactly(0.01) } }));
    assert.match(alone.gains[0]?.what ?? "", /standby|one more instance/);
    assert.ok((alone.gains[0]?.gained.value ?? 0) > 0.5 * alone.unavailability.value);
  });

  it("puts a standby for an endpoint on a host of its own", () => {
    const endpoint = { id: "db-a:1", machine: "a", kind: "endpoint", backup: false } as const;
    const db = only(webOn([], { instances: [endpoint] }));
    const rates = ratesFor({ web: { endpoint: exactly(0.01) } }, { machine: exactly(0.001) });
    const { gains, unavailability } = said(db, rates);
    const [standby] = gains.filter(({ what }) => what === "a standby");
    assert.ok((standby?.gained.value ?? 0) > 0.5 * unavailability.value);
  });

  it("has a narrower interval than the figures that it is the difference of", () => {
    const prediction = said(oneMachine);
    const { gained } = gainOf(prediction, /starts in half/);
    assert.ok(gained.value > 0);
    const { lower, upper } = prediction.unavailability;
    assert.ok(gained.upper - gained.lower < 0.05 * (upper - lower));
  });
});

describe("what contributes", () => {
  it("comes in order, and what never matters is left out", () => {
    const { contributions, unavailability } = said(oneMachine);
    assert.equal(contributions[0]?.cause, "machine");
    const sizes = contributions.map((one) => one.unavailability);
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => b - a),
    );
    assert.ok(!contributions.some(({ cause }) => cause === "endpoint"));
    assert.ok(sizes.every((size) => size <= unavailability.value));
  });
});

describe("how certain it is", () => {
  it("is the same for the same seed, and exact where no rate is in doubt", () => {
    assert.deepEqual(said(oneMachine), said(oneMachine));
    const exact = said(only(webOn(["a", "b"])), ratesFor({ web: { crash: exactly(0.01) } }));
    assert.equal(exact.unavailability.lower, exact.unavailability.upper);
  });

  it("covers the figure at either bound of the rate that matters", () => {
    const { unavailability } = said(oneMachine);
    const at = (machine: number) =>
      solve(structureOf(oneMachine), { ...usual, machine: exactly(machine) })[0]?.unavailability;
    assert.ok(unavailability.lower < 2 * (at(usual.machine.lower) ?? 0));
    assert.ok(unavailability.upper > 0.5 * (at(usual.machine.upper) ?? 1));
  });

  it("draws within the bounds nine times of ten, and an assumption once for all services", () => {
    const assumption = { kind: "default", reason: "a guess" } as const;
    const crash = { ...within(0.01, 0.1), source: assumption };
    const rates = ratesFor({ one: { crash }, two: { crash } });
    const random = createPrng(3);
    let inside = 0;
    for (let draw = 0; draw < 2_000; draw++) {
      const { one, two } = drawRates(rates, random.stream(`${draw}`)).services;
      assert.equal(one?.crash.value, two?.crash.value);
      const value = one?.crash.value ?? 0;
      if (value >= 0.01 && value <= 0.1) inside++;
    }
    assert.ok(inside > 1_740 && inside < 1_860, `${inside} of 2000`);
  });
});

describe("how certain assumed times are", () => {
  const assumed = { kind: "default", reason: "a guess" } as const;

  it("is a factor of three, once for all services, and what is said is not doubted", () => {
    const hangRepair = { ...lasting(60_000), source: assumed };
    const rates = ratesFor(
      { one: { hangRepair }, two: { hangRepair } },
      { machineRepair: { ...lasting(3_600_000), source: assumed } },
    );
    const random = createPrng(5);
    let inside = 0;
    for (let draw = 0; draw < 1_000; draw++) {
      const drawn = drawRates(rates, random.stream(`${draw}`));
      const { one, two } = drawn.services;
      assert.equal(one?.hangRepair.meanMs, two?.hangRepair.meanMs);
      assert.equal(one?.start.meanMs, rates.services["one"]?.start.meanMs);
      assert.equal(drawn.zoneRepair.meanMs, rates.zoneRepair.meanMs);
      const { meanMs } = drawn.machineRepair;
      if (meanMs >= 1_200_000 && meanMs <= 3 * 3_600_000) inside++;
    }
    assert.ok(inside > 860 && inside < 940, `${inside} of 1000`);
  });

  it("widens what is said of a service that one of them decides", () => {
    const { unavailability } = said(
      only(webOn(["a"])),
      ratesFor(
        { web: {} },
        { machine: exactly(0.001), machineRepair: { ...lasting(3_600_000), source: assumed } },
      ),
    );
    assert.ok(unavailability.lower < 0.5 * unavailability.value);
    assert.ok(unavailability.upper > 2 * unavailability.value);
  });
});

describe("what is to be borne in mind", () => {
  const saidOf = (deployment: Deployment, rates = usual) => said(deployment, rates).cautions.join();

  it("is the one machine that everything is on, or the gateway", () => {
    assert.match(saidOf(oneMachine), /all instances are on one machine, a: none survives it/);
    const spread = { ...only(webOn(["a", "b"], { throughGateway: true })), gateway };
    assert.match(saidOf(spread), /the gateway is on one machine, a/);
    const both = { ...spread, gateway: { workers: 2, machines: ["a", "b"] } };
    assert.equal(saidOf(both), "");
  });

  it("is independence that is only claimed", () => {
    const rates = ratesFor({ web: { crash: exactly(0.01) } });
    assert.match(saidOf(only(webOn(["a", "b"])), rates), /independently is a claim/);
    assert.equal(saidOf(only(webOn(["a"])), rates), "");
  });

  it("is a load above what all instances serve", () => {
    const queue = {
      loadPerSecond: 220,
      capacityPerInstance: 100,
      slotsPerInstance: 1,
      serviceTimeMs: 10,
    };
    const deployment = { ...only(webOn(["a", "b"], { queue })), machines: machines("a", "b") };
    assert.match(
      saidOf(deployment),
      /rho is 1.10 with all 2 in traffic.*; 9 % of the requests count/,
    );
  });

  it("counts none of those that stand by among those that serve", () => {
    const queue = {
      loadPerSecond: 110,
      capacityPerInstance: 100,
      slotsPerInstance: 1,
      serviceTimeMs: 10,
    };
    const standby = webOn(["a", "b"], { queue, mode: "primary-standby" });
    assert.match(saidOf(only(standby)), /rho is 1.10 with all 1 in traffic/);
  });

  it("is a sum of failures that are not rare", () => {
    const rates = ratesFor({ web: { gray: exactly(1), commonCause: exactly(0.1) } });
    assert.match(saidOf(only(webOn(["a", "b"])), rates), /a bound only/);
  });
});

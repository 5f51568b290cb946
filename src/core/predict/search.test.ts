// The cheapest choice that is good enough, against looking at all of them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fnv1a32 } from "../base/prng.ts";
import type { Costs } from "./costs.ts";
import { type Choice, type Space, cheapest, choicesOf, costOf } from "./search.ts";

const price = fc.integer({ min: 0, max: 50 });
const costs: fc.Arbitrary<Costs> = fc.record({
  instanceMonthly: price,
  machineMonthly: price,
  zoneMonthly: price,
  checkMonthly: price,
});

const space: fc.Arbitrary<Space> = fc.record({
  instancesMin: fc.integer({ min: 1, max: 3 }),
  instancesMax: fc.integer({ min: 3, max: 6 }),
  machinesMax: fc.integer({ min: 1, max: 4 }),
  zonesMax: fc.integer({ min: 1, max: 3 }),
  gatewaysMax: fc.integer({ min: 1, max: 2 }),
  intervalsMs: fc.uniqueArray(fc.constantFrom(250, 500, 1000, 2000, 5000), { minLength: 1 }),
});

/** No model at all: what a choice is worth has nothing to do with that of its neighbours. */
function anything(seed: number): (choice: Choice) => number {
  return (choice) => fnv1a32(`${seed} ${JSON.stringify(choice)}`) / 2 ** 32;
}

describe("the cheapest choice that is good enough", () => {
  it("is the one that looking at all of them finds, whatever the model says", () => {
    const limit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(space, costs, fc.nat(), limit, (where, prices, seed, unavailabilityMax) => {
        const judge = anything(seed);
        const found = cheapest(where, prices, judge, unavailabilityMax);
        const all = choicesOf(where).map((choice) => ({
          cost: costOf(choice, prices),
          unavailability: judge(choice),
        }));
        const good = all.filter(({ unavailability }) => unavailability <= unavailabilityMax);
        if (good.length === 0) {
          assert.equal(found.chosen, undefined);
          assert.equal(found.judged, all.length, "nothing is left out before it says so");
          const least = Math.min(...all.map(({ unavailability }) => unavailability));
          assert.equal(found.best.unavailability, least);
          return;
        }
        const cost = Math.min(...good.map((one) => one.cost));
        const atCost = good.filter((one) => one.cost === cost);
        assert.equal(found.chosen?.costMonthly, cost);
        const least = Math.min(...atCost.map(({ unavailability }) => unavailability));
        assert.equal(found.chosen?.unavailability, least);
      }),
    );
  });

  it("names cheaper ones that fail, each better than all that cost less", () => {
    fc.assert(
      fc.property(space, costs, fc.nat(), (where, prices, seed) => {
        const { chosen, cheaper } = cheapest(where, prices, anything(seed), 0.02);
        for (const [at, one] of cheaper.entries()) {
          assert.ok(one.unavailability > 0.02);
          assert.ok(chosen === undefined || one.costMonthly <= chosen.costMonthly);
          const before = cheaper[at - 1];
          if (before === undefined) continue;
          assert.ok(one.unavailability < before.unavailability);
          assert.ok(one.costMonthly >= before.costMonthly);
        }
      }),
    );
  });

  it("names dearer ones, each clearly better than the one before", () => {
    fc.assert(
      fc.property(space, costs, fc.nat(), (where, prices, seed) => {
        const { chosen, dearer } = cheapest(where, prices, anything(seed), 0.5);
        let before = chosen;
        for (const one of dearer) {
          assert.ok(one.unavailability <= 0.9 * (before?.unavailability ?? 1));
          assert.ok(one.costMonthly >= (before?.costMonthly ?? 0));
          assert.ok(one.costMonthly > (chosen?.costMonthly ?? 0));
          before = one;
        }
      }),
    );
  });

  it("has choices that can be built, each once", () => {
    fc.assert(
      fc.property(space, (where) => {
        const choices = choicesOf(where);
        assert.equal(new Set(choices.map((one) => JSON.stringify(one))).size, choices.length);
        for (const { instances, machines, zones, gateways } of choices) {
          assert.ok(machines <= instances && zones <= machines && gateways <= machines);
        }
      }),
    );
  });

  it("refuses a space that is too large to look at", () => {
    const large = {
      instancesMin: 1,
      instancesMax: 1000,
      machinesMax: 100,
      zonesMax: 10,
      gatewaysMax: 1,
      intervalsMs: [1000],
    };
    assert.throws(() => choicesOf(large), { code: "NINES_MODEL_TOO_LARGE" });
  });

  it("costs what its parts cost", () => {
    const choice = { instances: 3, machines: 2, zones: 1, gateways: 1, intervalMs: 500 };
    const prices = { instanceMonthly: 5, machineMonthly: 20, zoneMonthly: 30, checkMonthly: 0.1 };
    assert.equal(costOf(choice, prices), 15 + 40 + 30 + 0.6);
    assert.equal(costOf({ ...choice, intervalMs: 0 }, prices), 85);
  });
});

// How many instances a load takes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Demand, fitOfQueue, instancesMax, neededFor } from "./demand.ts";
import { slowerThan, utilisationUnder } from "./load-fit.ts";

const queue = fc.record({
  capacityPerInstance: fc.double({ min: 10, max: 1000, noNaN: true }),
  slotsPerInstance: fc.integer({ min: 1, max: 8 }),
  serviceTimeMs: fc.double({ min: 1, max: 50, noNaN: true }),
});
const demand: fc.Arbitrary<Demand> = fc.record({
  loadPerSecond: fc.double({ min: 1, max: 5000, noNaN: true }),
  latency: fc.option(
    fc.record({
      limitMs: fc.double({ min: 1, max: 1000, noNaN: true }),
      ratio: fc.constantFrom(0.5, 0.9, 0.99, 0.999),
    }),
    { nil: undefined },
  ),
});

describe("the instances that a load takes", () => {
  it("are the fewest that keep up and keep the latency goal; unreachable means none do", () => {
    fc.assert(
      fc.property(queue, demand, (one, wanted) => {
        const fit = fitOfQueue(one);
        const isEnough = (instances: number): boolean => {
          const loaded = { loadPerSecond: wanted.loadPerSecond, instances };
          if (utilisationUnder(fit, loaded) > 0.9) return false;
          const { latency } = wanted;
          return (
            latency === undefined || slowerThan(fit, latency.limitMs, loaded) <= 1 - latency.ratio
          );
        };
        const enough = Array.from({ length: instancesMax }, (_, at) => at + 1).find(isEnough);
        const found = neededFor(fit, wanted);
        assert.equal(found.kind === "enough" ? found.instances : undefined, enough);
      }),
      { numRuns: 60 },
    );
  });

  it("are none where an answer takes too long that waits for nobody, and that is said", () => {
    const fit = fitOfQueue({ capacityPerInstance: 100, slotsPerInstance: 1, serviceTimeMs: 10 });
    const latency = { limitMs: 20, ratio: 0.99 };
    assert.deepEqual(neededFor(fit, { loadPerSecond: 10, latency }), {
      kind: "unreachable",
      why:
        "25% of the answers take longer than 20 ms even when they wait for nobody, and 1% may: " +
        "no number of instances changes that",
    });
  });

  it("are none where the bound of instances is not enough", () => {
    const fit = fitOfQueue({ capacityPerInstance: 1, slotsPerInstance: 1, serviceTimeMs: 10 });
    const found = neededFor(fit, { loadPerSecond: 1000, latency: undefined });
    assert.equal(found.kind, "unreachable");
    assert.match(found.kind === "unreachable" ? found.why : "", /200 instances, which give 200\/s/);
  });
});

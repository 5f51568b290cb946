// A load test of a queue that is known gives the queue back.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng } from "../base/prng.ts";
import { mmc } from "../model/queueing/stations.ts";
import {
  type LoadFit,
  type LoadStep,
  fitLoad,
  latencyMs,
  slowerThan,
  utilisationUnder,
} from "./load-fit.ts";

interface Known {
  readonly capacity: number;
  readonly servers: number;
  readonly overheadMs: number;
  readonly waitFactor: number;
}

const loads = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.2, 1.5];

function stepOf({ capacity, servers, overheadMs, waitFactor }: Known, load: number): LoadStep {
  const offeredPerSecond = load * capacity;
  const isSaturated = load >= 1;
  const queue = mmc({ arrivalRate: offeredPerSecond, serviceRate: capacity / servers, servers });
  const wait = isSaturated ? 3000 : queue.meanWait * 1000 * waitFactor;
  const baseMs = overheadMs + (1000 * servers) / capacity;
  const meanMs = baseMs + wait;
  const quantiles = [
    [0.5, baseMs],
    [0.99, 2 * baseMs],
  ] as const;
  return {
    offeredPerSecond,
    answeredPerSecond: Math.min(offeredPerSecond, capacity),
    meanMs,
    quantiles,
    isSaturated,
  };
}

const knownQueue = fc.record({
  capacity: fc.double({ min: 20, max: 5000, noNaN: true }),
  servers: fc.integer({ min: 1, max: 12 }),
  overheadMs: fc.double({ min: 0, max: 2, noNaN: true }),
  waitFactor: fc.double({ min: 0.5, max: 2, noNaN: true }),
});

describe("a load test as a queue", () => {
  it("gives capacity, base and the wait of a known queue back", () => {
    fc.assert(
      fc.property(knownQueue, (known) => {
        const steps = loads.map((load) => stepOf(known, load));
        const fit = fitLoad(steps, 1);
        assert.equal(fit.capacityPerInstance, known.capacity);
        assert.equal(fit.isCapacityReached, true);
        // Which slots and which factor may be told apart badly; what they say of latency may not.
        assert.ok(fit.errorRatio < 1e-6, `${fit.errorRatio}`);
        const baseMs = known.overheadMs + (1000 * known.servers) / known.capacity;
        assert.ok(Math.abs(fit.base.meanMs / baseMs - 1) < 1e-3);
        assert.ok(fit.serviceTimeMs <= baseMs * 1.1 + 1e-9);
      }),
    );
  });

  it("tells four slots from three and five, by what they wait under load", () => {
    const known = { capacity: 200, servers: 4, overheadMs: 0.5, waitFactor: 0.5 };
    const fit = fitLoad(
      loads.map((load) => stepOf(known, load)),
      1,
    );
    assert.equal(fit.slotsPerInstance, 4);
    assert.ok(Math.abs(fit.waitFactor - 0.5) < 1e-6);
    assert.ok(Math.abs(fit.serviceTimeMs - 20) < 1e-9);
  });

  it("divides by the instances that shared the load", () => {
    const known = { capacity: 600, servers: 6, overheadMs: 0, waitFactor: 1 };
    const fit = fitLoad(
      loads.map((load) => stepOf(known, load)),
      3,
    );
    assert.equal(fit.capacityPerInstance, 200);
    assert.equal(fit.slotsPerInstance, 2);
  });

  it("takes no calm step for more than it was asked: more arrived by chance", () => {
    const known = { capacity: 100, servers: 2, overheadMs: 0, waitFactor: 1 };
    const steps = loads.map((load) => stepOf(known, load));
    const lucky = { ...stepOf(known, 0.9), answeredPerSecond: 120 };
    assert.equal(fitLoad([...steps, lucky], 1).capacityPerInstance, 100);
  });

  it("calls what was answered a bound where more was never asked", () => {
    const known = { capacity: 1000, servers: 4, overheadMs: 1, waitFactor: 1 };
    const fit = fitLoad([stepOf(known, 0.1), stepOf(known, 0.3)], 1);
    assert.equal(fit.isCapacityReached, false);
    assert.equal(fit.capacityPerInstance, 300);
    assert.ok(fit.slotsPerInstance >= 1);
  });

  it("refuses a test whose first step was too much already", () => {
    const known = { capacity: 10, servers: 1, overheadMs: 0, waitFactor: 1 };
    assert.throws(() => fitLoad([stepOf(known, 2)], 1), { code: "NINES_MODEL_DATA" });
  });
});

const oneSlot: LoadFit = {
  capacityPerInstance: 100,
  isCapacityReached: true,
  slotsPerInstance: 1,
  serviceTimeMs: 10,
  base: {
    meanMs: 10,
    quantiles: [
      [0.5, 8],
      [0.9, 15],
      [0.99, 30],
    ],
  },
  waitFactor: 1,
  errorRatio: 0,
};

describe("how many answers are slow under a load", () => {
  it("never falls with load, never rises with the limit or with an instance more", () => {
    const load = fc.double({ min: 1, max: 400, noNaN: true });
    const limit = fc.double({ min: 0, max: 500, noNaN: true });
    const instances = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(load, limit, instances, (loadPerSecond, limitMs, count) => {
        const slow = slowerThan(oneSlot, limitMs, { loadPerSecond, instances: count });
        assert.ok(slow >= 0 && slow <= 1);
        const more = { loadPerSecond: loadPerSecond * 1.1, instances: count };
        assert.ok(slowerThan(oneSlot, limitMs, more) >= slow - 1e-12);
        const wider = { loadPerSecond, instances: count + 1 };
        assert.ok(slowerThan(oneSlot, limitMs, wider) <= slow + 1e-12);
        assert.ok(slowerThan(oneSlot, limitMs + 1, { loadPerSecond, instances: count }) <= slow);
      }),
    );
  });

  it("turned round is a latency: the least within which a share of the answers comes", () => {
    const ratio = fc.constantFrom(0.5, 0.8, 0.9);
    const load = fc.double({ min: 1, max: 180, noNaN: true });
    fc.assert(
      fc.property(ratio, load, (share, loadPerSecond) => {
        const loaded = { loadPerSecond, instances: 2 };
        const ms = latencyMs(oneSlot, share, loaded);
        assert.ok(slowerThan(oneSlot, ms, loaded) <= 1 - share + 1e-9);
        assert.ok(slowerThan(oneSlot, ms * 0.998, loaded) > 1 - share - 1e-9);
      }),
    );
    assert.equal(latencyMs(oneSlot, 0.999, { loadPerSecond: 1, instances: 1 }), Infinity);
    assert.equal(latencyMs(oneSlot, 0.5, { loadPerSecond: 300, instances: 2 }), Infinity);
  });

  it("is M/M/c's wait stretched by the factor, after a base that is always the same", () => {
    const base = { meanMs: 10, quantiles: [[1, 10]] } as const;
    const queue = mmc({ arrivalRate: 80, serviceRate: 100, servers: 1 });
    for (const waitFactor of [0.5, 1, 2]) {
      const slow = slowerThan({ ...oneSlot, base, waitFactor }, 60, {
        loadPerSecond: 80,
        instances: 1,
      });
      assert.ok(Math.abs(slow - queue.waitsLonger(0.05 / waitFactor)) < 1e-12);
    }
  });

  it("is all of them where the load is more than can be done, or nobody is there", () => {
    assert.equal(utilisationUnder(oneSlot, { loadPerSecond: 250, instances: 2 }), 1.25);
    assert.equal(slowerThan(oneSlot, 1e9, { loadPerSecond: 250, instances: 2 }), 1);
    assert.equal(slowerThan(oneSlot, 1e9, { loadPerSecond: 1, instances: 0 }), 1);
  });

  it("is not below what a simulated queue with the same base shows, and not far above", () => {
    const random = createPrng(7);
    const loadPerSecond = 60;
    let [free, arrived, slow] = [0, 0, 0];
    const count = 200_000;
    for (let request = 0; request < count; request++) {
      arrived += (-Math.log(1 - random.ratio()) * 1000) / loadPerSecond;
      const work = -Math.log(1 - random.ratio()) * oneSlot.serviceTimeMs;
      const start = Math.max(arrived, free);
      free = start + work;
      const drawn = random.ratio();
      const [, baseMs] = oneSlot.base.quantiles.find(([ratio]) => drawn <= ratio) ?? [1, 1e9];
      if (start - arrived + baseMs > 60) slow++;
    }
    const told = slowerThan(oneSlot, 60, { loadPerSecond, instances: 1 });
    assert.ok(Math.abs(told - slow / count) < 0.01, `${told} and ${slow / count}`);
  });
});

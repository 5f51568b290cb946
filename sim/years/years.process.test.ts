// What thousands of years say: agreement with the exact model where its assumptions hold, honest
// bounds where little was seen, the same for the same seed.

import assert from "node:assert/strict";
import { nextTick } from "node:process";
import { describe, it } from "node:test";
import { present } from "../../src/core/base/assert.ts";
import { createPrng } from "../../src/core/base/prng.ts";
import type { PredictedService, QueueModel } from "../../src/core/predict/deployment.ts";
import { emptySums } from "./ledger.ts";
import { loadOf, unservedMs } from "./load.ts";
import { Sample } from "./sample.ts";
import { replay, simulateYears } from "./simulate-years.ts";
import { exactly, twoOfThree } from "./two-of-three.ts";

const boundary = (): Promise<void> => new Promise((resolve) => nextTick(resolve));

describe("years of a 2-of-3 service with perfect coverage", () => {
  it("agree with the exact availability within the 99 % bound, over 500 years", async () => {
    const [everyHours, repairHours] = [8_766, 168];
    const subject = twoOfThree(everyHours, repairHours);
    const result = await simulateYears({ ...subject, years: 500, seed: 1, boundary });
    const down = result.services[0]?.down;
    const exact = exactly(everyHours, repairHours);
    assert.ok(down !== undefined && down.lower <= exact && exact <= down.upper);
    assert.ok(down.upper - down.lower < 1.5 * exact, "the bound says something");
  });
});

describe("what simulated years say", () => {
  it("is a function of the seed", async () => {
    const subject = twoOfThree(2_000, 20);
    const [first, again, other] = await Promise.all(
      [3, 3, 4].map((seed) => simulateYears({ ...subject, years: 20, seed, boundary })),
    );
    assert.deepEqual(first, again);
    assert.notDeepEqual(first?.services, other?.services);
  });

  it("is never a certain 100 %", async () => {
    const subject = twoOfThree(8_000, 1);
    const { services } = await simulateYears({ ...subject, years: 5, seed: 1, boundary });
    const [cache] = services;
    assert.equal(cache?.outages, 0);
    assert.equal(cache.down.value, 0);
    assert.ok(cache.down.upper > 0);
  });

  it("leaves a bound where nothing happened at all", async () => {
    const subject = twoOfThree(1e12, 30);
    const { services } = await simulateYears({ ...subject, years: 5, seed: 1, boundary });
    const [cache] = services;
    assert.equal(cache?.incidents, 0);
    const slowest = 30 / (5 * 8_760);
    for (const { value, lower, upper } of [cache.down, cache.unavailability, cache.belowFull]) {
      assert.deepEqual([value, lower], [0, 0]);
      assert.ok(Math.abs(upper / slowest - Math.log(200)) < 1e-6, `${upper}`);
    }
  });

  it("bounds what was not seen by the slowest repair, not by short incidents", async () => {
    const subject = twoOfThree(8_000, 1);
    const { machineRepair } = subject.rates;
    const rates = { ...subject.rates, machineRepair: { ...machineRepair, meanMs: 1e9 } };
    const { services } = await simulateYears({ ...subject, rates, years: 5, seed: 1, boundary });
    const [cache] = services;
    assert.ok(cache !== undefined && cache.incidents > 0 && cache.outages === 0);
    assert.ok(cache.unavailability.upper > 1e9 / (5 * 365 * 86_400_000));
  });

  it("names the worst outages, which can be seen again", async () => {
    const subject = twoOfThree(500, 40);
    const { services } = await simulateYears({ ...subject, years: 5, seed: 2, boundary });
    const worst = services[0]?.worst ?? [];
    const [longest] = worst;
    assert.ok(longest !== undefined && worst.length > 1);
    assert.ok(worst.every(({ lastedMs }) => lastedMs <= longest.lastedMs));
    assert.match(longest.sentence, /^cache-10\.0\.0\.\d:6379 was gone for /);
    const { seed, atMs } = longest;
    const trace = await replay({ ...subject, seed, atMs, boundary });
    assert.match(trace, /fault .* was gone for /);
    const began = longest.strikes.find((strike) => Math.abs(strike.atMs - atMs) < 1);
    assert.ok(began !== undefined && trace.includes(began.sentence), trace);
  });

  it("is refused for no years at all", async () => {
    const asked = simulateYears({ ...twoOfThree(500, 40), years: 0, seed: 1, boundary });
    await assert.rejects(asked, { code: "NINES_MODEL_INPUT" });
  });
});

function loaded(queue: QueueModel): PredictedService {
  const [service] = twoOfThree(8_000, 1).deployment.services;
  return { ...present(service, "a service"), queue };
}

describe("the queue of a service", () => {
  const queue = {
    loadPerSecond: 80,
    capacityPerInstance: 100,
    slotsPerInstance: 1,
    serviceTimeMs: 10,
  };

  it("is M/M/1 while one instance is in traffic", () => {
    const load = loadOf(loaded(queue), { ...emptySums(), byWorking: new Map([[1, 1]]) });
    assert.equal(load?.overloaded, 0);
    assert.ok(Math.abs((load.meanMs ?? 0) - 50) < 1e-9);
    // Sojourn times of M/M/1 are exponential with rate mu - lambda.
    assert.ok(Math.abs((load.p99Ms ?? 0) - 50 * Math.log(100)) < 1e-6);
  });

  it("tells the time in which too few were there apart", () => {
    const busy = loaded({ ...queue, loadPerSecond: 150 });
    const byWorking = new Map([
      [2, 90],
      [1, 9],
      [0, 1],
    ]);
    const overloaded = loadOf(busy, { ...emptySums(), byWorking })?.overloaded ?? 0;
    assert.ok(Math.abs(overloaded - 0.09) < 1e-12);
    // A third of what comes while one serves, if one is enough to be up.
    const sums = { ...emptySums(), upMs: 99, byWorking };
    assert.ok(Math.abs(unservedMs({ ...busy, needed: 1 }, sums) - 3) < 1e-12);
    assert.equal(unservedMs({ ...busy, needed: 2 }, { ...sums, upMs: 90 }), 0);
  });

  it("counts what is more than all serve as lost, and no number of outages changes that", async () => {
    for (const everyHours of [1e12, 2_000]) {
      const { deployment, ...rest } = twoOfThree(everyHours, 20);
      const services = deployment.services.map((one) => {
        return { ...one, queue: { ...queue, loadPerSecond: 375 } };
      });
      const subject = { ...rest, deployment: { ...deployment, services } };
      const result = await simulateYears({ ...subject, years: 5, seed: 1, boundary });
      const { unavailability, unanswered, byBlame, load } = present(result.services[0], "one");
      for (const { value, lower, upper } of [unavailability, unanswered]) {
        assert.ok(value > 0.1999 && value < 0.25 && lower > 0.199 && upper < 0.25, `${value}`);
      }
      assert.ok(byBlame.load > 0.1999 && load?.utilisation === 1.25 && load.overloaded > 0.9999);
    }
  });
});

describe("a sample", () => {
  it("has the quantiles of many more values than it keeps", () => {
    const sample = new Sample(createPrng(1));
    for (let value = 1; value <= 100_000; value++) sample.add(value);
    const spread = sample.spread();
    assert.equal(spread?.count, 100_000);
    assert.equal(spread.mean, 50_000.5);
    assert.ok(Math.abs(spread.p50 - 50_000) < 2_000 && spread.most === 100_000);
  });
});

// Where rates come from: the file before what was measured, that before assumptions, and what was
// measured only where it is a rate at all.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  assumed,
  type RatesSaid,
  ratesOf,
  type Seen,
  type ServiceRatesSaid,
} from "./default-rates.ts";
import type { ServiceRates } from "./rates.ts";

function webRates(given: {
  readonly said?: RatesSaid;
  readonly own?: ServiceRatesSaid;
  readonly crash?: Seen;
  readonly startsMs?: readonly number[];
}): ServiceRates {
  const { said = {}, own = {}, crash, startsMs = [] } = given;
  const seen = { startsMs, ...(crash === undefined ? {} : { crash }) };
  const rates = ratesOf({ services: ["web"], said, saidOf: { web: own }, seen: { web: seen } });
  return rates.services["web"] as ServiceRates;
}

const steadily: Seen = { atHours: [10, 30, 50, 70, 90], hours: 100, instances: 2 };

describe("the rate of crashes", () => {
  it("is what the file says of the service, or of all, and then not doubted", () => {
    const said = { crash: { everyMs: 7_200_000 } };
    const general = webRates({ said, crash: steadily }).crash;
    assert.deepEqual([general.lower, general.value, general.upper], [0.5, 0.5, 0.5]);
    assert.deepEqual(general.source, { kind: "file", key: "predict.rates.crash.every" });
    const own = webRates({ said, own: { crash: { everyMs: 3_600_000 } } }).crash;
    assert.equal(own.value, 1);
    assert.deepEqual(own.source, { kind: "file", key: "predict.services.web.rates.crash.every" });
  });

  it("is measured from five on, with the interval of so many", () => {
    const { value, lower, upper, source } = webRates({ crash: steadily }).crash;
    assert.deepEqual(source, { kind: "measured", events: 5, hours: 100 });
    assert.equal(value, 5 / 200, "of two instances for a hundred hours");
    // Half of the chi-square quantiles of 5 % at 10 and 95 % at 12 degrees, in 200 hours.
    assert.ok(Math.abs(lower - 3.9403 / 2 / 200) < 1e-6, `${lower}`);
    assert.ok(Math.abs(upper - 21.0261 / 2 / 200) < 1e-6, `${upper}`);
  });

  it("is assumed where fewer were seen, and says so", () => {
    const few = webRates({ crash: { ...steadily, atHours: [10, 30, 50, 70] } }).crash;
    assert.equal(few.value, 1 / (assumed.crash.everyDays * 24));
    assert.equal(few.upper / few.lower, 9);
    assert.match(JSON.stringify(few.source), /4 were seen in 4 d, too few to count/);
    const never = webRates({ crash: { ...steadily, atHours: [] } }).crash;
    assert.equal(never.value, few.value, "nothing seen is no rate of 0");
    assert.match(JSON.stringify(never.source), /none was seen in 4 d/);
    const none = webRates({}).crash;
    assert.deepEqual(none.source, { kind: "default", reason: assumed.crash.reason });
  });

  it("is assumed where what was seen comes more and more often", () => {
    const worse = webRates({ crash: { ...steadily, atHours: [80, 90, 93, 96, 98, 99] } }).crash;
    assert.equal(worse.value, 1 / (assumed.crash.everyDays * 24));
    assert.match(JSON.stringify(worse.source), /6 were seen in 4 d, but more and more often/);
    const better = webRates({ crash: { ...steadily, atHours: [1, 2, 3, 5, 8, 12] } }).crash;
    assert.match(JSON.stringify(better.source), /but less and less often/);
  });
});

describe("the time of a start", () => {
  it("is the file's, or the mean of those seen from five on, or assumed", () => {
    const startsMs = [900, 1_000, 1_100, 1_000, 1_000];
    assert.equal(webRates({ own: { startMs: 500 }, startsMs }).start.meanMs, 500);
    assert.equal(webRates({ startsMs }).start.meanMs, 1_000);
    assert.equal(webRates({ startsMs: [1] }).start.meanMs, 2_000);
  });
});

// Zones: the load that every instance gets when each zone has a gateway that goes by this.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { spillOverZones, ZONES_MAX, type ZoneShares } from "./zone-spill.ts";

function spill(well: readonly number[], entering = 0, minimum = 6): ZoneShares {
  const shares = { on: false, near: 0, taken: new Float64Array(ZONES_MAX) };
  spillOverZones(Int32Array.from(well), well.length, entering, minimum, shares);
  return shares;
}

/** Of all traffic, what each zone's instances get from the gateway of the first. */
function given(well: readonly number[], entering: number): number[] {
  const { on, near, taken } = spill(well, entering, 2);
  assert.ok(on);
  const wanted = well.map((has, zone) => (zone === 0 ? 0 : has * (taken[zone] ?? 0)));
  const sum = wanted.reduce((all, each) => all + each, 0);
  return well.map((_has, zone) =>
    zone === 0
      ? entering * near
      : sum > 0
        ? (entering * (1 - near) * (wanted[zone] ?? 0)) / sum
        : 0,
  );
}

test("all stays where the zone has its part, and what it can carry where it has less", () => {
  assert.deepEqual([spill([3, 3]).near, spill([9, 3]).near], [1, 1]);
  assert.equal(spill([2, 6]).near, 0.5);
  assert.equal(spill([2, 6], 0.25).near, 1);
  assert.equal(spill([3, 3, 6], 0.5).near, 0.5);
  assert.deepEqual(spill([2, 4, 6]).taken.slice(0, 3), Float64Array.of(1, 0, 1));
});

test("zones do not count for few instances, for one zone, and with nobody or everybody here", () => {
  for (const well of [[2, 3], [9], [0, 9], [9, 0]]) assert.equal(spill(well).on, false);
  assert.equal(spill([2, 4]).on, true);
});

test("with the same traffic in each zone, every instance of every zone gets the same of it", () => {
  const zones = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(zones, (well) => {
      const load = well.map(() => 0);
      for (const zone of well.keys()) {
        // As the gateway of that zone sees it: its own first.
        const order = [zone, ...well.keys()].filter((each, at) => at === 0 || each !== zone);
        const its = given(
          order.map((each) => well[each] ?? 0),
          1 / well.length,
        );
        for (const [at, part] of its.entries()) {
          const to = order[at] ?? 0;
          load[to] = (load[to] ?? 0) + part;
        }
      }
      const all = well.reduce((sum, each) => sum + each, 0);
      for (const [zone, has] of well.entries()) {
        assert.ok(
          Math.abs((load[zone] ?? 0) - has / all) < 1e-9,
          `${String(load)} of ${String(well)}`,
        );
      }
    }),
  );
});

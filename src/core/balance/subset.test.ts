// Together the workers' subsets are the service, and none is larger than it need be.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type PlantedFault, randomInputsFind } from "../../../test/planted.fixture.ts";
import { spillOverSubset, subsetParts } from "./subset.ts";

const services = fc.record({
  weights: fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 40 }),
  size: fc.integer({ min: 1, max: 50 }),
  workers: fc.integer({ min: 1, max: 12 }),
});

const property = (parts: typeof subsetParts) =>
  fc.property(services, ({ weights, size, workers }) => {
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    const layers = Math.min(workers, Math.ceil((size * workers) / weights.length));
    const together = new Float64Array(weights.length);
    for (let rank = 0; rank < workers; rank++) {
      const own = parts(weights, size, { rank, workers });
      let carried = 0;
      for (const [index, part] of own.entries()) {
        assert.ok(part >= 0 && part <= 1);
        together[index] = (together[index] as number) + part;
        carried += part * (weights[index] as number);
      }
      assert.ok(Math.abs(carried - (layers * all) / workers) < 1e-6, "arcs are equally wide");
    }
    for (const covered of together) assert.ok(Math.abs(covered - layers) < 1e-9);
  });

describe("subsets", () => {
  it("cover every instance equally, and are equally large", () => {
    fc.assert(property(subsetParts));
  });

  it("of ten instances for three workers with four each are seven wide, shared at their ends", () => {
    const parts = (rank: number) =>
      [...subsetParts(Array(10).fill(1), 4, { rank, workers: 3 })].map((part) =>
        Number(part.toFixed(2)),
      );
    assert.deepEqual(parts(0), [1, 1, 1, 1, 1, 1, 0.67, 0, 0, 0]);
    assert.deepEqual(parts(1), [0, 0, 0, 0.67, 1, 1, 1, 1, 1, 1]);
    assert.deepEqual(parts(2), [1, 1, 1, 0.33, 0, 0, 0.33, 1, 1, 1]);
  });

  it("are the whole service for one worker, and where it is no larger", () => {
    assert.deepEqual([...subsetParts([1, 1, 1], 1, { rank: 0, workers: 1 })], [1, 1, 1]);
    assert.deepEqual([...subsetParts([1, 1, 1], 3, { rank: 1, workers: 2 })], [1, 1, 1]);
  });

  it("give away what those of them that failed had carried, and all when none is left", () => {
    const shares = { on: false, near: 1, taken: new Float64Array(2) };
    spillOverSubset(Int32Array.of(3, 4), 4, shares);
    assert.deepEqual([shares.on, shares.near], [true, 0.75]);
    spillOverSubset(Int32Array.of(0, 4), 4, shares);
    assert.equal(shares.on, false);
  });
});

const FILE = "src/core/balance/subset.js";
const planted: readonly PlantedFault[] = [
  {
    name: "an arc ends where the ring begins",
    file: FILE,
    find: " + overlap(at + ring, next + ring, from, end)",
    replace: "",
  },
  { name: "arcs begin at the same place", file: FILE, find: "rank * all", replace: "0" },
  { name: "arcs leave gaps", file: FILE, find: "layers * all", replace: "layers * all - 1" },
];

randomInputsFind<{ subsetParts: typeof subsetParts }>(FILE, planted, (module) =>
  property(module.subsetParts),
);

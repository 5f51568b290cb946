// The generator is a value: same seed, same numbers, on every machine and in every release.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createPrng, fnv1a32 } from "./prng.ts";

describe("prng", () => {
  it("repeats itself for a seed: simulations found once can be run again", () => {
    const draw = (seed: number) => {
      const random = createPrng(seed);
      return Array.from({ length: 100 }, () => random.ratio());
    };
    assert.deepEqual(draw(42), draw(42));
    assert.notDeepEqual(draw(42), draw(43));
  });

  it("keeps a named stream the same, whatever else was drawn", () => {
    const quiet = createPrng(7);
    const busy = createPrng(7);
    for (let draws = 0; draws < 1000; draws++) busy.ratio();
    assert.equal(busy.stream("network").ratio(), quiet.stream("network").ratio());
    assert.notEqual(quiet.stream("network").ratio(), quiet.stream("disk").ratio());
  });

  it("stays in its range", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
        const random = createPrng(seed);
        const value = random.below(bound);
        const ratio = random.ratio();
        return Number.isInteger(value) && value >= 0 && value < bound && ratio >= 0 && ratio < 1;
      }),
    );
  });

  it("fills its range evenly: chi-square of 64 cells over 64,000 draws, 63 degrees of freedom", () => {
    const random = createPrng(20261121);
    const cells = new Array<number>(64).fill(0);
    for (let draws = 0; draws < 64_000; draws++) {
      const cell = random.below(64);
      cells[cell] = (cells[cell] ?? 0) + 1;
    }
    const chiSquare = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // The 0.001 and 0.999 quantiles: an even generator passes, and so does not a constant one.
    assert.ok(chiSquare > 33 && chiSquare < 104, `chi-square ${chiSquare}`);
  });

  it("hashes as FNV-1a is published", () => {
    assert.equal(fnv1a32(""), 0x811c9dc5);
    assert.equal(fnv1a32("a"), 0xe40c292c);
    assert.equal(fnv1a32("foobar"), 0xbf9cf968);
  });
});

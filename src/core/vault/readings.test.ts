// Every choice of k shards comes once, those that suspect the fewest first.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { otherReadings } from "./readings.ts";

function binomial(n: number, k: number): number {
  return k === 0 ? 1 : (binomial(n - 1, k - 1) * n) / k;
}

describe("the other ways to read an object", () => {
  it("are all choices of as many shards as it takes, each once, but the first", () => {
    for (const [dataShards, parityShards] of [
      [1, 2],
      [2, 1],
      [4, 2],
      [5, 4],
    ] as const) {
      const all = Array.from({ length: dataShards + parityShards }, (_, shard) => shard);
      // Whatever is missing of them.
      for (let lost = 0; lost < 2 ** all.length; lost++) {
        const there = all.filter((shard) => (lost & (1 << shard)) === 0);
        if (there.length < dataShards) continue;
        const ways = [there.slice(0, dataShards), ...otherReadings(there, dataShards)];
        assert.equal(ways.length, binomial(there.length, dataShards));
        assert.equal(new Set(ways.map((way) => way.join())).size, ways.length);
        for (const way of ways) {
          assert.equal(new Set(way).size, dataShards);
          assert.ok(way.every((shard) => there.includes(shard)));
        }
        const replaced = ways.map((way) => way.filter((shard) => shard >= dataShards).length);
        assert.deepEqual(
          replaced,
          replaced.toSorted((a, b) => a - b),
          "the fewest first",
        );
      }
    }
  });
});

// What is told one by one stays within its bound, and how many there are is told all the same.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Named, namedMax } from "./named.ts";

describe("what is named", () => {
  it("is the first thousand, in order, and all are counted", () => {
    const named = new Named<number>();
    for (let one = 0; one < namedMax + 5; one++) named.add(one);
    assert.deepEqual([named.first.length, named.first.at(-1), named.count], [1_000, 999, 1_005]);
  });
});

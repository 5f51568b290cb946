// A map that is read as it was at one moment: compared with a copy, whatever happens meanwhile.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CopyOnWriteMap } from "./copy-on-write-map.ts";

const change = fc.record({
  /** How many entries the reader takes before this change. */
  reads: fc.nat({ max: 3 }),
  key: fc.nat({ max: 8 }),
  value: fc.option(fc.nat(), { nil: undefined }),
});

function apply(map: Map<number, number> | CopyOnWriteMap<number, number>, each: Change): void {
  if (each.value === undefined) map.delete(each.key);
  else map.set(each.key, each.value);
}

type Change = { readonly reads: number; readonly key: number; readonly value: number | undefined };

describe("copy-on-write map", () => {
  it("gives each entry of the moment exactly once, and is a map all the while", () => {
    const changes = fc.array(change, { maxLength: 30 });
    fc.assert(
      fc.property(changes, changes, changes, (before, during, after) => {
        const map = new CopyOnWriteMap<number, number>();
        const twin = new Map<number, number>();
        for (const each of before) for (const one of [map, twin]) apply(one, each);
        // The second moment finds the marks that the first one left.
        for (const later of [during, after]) {
          const moment = new Map(twin);
          const reader = map.freeze();
          const seen: [number, number][] = [];
          for (const each of later) {
            seen.push(...take(reader, each.reads));
            for (const one of [map, twin]) apply(one, each);
          }
          seen.push(...reader);
          assert.deepEqual(seen.toSorted(byKey), [...moment].toSorted(byKey));
          assert.deepEqual([...map.entries()], [...twin]);
          assert.equal(map.size, twin.size);
        }
      }),
    );
  });

  it("puts nothing aside once nobody reads", () => {
    const map = new CopyOnWriteMap<string, number>().set("a", 1).set("b", 2);
    const abandoned = map.freeze();
    abandoned.next();
    abandoned.return?.();
    map.set("b", 3);
    assert.deepEqual([...abandoned], []);
    assert.deepEqual(
      [...map.freeze()],
      [
        ["a", 1],
        ["b", 3],
      ],
    );
  });

  it("ends a reading that a later one has replaced", () => {
    const map = new CopyOnWriteMap<string, number>().set("a", 1).set("b", 2);
    const first = map.freeze();
    first.next();
    map.freeze();
    assert.throws(() => first.next(), /later freeze/);
  });
});

function take<Item>(reader: Iterator<Item>, count: number): Item[] {
  const taken: Item[] = [];
  for (let each = 0; each < count; each++) {
    const { done, value } = reader.next();
    if (done !== true) taken.push(value);
  }
  return taken;
}

function byKey(left: [number, number], right: [number, number]): number {
  return left[0] - right[0];
}

// The more important first, and among equals who came first.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { priorities, type Priority } from "../../core/guard/concurrency-limit.ts";
import { WaitingLine } from "./waiting-line.ts";

interface One {
  readonly priority: Priority;
  readonly came: number;
}

const rank = ({ priority }: One): number => priorities.indexOf(priority);

test("is what a list that is sorted at each look would be", () => {
  const step = fc.record({
    priority: fc.constantFrom(...priorities),
    leaves: fc.nat(20),
    what: fc.constantFrom("come", "come again", "leave"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const line = new WaitingLine<One>();
      let twin: readonly One[] = [];
      for (const [came, { priority, leaves, what }] of steps.entries()) {
        const one = { priority, came };
        const other = twin[leaves % Math.max(1, twin.length)] ?? one;
        if (what === "come") {
          line.add(one);
          twin = [...twin, one].toSorted((a, b) => rank(a) - rank(b) || a.came - b.came);
        } else if (what === "leave") {
          line.delete(other);
          twin = twin.filter((each) => each !== other);
        } else if (twin.includes(other)) {
          line.add(other);
        }
        assert.deepEqual(
          [...line.lines()].flatMap((each) => [...each]),
          twin,
        );
        assert.equal(line.size, twin.length);
        assert.equal(line.has(other), twin.includes(other));
        const least = twin.filter((each) => rank(each) === Math.max(...twin.map(rank)));
        const expected = least.find((each) => rank(each) > rank(one));
        assert.equal(line.leastBelow(priority), expected);
      }
    }),
  );
});

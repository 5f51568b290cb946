// Reading, computing and writing overlap, in order, in as many slots as there are.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runPipeline } from "./pipeline.ts";

/** Lets other promises run, that often. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

test("every item is read, computed and written once; a slot has one item at a time", async () => {
  const delays = fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(delays, fc.integer({ min: 2, max: 4 }), async (items, slotsCount) => {
      const slots = Array.from({ length: slotsCount }, () => ({ holds: -1 }));
      const worked: number[] = [];
      const written: number[] = [];
      let reading = 0;
      await runPipeline<{ holds: number }, number>(slots, {
        read: async (slot, number) => {
          assert.equal(slot.holds, -1, "what was in it is out");
          assert.equal(reading++, 0, "one read at a time");
          slot.holds = number;
          await turns(items[number]?.[0] ?? 0);
          reading--;
          return number < items.length ? number : undefined;
        },
        work: (slot, item) => {
          assert.equal(slot.holds, item);
          worked.push(item);
        },
        write: async (slot, item) => {
          await turns(items[item]?.[1] ?? 0);
          assert.equal(slot.holds, item);
          slot.holds = -1;
          written.push(item);
        },
      });
      assert.deepEqual(worked, [...items.keys()]);
      assert.deepEqual(
        written.sort((a, b) => a - b),
        [...items.keys()],
      );
    }),
    { numRuns: 60 },
  );
});

test("the next item is being read, and the last one written, while one is computed", async () => {
  const seen: string[] = [];
  let [reads, writes] = [0, 0];
  await runPipeline<object, number>([{}, {}, {}], {
    read: async (_, number) => {
      reads++;
      await turns(5);
      reads--;
      return number < 4 ? number : undefined;
    },
    work: (_, item) => void seen.push(`${item}: ${reads} read, ${writes} written`),
    write: async () => {
      writes++;
      await turns(8);
      writes--;
    },
  });
  assert.deepEqual(seen.slice(0, 2), ["0: 1 read, 0 written", "1: 1 read, 1 written"]);
});

test("a failure anywhere is thrown when nothing is under way any more", async () => {
  for (const failing of ["read", "work", "write"] as const) {
    let under = 0;
    const step = async (name: string, number: number): Promise<void> => {
      under++;
      await turns(10 * (1 + (number % 3)));
      under--;
      if (name === failing && number === 4) throw new Error(`${name} failed`);
    };
    const run = runPipeline<object, number>([{}, {}, {}], {
      read: async (_, number) => {
        await step("read", number);
        return number < 9 ? number : undefined;
      },
      work: (_, item) => {
        if (failing === "work" && item === 4) throw new Error("work failed");
      },
      write: (_, item) => step("write", item),
    });
    await assert.rejects(run, { message: `${failing} failed` });
    assert.equal(under, 0);
  }
});

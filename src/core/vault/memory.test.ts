// Memory that is used again belongs to one at a time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isInLine } from "../base/aligned-memory.ts";
import { Loan, MemoryPool } from "./memory.ts";

const steps = fc.array(
  fc.oneof(
    fc.record({ take: fc.integer({ min: 0, max: 400_000 }) }),
    fc.record({ give: fc.nat({ max: 20 }) }),
  ),
  { maxLength: 40 },
);

describe("a pool of memory", () => {
  it("gives nobody what somebody else has, and as much as was asked for", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const pool = new MemoryPool();
        const lent: Uint8Array[] = [];
        for (const step of all) {
          if ("take" in step) {
            const bytes = pool.take(step.take);
            assert.equal(bytes.length, step.take);
            assert.ok(lent.every(({ buffer }) => buffer !== bytes.buffer));
            lent.push(bytes);
          } else if (step.give < lent.length) {
            pool.give(lent.splice(step.give, 1)[0] ?? assert.fail());
          }
        }
      }),
    );
  });

  it("uses again what fits about, and only what was given back", () => {
    const pool = new MemoryPool();
    const first = pool.take(100_000);
    assert.notEqual(pool.take(100_000).buffer, first.buffer);
    pool.give(first);
    assert.notEqual(pool.take(500_000).buffer, first.buffer, "too short");
    assert.equal(pool.take(90_000).buffer, first.buffer);
  });

  it("begins at a page where a device may write it, and not for little", () => {
    const { take } = new MemoryPool();
    assert.ok(isInLine(take(65_536), 0, 4_096));
    assert.ok(!isInLine(take(40_000), 0, 4_096));
  });

  it("lets what is about a power of two take each other's places, a little less or more", () => {
    const pool = new MemoryPool();
    const first = pool.take(4_191_616);
    for (const length of [4_245_120, 4_079_232, 4_194_304, 3_300_000, 5_900_000]) {
      pool.give(first);
      assert.equal(pool.take(length).buffer, first.buffer, `${length}`);
    }
  });

  it("gets back what a loan has taken, once, but not what it has handed over", () => {
    const pool = new MemoryPool();
    const [part, whole] = [new Loan(pool), new Loan(pool)];
    const bytes = part.take(100_000);
    whole.add(part.handOver());
    part.end();
    assert.notEqual(pool.take(100_000).buffer, bytes.buffer);
    whole.end();
    whole.end();
    assert.equal(pool.take(100_000).buffer, bytes.buffer);
    assert.notEqual(pool.take(100_000).buffer, bytes.buffer);
  });

  it("gets back what it has lent when the work is over, also when that fails", async () => {
    const pool = new MemoryPool();
    const lent: Uint8Array[] = [];
    const failing = pool.lend(async ({ take }) => {
      lent.push(take(100_000));
      throw new Error("the work failed");
    });
    await assert.rejects(failing, /the work failed/);
    assert.equal(pool.take(100_000).buffer, lent[0]?.buffer);
  });
});

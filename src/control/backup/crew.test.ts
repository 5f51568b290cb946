// What is under way at a time is bounded, and ends before anybody goes on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Crew, Limit } from "./crew.ts";

describe("a crew", () => {
  it("has no more under way than its limit, but for one that is heavier than that", async () => {
    const weights = fc.array(fc.nat({ max: 15 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(weights, fc.scheduler(), async (all, scheduler) => {
        const limit = new Limit(10);
        const crews = [new Crew(limit), new Crew(limit)] as const;
        const underWay: number[] = [];
        let ended = 0;
        const work = (weight: number) => async () => {
          underWay.push(weight);
          const sum = underWay.reduce((a, b) => a + b, 0);
          assert.ok(
            sum <= 10 || underWay.filter((each) => each > 0).length === 1,
            underWay.join(" + "),
          );
          await scheduler.schedule(Promise.resolve());
          underWay.splice(underWay.indexOf(weight), 1);
          ended++;
        };
        const run = async () => {
          for (const [at, weight] of all.entries()) {
            await crews[at % 2 === 0 ? 0 : 1].run(weight, work(weight));
          }
          await Promise.all(crews.map((crew) => crew.done()));
        };
        await scheduler.waitFor(run());
        assert.equal(ended, all.length);
      }),
    );
  });

  it("throws the first failure once all has ended, and begins nothing more", async () => {
    const crew = new Crew(new Limit(3));
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let hasEnded = false;
    await crew.run(1, async () => {
      await held;
      hasEnded = true;
    });
    await crew.run(1, () => Promise.reject(new Error("the first")));
    await crew.run(1, () => Promise.reject(new Error("the second"))).catch(() => {});
    await assert.rejects(
      crew.run(1, () => assert.fail("nothing more begins")),
      /the first/,
    );
    release();
    await assert.rejects(crew.done(), /the first/);
    assert.ok(hasEnded);
  });
});

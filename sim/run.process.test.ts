// The simulator can be trusted: a seed is a run, crossing the boundary only where promises are
// changes nothing, runs are as long and as full of faults as they are said to be, and seeds that
// once broke a promise keep it.

import assert from "node:assert/strict";
import process from "node:process";
import { after, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { campaign, printFailure } from "./campaign.ts";
import { faultMenu } from "./faults/menu.ts";
import { type RunOptions, type RunResult, simulate } from "./run.ts";
import { regressions } from "./seeds/regressions.ts";
import type { World } from "./world/world.ts";

let watched: World | undefined;
const onRejection = (error: unknown): void => watched?.loop.fail(error);
process.on("unhandledRejection", onRejection);
after(() => process.off("unhandledRejection", onRejection));

const options: RunOptions = {
  boundary: () => setImmediate(),
  onWorld: (world) => {
    watched = world;
  },
};

function kept(result: RunResult): void {
  if (result.failure !== undefined) assert.fail(printFailure(result, 100));
}

describe("a run", () => {
  it("is a function of its seed, to the last line of its trace", async () => {
    const first = await simulate(7, options);
    const second = await simulate(7, options);
    kept(first);
    assert.equal(first.trace(), second.trace());
    assert.deepEqual(
      [first.events, first.checks, first.requests],
      [second.events, second.checks, second.requests],
    );
    const other = await simulate(8, options);
    assert.notEqual(first.trace(), other.trace());
  });

  it("goes the same when every task is followed by the boundary", async () => {
    const quick = await simulate(11, options);
    const careful = await simulate(11, { ...options, settleAlways: true });
    kept(quick);
    assert.equal(quick.events, careful.events);
    assert.equal(quick.trace(), careful.trace());
  });
});

describe("a campaign", () => {
  it("keeps every promise on the seeds that once broke one", async () => {
    const result = await campaign(
      regressions.map((each) => each.seed),
      options,
    );
    if (result.failed !== undefined) kept(result.failed);
  });

  it("has ten simulated minutes, three services and five faults in each run, and every fault", async () => {
    const seeds = Array.from({ length: 6 }, (_, index) => 1000 + index);
    const result = await campaign(seeds, options);
    if (result.failed !== undefined) kept(result.failed);
    assert.ok(result.leastMs >= 600_000, `${result.leastMs} ms`);
    assert.ok(result.leastServices >= 3);
    assert.ok(result.leastFaults >= 5);
    const missing = faultMenu.filter(({ name }) => !result.faults.has(name));
    assert.deepEqual(missing, []);
  });
});

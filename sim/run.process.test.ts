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
  it("is a function of its seed, however often the boundary is crossed", async () => {
    const first = await simulate(11, options);
    const second = await simulate(11, options);
    const careful = await simulate(11, { ...options, settleAlways: true });
    kept(first);
    for (const again of [second, careful]) {
      assert.equal(first.trace(), again.trace());
      assert.deepEqual(countsOf(first), countsOf(again));
    }
    const other = await simulate(12, options);
    assert.notEqual(first.trace(), other.trace());
  });
});

const countsOf = ({ events, checks, requests }: RunResult) => [events, checks, requests];

describe("a campaign", () => {
  it("keeps every promise, on the seeds that once broke one as well, under every fault", async () => {
    const seeds = [...regressions.map((each) => each.seed), 1000, 1001, 1002];
    const result = await campaign(seeds, options);
    if (result.failed !== undefined) kept(result.failed);
    assert.ok(result.leastMs >= 600_000, `${result.leastMs} ms`);
    assert.ok(result.leastServices >= 3);
    assert.ok(result.leastFaults >= 5);
    const missing = faultMenu.filter(({ name }) => !result.faults.has(name));
    assert.deepEqual(missing, []);
  });
});

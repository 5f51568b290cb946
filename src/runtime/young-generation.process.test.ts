// The room for new objects, with and without the limit, also after a thread has begun.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { getHeapSpaceStatistics } from "node:v8";
import { Worker } from "node:worker_threads";
import { keepYoungGenerationSmall, keepYoungGenerationSmallBeside } from "./young-generation.ts";

/** Many objects, of which the last few thousand are needed. */
function makeGarbage(): void {
  let kept: unknown[] = [];
  for (let made = 0; made < 700_000; made++) {
    kept.push({ made, more: [made] });
    if (kept.length > 20_000) kept = kept.slice(10_000);
  }
}

function roomBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
  return young?.space_size ?? assert.fail("the engine has a young generation");
}

async function beginThread(kept: boolean): Promise<void> {
  const thread = new Worker("setTimeout(() => {}, 60_000)", { eval: true });
  if (kept) keepYoungGenerationSmallBeside(thread);
  await once(thread, "online");
  await thread.terminate();
}

test("the room for new objects does not grow, whoever has begun a thread meanwhile", async () => {
  keepYoungGenerationSmall();
  makeGarbage();
  const before = roomBytes();
  await beginThread(true);
  makeGarbage();
  // Once while the thread began it may have grown.
  assert.ok(roomBytes() <= 2 * before, `${roomBytes()} after ${before}`);
  // What there would be otherwise: this is how the test knows that it measures anything.
  await beginThread(false);
  makeGarbage();
  assert.ok(roomBytes() >= 8 * before, `${roomBytes()} after ${before}`);
});

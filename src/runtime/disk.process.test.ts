// What the real disk promises beyond the suite that it shares with the simulated one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDisk } from "./disk.ts";

test("writes that follow one another at once leave the event loop its turns", async () => {
  const disk = createDisk();
  const turns = await new Promise<number>((resolve) => {
    let [turn, calls] = [0, 0];
    const next = (): void => {
      // Far more calls than fit into the time between two turns: without turns they all pass.
      if (turn === 3 || calls++ === 3_000_000) resolve(turn);
      else disk.soon(next);
    };
    const count = (): void => {
      if (++turn < 3) setTimeout(count, 0);
    };
    setTimeout(count, 0);
    disk.soon(next);
  });
  assert.equal(turns, 3);
});

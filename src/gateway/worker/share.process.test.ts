// 128 keep-alive connections lie evenly on the workers: no worker holds over 1.3 times its share,
// whether they come one by one or all at once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keepAlive, startGateway } from "../process/harness.fixture.ts";

const CONNECTIONS = 128;

describe("keep-alive connections over workers", { timeout: 120_000 }, () => {
  for (const workers of [2, 4]) {
    for (const way of ["one by one", "all at once"]) {
      it(`are shared over ${workers} when they come ${way}`, async (test) => {
        const gateway = await startGateway(workers);
        const open: { readonly socket: { destroy(): void }; readonly worker: string }[] = [];
        try {
          if (way === "one by one") {
            for (let count = 0; count < CONNECTIONS; count++) {
              open.push(await keepAlive(gateway.port));
            }
          } else {
            const all = Array.from({ length: CONNECTIONS }, () => keepAlive(gateway.port));
            open.push(...(await Promise.all(all)));
          }
          const held = new Map<string, number>();
          for (const { worker } of open) held.set(worker, (held.get(worker) ?? 0) + 1);
          const most = Math.max(...held.values());
          test.diagnostic(`${workers} workers, ${way}: ${[...held.values()].join(", ")}`);
          assert.ok(most <= (1.3 * CONNECTIONS) / workers, `one worker holds ${most}`);
        } finally {
          for (const { socket } of open) socket.destroy();
          await gateway.end();
        }
      });
    }
  }
});

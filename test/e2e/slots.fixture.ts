// A service of known slots behind a real gateway, for load tests.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createNines, type Nines } from "./nines.fixture.ts";

/**
 * `SLOTS` requests at once, each for `HOLD_MS`; others wait. `/held` says how long a slot was really
 * held while others waited, since a busy machine makes every timer late.
 */
const slotsService = `
import { createServer } from "node:http";
const { PORT, HOST, SLOTS, HOLD_MS } = process.env;
const waiting = [];
let [free, held, count] = [Number(SLOTS), 0, 0];
function serve({ response, path }) {
  free--;
  const start = performance.now();
  setTimeout(() => {
    free++;
    if (waiting.length > 0) { held += performance.now() - start; count++; serve(waiting.shift()); }
    response.end(path);
  }, Number(HOLD_MS));
}
const server = createServer((request, response) => {
  const path = request.url ?? "";
  if (path === "/held") return response.end(JSON.stringify({ held, count }));
  if (path === "/healthz") return response.end();
  if (path === "/gone") { response.statusCode = 404; return response.end(); }
  if (free > 0) serve({ response, path });
  else waiting.push({ response, path });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(PORT), HOST);
process.on("SIGTERM", () => { server.close(() => process.exit(0)); server.closeAllConnections(); });
`;

export interface Slots {
  readonly replicas: number;
  readonly slots: number;
  readonly holdMs: number;
}

export async function slotsBehindGateway(t: TestContext, { replicas, slots, holdMs }: Slots) {
  const nines = await createNines(t);
  writeFileSync(join(nines.folder, "slots.mjs"), slotsService);
  nines.writeText(`
services:
  web:
    command: node slots.mjs
    replicas: ${replicas}
    env: { SLOTS: ${slots}, HOLD_MS: ${holdMs} }
    health: { http: /healthz }
  other: { command: node slots.mjs, env: { SLOTS: 1, HOLD_MS: 1 } }
gateway:
  workers: 1
  listen: [{ address: "127.0.0.1:${nines.port}" }]
  routes:
    - { match: { path: / }, service: web }
    - { match: { path: /other }, service: other }
`);
  await nines.up();
  return nines;
}

/** Requests a second that the slots could really do, told by themselves. */
export async function trueCapacity(nines: Nines, slots: number): Promise<number> {
  let capacity = 0;
  for (const { id, address } of await nines.instances()) {
    if (!id.startsWith("web-")) continue;
    const answer = await fetch(`http://${address}/held`);
    const { held, count } = (await answer.json()) as { held: number; count: number };
    assert.ok(count > 0, `somebody has waited at ${id}`);
    capacity += (1000 * slots * count) / held;
  }
  return capacity;
}

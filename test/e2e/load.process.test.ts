// `nines load` against services whose slots and service times are known, through a real gateway.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { PlanReport } from "../../src/program/predict/plan-report.ts";
import type { LoadReport } from "../../src/program/load/report.ts";
import { findStateDirectory } from "../../src/state/directory.ts";
import { readLoadResult } from "../../src/state/load-results.ts";
import { createNines, type Nines, until } from "./nines.fixture.ts";

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

interface Slots {
  readonly replicas: number;
  readonly slots: number;
  readonly holdMs: number;
}

async function slotsBehindGateway(t: TestContext, { replicas, slots, holdMs }: Slots) {
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
async function trueCapacity(nines: Nines, slots: number): Promise<number> {
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

describe("nines load", () => {
  it("finds the capacity of a service and where its knee is, and keeps them", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 2, slots: 2, holdMs: 20 });
    const words = ["--from", "40", "--to", "640", "--step", "x2", "--duration", "1s", "--json"];
    const { code, stdout, stderr } = await nines.run("load", "web", ...words);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as LoadReport;
    assert.match(stderr, /Sends GET \/ to web through the gateway at 127\.0\.0\.1:\d+/);
    assert.equal(report.instances, 2);
    const last = report.steps.at(-1);
    assert.equal(typeof last?.tooMuch, "string", stdout);
    assert.ok((last?.offeredPerSecond ?? 0) >= 160, stdout);
    assert.equal(report.fit?.isCapacityReached, true);
    const found = (report.fit?.capacityPerInstance ?? 0) * 2;
    const really = await trueCapacity(nines, 2);
    assert.ok(Math.abs(found / really - 1) < 0.2, `found ${found}, really ${really}`);
    assert.ok((report.fit?.base.meanMs ?? 0) >= 18, "no answer is quicker than its work");
    const kept = readLoadResult(findStateDirectory(join(nines.folder, ".nines")), "web");
    assert.deepEqual(kept?.fit, report.fit);
    assert.equal(kept?.kneePerSecond, report.kneePerSecond);
    const load = Math.round(3 * found);
    const plan = await nines.run("plan", "web", "--target", "99%", "--load", `${load}`, "--json");
    assert.equal(plan.code, 0, plan.stderr);
    const { needed, neededWhy } = JSON.parse(plan.stdout) as PlanReport;
    assert.equal(needed, 7, "three times as much, of which an instance takes nine tenths");
    assert.match(neededWhy, /as `nines load` measured/);
  });

  it("draws what it has found for a person, straight to the instances", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 1, slots: 4, holdMs: 5 });
    const words = ["--from", "20", "--to", "40", "--step", "20", "--duration", "500ms", "--direct"];
    const { code, stdout } = await nines.run("load", "web", ...words);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /asked\/s {2}answered\/s/);
    assert.match(stdout, /· p50 {2}o p90 {2}# p99/);
    assert.match(stdout, /web keeps up with 40\/s \(99% within .*\); more was not asked\./);
    assert.match(stdout, /Capacity: [\d.]+\/s or more of an instance/);
    assert.match(stdout, /Kept for `nines model`/);
  });

  it("sends nothing to where the service would not answer", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 1, slots: 1, holdMs: 1 });
    const refused = async (message: RegExp, ...words: readonly string[]) => {
      const { code, stderr } = await nines.run("load", ...words);
      assert.equal(code, 1);
      assert.match(stderr, message);
    };
    await refused(/GET \/other\/x leads to service other, not to web/, "web", "--path", "/other/x");
    await refused(/GET \/gone is answered 404/, "web", "--path", "/gone");
    await refused(/There is no service "wbe"/, "wbe");
    await refused(/--from 50 is above --to 20/, "web", "--from", "50", "--to", "20");
    assert.equal((await nines.run("load", "web", "--path", "http://example.com/")).code, 2);
  });

  it("ends at Ctrl-C with what it has found out by then", async (t) => {
    const nines = await slotsBehindGateway(t, { replicas: 1, slots: 8, holdMs: 5 });
    const words = ["--from", "30", "--to", "40", "--duration", "600ms"];
    const running = nines.start("load", "web", ...words, "--step", "x1.05");
    await until(() => /\n +30 /.test(running.said()), running.said);
    running.child.kill("SIGINT");
    const { code, stdout } = await running.ended;
    assert.equal(code, 0);
    assert.match(stdout, /Note: it was interrupted; the step under way is left out\./);
    assert.match(stdout, /web keeps up with 30\/s/);
  });
});

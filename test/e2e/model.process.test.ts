// `nines model` of a file, as it is typed: without anything running, with what the state directory
// knows, and where no figure can be given.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ModelReport } from "../../src/program/predict/report.ts";
import { createNines, type Nines } from "./nines.fixture.ts";

const file = `
services:
  web: { command: node web.js, replicas: 3 }
  db:
    command: node db.js
    replicas: 2
    failover: { mode: primary-standby }
predict:
  machines: { a: { zone: east }, b: { zone: west }, c: { zone: west } }
  gateway: [a, b]
  rates: { crash: { every: 10d } }
  services: { web: { needed: 2 } }
gateway:
  listen: [{ address: "127.0.0.1:1" }]
  routes: [{ service: web }]
`;

async function reports(nines: Nines, ...words: readonly string[]): Promise<readonly ModelReport[]> {
  const { code, stdout, stderr } = await nines.run("model", ...words, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as readonly ModelReport[];
}

describe("nines model", () => {
  it("says what to expect, without anything that runs", async (t) => {
    const nines = await createNines(t);
    nines.writeText(file);
    const { code, stdout } = await nines.run("model");
    assert.equal(code, 0);
    assert.match(stdout, /^web will be available for 99\.\d+ % of its requests: /);
    assert.match(stdout, /\ndb will be available for 99\.\d+ %/);
    assert.match(stdout, /crash: one every 10 d; as the file says: predict\.rates\.crash\.every/);
    assert.match(stdout, /one more instance: \+[\d.]+ %, .* a year less/);
  });

  it("prints the same as JSON, of one service if asked", async (t) => {
    const nines = await createNines(t);
    nines.writeText(file);
    const [web, none] = await reports(nines, "web");
    assert.equal(none, undefined);
    assert.deepEqual([web?.service, web?.instances, web?.needed], ["web", 3, 2]);
    const { lower = 0, value = 0, upper = 0 } = web?.unavailability ?? {};
    assert.ok(0 < lower && lower < value && value < upper && upper < 0.1);
    assert.equal(web?.rates.find(({ what }) => what === "crash")?.source, "file");
  });

  it("does not know other services, nor give figures of what cannot be", async (t) => {
    const nines = await createNines(t);
    nines.writeText(file);
    const unknown = await nines.run("model", "shop");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /has no service shop; it has web, db\.[^]*NINES_NAME_UNKNOWN/);
    nines.writeText(file.replace("needed: 2", "needed: 4"));
    const wrong = await nines.run("model");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /needed: is 4, and at most 3 of its instances take traffic/);
  });
});

// What load tests have found out outlives them, whole or not at all.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { openStateDirectory } from "./directory.ts";
import { type LoadResult, readLoadResult, writeLoadResult } from "./load-results.ts";
import { createRecords } from "./records.ts";

function stateDirectory(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "nines-load-results-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return openStateDirectory(join(folder, ".nines"));
}

const result: LoadResult = {
  service: "web",
  at: "2026-11-21T08:00:00.000Z",
  through: "gateway",
  method: "GET",
  path: "/",
  instances: 3,
  kneePerSecond: 2000,
  fit: {
    capacityPerInstance: 864,
    isCapacityReached: true,
    slotsPerInstance: 4,
    serviceTimeMs: 4.63,
    base: { meanMs: 4.8, quantiles: [[0.5, 4.6]] },
    waitFactor: 0.6,
    errorRatio: 0.04,
  },
};

describe("results of load tests", () => {
  it("are read as they were written, the latest of a service, in a folder of our own", (t) => {
    const state = stateDirectory(t);
    assert.equal(readLoadResult(state, "web"), undefined);
    writeLoadResult(state, result);
    writeLoadResult(state, { ...result, kneePerSecond: 2500 });
    assert.deepEqual(readLoadResult(state, "web")?.fit, result.fit);
    assert.equal(readLoadResult(state, "web")?.kneePerSecond, 2500);
    assert.equal(readLoadResult(state, "api"), undefined);
    assert.equal(statSync(state.loadResults).mode & 0o077, 0);
  });

  it("are none where another version of Nines wrote them", (t) => {
    const state = stateDirectory(t);
    writeLoadResult(state, result);
    createRecords(state.loadResults).write("web", { ...result, version: 2 });
    assert.equal(readLoadResult(state, "web"), undefined);
  });

  it("are refused by name when their file is torn", (t) => {
    const state = stateDirectory(t);
    writeLoadResult(state, result);
    const [name = ""] = readdirSync(state.loadResults);
    writeFileSync(join(state.loadResults, name), "nines-record 1 0000\n{");
    assert.throws(() => readLoadResult(state, "web"), { code: "NINES_STATE_CORRUPT" });
  });
});

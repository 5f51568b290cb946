// Kept counters come back as they were, or not at all.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { quietWorker } from "../../core/measure/gateway-stats.ts";
import { type KeptCounters, loadCounters, saveCounters } from "./kept-counters.ts";

const folder = mkdtempSync(join(tmpdir(), "nines-counters-"));
const file = join(folder, "counters.json");
after(() => rmSync(folder, { recursive: true, force: true }));

const kept: KeptCounters = {
  ended: { ...quietWorker, failures: { NO_ROUTE: 3 } },
  workers: [
    {
      hello: {
        type: "hello",
        role: "worker",
        identity: { pid: 7, startTime: "1" },
        term: 1,
        worker: 1,
        version: "1.0.0",
      },
      stats: { ...quietWorker, worker: 1, pid: 7 },
    },
  ],
};

it("come back as they were kept", () => {
  saveCounters(file, kept);
  assert.deepEqual(loadCounters(file), kept);
});

it("are none when there is no file, when it is cut off anywhere, or another's", () => {
  rmSync(file, { force: true });
  assert.equal(loadCounters(file), undefined);
  saveCounters(file, kept);
  const text = readFileSync(file, "utf8");
  for (let length = 0; length < text.length; length += 7) {
    writeFileSync(file, text.slice(0, length));
    assert.equal(loadCounters(file), undefined);
  }
  for (const other of [{}, { ...kept, ended: {} }, { ...kept, workers: [{ stats: {} }] }]) {
    writeFileSync(file, JSON.stringify(other));
    assert.equal(loadCounters(file), undefined);
  }
});

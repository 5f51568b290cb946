// `nines simulate`, as a shell runs it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { YearsReport } from "../predict/years-report.ts";

const program = join(import.meta.dirname, "..", "main.js");

const file = `
services:
  my-web: { command: node web.js, replicas: 2, health: { http: /healthz } }
  db: { endpoints: ["10.0.0.1:5432", "10.0.0.2:5432"], failover: { mode: primary-standby } }
gateway:
  listen: [{ address: ":8080" }]
  routes: [{ match: { path: / }, service: my-web }]
predict:
  services:
    my-web: { load: 100, capacity: 700, serviceTime: 5ms }
`;

function ninesIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "nines-simulate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "nines.yaml"), file);
  return (...words: readonly string[]) => {
    const options = { cwd: folder, encoding: "utf8" } as const;
    return spawnSync(process.execPath, [program, "simulate", ...words], options);
  };
}

describe("nines simulate", () => {
  it("says how available each service was, and what the model says", (t) => {
    const nines = ninesIn(t);
    const { status, stdout, stderr } = nines("--years", "2", "--json");
    assert.equal(status, 0, stderr);
    const reports = JSON.parse(stdout) as readonly YearsReport[];
    assert.deepEqual(
      reports.map(({ service }) => service),
      ["my-web", "db"],
    );
    for (const { unavailability, model, incidentsPerYear } of reports) {
      const { value, lower, upper } = unavailability;
      assert.ok(lower <= value && value <= upper && upper < 1);
      assert.ok(model !== null && model.value > 0 && incidentsPerYear > 0);
    }
    assert.ok((reports[0]?.load?.meanMs ?? 0) >= 5);
    const one = nines("my-web", "--years", "2");
    assert.match(one.stdout, /^my-web was available for 99\.\d+ % of 2 simulated years/);
    assert.match(one.stdout, /The model says 99\.\d+ %/);
    const again = /--replay (\d+@[\d.]+)/.exec(one.stdout)?.[1] ?? "";
    assert.match(nines("--replay", again).stdout, / fault .* failed for /);
    assert.match(
      nines("--replay", "1@1").stdout,
      /^Nothing happened in the life of seed 1 around /,
    );
  });

  it("refuses what is no number of years, and a service that is not there", (t) => {
    const nines = ninesIn(t);
    assert.match(nines("--years", "0").stderr, /above 0/);
    const { status, stderr } = nines("api");
    assert.equal(status, 2);
    assert.match(stderr, /NINES_NAME_UNKNOWN/);
  });
});
